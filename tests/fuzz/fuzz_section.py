"""The body of a section of each type; the first byte says of which."""

from collections.abc import Iterator
from dataclasses import replace

from bundler import items
from bundler.columnar import decode_columnar, encode_columnar
from bundler.entry_encodings import COLUMNAR, ROWS, decode_entries, is_known
from bundler.errors import BundleError
from bundler.lack_section import LackSection, PartlyCome, SymbolRun
from bundler.limits import DEFAULT_LIMITS
from bundler.log_section import LogSection
from bundler.notices import (
    Ask,
    ForkSection,
    GenesisSection,
    HaveSection,
    HeldLog,
    KeySection,
    LedgerHave,
    Receipt,
    ReceiptSection,
    Scope,
    Seen,
    SentSection,
)
from bundler.rows import decode_rows, encode_rows
from bundler.sections import BodySection, encode_section
from bundler.witness_section import LedgerWitness, WitnessedLog, WitnessSection
from ledger import cbor
from ledger.genesis import LedgerId
from ledger.note import Checkpoint
from ledger.seeds import Seed, covers, salts
from ledger.witness import Witnessed
from tests.fuzz.harness import Target
from tests.vectors import load

_KINDS: tuple[type[BodySection], ...] = (
    LogSection,
    HaveSection,
    SentSection,
    ReceiptSection,
    GenesisSection,
    KeySection,
    ForkSection,
    WitnessSection,
    LackSection,
)
_LEDGER = LedgerId(bytes(16))


def take(data: bytes) -> None:
    kind = _KINDS[data[0] % len(_KINDS) if data else 0]
    section = kind.from_body(data[1:], limits=DEFAULT_LIMITS)
    assert section.to_body() == data[1:]
    if isinstance(section, LogSection):
        _take_entries(section)


def _take_entries(section: LogSection) -> None:
    if not is_known(section.encoding):
        return
    count = min(section.count, 64)  # more would only be slower
    known = covers(section.cover, section.first, count)
    salt: list[bytes | None] = (
        list(salts(section.cover, section.first, count)) if known else [None] * count
    )
    section = replace(section, checkpoint=replace(section.checkpoint, size=section.first + count))
    columns = decode_entries(section, salt)
    entries = columns.one_by_one()
    assert decode_rows(encode_rows(entries), count, salt) == entries
    again = decode_columnar(b"".join(encode_columnar(columns)), count, salt)
    assert again.one_by_one() == entries


def seeds() -> Iterator[bytes]:
    for section in _examples():
        yield bytes([_KINDS.index(type(section))]) + section.to_body()


def encoded_seeds() -> Iterator[bytes]:
    """Yield sections as they stand in a content, compressed where that makes them smaller."""
    yield from map(encode_section, _examples())


def _examples() -> Iterator[BodySection]:
    log = (bytes(32), bytes(8))
    held = LedgerHave(_LEDGER, (HeldLog(*log, 7, bytes(16)), HeldLog(*log, 2**32, bytes(16))))
    yield HaveSection(seen=None, key_ids=(), ledgers=())
    seen = Seen(bytes(8), 3)
    yield HaveSection(seen=seen, key_ids=(bytes(8),), ledgers=(held,))
    scope, ask = Scope(bytes(8), 3, (1, 7)), Ask(2, bytes(24))
    yield HaveSection(seen=seen, key_ids=(), ledgers=(held,), back=1, scope=scope, ask=ask)
    yield SentSection(bundle_ids=(bytes(8), b"\1" * 8))
    yield ReceiptSection(receipts=(Receipt(bytes(8), ""), Receipt(bytes(8), "no room")))
    yield LackSection(bundles=(PartlyCome(bytes(8), (SymbolRun(0, 3), SymbolRun(5, 1))),))
    yield KeySection(key=bytes(32))
    yield GenesisSection(genesis=bytes.fromhex(load("genesis")["admins_16"]["data"]))
    for stem in ("fork", "fork_same_size"):
        proof = bytes.fromhex(load("fork")[stem]["data"])
        yield ForkSection(ledger=_LEDGER, author=bytes(32), incarnation=bytes(8), fork=proof)
    for stem in ("witnessed", "witnessed_16"):
        item = cbor.as_list(
            cbor.decode(bytes.fromhex(load("witness")[stem]["witnessed"]), limit_bytes=9999)
        )
        logs = (WitnessedLog(*log, Witnessed.from_cbor(*item)),)
        yield WitnessSection(ledgers=(LedgerWitness(_LEDGER, logs),))
    for vector in load("rows").values():
        columns = [items.byte_string(bytes.fromhex(column)) for column in vector["columns"]]
        yield _log(vector["count"], ROWS, items.array_head(len(columns)) + b"".join(columns))
    for vector in load("columns").values():
        yield _log(vector["count"], COLUMNAR, bytes.fromhex(vector["data"]))


def _log(count: int, encoding: int, entries: bytes) -> LogSection:
    return LogSection(
        ledger=_LEDGER,
        author=bytes(32),
        incarnation=bytes(8),
        first=0,
        cover=(Seed(0, 0, bytes(16)),),
        checkpoint=Checkpoint(count, bytes(32), bytes(64)),
        encoding=encoding,
        entries=entries,
    )


TARGET = Target(take, (BundleError,), seeds, longest=1024)
