"""What two sides agreed on, and the keys that follow from it (docs/link.md section 3.3).

Source: HKDF with SHA-256 and no salt, RFC 5869.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from transports.link.frame import LinkKeys

_LABEL: Final = b"pannier link 1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What two sides agreed on.

    Attributes:
        keys: For frames either way.
        peer: Node id of the other side.
        version: Of the protocol.
        frame_bytes: Longest frame that both take.
        flags: What the other side said of itself, see `transports.link.hello`.
    """

    keys: LinkKeys
    peer: bytes
    version: int
    frame_bytes: int
    flags: int


def derive_keys(own_id: bytes, own_nonce: bytes, peer: bytes, peer_nonce: bytes) -> LinkKeys:
    """Return the keys of a session, as the side with *own_id* uses them."""
    (_, first), (_, second) = sorted(((own_id, own_nonce), (peer, peer_nonce)))
    secret = hmac.digest(bytes(32), first + second, sha256)
    return LinkKeys(_expand(secret, own_id + peer), _expand(secret, peer + own_id))


def _expand(secret: bytes, direction: bytes) -> bytes:
    return hmac.digest(secret, _LABEL + direction + b"\1", sha256)
