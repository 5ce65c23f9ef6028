"""What a person does with ledgers: make one, write to it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO

from ledger.append import (
    MAX_TOGETHER,
    MAX_TOGETHER_BYTES,
    Draft,
    Drafts,
    append_columns,
    in_columns,
)
from ledger.cbor import as_int64
from ledger.data import PayloadEncoder, parse_json
from ledger.entry import check_kind, check_thing
from ledger.errors import LedgerError
from ledger.genesis import Genesis, Term
from ledger.store import Store
from pannier.bulk import few_collections
from pannier.errors import UsageError
from pannier.ndjson import Templates
from pannier.node import Node
from pannier.payloads import Payloads
from pannier.rollback import begin_before_writing

_MAX_LINE_BYTES = 32 << 20
_KEYS = frozenset({"thing", "data", "time", "kind", "as", "to"})


def new_ledger(
    node: Node, name: str, terms: frozenset[Term] = frozenset(), *, hide_names: bool = False
) -> Store:
    """Make a ledger whose admin is this node.

    Args:
        node: Where.
        name: What it is called.
        terms: What is agreed about it, for good.
        hide_names: Whether its file here hides the names of things and kinds, too.

    Raises:
        UsageError: this node has one called so.
        BusyError: another process is making one.
        LedgerError: *name* is not a name, or the disk said no.
    """
    with node.alone("new", "making a ledger"):
        if any(store.genesis.name == name for store in node.every_ledger()):
            raise UsageError(f"there is a ledger {name} already")
        return _make(node, name, terms, hide_names=hide_names)


def first_ledger(node: Node) -> Store | None:
    """Make the first ledger of *node*, called as it is; None if there is one by now.

    Raises:
        BusyError: another process is making one.
        LedgerError: the disk said no.
    """
    with node.alone("new", "making a ledger"):
        if node.ledger_ids():
            return None
        return _make(node, node.card.name, frozenset(), hide_names=False)


def _make(node: Node, name: str, terms: frozenset[Term], *, hide_names: bool) -> Store:
    genesis = Genesis(
        name=name,
        admins=(node.card,),
        time_us=node.clock(),
        nonce=node.entropy(16),
        terms=terms,
    )
    Genesis.from_bytes(genesis.to_bytes())
    return node.make_ledger(genesis, hide_names=hide_names)


def put(node: Node, store: Store, drafts: Iterable[Draft]) -> int:
    """Append *drafts*; return how many.

    Raises:
        LedgerError: one is out of bounds, or it could not be written.
        PannierError: the home cannot be written.
    """
    return _put(node, store, in_columns(drafts))


def put_values(
    node: Node, store: Store, values: Iterable[tuple[str, object, int]], *, kind: str = ""
) -> int:
    """Append an entry for each (thing, data, time), as a program has them; return how many.

    Args:
        node: Who says it.
        store: Where.
        values: The data as JSON has it: a map, a list, a text, a number...; times in microseconds
            since 1970 UTC.
        kind: What sort of entries they are.

    Raises:
        LedgerError: one is out of bounds, or it could not be written.
        PannierError: the home cannot be written.
    """
    return _put(node, store, _encoded(values, kind))


def _put(node: Node, store: Store, drafts: Iterable[Drafts]) -> int:
    begin_before_writing(node, store)
    count = 0

    def counted() -> Iterator[Drafts]:
        nonlocal count
        for some in drafts:
            count += some.size
            yield some

    with few_collections():
        for _ in append_columns(store, node.author, counted()):
            pass
    return count


def _encoded(values: Iterable[tuple[str, object, int]], kind: str) -> Iterator[Drafts]:
    encode = PayloadEncoder().encode
    things, payloads, times_us = list[str](), list[bytes](), list[int]()
    size_bytes = 0
    for thing, value, time_us in values:
        payload = encode(value)
        things.append(thing)
        payloads.append(payload)
        times_us.append(time_us)
        size_bytes += len(payload)
        if len(things) == MAX_TOGETHER or size_bytes >= MAX_TOGETHER_BYTES:
            yield Drafts.puts(things, payloads, times_us, kind)
            things, payloads, times_us = [], [], []
            size_bytes = 0
    if things:
        yield Drafts.puts(things, payloads, times_us, kind)


def drafts_from_ndjson(
    lines: IO[bytes], payloads: Payloads, *, now_us: int, first_line: int = 1
) -> Iterator[Draft]:
    """Yield a draft for each line ``{"thing", "data", optional "time", "kind", "as", "to"}``.

    Args:
        lines: The open file, UTF-8; blank lines are passed over.
        payloads: Makes what the entries say.
        now_us: The time of entries that have none.
        first_line: Number of the first line that counts, from 1.

    Raises:
        UsageError: a line is not that; the message says which and why.
    """
    templates = Templates(now_us)
    for number, line in numbered_lines(lines, first_line=first_line):
        draft = templates.draft(line)
        if draft is None:
            draft = draft_from_line(line, payloads, number=number, now_us=now_us)
            templates.learn(line)
        yield draft


def numbered_lines(lines: IO[bytes], *, first_line: int = 1) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that say something, each as soon as it came, with their numbers from 1.

    One that is longer than any entry comes in pieces.
    """
    number = 0
    while line := lines.readline(_MAX_LINE_BYTES + 1):
        number += 1
        if number >= first_line and not line.isspace():
            yield number, line


def draft_from_line(line: bytes, payloads: Payloads, *, number: int, now_us: int) -> Draft:
    """Return the draft of one line, as `drafts_from_ndjson` does.

    Raises:
        UsageError: it is none; the message has *number* and why.
    """
    try:
        return _draft(line.decode(), now_us, payloads)
    except UnicodeDecodeError as error:
        raise UsageError(f"line {number}: not UTF-8 from byte {error.start + 1} on") from error
    except (LedgerError, UsageError) as error:
        raise UsageError(f"line {number}: {error}") from error


def _draft(line: str, now_us: int, payloads: Payloads) -> Draft:
    value = parse_json(line)
    if not isinstance(value, dict) or "thing" not in value or "data" not in value:
        raise UsageError(
            'a line is {"thing": NAME, "data": VALUE}, "time", "kind", "as" and "to" may follow'
        )
    if not _KEYS.issuperset(value):
        raise UsageError(f"unknown key {sorted(set(value) - _KEYS)[0]!r}")
    thing, time_us, kind = value["thing"], value.get("time", now_us), value.get("kind", "")
    if not isinstance(thing, str) or not isinstance(kind, str):
        raise UsageError("thing and kind are texts")
    if type(time_us) is not int:
        raise UsageError("time is an integer: microseconds since 1970 UTC")
    check_thing(thing)
    check_kind(kind)
    as_int64(time_us)
    payload = payloads.make(thing, value["data"], device=_device(value), to=_recipients(value))
    return Draft(thing=thing, payload=payload, time_us=time_us, kind=kind)


def _device(value: Mapping[str, object]) -> str | None:
    if "as" not in value:
        return None
    device = value["as"]
    if not isinstance(device, str):
        raise UsageError('"as" is a text: the name of a device')
    return device


def _recipients(value: Mapping[str, object]) -> list[str]:
    if "to" not in value:
        return []
    names = value["to"]
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise UsageError('"to" is a list of members')
    return names
