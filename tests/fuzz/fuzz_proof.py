"""A proof file."""

from collections.abc import Iterator

from ledger.errors import LedgerError
from ledger.proof import Proof
from tests.fuzz.harness import Target, vectors


def take(data: bytes) -> None:
    proof = Proof.from_bytes(data)
    assert proof.to_bytes() == data
    proof.verify()


def seeds() -> Iterator[bytes]:
    yield from vectors("proof", "data")


TARGET = Target(take, (LedgerError,), seeds, longest=1024)
