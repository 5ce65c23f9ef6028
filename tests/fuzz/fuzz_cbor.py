"""Any CBOR: what is decoded has this encoding and no other."""

from collections.abc import Iterator

from ledger import cbor
from ledger.errors import LedgerError
from tests.fuzz.harness import MAX_BYTES, Target, vectors


def take(data: bytes) -> None:
    assert cbor.encode(cbor.decode(data, limit_bytes=MAX_BYTES)) == data


def seeds() -> Iterator[bytes]:
    yield from vectors("cbor", "data")


TARGET = Target(take, (LedgerError,), seeds)
