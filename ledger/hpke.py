"""Wrapping a content key for a recipient (docs/format.md section 4).

The library draws the ephemeral key of HPKE itself, so that both directions stand behind a
Protocol: a simulation that must run the same way twice brings a `Wrapper` of its own.

Source: RFC 9180, base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
"""

from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ledger.errors import MalformedError

STANZA_BYTES = 80


class Wrapper(Protocol):
    """Encrypts content keys. Holds no secret; may be used by several threads."""

    def wrap(self, content_key: bytes, public_key: bytes, info: bytes) -> bytes:
        """Return the stanza, enc | ct: 80 bytes, others each time.

        Args:
            content_key: 32 bytes.
            public_key: X25519, 32 bytes.
            info: What the stanza is bound to.

        Raises:
            MalformedError: *public_key* is not a key.
        """


class Unwrapper(Protocol):
    """Decrypts content keys with the HPKE key of one node. May be used by several threads."""

    def unwrap(self, stanza: bytes, info: bytes) -> bytes | None:
        """Return the content key, or None if *stanza* is not for this node, or not for *info*."""


class HpkeWrapper:
    """The `Wrapper` for real use."""

    def wrap(self, content_key: bytes, public_key: bytes, info: bytes) -> bytes:
        """See `Wrapper.wrap`."""
        try:
            return _suite().encrypt(
                content_key, X25519PublicKey.from_public_bytes(public_key), info
            )
        except ValueError as error:
            raise MalformedError(f"not an X25519 public key: {public_key.hex()}") from error


class HpkeUnwrapper:
    """The `Unwrapper` for real use, around the private key of a node."""

    def __init__(self, private_key: X25519PrivateKey) -> None:
        """Unwrap what is for the node that has *private_key*."""
        self._private_key = private_key

    def unwrap(self, stanza: bytes, info: bytes) -> bytes | None:
        """See `Unwrapper.unwrap`."""
        if len(stanza) != STANZA_BYTES:
            return None  # of a suite that this version does not have
        try:
            return _suite().decrypt(stanza, self._private_key, info)
        except (InvalidTag, ValueError):
            return None


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
