"""Rows of a ledger file, sealed and not: whatever stands in them is damage and nothing else."""

from collections.abc import Callable, Iterator

from ledger import cbor
from ledger.close import close_from_payload
from ledger.errors import LedgerError
from ledger.log import LogName
from ledger.merkle import Frontier
from ledger.records import (
    COVER,
    DROPPED,
    SqlValue,
    checkpoint_from_row,
    dropped_from_row,
    entry_from_row,
    follows_from_row,
    log_from_row,
)
from ledger.rest import Rest
from ledger.seeds import root_cover
from ledger.witness import witnessed_from_bytes
from tests.fuzz.harness import Target, vectors

REST = Rest(bytes(32))
HIDDEN = Rest(bytes(32), hides_names=True)
NAME = LogName(bytes(32), bytes(8))


def _values(data: bytes) -> list[SqlValue]:
    """Return what *data* is as columns: their types and lengths, then their bytes."""
    values: list[SqlValue] = []
    while data:
        kind, size = data[0] % 4, data[0] >> 2
        piece, data = data[1 : 1 + size], data[1 + size :]
        match kind:
            case 0:
                values.append(None)
            case 1:
                values.append(int.from_bytes(piece[:8], "big", signed=True))
            case 2:
                values.append(piece.decode(errors="replace"))
            case _:
                values.append(piece)
    return values


def _row(data: bytes, width: int) -> list[SqlValue]:
    return (_values(data) + [None] * width)[:width]


def _sealed_cover(data: bytes) -> None:
    sealed = REST.seal(COVER + b"".join(NAME), data)
    log_from_row((1, *NAME, Frontier(0, ()).to_bytes(), sealed, 0, None, None, None, None), REST)


def _sealed_payload(data: bytes) -> None:
    sealed = REST.seal_payload(bytes(32), data)
    entry = entry_from_row(("thing", "", 0, 0, None, bytes(32), sealed), REST)
    assert entry.payload == data


READERS: tuple[Callable[[bytes], object], ...] = (
    lambda data: entry_from_row(_row(data, 7), REST),
    lambda data: entry_from_row(_row(data, 7), HIDDEN),
    lambda data: checkpoint_from_row(_row(data, 4)),
    lambda data: log_from_row(_row(data, 10), REST),
    lambda data: dropped_from_row(NAME, REST.seal(DROPPED + b"".join(NAME), data), REST),
    _sealed_cover,
    _sealed_payload,
    follows_from_row,
    witnessed_from_bytes,
    lambda data: close_from_payload(bytes(32), data),
    Frontier.from_bytes,
)


def take(data: bytes) -> None:
    READERS[data[0] % len(READERS) if data else 0](data[1:])


def _packed(*values: SqlValue) -> bytes:
    found = b""
    for value in values:
        match value:
            case None:
                found += bytes([0])
            case int():
                found += bytes([1 | 8 << 2]) + value.to_bytes(8, "big", signed=True)
            case str():
                found += bytes([2 | len(value) << 2]) + value.encode()
            case _:
                found += bytes([3 | len(value) << 2]) + value
    return found


def seeds() -> Iterator[bytes]:
    digest = bytes(32)
    yield b"\0" + _packed("thing", "kind", 0, 1, None, digest, REST.seal_payload(digest, b"\xf6"))
    yield b"\0" + _packed("thing", "kind", 0, 1, cbor.encode([]), digest, None)
    yield b"\1" + _packed(HIDDEN.seal_name("thing"), HIDDEN.seal_name(""), 0, 1, None, digest, None)
    yield b"\2" + _packed(7, digest, bytes(63))
    yield b"\3" + _packed(1, digest, bytes(8), bytes(8), bytes(40), 0, None, None, None, 2**32)
    yield b"\5" + cbor.encode([list(seed) for seed in root_cover(bytes(16))])
    yield b"\6" + b"\xf6"
    yield b"\x0a" + Frontier(3, (digest, digest)).to_bytes()
    yield from (b"\x08" + one for one in vectors("witness", "witnessed"))
    yield from (b"\x09" + one for one in vectors("close", "payload"))
    yield from (b"\4" + one for one in vectors("entry", "entry"))


TARGET = Target(take, (LedgerError,), seeds, longest=2048)
