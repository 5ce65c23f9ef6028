"""The one signed item of a full bundle: a COSE_Sign1 with Ed25519 (docs/format.md section 5).

Just this form and no other, so that there is one encoding of each signature; any COSE library
verifies it.

Source: RFC 9052 sections 4.2 and 4.4; EdDSA is algorithm -8, RFC 9053 section 2.2.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundler import items
from bundler.errors import ForgedError
from ledger import ed25519
from ledger.errors import LedgerError
from ledger.lazy_dataclass import dataclass

KID_BYTES = 8
SIGNATURE_BYTES = 64
_PROTECTED = b"\xa1\x01\x27"  # {1: -8}
# Tag 18, an array of four, the protected header in a byte string, and {4: h'<8 bytes>'}.
_START = b"\xd2\x84" + items.byte_string(_PROTECTED) + b"\xa1\x04\x48"
_CONTEXT = b"\x84\x6aSignature1" + items.byte_string(_PROTECTED) + b"\x40"


@dataclass(frozen=True, slots=True)
class Sign1:
    """A signed payload; nothing is believed before `verify`.

    Attributes:
        kid: Node id of the signer, 8 bytes.
        payload: What is signed.
        signature: 64 bytes.
    """

    kid: bytes
    payload: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        """Return the tagged COSE_Sign1."""
        parts = (_START, self.kid, *map(items.byte_string, (self.payload, self.signature)))
        return b"".join(parts)

    @classmethod
    def take(cls, reader: items.Reader, *, limit_bytes: int) -> "Sign1":
        """Take a COSE_Sign1 with a payload of at most *limit_bytes*.

        Raises:
            MalformedError: something else comes next.
            LimitError: its payload is longer.
        """
        reader.expect(_START, "a COSE_Sign1 by an Ed25519 key of a node")
        kid = reader.raw(KID_BYTES)
        payload = bytes(reader.view(limit_bytes))
        return cls(kid, payload, reader.bytes_of(SIGNATURE_BYTES))

    def verify(self, author: bytes) -> None:
        """Check that *author* (32 bytes) signed the payload.

        Raises:
            ForgedError: somebody else did, or *author* is no key.
        """
        try:
            ed25519.verify(author, _signed(self.payload), self.signature)
        except LedgerError as error:
            raise ForgedError(
                f"the signature in a bundle is not by node {self.kid.hex()}, which it names"
            ) from error


def sign(key: Ed25519PrivateKey, *, kid: bytes, payload: bytes) -> Sign1:
    """Return *payload* signed by *key*, whose node id is *kid*."""
    return Sign1(kid, payload, key.sign(_signed(payload)))


def _signed(payload: bytes) -> bytes:
    """Return the Sig_structure, with an empty external_aad."""
    return _CONTEXT + items.byte_string(payload)
