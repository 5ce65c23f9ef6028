"""The beginning of a ledger."""

from collections.abc import Iterator

from ledger.errors import LedgerError
from ledger.genesis import Genesis
from tests.fuzz.harness import Target, vectors


def take(data: bytes) -> None:
    genesis = Genesis.from_bytes(data)
    assert genesis.to_bytes() == data
    assert len(genesis.ledger_id) == 16


def seeds() -> Iterator[bytes]:
    yield from vectors("genesis", "data")


TARGET = Target(take, (LedgerError,), seeds)
