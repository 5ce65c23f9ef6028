"""Signatures of authors: Ed25519, and ML-DSA-44 beside it where the author's card promises it.

A second signature is all or nothing: where it is promised nothing counts without it, and where it
is not there must be none, or anybody could hang bytes onto what others pass on.

The library's ML-DSA is hedged: it signs the same message otherwise each time.

Source: RFC 8032; FIPS 204, with an empty context.
"""

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from ledger import ed25519
from ledger.errors import OtherCardError
from ledger.lazy_dataclass import dataclass

MLDSA44_SIGNATURE_BYTES = 2420


class Signatures(NamedTuple):
    """What an author put under a text.

    Attributes:
        ed25519: 64 bytes.
        mldsa44: 2,420 bytes, or None.
    """

    ed25519: bytes
    mldsa44: bytes | None


_NO_SECOND: frozenset[bytes | None] = frozenset({None})


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public keys of an author.

    Attributes:
        author: Ed25519, 32 bytes; names the author.
        mldsa44: ML-DSA-44 keys, 1,312 bytes each, of which one must have signed too. None in it
            stands for a card that promises no second signature. Of one card it holds one item;
            more of an author whom a ledger knows by several.
    """

    author: bytes
    mldsa44: frozenset[bytes | None] = _NO_SECOND

    def verify(self, text: bytes, signatures: Signatures) -> None:
        """Check that the author signed *text*, with all keys that one of its cards promises.

        Raises:
            OtherCardError: the author signed it, and the second signature is missing, one too many,
                or does not fit.
            UnverifiedError: the author did not sign it.
        """
        ed25519.verify(self.author, text, signatures.ed25519)
        if signatures.mldsa44 is None:
            if None not in self.mldsa44:
                raise OtherCardError("the second signature, promised by the card, is missing")
            return
        if not any(_is_by(key, text, signatures.mldsa44) for key in self.mldsa44 if key):
            raise OtherCardError("the second signature is by no key of the author's card")


@dataclass(frozen=True, slots=True)
class Signer:
    """The private keys with which an author signs."""

    ed25519: Ed25519PrivateKey
    mldsa44: MLDSA44PrivateKey | None = None

    @property
    def verifier(self) -> Verifier:
        """The public halves."""
        author = self.ed25519.public_key().public_bytes_raw()
        if self.mldsa44 is None:
            return Verifier(author)
        return Verifier(author, frozenset({self.mldsa44.public_key().public_bytes_raw()}))

    def sign(self, text: bytes) -> Signatures:
        """Sign *text* with all keys that there are."""
        second = self.mldsa44.sign(text) if self.mldsa44 is not None else None
        return Signatures(self.ed25519.sign(text), second)


def _is_by(public_key: bytes, text: bytes, signature: bytes) -> bool:
    try:
        MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True
