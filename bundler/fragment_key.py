"""The keys of the checks of fragments (docs/format.md section 7).

A signature would be larger than what some radio frames carry, and take longer than they do. But two
nodes have a secret as soon as they have each other's cards: so each fragment bears a MAC, and one
that is not by the sender is thrown away before it is stored.
"""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from bundler.errors import MalformedError
from ledger.kdf import derive

_LABEL = b"pannier fragment 1\0"


def agree(own: X25519PrivateKey, other: bytes) -> bytes:
    """Return the secret of two nodes, 32 bytes; both get the same.

    Args:
        own: X25519 key of the one who asks.
        other: X25519 public key of the other, 32 bytes.

    Raises:
        MalformedError: *other* is no public key that keeps a secret.
    """
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError as error:
        raise MalformedError(f"not an X25519 public key: {other.hex()}") from error


def fragment_key(secret: bytes, *, sender: bytes, recipient: bytes) -> bytes:
    """Return the key of the checks of fragments from *sender* to *recipient*, 32 bytes.

    One for each direction: a fragment cannot be sent back to the one who made it.

    Args:
        secret: Of the two, from `agree`.
        sender: Author, 32 bytes.
        recipient: Author, 32 bytes.
    """
    return derive(secret, _LABEL + sender + recipient)


def group_fragment_key(epoch_key: bytes) -> bytes:
    """Return the key of the checks of fragments to all who hold *epoch_key*, 32 bytes."""
    return derive(epoch_key, _LABEL)
