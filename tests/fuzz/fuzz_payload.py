"""Payloads of entries with a meaning of their own, and entries."""

from collections.abc import Callable, Iterator

from ledger.close import close_from_payload
from ledger.data import value_from_payload
from ledger.entry import entry_from_bytes, leaf_bytes
from ledger.epochs import EpochEntry
from ledger.errors import LedgerError
from ledger.facts import grant_from_payload, revocation_from_payload
from ledger.on_behalf import statement_from_value
from ledger.sealed_entry import SealedPayload
from tests.fuzz.harness import Target, vectors


def _entry(data: bytes) -> None:
    assert leaf_bytes(entry_from_bytes(data, None)) == data


def _epoch(data: bytes) -> None:
    assert EpochEntry.from_payload(data).to_payload() == data


def _sealed(data: bytes) -> None:
    found = SealedPayload.from_value(value_from_payload(data))
    assert found is None or found.to_payload() == data


_AREAS = (
    ("entry", "data"),
    ("close", "payload"),
    ("epoch", "payload"),
    ("on_behalf", "payload"),
    ("sealed_entry", "data"),
)
READERS: tuple[Callable[[bytes], object], ...] = (
    _entry,
    grant_from_payload,
    revocation_from_payload,
    lambda data: close_from_payload(bytes(32), data),
    _epoch,
    _sealed,
    lambda data: statement_from_value(value_from_payload(data)),
)


def take(data: bytes) -> None:
    READERS[data[0] % len(READERS) if data else 0](data[1:])


def seeds() -> Iterator[bytes]:
    for number in range(len(READERS)):
        for area, field in _AREAS:
            yield from (bytes([number]) + data for data in vectors(area, field))


TARGET = Target(take, (LedgerError,), seeds)
