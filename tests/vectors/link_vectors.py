"""Vectors of links: framings, frames, offers, hellos and keys (docs/link.md sections 1 to 4)."""

import hmac
from collections.abc import Iterable
from hashlib import sha256

import cbor2
from crc32c import crc32c
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.bundler.doubles import hpke_seal

Case = dict[str, object]

KEY = bytes(range(32))
HINT, BUNDLE_ID, DIGEST = bytes([0xAA] * 4), bytes(range(8)), bytes([0xDD] * 8)
LABEL = bytes.fromhex("030a1b") + HINT
ONE, TWO = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
HPKE_TWO = X25519PrivateKey.from_private_bytes(bytes([7]) * 32)
NONCE, ECHO = bytes([0x11] * 16), bytes([0x22] * 16)
HELLO_LABEL = b"pannier link hello 1\0"


def cases() -> dict[str, Case]:
    return {
        **_framings(),
        **_frames(),
        **_bad_frames(),
        **_offers(),
        **_hellos(),
        **_parts(),
        **_keys(),
    }


def _case(comment: str, expect: str, operation: str, **fields: object) -> Case:
    hexed = {k: v.hex() if isinstance(v, bytes) else v for k, v in fields.items()}
    return {"comment": comment, "expect": expect, "operation": operation, **hexed}


def _framings() -> dict[str, Case]:
    long, runs = bytes(range(1, 255)), bytes([1, 0, 0, 2])
    streams: dict[str, tuple[str, str, list[bytes], str]] = {
        "cobs_zeros": ("zeros in the middle", "cobs", [runs], "00 02 01 01 02 02 00"),
        "cobs_zero": ("a zero alone", "cobs", [b"\0"], "00 01 01 00"),
        "cobs_full": ("a full run ends it", "cobs", [long], f"00 ff {long.hex()} 00"),
        "cobs_full_zero": ("a zero after it", "cobs", [long + b"\0"],
                           f"00 ff {long.hex()} 01 01 00"),
        "cobs_over": ("a run of 255", "cobs", [long + b"\xff"], f"00 ff {long.hex()} 02 ff 00"),
        "cobs_garbage": ("garbage before and between", "cobs", [b"ab", b"cd"],
                         "41 ff 00 03 61 62 00 7e 00 03 63 64 00"),
        "xonxoff": ("what is escaped", "cobs-xonxoff", [bytes.fromhex("11137d5d")],
                    "00 05 7d31 7d33 7d5d 5d 00"),
        "xonxoff_stray": ("XON and XOFF of the terminals", "cobs-xonxoff", [b"ab"],
                          "13 03 61 11 62 00"),
        "xonxoff_bad": ("an escape of nothing", "cobs-xonxoff", [], "03 7d61 62 00"),
        "kiss": ("both escapes", "kiss", [bytes.fromhex("c0dbdc")], "c0 00 dbdc dbdd dc c0"),
        "kiss_port": ("for another port", "kiss", [b"b"], "c0 10 61 c0 00 62 c0"),
        "kiss_bad": ("an escape of nothing", "kiss", [b"b"], "c0 00 db61 c0 c0 00 62 c0"),
    }  # fmt: skip
    as_written = ("cobs_zeros", "cobs_zero", "cobs_full", "cobs_full_zero", "cobs_over", "xonxoff")
    return {
        f"framing_{stem}": _case(
            comment,
            "success",
            "framing",
            framing=framing,
            stream=bytes.fromhex(stream),
            frames=[body.hex() for body in bodies],
            is_as_written=stem in as_written,
        )
        for stem, (comment, framing, bodies, stream) in streams.items()
    }


def _signed(body: bytes, number: int, size: int) -> bytes:
    return body + hmac.digest(KEY, number.to_bytes(8, "big") + body, sha256)[:size]


def _checked(body: bytes) -> bytes:
    return body + crc32c(body).to_bytes(4, "big")


def _frames() -> dict[str, Case]:
    ack = bytes.fromhex("11 0064 07  04  0a 4050  03 80004000")
    frames: dict[str, tuple[str, bytes, dict[str, object]]] = {
        "data": ("bytes of what has the handle 5", _signed(b"\x85\0\7\0\1\0hello", 7, 4),
                 {"number": 7, "handle": 5, "offset": 256, "data": b"hello"}),
        "data_far": ("number 70,000, of which 16 bits travel",
                     _signed(bytes.fromhex("ff1170ffffff00"), 70_000, 4),
                     {"number": 70_000, "handle": 127, "offset": 2**24 - 1, "data": b"\0"}),
        "ack": ("three ranges, with numbers of one, two and four bytes",
                _signed(ack.replace(b"\0d", (20_064).to_bytes(2, "big"), 1), 20_064, 4),
                {"ranges": [[20_060, 20_065], [19_970, 20_050], [3_583, 19_967]], "delay": 7}),
        "ack_one": ("the first packet", _signed(b"\x11\0\0\xff\0", 0, 4),
                    {"ranges": [[0, 1]], "delay": 255}),
        "offer": ("around CBOR", _signed(b"\x12\0\1\x81\x80", 1, 8),
                  {"number": 1, "body": b"\x81\x80"}),
        "lack": ("around CBOR", _signed(b"\x13\0\1\x80", 1, 8), {"number": 1, "body": b"\x80"}),
        "withdraw": ("around CBOR", _signed(b"\x14\0\1\x81\5", 1, 8),
                     {"number": 1, "body": b"\x81\5"}),
        "ping": ("nothing else", _signed(b"\x15\0\2", 2, 4), {"number": 2}),
        "turn": ("your turn", _signed(b"\x16\0\3", 3, 4), {"number": 3}),
        "bye": ("for a reason", _signed(b"\x17\0\4\1", 4, 8), {"number": 4, "reason": 1}),
        "rest": ("nothing left, as of packets below 70,001", _signed(b"\x1a\0\6\x11\x71", 6, 4),
                 {"number": 6, "heard_low": 70_001 % 65_536}),
        "whole": ("a sealed bundle of a byte", _signed(b"\x18\0\5" + LABEL + b"s", 5, 4),
                  {"number": 5, "priority": 3, "expiry_days": 0x0A1B, "hint": HINT, "body": b"s"}),
        "hello": ("the second of three parts", _checked(b"\x10\x12\xbe\xefpart"),
                  {"index": 1, "last": 2, "tag": b"\xbe\xef", "data": b"part"}),
        "one_way": ("what a fragment would be", _checked(b"\x19" + LABEL + b"f"),
                    {"priority": 3, "expiry_days": 0x0A1B, "hint": HINT, "body": b"f"}),
    }  # fmt: skip
    return {
        f"frame_{stem}": _case(
            comment,
            "success",
            "frame",
            key=KEY,
            next_number=69_990 if stem == "data_far" else 0,
            next_largest=20_000 if stem == "ack" else 0,
            frame=frame,
            says={k: v.hex() if isinstance(v, bytes) else v for k, v in fields.items()},
        )
        for stem, (comment, frame, fields) in frames.items()
    }


def _bad_frames() -> dict[str, Case]:
    frames: dict[str, tuple[str, str, bytes]] = {
        "empty": ("no bytes", "malformed", b""),
        "kind": ("no such kind", "malformed", _signed(b"\x1b\0\1", 1, 4)),
        "data_none": ("data of no bytes", "malformed", _signed(b"\x80\0\1\0\0\0", 1, 4)),
        "ping_long": ("a byte too many", "malformed", _signed(b"\x15\0\1\0", 1, 4)),
        "rest_short": ("a byte is missing", "malformed", _signed(b"\x1a\0\1\0", 1, 4)),
        "bye_short": ("no reason", "malformed", _signed(b"\x17\0\1", 1, 8)),
        "priority": ("priority 8", "malformed", _signed(b"\x18\0\1\x08" + bytes(6) + b"s", 1, 4)),
        "ack_below": ("before packet 0", "malformed", _signed(b"\x11\0\1\0\2", 1, 4)),
        "ack_half": ("a gap and no length", "malformed", _signed(b"\x11\0\x09\0\1\1", 9, 4)),
        "ack_gap": ("a gap of nothing", "malformed", _signed(b"\x11\0\x09\0\1\0\1", 9, 4)),
        "ack_long_form": ("1 in two bytes", "malformed", _signed(b"\x11\0\x09\0\x40\1", 9, 4)),
        "ack_eight": ("a number of 8 bytes", "malformed",
                      _signed(b"\x11\0\x09\0\xc0" + bytes(7), 9, 4)),
        "ack_many": ("33 ranges", "malformed",
                     _signed(b"\x11\0\xff\0\0" + b"\1\1" * 32, 255, 4)),
        "part": ("part 3 of 3, from 0", "malformed", _checked(b"\x10\x32\xbe\xefpart")),
        "mac": ("another key", "unverified", b"\x15\0\2" + bytes(4)),
        "mac_number": ("packet 65,538 again as 2", "unverified", _signed(b"\x15\0\2", 65_538, 4)),
        "crc": ("a bit flipped", "unverified", _checked(b"\x10\0\xbe\xefpart")[:-1] + b"\0"),
    }  # fmt: skip
    return {
        f"frame_bad_{stem}": _case(
            comment, expect, "frame", key=KEY, next_number=0, next_largest=0, frame=frame
        )
        for stem, (comment, expect, frame) in frames.items()
    }


def _offers() -> dict[str, Case]:
    sealed = [5, 0, 3, 0x0A1B, HINT, BUNDLE_ID, 1000, 64]
    fragments = [127, 1, 3, 0x0A1B, HINT, BUNDLE_ID, 2**24, 2**32 - 1, DIGEST]
    good: dict[str, tuple[str, str, object]] = {
        "offer": ("one of each kind", "offers", [sealed, fragments]),
        "lack": (
            "some, all, none",
            "lacks",
            [[5, 0xFFFF, [0, 64, 128, 2**24]], [6, 0, []], [7, 1, None]],
        ),
        "lack_whole": ("two that came whole", "lacks", [[128, 0, None], [128, 7, None]]),
        "withdraw": ("two handles", "withdrawn", [5, 127]),
    }
    bad: dict[str, tuple[str, str, object]] = {
        "none": ("nothing offered", "offers", []),
        "handle": ("handle 128", "offers", [[128, *sealed[1:]]]),
        "twice": ("one handle twice", "offers", [sealed, sealed]),
        "kind": ("kind 2", "offers", [[5, 2, *sealed[2:]]]),
        "size_zero": ("no bytes", "offers", [[*sealed[:6], 0, 64]]),
        "size": ("2^60 bytes", "offers", [[*sealed[:6], 2**60, 64]]),
        "symbol": ("symbols of 63 bytes", "offers", [[*sealed[:7], 63]]),
        "digest": ("a digest of 7 bytes", "offers", [[*fragments[:8], DIGEST[:7]]]),
        "mixed": ("a bundle with a digest", "offers", [[*sealed, DIGEST]]),
        "lack_half": ("a start and no end", "lacks", [[5, 1, [0]]]),
        "lack_empty": ("a range of nothing", "lacks", [[5, 1, [8, 8]]]),
        "lack_back": ("not in order", "lacks", [[5, 1, [8, 16, 0, 4]]]),
        "lack_many": ("33 ranges", "lacks", [[5, 1, list(range(66))]]),
        "lack_far": ("beyond 2^24", "lacks", [[5, 1, [0, 2**24 + 1]]]),
        "lack_offer": ("an offer of 17 bits", "lacks", [[5, 0x10000, None]]),
        "lack_handle": ("handle 129", "lacks", [[129, 1, None]]),
        "lack_whole": ("some of what came whole", "lacks", [[128, 1, [0, 8]]]),
        "lack_whole_twice": ("one packet twice", "lacks", [[128, 1, None], [128, 1, None]]),
        "text": ("text", "withdrawn", ["5"]),
        "deep": ("too deep", "withdrawn", [[[[[]]]]]),
    }
    return {
        f"{prefix}_{stem}": _case(comment, expect, what, body=cbor2.dumps(value))
        for prefix, expect, group in (("body", "success", good), ("body_bad", "malformed", bad))
        for stem, (comment, what, value) in group.items()
    } | {
        "body_bad_long_form": _case("a head too long", "malformed", "withdrawn", body=b"\x98\1\5"),
        "body_bad_cut": _case("a byte is missing", "malformed", "withdrawn", body=b"\x82\5"),
        "body_bad_trailing": _case("a byte too many", "malformed", "withdrawn", body=b"\x81\5\0"),
    }


def node_id(author: Ed25519PrivateKey) -> bytes:
    public = author.public_key().public_bytes_raw()
    return sha256(b"pannier node 1\0" + public).digest()[:8]


def _sealed(items: Iterable[object]) -> bytes:
    public = HPKE_TWO.public_key().public_bytes_raw()
    hello = cbor2.dumps(list(items))
    return hpke_seal(hello, public, HELLO_LABEL, ephemeral=bytes([9]) * 32)


def _hellos() -> dict[str, Case]:
    numbers = (2048).to_bytes(4, "big") + bytes((3, 1))
    signed = HELLO_LABEL + NONCE + ECHO + node_id(ONE) + node_id(TWO) + numbers
    fields: list[object] = [1, 1, NONCE, ECHO, node_id(ONE), 2048, 3]
    good = [*fields, ONE.sign(signed)]
    hellos: dict[str, tuple[str, str, list[object]]] = {
        "success": ("from one to two, in reply", "success", good),
        "format": ("of format 2", "malformed", [2, *good[1:]]),
        "short": ("without a signature", "malformed", fields),
        "frame_bytes": ("frames of 31 bytes", "malformed", [*good[:5], 31, *good[6:]]),
        "flags": ("other flags than signed", "unverified", [*good[:6], 1, good[7]]),
        "versions": ("other versions than signed", "unverified", [1, 2, *good[2:]]),
        "echo": ("another echo than signed", "unverified", [*good[:3], NONCE, *good[4:]]),
        "other": (
            "signed for another peer",
            "unverified",
            [*fields, ONE.sign(signed.replace(node_id(TWO), bytes(8)))],
        ),
        "own": ("from two to two", "unverified", [*good[:4], node_id(TWO), *good[5:]]),
    }
    return {
        f"hello_{stem}": _case(
            comment,
            expect,
            "hello",
            author=ONE.public_key().public_bytes_raw(),
            recipient=node_id(TWO),
            x25519_secret=HPKE_TWO.private_bytes_raw(),
            sealed=_sealed(items),
            nonce=NONCE,
            echo=ECHO,
            node_id=node_id(ONE),
            frame_bytes=2048,
            flags=3,
        )
        for stem, (comment, expect, items) in hellos.items()
    }


def _parts() -> dict[str, Case]:
    cases: dict[str, tuple[str, int, int, int]] = {
        "one": ("one frame", 165, 222, 222),
        "some": ("the last part is shorter", 1253, 222, 222),
        "long": ("frames of a hello have 222 bytes at most", 300, 2048, 222),
        "most": ("sixteen", 1253, 87, 87),
    }
    found = {}
    for stem, (comment, size, mtu, frame_bytes) in cases.items():
        sealed = bytes(number % 251 for number in range(size))
        room = frame_bytes - 8
        parts = [sealed[at : at + room] for at in range(0, size, room)]
        tag = sha256(sealed).digest()[:2]
        frames = [
            _checked(bytes((0x10, index * 16 + len(parts) - 1)) + tag + part).hex()
            for index, part in enumerate(parts)
        ]
        found[f"parts_{stem}"] = _case(
            comment, "success", "parts", sealed=sealed, mtu=mtu, frames=frames
        )
    return found


def _keys() -> dict[str, Case]:
    ids = {"low": bytes(8), "high": bytes([0xFF] * 8)}
    nonces = {"low": NONCE, "high": ECHO}

    def key(sender: str, receiver: str) -> bytes:
        info = b"pannier link 1\0" + ids[sender] + ids[receiver]
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=info)
        return hkdf.derive(nonces["low"] + nonces["high"])

    return {
        f"keys_{own}": _case(
            f"of the side with the {own} node id",
            "success",
            "keys",
            node_id=ids[own],
            nonce=nonces[own],
            peer=ids[other],
            peer_nonce=nonces[other],
            sending=key(own, other),
            receiving=key(other, own),
        )
        for own, other in (("low", "high"), ("high", "low"))
    }
