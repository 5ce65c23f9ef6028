"""COBS: frames without zero bytes, between zero bytes (docs/link.md section 1.1).

Costs one byte, and one more for each 254 bytes without a zero. Encoded by runs between zeros, never
byte by byte.

Source: Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking
7(2), 1999. Escaping: RFC 1662 section 4.2, for three bytes only.
"""

from typing import Final

DELIMITER: Final = b"\0"
_RUN_BYTES = 254
_ESCAPE: Final = b"\x7d"
_XON_XOFF: Final = b"\x11\x13"
_ESCAPED: Final = tuple((bytes((byte,)), _ESCAPE + bytes((byte ^ 0x20,))) for byte in _XON_XOFF)
_ESCAPED_ESCAPE: Final = _ESCAPE + bytes((_ESCAPE[0] ^ 0x20,))


def encode(body: bytes) -> bytes:
    """Return *body* without zero bytes; at most 1 + len(body) // 254 bytes longer."""
    out: list[bytes] = []
    runs = body.split(DELIMITER)
    for run in runs:
        at = 0
        while len(run) - at >= _RUN_BYTES:
            out += (b"\xff", run[at : at + _RUN_BYTES])
            at += _RUN_BYTES
        out += (bytes((len(run) - at + 1,)), run[at:])
    if runs[-1] and len(runs[-1]) % _RUN_BYTES == 0:
        del out[-2:]  # the end ends a full run as well
    return b"".join(out)


def decode(piece: bytes) -> bytes | None:
    """Return what was encoded as *piece*; None if nothing was."""
    out: list[bytes] = []
    at, size = 0, len(piece)
    code = 0xFF
    while at < size:
        if code != 0xFF:
            out.append(DELIMITER)
        code = piece[at]
        if not code:
            return None
        out.append(piece[at + 1 : at + code])
        at += code
    return b"".join(out) if at == size and size else None


def encode_escaped(body: bytes) -> bytes:
    """Return *body* without zero, XON and XOFF: terminals stop and start each other by these."""
    piece = encode(body).replace(_ESCAPE, _ESCAPED_ESCAPE)
    for byte, escaped in _ESCAPED:
        piece = piece.replace(byte, escaped)
    return piece


def decode_escaped(piece: bytes) -> bytes | None:
    """Return what `encode_escaped` made *piece* of; None if it was nothing.

    XON and XOFF in *piece* come from the terminals and are left out.
    """
    piece = piece.translate(None, _XON_XOFF)
    pairs = (_ESCAPED_ESCAPE, *(escaped for _, escaped in _ESCAPED))
    if sum(map(piece.count, pairs)) != piece.count(_ESCAPE):
        return None
    for byte, escaped in _ESCAPED:
        piece = piece.replace(escaped, byte)
    return decode(piece.replace(_ESCAPED_ESCAPE, _ESCAPE))
