"""Vectors of what links brought in part (docs/format.md section 9.7)."""

from collections.abc import Sequence
from zlib import crc32

Case = dict[str, object]
Piece = tuple[int, bytes]

FILE = "30a1b-00112233-0001020304050607-00000000.pnr"
BUNDLE = "30a1b-00112233-0001020304050607-00000550.bundle"
LINK = "link8899aabbccddeeff"
ONE, TWO = (0, b"one"), (7, b"seven")


def _journal(*pieces: Piece) -> bytes:
    data = b""
    for offset, content in pieces:
        body = offset.to_bytes(4, "big") + len(content).to_bytes(4, "big") + content
        data += body + crc32(body).to_bytes(4, "big")
    return data


def _case(
    comment: str, journal: bytes, pieces: Sequence[Piece], file: str = FILE, size: int = 12
) -> Case:
    digest = "0001020304050607" if file == BUNDLE else "08090a0b0c0d0e0f"
    return {
        "comment": comment,
        "expect": "success",
        "name": f"{file}.{size:07x}.{digest}.{LINK}",
        "journal": journal.hex(),
        "pieces": [[offset, content.hex()] for offset, content in pieces],
    }


def cases() -> dict[str, Case]:
    whole = _journal(ONE, TWO)
    flipped = bytearray(whole)
    flipped[-6] ^= 1
    bad_name = _case("the size has six digits", whole, ())
    bad_name |= {"expect": "malformed", "name": str(bad_name["name"]).replace(".0", ".", 1)}
    return {
        "file": _case("of a file of fragments", whole, [ONE, TWO]),
        "bundle": _case("of a bundle: the digest is its id", whole, [ONE, TWO], BUNDLE),
        "largest": _case("of the largest there is", _journal(ONE), [ONE], size=1 << 24),
        "overlap": _case("pieces may overlap", _journal(ONE, ONE), [ONE, ONE]),
        "torn": _case("the second piece was half written", whole[:-1], [ONE]),
        "flipped": _case("the second piece was spoiled", bytes(flipped), [ONE]),
        "beyond": _case("the second piece goes beyond the size", whole, [ONE], size=11),
        "empty_piece": _case("an empty piece is none", _journal(ONE, (3, b""), TWO), [ONE]),
        "bad_name": bad_name,
    }
