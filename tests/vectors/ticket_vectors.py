"""Vectors of tickets (docs/link.md section 8)."""

import base64
import hmac
from hashlib import sha256

Case = dict[str, object]

KEY = bytes(range(32))
BUNDLE_ID = bytes.fromhex("a1b2c3d4e5f60718")


def _ticket(*wanted: tuple[int, int], version: int = 1, key: bytes = KEY) -> bytes:
    body = bytes([version]) + BUNDLE_ID[:4]
    body += b"".join(bytes([block]) + count.to_bytes(2, "big") for block, count in wanted)
    return body + hmac.digest(key, b"pannier ticket 1\0" + BUNDLE_ID + body, sha256)[:4]


def _case(comment: str, data: bytes, expect: str = "success", **more: object) -> Case:
    return {
        "comment": comment,
        "expect": expect,
        "fragment_key": KEY.hex(),
        "bundle_id": BUNDLE_ID.hex(),
        "data": data.hex(),
        **more,
    }


def _text(data: bytes) -> str:
    letters = base64.b32encode(data).decode().rstrip("=")
    return "-".join(letters[at : at + 5] for at in range(0, len(letters), 5))


def cases() -> dict[str, Case]:
    one, two = _ticket((0, 57)), _ticket((0, 1), (2, 8194))
    flipped = one[:-1] + bytes([one[-1] ^ 1])
    return {
        "one_block": _case(
            "57 symbols of the only block",
            one,
            wanted=[[0, 57]],
            text=_text(one),
            words="absurd outfielder sawdust replica steamship adroitness "
            "aardvark corporate ratchet borderline classroom barbecue",
            digits="05048 96625 60401 45551 71964 19650 59558",
        ),
        "two_blocks": _case("of the first and of the third block", two, wanted=[[0, 1], [2, 8194]]),
        "most_blocks": _case(
            "as many blocks as one ticket can name, 99 bytes",
            _ticket(*((block, 300) for block in range(30))),
            wanted=[[block, 300] for block in range(30)],
        ),
        "check": _case("a check with one bit flipped", flipped, "unverified", wanted=[[0, 57]]),
        "stranger": _case(
            "made under another key",
            _ticket((0, 57), key=bytes(32)),
            "unverified",
            wanted=[[0, 57]],
        ),
        "version": _case("version 2", _ticket((0, 57), version=2), "malformed"),
        "nothing": _case("wants nothing", _ticket(), "malformed"),
        "no_symbols": _case("no symbols of a block", _ticket((0, 0)), "malformed"),
        "twice": _case("names a block twice", _ticket((1, 5), (1, 6)), "malformed"),
        "order": _case("blocks descend", _ticket((1, 5), (0, 6)), "malformed"),
        "cut": _case("a byte is missing", one[:-1], "malformed"),
        "long": _case(
            "a block more than fits 100 bytes",
            _ticket(*((block, 300) for block in range(31))),
            "malformed",
        ),
    }
