"""Vectors of modelled entries (docs/format.md section 5.4), encoded by `tail_reference`."""

from collections.abc import Sequence
from hashlib import sha256

import cbor2

from tests.vectors.tail_reference import Coder, Entry, Follow, Path, Tail, dumps, encode

Case = dict[str, object]

SALT = bytes(range(16))
LEFT_OUT = bytes([4]) * 32
START = 1_700_000_000_000_000
MINUTE = 60_000_000
FOLLOWS: list[Follow] = [
    (bytes([1]) * 32, bytes([2]) * 8, 7, bytes([3]) * 16),
    (bytes([1]) * 32, bytes([2]) * 8, 9, bytes([5]) * 16),
]


def _entry(
    value: object,
    number: int = 0,
    *,
    thing: str = "shed",
    kind: str = "reading",
    follows: Sequence[Follow] = (),
) -> Entry:
    payload = dumps(value)
    digest = sha256(SALT + payload).digest()
    return thing, kind, 0, START + number * MINUTE, list(follows), payload, digest


def _drawn(number: int, below: int) -> int:
    return int.from_bytes(sha256(b"%d" % number).digest()[:8], "big") % below


def _sensor(first: int, end: int) -> list[Entry]:
    """Readings that wander, one in five of another sensor."""
    return [
        _entry(
            {"rh": 50 + _drawn(n, 5), "t": (200 + n // 4 + _drawn(n + 999, 3)) / 10},
            n,
            thing="attic" if n % 5 == 0 else "shed",
        )
        for n in range(first, end)
    ]


def _products(first: int, end: int) -> list[Entry]:
    """Rows in which the third column is the product of functions of the others."""
    rows = []
    for n in range(first, end):
        a, b = 3 + _drawn(n, 9), 5 + _drawn(n + 5000, 11)
        rows.append(_entry({"a": a, "b": b, "c": a * a * (b + 1) / 100}, n))
    return rows


def _sums(first: int, end: int) -> list[Entry]:
    rows = []
    for n in range(first, end):
        a, b = _drawn(n, 9), _drawn(n + 5000, 11)
        rows.append(_entry([a, b, {"sum": 7 * a * a - 13 * b}], n))
    return rows


def _good() -> dict[str, tuple[str, list[Entry], list[Entry]]]:
    """Return comments, entries and contexts."""
    knots = [_entry({"gust": None if n % 3 else n * 1.15078, "v": float(n)}, n) for n in range(9)]
    texts = [_entry(f"All well at hut {n}", n * n) for n in range(4)]
    odd = [
        _entry(value)
        for value in (
            None,
            True,
            -1,
            2**64 - 1,
            -(2**63),
            1e300,
            -0.0,
            0.1234567,
            "",
            b"",
            b"x" * 9,
        )
    ]
    nested = [_entry({"a": [n, {"b": [[], {}]}], "c": {"d": "é", "e": n}}, n) for n in range(4)]
    device = [_entry({3: "sensor 1", 4: {"v": n}}, n) for n in range(4)]
    left_out: Entry = ("shed", "reading", 1, START, FOLLOWS, None, LEFT_OUT)
    return {
        "one_alone": ("one entry without a context", _sensor(0, 1), []),
        "sensor_alone": ("twelve entries without a context", _sensor(0, 12), []),
        "sensor_after_24": ("twelve entries after 24", _sensor(24, 36), _sensor(0, 24)),
        "products": (
            "a column that follows from two others",
            _products(150, 160),
            _products(0, 150),
        ),
        "sums": ("a column that is a sum", _sums(150, 160), _sums(0, 150)),
        "knots": ("floats that are products, whole floats, null", knots[6:], knots[:6]),
        "texts": ("texts after a text", texts[1:], texts[:1]),
        "random": (
            "100 bytes",
            [_entry(b"".join(sha256(b"%d" % n).digest() for n in range(3)))],
            [],
        ),
        "odd": ("items of all sorts", odd, []),
        "nested": ("arrays and maps in maps", nested[1:], nested[:1]),
        "device": ("what a device said", device[1:], device[:1]),
        "wide": ("257 items in an array", [_entry([7] * 257)], []),
        "left_out": ("payloads left out, and what they follow", [left_out, left_out], []),
    }


def _cells(
    thing: bytes, form: bytes, time: bytes, *cells: tuple[bytes | int | None, bytes]
) -> bytes:
    """Return the tail of a row of any cells, those of the payload with their keys."""
    coder, tail = Coder(), Tail([])
    columns = [("thing", "all", thing), ("form", thing, form)]
    for name, group, cell in columns:
        tail.columns[name].code(coder, tail.shared, [group], cell, None)
    tail.columns["time"].code(coder, tail.shared, [thing, "all"], time, None)
    for key, cell in cells:
        path: Path = () if key is None else (key,)
        tail.columns[path].code(coder, tail.shared, [thing], cell, None)
    return coder.finish()


def _bad() -> dict[str, tuple[str, bytes]]:
    thing, time, form = dumps("shed"), dumps(START), dumps(["reading", 0, 0])
    good = encode(_sensor(0, 1), [])
    one = form + b"\xff"
    many = [(n, dumps(bytes(997))) for n in range(100)]
    return {
        "empty": ("nothing", b""),
        "byte_too_many": ("bytes after the end", good + b"\1\1\1\1\1\1\1\1\1"),
        "zero_at_end": ("a zero byte at the end", good + b"\0"),
        "thing_number": ("a thing that is a number", _cells(b"\7", one, time, (None, b"\xf6"))),
        "thing_empty": ("an empty thing", _cells(b"\x60", one, time, (None, b"\xf6"))),
        "thing_not_utf8": (
            "a thing that is not UTF-8",
            _cells(b"\x61\xff", one, time, (None, b"\xf6")),
        ),
        "form_text": ("a form that is no array", _cells(thing, b"\x61a\xff", time)),
        "form_skeleton": (
            "a skeleton with a cell in it",
            _cells(thing, form + b"\x82\xff\7", time),
        ),
        "form_two": ("two skeletons", _cells(thing, form + b"\xff\xff", time)),
        "form_short": (
            "a skeleton of two items that has one",
            _cells(thing, form + b"\x82\xff", time),
        ),
        "form_wide": (
            "a skeleton of 2^63 items",
            _cells(thing, form + b"\x9b\x80" + bytes(7), time),
        ),
        "form_deep": (
            "a skeleton of 17 arrays",
            _cells(thing, form + b"\x81" * 17 + b"\xff", time),
        ),
        "follows_65": (
            "an entry that follows 65",
            _cells(thing, dumps(["", 0, 65]) + b"\xff", time),
        ),
        "kind_long": (
            "a kind of 64 bytes",
            _cells(thing, dumps(["k" * 64, 0, 0]) + b"\xff", time, (None, b"\xf6")),
        ),
        "action_2_32": (
            "action 2^32",
            _cells(thing, dumps(["", 2**32, 0]) + b"\xff", time, (None, b"\xf6")),
        ),
        "time_float": ("a time with a fraction", _cells(thing, one, dumps(0.5), (None, b"\xf6"))),
        "time_text": ("a time that is text", _cells(thing, one, b"\x61a", (None, b"\xf6"))),
        "time_2_63": ("a time of 64 bits", _cells(thing, one, dumps(2**63), (None, b"\xf6"))),
        "payload_nan": ("a payload that is NaN", _cells(thing, one, time, (None, b"\xf9\x7e\0"))),
        "payload_two": ("a payload of two items", _cells(thing, one, time, (None, b"\xf6\xf6"))),
        "payload_tag": ("a payload with a tag", _cells(thing, one, time, (None, b"\xc1\0"))),
        "payload_keys": (
            "a payload with keys out of order",
            _cells(
                thing, form + b"\xa2\x61b\xff\x61a\xff", time, (b"\x61b", b"\0"), (b"\x61a", b"\0")
            ),
        ),
        "cells_large": (
            "a cell of 1,000 bytes, 100 times in one payload",
            _cells(thing, form + b"\x98\x64" + b"\xff" * 100, time, *many),
        ),
        "payload_large": (
            "a payload of more than 64 KiB",
            _cells(thing, one, time, (None, dumps(bytes(70_000)))),
        ),
    }


def cases() -> dict[str, Case]:
    return {
        stem: _case(comment, encode(entries, context), context, entries)
        for stem, (comment, entries, context) in _good().items()
    } | {stem: _case(comment, data, [], None) for stem, (comment, data) in _bad().items()}


def _case(comment: str, data: bytes, context: list[Entry], entries: list[Entry] | None) -> Case:
    return {
        "comment": comment,
        "expect": "malformed" if entries is None else "success",
        "count": 1 if entries is None else len(entries),
        "salt": SALT.hex(),
        "context": list(map(_fields, context)),
        "data": data.hex(),
        "entries": None if entries is None else list(map(_fields, entries)),
    }


def _fields(entry: Entry) -> Case:
    thing, kind, action, time, follows, payload, digest = entry
    return {
        "thing": thing,
        "kind": kind,
        "action": action,
        "time": time,
        "follows": cbor2.dumps(follows).hex(),
        "payload": None if payload is None else payload.hex(),
        "digest": digest.hex(),
    }
