"""KISS: frames as terminal node controllers of radios take them (docs/link.md section 1.2).

Source: Chepponis and Karn, "The KISS TNC", ARRL 6th Computer Networking Conference, 1987.
"""

from typing import Final

DELIMITER: Final = b"\xc0"
_ESCAPE: Final = b"\xdb"
_ESCAPED_DELIMITER, _ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"
_DATA_ON_PORT_0: Final = b"\0"


def encode(body: bytes) -> bytes:
    """Return *body* as data for port 0, without delimiters; 1 byte longer to twice as long."""
    escaped = body.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(DELIMITER, _ESCAPED_DELIMITER)
    return _DATA_ON_PORT_0 + escaped


def decode(piece: bytes) -> bytes | None:
    """Return what was encoded as *piece*; None if nothing was, or something for another port."""
    pairs = piece.count(_ESCAPED_DELIMITER) + piece.count(_ESCAPED_ESCAPE)
    if not piece.startswith(_DATA_ON_PORT_0) or piece.count(_ESCAPE) != pairs:
        return None
    body = piece[len(_DATA_ON_PORT_0) :]
    return body.replace(_ESCAPED_DELIMITER, DELIMITER).replace(_ESCAPED_ESCAPE, _ESCAPE)
