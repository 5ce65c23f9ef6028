"""Wrapping a key for a recipient (docs/format.md section 4).

The library draws the ephemeral key of HPKE itself, so that both directions stand behind a
Protocol: a simulation that must run the same way twice brings a `Wrapper` of its own.

Source: RFC 9180, base mode, single shot: HKDF-SHA256 and AES-256-GCM with DHKEM(X25519,
HKDF-SHA256) or MLKEM768-X25519 (draft-ietf-hpke-pq; X-Wing, draft-connolly-cfrg-xwing-kem).
"""

from hashlib import shake_256
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from ledger.algorithm import Algorithm, HpkeKey
from ledger.card import Card
from ledger.errors import MalformedError

STANZA_BYTES = {Algorithm.X25519: 80, Algorithm.MLKEM768_X25519: 1168}
"""Length of a stanza: of what the KEM gives, the 32 bytes wrapped, and a tag of 16."""

HYBRID_SEED_BYTES = 32
_MLKEM_SEED_BYTES, _MLKEM_PUBLIC_BYTES = 64, 1184
_KEMS = {Algorithm.X25519: KEM.X25519, Algorithm.MLKEM768_X25519: KEM.MLKEM768_X25519}


class Wrapper(Protocol):
    """Encrypts content keys. Holds no secret; may be used by several threads."""

    def wrap(self, content_key: bytes, key: HpkeKey, info: bytes) -> bytes:
        """Return the stanza, enc | ct: 80 or 1,168 bytes (`STANZA_BYTES`), others each time.

        Args:
            content_key: 32 bytes.
            key: The recipient's; `ledger.card.Card.hpke_key` is the one to use.
            info: What the stanza is bound to.

        Raises:
            MalformedError: *key* is not a key.
        """


class Unwrapper(Protocol):
    """Decrypts content keys with the HPKE key of one node. May be used by several threads."""

    @property
    def algorithm(self) -> Algorithm:
        """The one that the node's card promises: stanzas of another are not opened."""

    def unwrap(self, stanza: bytes, info: bytes) -> bytes | None:
        """Return the content key, or None if *stanza* is not for this node, or not for *info*."""


class HybridPrivateKey:
    """The private key of MLKEM768-X25519, as the 32 bytes that it is made of."""

    def __init__(self, seed: bytes) -> None:
        """Expand *seed*, 32 bytes (draft-connolly-cfrg-xwing-kem, section 5.2)."""
        expanded = shake_256(seed).digest(_MLKEM_SEED_BYTES + 32)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:])
        self.seed = seed
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self.key = MLKEM768X25519PrivateKey(mlkem, x25519)


class HpkeWrapper:
    """The `Wrapper` for real use."""

    def wrap(self, content_key: bytes, key: HpkeKey, info: bytes) -> bytes:
        """See `Wrapper.wrap`."""
        try:
            return _suite(key.algorithm).encrypt(content_key, _public(key), info)
        except ValueError as error:
            raise MalformedError(
                f"not a public key for {key.algorithm.label}: {key.public[:32].hex()}"
            ) from error


class HpkeUnwrapper:
    """The `Unwrapper` for real use, around the private key of a node.

    It has one key: that of the strongest algorithm which the node's card promises. What is wrapped
    under a weaker one stays closed, whoever made it.
    """

    def __init__(self, private_key: X25519PrivateKey | HybridPrivateKey) -> None:
        """Unwrap what is for the node that has *private_key*."""
        self._key: X25519PrivateKey | MLKEM768X25519PrivateKey
        if isinstance(private_key, HybridPrivateKey):
            self._algorithm, self._key = Algorithm.MLKEM768_X25519, private_key.key
        else:
            self._algorithm, self._key = Algorithm.X25519, private_key

    @property
    def algorithm(self) -> Algorithm:
        """See `Unwrapper.algorithm`."""
        return self._algorithm

    def unwrap(self, stanza: bytes, info: bytes) -> bytes | None:
        """See `Unwrapper.unwrap`."""
        if len(stanza) != STANZA_BYTES[self._algorithm]:
            return None
        try:
            return _suite(self._algorithm).decrypt(stanza, self._key, info)
        except (InvalidTag, ValueError):
            return None

    def open_message(self, sealed: bytes, info: bytes) -> bytes | None:
        """Return what `seal_message` sealed, or None if it is not for this node and *info*."""
        try:
            return _suite(self._algorithm).decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            return None


def can_seal_for(card: Card) -> bool:
    """Return whether there are secrets with the owner of *card*: what it signed need be no keys."""
    try:
        HpkeWrapper().wrap(bytes(32), card.hpke_key, b"")
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(card.x25519))
    except (MalformedError, ValueError):
        return False
    return True


def seal_message(message: bytes, key: HpkeKey, info: bytes) -> bytes:
    """Return a short message that only the owner of *key* can read, other bytes each time.

    Args:
        message: Any bytes.
        key: The recipient's; `ledger.card.Card.hpke_key` is the one to use.
        info: What the message is bound to.

    Returns:
        48 bytes more than *message*, or 1,136 under MLKEM768-X25519.

    Raises:
        MalformedError: *key* is not a key.
    """
    return HpkeWrapper().wrap(message, key, info)


def _suite(algorithm: Algorithm) -> Suite:
    return Suite(_KEMS[algorithm], KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _public(key: HpkeKey) -> X25519PublicKey | MLKEM768X25519PublicKey:
    """Return the library's value of *key*.

    Raises:
        ValueError: it is not a key.
    """
    if key.algorithm is Algorithm.X25519:
        return X25519PublicKey.from_public_bytes(key.public)
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(key.public[:_MLKEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(key.public[_MLKEM_PUBLIC_BYTES:]),
    )
