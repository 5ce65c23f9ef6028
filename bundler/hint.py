"""Hints in file names, by which a node finds what is meant for it (docs/format.md section 7.1).

A courier, who has no key, cannot even tell that two bundles have the same recipient.
"""

import hmac
from hashlib import sha256

from bundler.whole import HINT_BYTES
from ledger.kdf import derive

_LABEL = b"pannier hint 1\0"


def hint_key(secret: bytes, *, sender: bytes, recipient: bytes) -> bytes:
    """Return the key of the hints from *sender* to *recipient*; both sides derive the same.

    Args:
        secret: Of the two, from `bundler.fragment_key.agree`.
        sender: Author, 32 bytes.
        recipient: Author, 32 bytes.
    """
    return derive(secret, _LABEL + sender + recipient)


def group_hint_key(epoch_key: bytes) -> bytes:
    """Return the key of the hints of bundles to all who hold *epoch_key*."""
    return derive(epoch_key, _LABEL)


def hint(key: bytes, bundle_id: bytes) -> bytes:
    """Return the hint of one bundle, 4 bytes."""
    return hmac.digest(key, bundle_id, sha256)[:HINT_BYTES]
