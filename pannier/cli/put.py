"""``pannier put`` and ``delete``: what a person says about things."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import click

from ledger import views
from ledger.append import Draft, deletion
from ledger.data import parse_json
from ledger.entry import check_kind, check_thing
from ledger.errors import BusyError as LedgerBusyError
from ledger.errors import LedgerError
from ledger.store import Store
from pannier import ledgers
from pannier.cli.session import (
    choose_ledger,
    home_option,
    ledger_option,
    open_node,
    plural,
    progress,
    say,
    stdin_bytes,
)
from pannier.errors import BusyError, PannierError, UsageError
from pannier.node import Node
from pannier.payloads import Payloads
from pannier.times import parse_time

_MAX_DATA_BYTES = 8 << 20  # more than any JSON that fits an entry


# Else a negative number would be taken for an option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("thing", required=False)
@click.argument("data", required=False, metavar="JSON")
@click.option("--ndjson", "ndjson", metavar="FILE", help="Many at once; - for standard input.")
@click.option(
    "--from-line",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --ndjson: pass over the lines before this one.",
)
@click.option(
    "--each", is_flag=True, help="With --ndjson: keep each line, and say so, before the next one."
)
@click.option("--bytes", "as_bytes", is_flag=True, help="The data is bytes and not JSON.")
@click.option("--kind", metavar="WORD", help="Your word for what sort of entry it is.")
@click.option("--time", "when", type=parse_time, metavar="TIME", help="When it was; otherwise now.")
@click.option("--as", "device", metavar="DEVICE", help="A device without keys said it.")
@click.option("--to", "to", multiple=True, metavar="NAME,…", help="Only these members can read it.")
@ledger_option
@home_option
def put(
    thing: str | None,
    data: str | None,
    ndjson: str | None,
    from_line: int | None,
    each: bool,
    as_bytes: bool,
    kind: str | None,
    when: int | None,
    device: str | None,
    to: tuple[str, ...],
    ledger: str | None,
    home: str | None,
) -> None:
    """Say something about a THING: append an entry. JSON may be - (standard input) or @FILE.

    \b
    Examples:  pannier put field/3 '{"moisture": 0.31}'
               pannier put photo/7 @photo.jpg --bytes
               pannier put --ndjson weather.ndjson
               sensor | pannier put --ndjson - --each
               pannier put patient/17 '{"hb": 9.1}' --to alice,bob
    Each line of an NDJSON file is {"thing": NAME, "data": VALUE}; it may have "time"
    (microseconds since 1970 UTC), "kind", "as" and "to" (a list of names), too. A TIME is
    2026-03-01, 2026-03-01T12:30 (UTC unless it says otherwise) or microseconds since 1970.
    With --each a line is acknowledged on standard output as soon as the entry survives a
    power cut, and the next one is read only then; without, many lines share the cost of that.
    Without any ledger, the first put makes one, called like this node. --to leaves you and
    those members to read the data; thing, kind and time stay open to all. --as is for
    ledgers made with --centralized, where who writes speaks for devices.
    """
    if ndjson is not None:
        if as_bytes or to or any(one is not None for one in (thing, kind, when, device)):
            raise UsageError(
                'with --ndjson each line says its own thing, data, time, kind, "as" and "to"'
            )
        with open_node(home) as node:
            _put_lines(node, ledger, ndjson, from_line or 1, each=each)
        return
    if from_line is not None or each:
        raise UsageError("--each and --from-line are for lines: say --ndjson FILE, too")
    if thing is None or data is None:
        raise UsageError("say THING and JSON, or --ndjson FILE; see `pannier put --help`")
    names = _names(to)
    with open_node(home) as node:
        now = node.clock() if when is None else when
        value = _value(data, as_bytes)
        check_thing(thing)
        check_kind(kind or "")

        def draft(payloads: Payloads) -> Draft:
            payload = payloads.make(thing, value, device=device, to=names)
            return Draft(thing=thing, payload=payload, time_us=now, kind=kind or "")

        _put_one(node, ledger, draft)


def _put_one(node: Node, ledger: str | None, make: Callable[[Payloads], Draft]) -> None:
    choose = cache(lambda: choose_ledger(node, ledger))
    draft = make(Payloads(node, choose))  # what is out of bounds makes no ledger
    store = _ledger_to_write(node, ledger, choose)
    ledgers.put(node, store, [draft])
    say(f"{draft.thing} is in {store.genesis.name}.")


@click.command()
@click.argument("thing")
@ledger_option
@home_option
def delete(thing: str, ledger: str | None, home: str | None) -> None:
    """Say that a THING is no more. What it was stays in its history.

    \b
    Example:  pannier delete field/3
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        heads = views.heads(store, thing)
        if not heads or views.is_gone(heads):
            say(f"{thing} is not there; nothing to do.")
            return
        ledgers.put(node, store, [deletion(thing, node.clock())])
    say(f"{thing} is deleted; `pannier log {thing}` still shows what it was.")


def _put_lines(node: Node, ledger: str | None, source: str, from_line: int, *, each: bool) -> None:
    store: Store | None = None
    before = 0
    choose = cache(lambda: choose_ledger(node, ledger))
    payloads = Payloads(node, choose)
    with _opened(source) as lines:
        drafts = _drafts(node, payloads, lines, from_line, each=each)
        try:
            first = list(islice(drafts, 1))  # a bad first line makes no ledger
            store = _ledger_to_write(node, ledger, choose, aside=each) if first else None
            if store is None:
                said = f"{source} has no entry from line {from_line} on; nothing was put."
                say(said, err=each)
                return
            before = _size(store)
            put_all = _put_each if each else _put_many
            put_all(node, store, chain(first, drafts))
        except (LedgerError, UsageError) as error:
            written = _size(store) - before if store else 0
            kept = f"{plural(written, 'entry')} before it stay" if written else "nothing was put"
            failure = BusyError if isinstance(error, LedgerBusyError) else PannierError
            raise failure(f"{source}: {error} ({kept})") from error


def _drafts(
    node: Node, payloads: Payloads, lines: BinaryIO, from_line: int, *, each: bool
) -> Iterator[Draft]:
    """Return the drafts of *lines*; with *each* no line is read before its draft is asked for."""
    if not each:
        return ledgers.drafts_from_ndjson(
            lines, payloads, now_us=node.clock(), first_line=from_line
        )
    return (
        ledgers.draft_from_line(line, payloads, number=number, now_us=node.clock())
        for number, line in ledgers.numbered_lines(lines, first_line=from_line)
    )


def _put_many(node: Node, store: Store, drafts: Iterable[Draft]) -> None:
    count = ledgers.put(node, store, progress(drafts, "Putting", None))
    say(f"{plural(count, 'entry')} put into {store.genesis.name}.")


def _put_each(node: Node, store: Store, drafts: Iterable[Draft]) -> None:
    for draft in drafts:
        ledgers.put(node, store, [draft])
        say(f"{draft.thing} is in {store.genesis.name}.")  # echo flushes


def _size(store: Store) -> int:
    return sum(state.size for state in store.logs())


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``.

    Raises:
        UsageError: it is standard input, and that is closed.
        OSError: the file cannot be opened.
    """
    if source == "-":
        yield stdin_bytes()
        return
    with Path(source).open("rb") as file:
        yield file


def _ledger_to_write(
    node: Node, name: str | None, choose: Callable[[], Store], *, aside: bool = False
) -> Store:
    """Return the ledger for a put; the first put of a node makes its first ledger.

    *aside*: say so on standard error.
    """
    if name is None and not node.ledger_ids():
        store = ledgers.first_ledger(node)
        if store is not None:
            say(f"Made the ledger {store.genesis.name}.", err=aside)
            return store
    return choose()


def _names(options: Iterable[str]) -> list[str]:
    """Return the names in ``--to a,b --to c``.

    Raises:
        UsageError: there is none in one of them.
    """
    names = [name.strip() for option in options for name in option.split(",")]
    if not all(names):
        raise UsageError("--to is for names, with commas between them")
    return names


def _value(data: str, as_bytes: bool) -> object:
    if data == "-" or data.startswith("@"):
        with _opened(data.removeprefix("@")) as file:
            content = file.read(_MAX_DATA_BYTES + 1)
    else:
        content = data.encode("utf-8", "surrogateescape")
    if as_bytes:
        return content
    try:
        return parse_json(content.decode())
    except UnicodeDecodeError as error:
        raise UsageError("the JSON is not UTF-8; for bytes say --bytes") from error
