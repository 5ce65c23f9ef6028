"""What makes a ledger: its genesis, whose hash is its id (docs/format.md section 3)."""

from enum import Enum
from hashlib import sha256
from typing import NewType, Self

from ledger import cbor
from ledger.card import Card, check_name
from ledger.errors import MalformedError, NewerError
from ledger.lazy_dataclass import dataclass

LEDGER_ID_BYTES = 16
LedgerId = NewType("LedgerId", bytes)
"""16 bytes."""

_MAX_ADMINS = 16
_MAX_GENESIS_BYTES = 1 << 17


class Term(Enum):
    """Something that the members of a ledger agree to.

    CENTRALIZED: only admins write, also on behalf of devices that hold no key.
    CLEAR: its bundles may travel unencrypted, to peers who agreed to that.
    PASSPHRASE: who has the passphrase is a member (docs/format.md section 3.7).
    """

    CENTRALIZED = "centralized"
    CLEAR = "clear"
    PASSPHRASE = "passphrase"  # noqa: S105 -- no password but a word


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """The beginning of a ledger; it needs no signature, since the id is its hash.

    Attributes:
        name: What people call the ledger.
        admins: Verified cards of those who may grant, 1..16.
        time_us: When it was made, microseconds since 1970 UTC.
        nonce: 16 bytes that make the id unique.
        terms: What everybody agrees to who is in it; for good, since the id depends on them.
    """

    name: str
    admins: tuple[Card, ...]
    time_us: int
    nonce: bytes
    terms: frozenset[Term] = frozenset()

    def to_bytes(self) -> bytes:
        """Return the genesis as one CBOR item."""
        cards = [card.to_bytes() for card in self.admins]
        terms = sorted(term.value for term in self.terms)
        return cbor.encode([1, self.name, cards, self.time_us, self.nonce, terms])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a genesis and verify the cards in it.

        Raises:
            NewerError: *data* is of a later version.
            MalformedError: it is not a genesis.
            UnverifiedError: a card in it does not verify.
        """
        fields = cbor.as_list(cbor.decode(data, limit_bytes=_MAX_GENESIS_BYTES))
        cbor.check_version(fields, "a genesis")
        _, name, cards, time_us, nonce, terms = cbor.as_list(fields, 6)
        admins = tuple(Card.from_bytes(cbor.as_bytes(card)) for card in cbor.as_list(cards))
        if not 1 <= len(admins) <= _MAX_ADMINS or len({a.author for a in admins}) != len(admins):
            raise MalformedError(f"a ledger has 1 to {_MAX_ADMINS} admins, each once")
        return cls(
            name=check_name(cbor.as_text(name), "ledger name"),
            admins=admins,
            time_us=cbor.as_int64(time_us),
            nonce=cbor.as_bytes(nonce, 16),
            terms=_terms(terms),
        )

    @property
    def ledger_id(self) -> LedgerId:
        """The ledger's id."""
        return LedgerId(sha256(b"pannier ledger 1\0" + self.to_bytes()).digest()[:LEDGER_ID_BYTES])


def _terms(value: object) -> frozenset[Term]:
    names = [cbor.as_text(item) for item in cbor.as_list(value)]
    unknown = sorted(set(names) - {term.value for term in Term})
    if unknown:
        raise NewerError(f"a ledger on terms not known here ({unknown[0]!r}): update pannier")
    if names != sorted(set(names)):
        raise MalformedError("the terms of a genesis ascend and do not repeat")
    return frozenset(map(Term, names))
