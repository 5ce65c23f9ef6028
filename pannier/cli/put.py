"""``pannier put`` and ``delete``: what a person says about things."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import click

from ledger import views
from ledger.append import Draft, deletion
from ledger.data import parse_json, payload_from_value
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
)
from pannier.errors import BusyError, PannierError, UsageError
from pannier.node import Node
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
@click.option("--bytes", "as_bytes", is_flag=True, help="The data is bytes and not JSON.")
@click.option("--kind", metavar="WORD", help="Your word for what sort of entry it is.")
@click.option("--time", "when", type=parse_time, metavar="TIME", help="When it was; otherwise now.")
@ledger_option
@home_option
def put(
    thing: str | None,
    data: str | None,
    ndjson: str | None,
    from_line: int | None,
    as_bytes: bool,
    kind: str | None,
    when: int | None,
    ledger: str | None,
    home: str | None,
) -> None:
    """Say something about a THING: append an entry. JSON may be - (standard input) or @FILE.

    \b
    Examples:  pannier put field/3 '{"moisture": 0.31}'
               pannier put photo/7 @photo.jpg --bytes
               pannier put --ndjson weather.ndjson
    Each line of an NDJSON file is {"thing": NAME, "data": VALUE}; it may have "time"
    (microseconds since 1970 UTC) and "kind", too. A TIME is 2026-03-01, 2026-03-01T12:30
    (UTC unless it says otherwise) or microseconds since 1970. Without any ledger, the
    first put makes one, called like this node.
    """
    if ndjson is not None:
        if thing is not None or as_bytes or kind is not None or when is not None:
            raise UsageError("with --ndjson each line says its own thing, data, time and kind")
        with open_node(home) as node:
            _put_many(node, ledger, ndjson, from_line or 1)
        return
    if thing is None or data is None or from_line is not None:
        raise UsageError("say THING and JSON, or --ndjson FILE; see `pannier put --help`")
    with open_node(home) as node:
        now = node.clock() if when is None else when
        payload = _payload(data, as_bytes)
        draft = Draft(thing=thing, payload=payload, time_us=now, kind=kind or "")
        check_thing(draft.thing)
        check_kind(draft.kind)
        store = _ledger_to_write(node, ledger)
        ledgers.put(node, store, [draft])
        click.echo(f"{thing} is in {store.genesis.name}.")


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
        if not heads or all(one.deleted for one in heads):
            click.echo(f"{thing} is not there; nothing to do.")
            return
        ledgers.put(node, store, [deletion(thing, node.clock())])
    click.echo(f"{thing} is deleted; `pannier log {thing}` still shows what it was.")


def _put_many(node: Node, ledger: str | None, source: str, from_line: int) -> None:
    store: Store | None = None
    before = 0
    with _opened(source) as lines:
        drafts = ledgers.drafts_from_ndjson(lines, now_us=node.clock(), first_line=from_line)
        try:
            first = list(islice(drafts, 1))  # a bad first line makes no ledger
            store = _ledger_to_write(node, ledger) if first else None
            if store is None:
                click.echo(f"{source} has no entry from line {from_line} on; nothing was put.")
                return
            before = _size(store)
            count = ledgers.put(node, store, progress(chain(first, drafts), "Putting", None))
        except (LedgerError, UsageError) as error:
            written = _size(store) - before if store else 0
            kept = f"{plural(written, 'entry')} before it stay" if written else "nothing was put"
            failure = BusyError if isinstance(error, LedgerBusyError) else PannierError
            raise failure(f"{source}: {error} ({kept})") from error
    click.echo(f"{plural(count, 'entry')} put into {store.genesis.name}.")


def _size(store: Store) -> int:
    return sum(state.size for state in store.logs())


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``."""
    if source == "-":
        yield sys.stdin.buffer
        return
    with Path(source).open("rb") as file:
        yield file


def _ledger_to_write(node: Node, name: str | None) -> Store:
    """Return the ledger for a put; the first put of a node makes its first ledger."""
    if name is None and not any(True for _ in node.ledgers()):
        store = ledgers.new_ledger(node, node.card.name)
        click.echo(f"Made the ledger {store.genesis.name}.")
        return store
    return choose_ledger(node, name)


def _payload(data: str, as_bytes: bool) -> bytes:
    if data == "-" or data.startswith("@"):
        with _opened(data.removeprefix("@")) as file:
            content = file.read(_MAX_DATA_BYTES + 1)
    else:
        content = data.encode("utf-8", "surrogateescape")
    if as_bytes:
        return payload_from_value(content)
    try:
        return payload_from_value(parse_json(content.decode()))
    except UnicodeDecodeError as error:
        raise UsageError("the JSON is not UTF-8; for bytes say --bytes") from error
