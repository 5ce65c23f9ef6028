"""The kinds of public keys that a card may hold (docs/format.md section 2)."""

from enum import IntEnum
from typing import NamedTuple


class Algorithm(IntEnum):
    """A kind of public key, by the number that it has in cards.

    A KEM's number is that of RFC 9180 section 7.1 and its registry, a signature's that of TLS
    signature schemes; the two have none in common.
    """

    X25519 = 0x0020
    """DHKEM(X25519, HKDF-SHA256)."""
    MLDSA44 = 0x0904
    """ML-DSA-44, FIPS 204."""
    MLKEM768_X25519 = 0x647A
    """MLKEM768-X25519, also called X-Wing: whoever breaks only one of the two learns nothing."""

    @property
    def public_bytes(self) -> int:
        """The length of a public key."""
        return _PUBLIC_BYTES[self]

    @property
    def label(self) -> str:
        """What people call it."""
        return _LABELS[self]


_PUBLIC_BYTES = {
    Algorithm.X25519: 32,
    Algorithm.MLDSA44: 1312,
    Algorithm.MLKEM768_X25519: 1184 + 32,
}
_LABELS = {
    Algorithm.X25519: "X25519",
    Algorithm.MLDSA44: "ML-DSA-44",
    Algorithm.MLKEM768_X25519: "MLKEM768-X25519",
}
KEMS = (Algorithm.MLKEM768_X25519, Algorithm.X25519)
"""What a key can be wrapped under, the strongest first."""


class HpkeKey(NamedTuple):
    """A public key under which something can be wrapped; not yet known to be one.

    Attributes:
        algorithm: One of `KEMS`.
        public: As many bytes as the algorithm says.
    """

    algorithm: Algorithm
    public: bytes


def is_weaker(one: Algorithm, other: Algorithm) -> bool:
    """Return whether what is wrapped under *one*, of `KEMS`, is less safe than under *other*."""
    return KEMS.index(one) > KEMS.index(other)


def label_of(number: int) -> str:
    """Return what people call the algorithm with this number, also of one not known here."""
    return Algorithm(number).label if number in _PUBLIC_BYTES else f"{number:#06x}"
