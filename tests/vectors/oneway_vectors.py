"""Vectors of ONEWAY frames (docs/link.md section 7)."""

import hmac
from hashlib import sha256

import cbor2
from crc32c import crc32c

Case = dict[str, object]

KEY = bytes(range(32))
BUNDLE_ID = bytes.fromhex("a1b2c3d4e5f60718")
HINT = bytes.fromhex("0badcafe")
LABEL = bytes([2]) + (9000).to_bytes(2, "big") + HINT
SYMBOL = bytes(range(24))
SEALED = b"a sealed bundle, which nobody opens"


def _checked(body: bytes) -> bytes:
    return body + crc32c(body).to_bytes(4, "big")


def _fragment() -> bytes:
    fields = [1, BUNDLE_ID, 4000, len(SYMBOL), 1 << 24 | 70_000, SYMBOL]
    body = b"\x87" + b"".join(cbor2.dumps(field) for field in fields)
    return body + cbor2.dumps(hmac.digest(KEY, body, sha256)[:8])


def _case(comment: str, frame: bytes, expect: str = "success", **more: object) -> Case:
    return {
        "comment": comment,
        "expect": expect,
        "frame": frame.hex(),
        "priority": 2,
        "expiry_days": 9000,
        "hint": HINT.hex(),
        **more,
    }


def cases() -> dict[str, Case]:
    fragment = _checked(b"\x19" + LABEL + _fragment())
    whole = _checked(b"\x19" + LABEL + b"\x83\x01\x44" + HINT + cbor2.dumps(SEALED))
    flipped = fragment[:20] + bytes([fragment[20] ^ 1]) + fragment[21:]
    return {
        "fragment": _case(
            "a repair symbol of the second block",
            fragment,
            fragment_key=KEY.hex(),
            bundle_id=BUNDLE_ID.hex(),
            transfer_bytes=4000,
            symbol_bytes=len(SYMBOL),
            payload_id=1 << 24 | 70_000,
            symbols=SYMBOL.hex(),
        ),
        "whole": _case("a bundle that fits one frame", whole, whole=SEALED.hex()),
        "damaged": _case("one bit flipped on the way", flipped, "unverified"),
        "cut": _case("nothing after the label", b"\x19" + LABEL, "malformed"),
    }
