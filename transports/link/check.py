"""The checks at the end of frames (docs/link.md section 2.1).

A frame of a session ends in a truncated HMAC over its packet number in full and all that is before
it; hellos, and frames that are sent one way, end in a CRC-32C.

Source: truncated HMAC, RFC 2104 section 5; CRC-32C, RFC 9260 appendix A.
"""

import hmac
from hashlib import sha256

from crc32c import crc32c

from transports.link.frame import Kind

CRC_BYTES = 4
SHORT_MAC_BYTES, LONG_MAC_BYTES = 4, 8
MAC_BYTES = {
    Kind.DATA: SHORT_MAC_BYTES,
    Kind.ACK: SHORT_MAC_BYTES,
    Kind.OFFER: LONG_MAC_BYTES,
    Kind.LACK: LONG_MAC_BYTES,
    Kind.WITHDRAW: LONG_MAC_BYTES,
    Kind.PING: SHORT_MAC_BYTES,
    Kind.TURN: SHORT_MAC_BYTES,
    Kind.BYE: LONG_MAC_BYTES,
    Kind.WHOLE: SHORT_MAC_BYTES,
    Kind.REST: SHORT_MAC_BYTES,
}
"""Of the kinds of a session; the others have a CRC."""


def mac(key: bytes, number: int, body: bytes, size: int) -> bytes:
    """Return the MAC, *size* bytes, of the packet *number* that begins with *body*."""
    return hmac.digest(key, number.to_bytes(8, "big") + body, sha256)[:size]


def crc(body: bytes) -> bytes:
    """Return the CRC-32C of *body*, 4 bytes: proves the absence of damage, not of malice."""
    return crc32c(body).to_bytes(CRC_BYTES, "big")
