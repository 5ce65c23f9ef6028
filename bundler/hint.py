"""Hints in file names, by which a node finds what is meant for it (docs/format.md section 7.1).

A courier, who has neither key, cannot even tell that two bundles have the same recipient.
"""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from bundler.errors import MalformedError
from bundler.kdf import derive
from bundler.whole import HINT_BYTES

_LABEL = b"pannier hint 1\0"


def hint_key(own: X25519PrivateKey, other: bytes, *, sender: bytes, recipient: bytes) -> bytes:
    """Return the key of the hints from *sender* to *recipient*; both sides derive the same.

    Args:
        own: HPKE key of the one who asks, who is one of the two.
        other: HPKE public key of the other, 32 bytes.
        sender: Author, 32 bytes.
        recipient: Author, 32 bytes.

    Raises:
        MalformedError: *other* is no public key that keeps a secret.
    """
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError as error:
        raise MalformedError(f"not an X25519 public key: {other.hex()}") from error
    return derive(shared, _LABEL + sender + recipient)


def hint(key: bytes, bundle_id: bytes) -> bytes:
    """Return the hint of one bundle, 4 bytes."""
    return hmac.digest(key, bundle_id, sha256)[:HINT_BYTES]
