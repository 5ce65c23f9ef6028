"""Vectors of entries in columns, each in one of many ways (docs/format.md section 5.3)."""

import struct
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

import cbor2

Case = dict[str, object]

SALTS = [bytes([n]) * 16 for n in range(6)]
AUTHOR, INCARNATION, LEAF = bytes([1]) * 32, bytes([2]) * 8, bytes([3]) * 16
LEFT_OUT = bytes([4]) * 32
# thing, kind, action, time, follows, payload (None: left out)
Entries = list[tuple[str, str, int, int, list[object], bytes | None]]


def cbor(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


def numbers(
    values: Sequence[int], *, order: int = 0, width: int = 1, base: int = 0, unit: int = 1
) -> bytes:
    """A column of integers, by the book: order 0 to 2 of differences."""
    starts = []
    for _ in range(order):
        starts.append(values[0])
        values = [b - a for a, b in pairwise(values)]
    steps = [(value - base) // unit for value in values]
    assert [base + unit * step for step in steps] == list(values)
    fields = b"".join(map(cbor, [*starts, base])) + (cbor(unit) if unit != 1 else b"")
    planes = b"".join(bytes(step >> 8 * at & 255 for step in steps) for at in range(width))
    return bytes([order | width << 2 | (unit != 1) << 6]) + fields + planes


def zeros(count: int) -> bytes:
    return numbers([0] * count, width=0)


def strings(*values: bytes) -> bytes:
    return numbers(list(map(len, values))) + b"".join(values)


def constant(value: object) -> bytes:
    return b"\x00" + cbor(len(cbor(value))) + cbor(value)


def column(kind: int, *parts: bytes) -> bytes:
    return bytes([kind]) + b"".join(parts)


APART, GROUPED, WHOLE = 8, 16, 32
NULL = b"\xf6"


def before_cells(count: int, *, template: bytes = NULL, times: bytes | None = None) -> bytes:
    """All that comes before the cells, of entries of one thing that have one template."""
    return b"".join(
        (
            cbor(1), strings(b"EWR"), zeros(count), cbor(1), strings(b""), zeros(count),
            zeros(count), b"\x00" + zeros(count) if times is None else times, cbor(0),
            cbor(1), cbor(template), numbers([1] * count, width=0, base=1),
        )
    )  # fmt: skip


def said(*payloads: object) -> Entries:
    return [("EWR", "", 0, 0, [], cbor(payload)) for payload in payloads]


def _things() -> tuple[Entries, bytes]:
    """Entries of all sorts: of two things, in two kinds, following others, left out."""
    entries: Entries = [
        ("EWR", "weather", 0, 7_200_000_000, [], cbor({"a": 1})),
        ("JFK", "", 1, 3_600_000_000, [[AUTHOR, INCARNATION, 7, LEAF]], b"\xf6"),
        ("EWR", "", 9, 10_800_000_000, [], None),
        ("EWR", "weather", 0, 14_400_000_000, [], cbor({"a": 2})),
    ]
    by_thing = [7_200_000_000, 10_800_000_000, 14_400_000_000, 3_600_000_000]
    data = b"".join(
        (
            cbor(2), strings(b"EWR", b"JFK"), numbers([0, 1, 0, 0]),
            cbor(2), strings(b"weather", b""), numbers([0, 1, 1, 0]),
            numbers([0, 1, 9, 0]),
            b"\x01", numbers(by_thing, order=1, base=-10_800_000_000, unit=3_600_000_000),
            cbor(1), numbers([0, 1, 0, 0]), AUTHOR + INCARNATION, struct.pack("<IQ", 0, 7) + LEAF,
            cbor(2), cbor(cbor({"a": None})), cbor(NULL), numbers([1, 2, 0, 1]),
            column(2 | WHOLE, cbor(0), numbers([1, 2])), constant(None),
            LEFT_OUT,
        )
    )  # fmt: skip
    return entries, data


MAP = cbor({"a": None, "b": None, "c": None})


def _success() -> dict[str, tuple[str, Entries, bytes]]:
    five = [39.02, 41, None, 39.02, -7.5]
    decimals = column(
        2 | WHOLE | APART, cbor(1), numbers([2]), constant(None), cbor(2),
        numbers([3902, 4100, 3902, -750], width=2, base=-750),
    )  # fmt: skip
    dictionary = column(1, cbor(3), column(5, strings(b"x", b"yy", b"")), numbers([0, 1, 0, 2, 1]))
    floats = [0.1, -2.5, 1e300]
    bits = struct.unpack("<3q", struct.pack("<3d", *floats))
    table = [{"a": n % 2, "b": n % 3, "c": [n % 2, n % 3] if n != 4 else "x"} for n in range(6)]
    table += [{"a": 0, "b": 1, "c": [0, 1]}]
    pairs = [[0, 0], [1, 1], [0, 2], [1, 0], [1, 2], [0, 1]]
    grouped = [("EWR", 1), ("JFK", 100), ("EWR", 2), ("JFK", 101)]
    nested = [{"a": {"b": n, "c": {"d": "x" * n}}, "e": {}} for n in (1, 2)]
    return {
        "sorts": ("entries of all sorts, times by thing", *_things()),
        "decimals": ("two places, whole numbers as integers, a null apart", said(*five),
                     before_cells(5) + decimals),
        "decimals_floats": ("no integers among the decimals", said(1.0, 2.5),
                            before_cells(2) + column(2, cbor(1), numbers([10, 25]))),
        "decimals_18": ("18 places", said(0.25, 9.0),
                        before_cells(2) + column(2, cbor(18), numbers(
                            [25 * 10**16, 9 * 10**18], width=8))),
        "dictionary": ("three texts, numbered", said("x", "yy", "x", "", "yy"),
                       before_cells(5) + dictionary),
        "floats": ("bits of floats", said(*floats),
                   before_cells(3) + column(3, numbers(bits, width=8, base=-(2**63)))),
        "bytes": ("byte strings", said(b"a", b""), before_cells(2) + column(4, strings(b"a", b""))),
        "items": ("what is no string and no number", said([1], True, {1: 2}),
                  before_cells(3) + column(6, strings(*map(cbor, ([1], True, {1: 2}))))),
        "nested": ("a template in a template, and an empty map as a cell", [
            ("EWR", "", 0, 0, [], cbor(one)) for one in nested],
            before_cells(2, template=cbor({"a": {"b": None, "c": {"d": None}}, "e": None}))
            + column(2 | WHOLE, cbor(0), numbers([1, 2])) + column(5, strings(b"x", b"xx"))
            + constant({})),
        "device": ("on behalf of a device", said({3: "pump", 4: {"t": 1}}),
                   before_cells(1, template=cbor({3: None, 4: {"t": None}}))
                   + constant("pump") + constant(1)),
        "table": ("a column that follows from two, with an exception",
                  [("EWR", "", 0, 0, [], cbor(one)) for one in table],
                  before_cells(7, template=MAP)
                  + column(2 | WHOLE, cbor(0), numbers([0, 1, 0, 1, 0, 1, 0]))
                  + column(2 | WHOLE, cbor(0), numbers([0, 1, 2, 0, 1, 2, 1]))
                  + bytes([7 | APART, 1, 0, 1])
                  + cbor(1) + numbers([4]) + constant("x")
                  + column(6, strings(*map(cbor, pairs)))),
        "grouped": ("cells in the order by things",
                    [(thing, "", 0, 0, [], cbor(one)) for thing, one in grouped],
                    b"".join((cbor(2), strings(b"EWR", b"JFK"), numbers([0, 1, 0, 1]),
                              cbor(1), strings(b""), zeros(4), zeros(4), b"\x00", zeros(4),
                              cbor(0), cbor(1), cbor(NULL), numbers([1] * 4, width=0, base=1),
                              column(2 | WHOLE | GROUPED, cbor(0),
                                     numbers([1, 2, 100, 101], order=1, base=1))))),
        "order_2": ("differences of differences", [
            ("EWR", "", 0, time, [], b"\xf6") for time in (5, 8, 13, 20)],
            before_cells(4, times=b"\x00" + numbers([5, 8, 13, 20], order=2, width=0, base=2))
            + constant(None)),
        "extremes": ("the ends of 64 bits", [
            ("EWR", "", 0, time, [], b"\xf6") for time in (-(2**63), 2**63 - 1)],
            before_cells(2, times=b"\x00" + numbers(
                [-(2**63), 2**63 - 1], width=8, base=-(2**63))) + constant(None)),
    }  # fmt: skip


def _malformed() -> dict[str, tuple[str, bytes]]:
    """What is wrong with two or three entries of which each payload is one cell."""
    two, three = before_cells(2), before_cells(3)
    deep = column(6, strings(cbor([1]), cbor(2)))
    for _ in range(5):
        deep = column(1, cbor(2), deep, numbers([0, 1]))
    a, b = cbor({"a": None, "b": None}), numbers([0, 1])
    maps = before_cells(2, template=a)
    key = column(2 | WHOLE, cbor(0), b)
    return {
        "empty": ("nothing", b""),
        "ends_early": ("no cells", two),
        "goes_on": ("a byte too many", two + constant(None) + b"\x00"),
        "kind_flag": ("bit 6 of a column", two + b"\x40" + constant(None)[1:]),
        "whole_flag": ("bit 5 of a column that is not of decimals",
                       two + column(4 | WHOLE, strings(b"a", b""))),
        "item_two": ("a constant of two items", two + column(0, cbor(2), b"\x00\x00")),
        "item_long": ("an integer in two bytes", two + column(0, cbor(2), b"\x18\x01")),
        "item_nan": ("NaN", two + column(0, cbor(3), b"\xf9\x7e\x00")),
        "item_tag": ("a tag", two + column(6, strings(b"\xc1\x00", b"\x00"))),
        "item_deep": ("17 arrays", two + column(0, cbor(18), b"\x81" * 17 + b"\x00")),
        "item_deep_in_template": ("16 arrays in a map",
                       before_cells(2, template=cbor({"a": None}))
                       + column(0, cbor(17), b"\x81" * 16 + b"\x00")),
        "floats_infinite": ("an infinity", two + column(3, numbers(
            struct.unpack("<2q", struct.pack("<2d", 1.0, float("inf"))), width=8))),
        "text_utf8": ("a character cut in two", two + column(5, strings(b"\xc3", b"\xa9"))),
        "scale_19": ("19 places", two + column(2, cbor(19), b)),
        "dictionary_beyond": ("cell 2 of 2", two + column(
            1, cbor(2), column(5, strings(b"a", b"b")), numbers([0, 2]))),
        "dictionary_before": ("cell -1", two + column(
            1, cbor(2), column(5, strings(b"a", b"b")), numbers([-1, 0], base=-1))),
        "dictionary_empty": ("a dictionary of none", two + column(
            1, cbor(0), column(5, zeros(0)), zeros(2))),
        "dictionary_too_many": ("a dictionary of three for two", two + column(
            1, cbor(3), column(5, strings(b"a", b"b", b"c")), b)),
        "apart_none": ("no cell apart", two + column(
            4 | APART, cbor(0), zeros(0), constant(1), strings(b"a", b""))),
        "apart_all": ("all cells apart", two + column(
            4 | APART, cbor(2), b, constant(1), zeros(0))),
        "apart_twice": ("a place twice", three + column(
            4 | APART, cbor(2), numbers([1, 1]), constant(1), strings(b"a"))),
        "apart_beyond": ("place 3 of 3", three + column(
            4 | APART, cbor(1), numbers([3]), constant(1), strings(b"a", b""))),
        "apart_before": ("place -1", three + column(
            4 | APART, cbor(1), numbers([-1], base=-1), constant(1), strings(b"a", b""))),
        "string_negative": ("a string of -1 bytes", two + column(
            4, numbers([-1, 2], base=-1), b"a")),
        "string_beyond": ("a string beyond the end", two + column(
            4, numbers([0, 2**63 - 1], width=8))),
        "numbers_order_3": ("differences of order 3", two + column(3, b"\x03\x00\x00\x00\x00")),
        "numbers_order_2": ("differences of order 2 of one", before_cells(1) + column(
            2, cbor(0), b"\x02\x00\x00\x00")),
        "numbers_width_9": ("nine bytes", two + column(3, bytes([9 << 2, 0]) + bytes(18))),
        "numbers_bit_7": ("bit 7 of numbers", two + column(3, bytes([0x80, 0]))),
        "numbers_beyond": ("2^63", two + column(2, cbor(0), numbers(
            [0, 1 << 63], width=8))),
        "numbers_sum_beyond": ("2^62 + 2^62", two + column(
            2, cbor(0), numbers([1 << 62, 1 << 63], order=1, width=0, base=1 << 62))),
        "deep_columns": ("columns in columns, 5 deep", two + deep),
        "grouped_inside": ("the order by things in a dictionary", two + column(
            1, cbor(2), column(5 | GROUPED, strings(b"a", b"b")), b)),
        "table_alone": ("a table of itself", maps + key + bytes([7, 0, 1]) + constant(1)),
        "table_beyond": ("a table of column 2 of 2", maps + key + bytes([7, 0, 2]) + constant(1)),
        "table_of_table": ("a table of one that comes later",
                           maps + bytes([7, 0, 1]) + bytes([7, 0, 0]) + constant(1) * 2),
        "table_grouped": ("a table in the order by things",
                          maps + key + bytes([7 | GROUPED, 0, 0]) + constant(1)),
        "table_inside": ("a table in a dictionary", maps + key + column(
            1, cbor(2), bytes([7, 0, 0]), constant(1), b)),
        "template_number": ("a number in a template", before_cells(2, template=cbor({"a": 1}))
                            + constant(1)),
        "template_empty": ("an empty map in a template", before_cells(2, template=cbor({"a": {}}))
                           + constant(1)),
        "template_array": ("an array as a template", before_cells(2, template=cbor([None]))
                           + constant(1)),
        "template_order": ("keys out of order",
                           before_cells(2, template=b"\xa2\x61b\xf6\x61a\xf6") + constant(1) * 2),
        "template_1025": ("a template of 1,025 cells", before_cells(
            2, template=cbor({f"{n:04}": None for n in range(1025)})) + constant(1) * 1025),
    }  # fmt: skip


def _names() -> dict[str, tuple[str, bytes]]:
    """What is wrong with the names, times and templates of two entries."""
    rest = b"\x00" + zeros(2) + cbor(0) + cbor(1) + cbor(NULL)
    rest += numbers([1, 1], width=0, base=1) + constant(None)
    kinds = cbor(1) + strings(b"") + zeros(2)
    first = cbor(1) + strings(b"EWR") + zeros(2) + kinds + zeros(2)
    some = b"\x00" + zeros(2) + cbor(0)
    return {
        "thing_order": ("things not in order of first use",
                        cbor(2) + strings(b"a", b"b") + numbers([1, 0]) + kinds + zeros(2) + rest),
        "thing_unused": ("a thing that is not used",
                         cbor(2) + strings(b"a", b"b") + zeros(2) + kinds + zeros(2) + rest),
        "thing_twice": ("a thing twice in its list",
                        cbor(2) + strings(b"a", b"a") + numbers([0, 1]) + kinds + zeros(2) + rest),
        "thing_empty": ("an empty thing",
                        cbor(1) + strings(b"") + zeros(2) + kinds + zeros(2) + rest),
        "thing_not_utf8": ("a thing that is not UTF-8",
                           cbor(1) + strings(b"\xff") + zeros(2) + kinds + zeros(2) + rest),
        "action_negative": ("action -1", cbor(1) + strings(b"EWR") + zeros(2) + kinds
                            + numbers([-1, 0], base=-1) + rest),
        "times_2": ("times in an order 2", first + b"\x02" + rest[1:]),
        "follows_unused": ("a log that nothing follows", first + b"\x00" + zeros(2) + cbor(1)
                           + zeros(2) + AUTHOR + INCARNATION + rest[len(some) :]),
        "follows_negative": ("an entry that follows -1", first + b"\x00" + zeros(2) + cbor(1)
                             + numbers([-1, 2], base=-1) + AUTHOR + INCARNATION
                             + struct.pack("<IQ", 0, 7) + LEAF + rest[len(some) :]),
        "template_beyond": ("template 2 of 1", first + some + cbor(1) + cbor(NULL)
                            + numbers([1, 2]) + constant(None) * 2),
        "template_unused": ("a template that is not used", first + some + cbor(2) + cbor(NULL) * 2
                            + numbers([1, 1], width=0, base=1) + constant(None) * 2),
        "digest_missing": ("no digest for a payload left out", first + some + cbor(1) + cbor(NULL)
                           + numbers([0, 1]) + constant(None)),
    }  # fmt: skip


def _entries(entries: Entries) -> list[object]:
    return [
        {
            "thing": thing,
            "kind": kind,
            "action": action,
            "time": time,
            "follows": cbor2.dumps(follows).hex(),
            "payload": None if payload is None else payload.hex(),
            "digest": (LEFT_OUT if payload is None else sha256(salt + payload).digest()).hex(),
        }
        for (thing, kind, action, time, follows, payload), salt in zip(
            entries, (SALTS * 2)[: len(entries)], strict=True
        )
    ]


def _count(stem: str) -> int:
    if stem.startswith("apart_") and stem not in ("apart_none", "apart_all"):
        return 3
    return 1 if stem == "numbers_order_2" else 2


def cases() -> dict[str, Case]:
    wrong = _malformed() | _names()
    return {
        stem: _case(comment, data, len(entries), entries)
        for stem, (comment, entries, data) in _success().items()
    } | {stem: _case(comment, data, _count(stem)) for stem, (comment, data) in wrong.items()}


def _case(comment: str, data: bytes, count: int, entries: Entries | None = None) -> Case:
    return {
        "comment": comment,
        "expect": "malformed" if entries is None else "success",
        "count": count,
        "salts": [salt.hex() for salt in (SALTS * 2)[:count]],
        "data": data.hex(),
        "entries": None if entries is None else _entries(entries),
    }
