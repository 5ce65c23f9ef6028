"""Vectors of entries, put together byte by byte from docs/format.md section 3.1."""

from hashlib import sha256

import cbor2

Case = dict[str, object]
SALT = bytes(range(16))
PAYLOAD = cbor2.dumps({"level": 3})
DIGEST = sha256(SALT + PAYLOAD).digest()
TIME = 1_700_000_000_000_000
FOLLOW = [b"\x0a" * 32, b"\x0b" * 8, 7, b"\x0c" * 16]
HEAD = b"\x86"
THING, KIND, PUT, NO_FOLLOWS = b"\x66tide/3", b"\x60", b"\x00", b"\x80"
WHEN = b"\x1b" + TIME.to_bytes(8, "big")
COMMITMENT = b"\x58\x20" + DIGEST


def cases() -> dict[str, Case]:
    return {**_good(), **_malformed()}


def entry(**changed: object) -> list[object]:
    fields: dict[str, object] = {
        "thing": "tide/3", "kind": "", "action": 0, "time": TIME, "follows": [], "digest": DIGEST
    }  # fmt: skip
    return list({**fields, **changed}.values())


def _good() -> dict[str, Case]:
    values: dict[str, tuple[str, list[object]]] = {
        "put": ("a put", entry()),
        "delete": ("a delete", entry(action=1)),
        "grant": ("a grant", entry(thing="members", action=2)),
        "unknown_action": ("an action that nobody knows yet", entry(action=2**32 - 1)),
        "kind_63": ("the longest kind", entry(kind="k" * 63)),
        "thing_255": ("the longest thing", entry(thing="t" * 255)),
        "thing_255_bytes": ("255 bytes of emoji and ASCII", entry(thing="🚢" * 63 + "abc")),
        "thing_space": ("a thing that is a space", entry(thing=" ")),
        "thing_separators": ("line separators are no control characters", entry(thing="a\u2028b")),
        "time_zero": ("1970", entry(time=0)),
        "time_least": ("the earliest time", entry(time=-(2**63))),
        "time_greatest": ("the latest time", entry(time=2**63 - 1)),
        "follows_one": ("an entry of another log superseded", entry(follows=[FOLLOW])),
        "follows_greatest": ("the last entry of a full log", entry(follows=[_follow(2**32 - 1)])),
        "follows_64": ("64 entries followed", entry(follows=[_follow(n) for n in range(64)])),
    }
    made = {stem: _case(comment, cbor2.dumps(one)) for stem, (comment, one) in values.items()}
    by_hand = b"".join((HEAD, THING, KIND, PUT, WHEN, NO_FOLLOWS, COMMITMENT))
    assert made["put"]["data"] == by_hand.hex()
    return made


def _case(comment: str, data: bytes) -> Case:
    return {
        "comment": comment,
        "expect": "success",
        "data": data.hex(),
        "leaf": sha256(b"\0" + data).hexdigest(),
        "salt": SALT.hex(),
        "payload": PAYLOAD.hex(),
        "digest": DIGEST.hex(),
    }


def _follow(number: int) -> list[object]:
    return [FOLLOW[0], FOLLOW[1], number, FOLLOW[3]]


def _malformed() -> dict[str, Case]:
    two = sorted([_follow(1), _follow(2)], key=cbor2.dumps)
    values: dict[str, tuple[str, object]] = {
        "thing_empty": ("no thing", entry(thing="")),
        "thing_256": ("a thing of 256 bytes", entry(thing="t" * 256)),
        "thing_256_bytes": ("64 characters, but 256 bytes", entry(thing="🚢" * 64)),
        "thing_nul": ("a control character: U+0000", entry(thing="a\0b")),
        "thing_line_feed": ("a control character: U+000A", entry(thing="a\nb")),
        "thing_del": ("a control character: U+007F", entry(thing="a\x7fb")),
        "thing_nel": ("a control character: U+0085", entry(thing="a\x85b")),
        "thing_bytes": ("a thing that is a byte string", entry(thing=b"tide")),
        "kind_64": ("a kind of 64 bytes", entry(kind="k" * 64)),
        "kind_control": ("a control character in the kind", entry(kind="\t")),
        "kind_null": ("no kind", entry(kind=None)),
        "action_negative": ("an action below 0", entry(action=-1)),
        "action_2_32": ("an action beyond 32 bits", entry(action=2**32)),
        "action_true": ("an action that is a boolean", entry(action=True)),
        "time_too_late": ("a time beyond 64 bits", entry(time=2**63)),
        "time_too_early": ("a time below 64 bits", entry(time=-(2**63) - 1)),
        "time_float": ("a time with a fraction", entry(time=1.5)),
        "follows_65": ("65 entries followed", entry(follows=[_follow(n) for n in range(65)])),
        "follows_twice": ("the same followed twice", entry(follows=[FOLLOW, FOLLOW])),
        "follows_descending": ("not in ascending order", entry(follows=two[::-1])),
        "follows_2_32": ("no log has such an entry", entry(follows=[_follow(2**32)])),
        "follows_three": ("three fields", entry(follows=[FOLLOW[:3]])),
        "follows_author_31": ("an author of 31 bytes", entry(follows=[[b"\0" * 31, *FOLLOW[1:]]])),
        "follows_leaf_32": ("a whole leaf", entry(follows=[[*FOLLOW[:3], b"\0" * 32]])),
        "follows_incarnation_7": (
            "an incarnation of 7 bytes",
            entry(follows=[[FOLLOW[0], b"\0" * 7, *FOLLOW[2:]]]),
        ),
        "follows_null": ("no list", entry(follows=None)),
        "digest_31": ("a digest of 31 bytes", entry(digest=DIGEST[1:])),
        "digest_text": ("a digest that is text", entry(digest=DIGEST.hex()[:32])),
        "five_fields": ("no digest", entry()[:5]),
        "seven_fields": ("one field more", [*entry(), PAYLOAD]),
        "map": ("a map", {"thing": "tide/3"}),
    }
    encodings = {
        "encoding_long_integer": (
            "an action in two bytes",
            b"".join((HEAD, THING, KIND, b"\x18\x00", WHEN, NO_FOLLOWS, COMMITMENT)),
        ),
        "encoding_indefinite": (
            "an array of indefinite length",
            b"".join((b"\x9f", THING, KIND, PUT, WHEN, NO_FOLLOWS, COMMITMENT, b"\xff")),
        ),
        "encoding_not_utf8": (
            "a thing that is not UTF-8",
            b"".join((HEAD, b"\x61\xff", KIND, PUT, WHEN, NO_FOLLOWS, COMMITMENT)),
        ),
        "encoding_surrogate": (
            "a lone surrogate in UTF-8",
            b"".join((HEAD, b"\x63\xed\xa0\x80", KIND, PUT, WHEN, NO_FOLLOWS, COMMITMENT)),
        ),
        "encoding_cut": ("the last byte is missing", cbor2.dumps(entry())[:-1]),
        "encoding_trailing": ("a byte more", cbor2.dumps(entry()) + b"\0"),
        "encoding_nothing": ("no bytes", b""),
    }
    encoded = {stem: (comment, cbor2.dumps(value)) for stem, (comment, value) in values.items()}
    return {
        f"malformed_{stem}": {"comment": comment, "expect": "malformed", "data": data.hex()}
        for stem, (comment, data) in (encoded | encodings).items()
    }
