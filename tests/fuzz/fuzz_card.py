"""A card, as bytes and as text."""

from collections.abc import Iterator

from ledger.card import Card
from ledger.errors import LedgerError
from tests.fuzz.harness import Target, vectors
from tests.vectors import load


def take(data: bytes) -> None:
    if data.upper().startswith(b"PANNIER1:"):
        card = Card.from_text(data.decode("ascii", "replace"))
        assert Card.from_text(card.to_text()) == card
    else:
        card = Card.from_bytes(data)
        assert card.to_bytes() == data
    assert len(card.fingerprint) == 19
    assert card.verifier.author == card.author


def seeds() -> Iterator[bytes]:
    yield from vectors("card", "data")
    yield from (
        str(vector["text"]).encode() for vector in load("card").values() if "text" in vector
    )


TARGET = Target(take, (LedgerError,), seeds, longest=4096)
