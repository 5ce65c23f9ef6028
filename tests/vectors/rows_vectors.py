"""Vectors of entries as columns (docs/format.md section 5.2)."""

import struct
from hashlib import sha256

import cbor2

Case = dict[str, object]

SALTS = [bytes([n]) * 16 for n in range(4)]
AUTHOR, INCARNATION, LEAF = bytes([1]) * 32, bytes([2]) * 8, bytes([3]) * 16
LEFT_OUT = bytes([4]) * 32
DEVICES = [cbor2.dumps({3: name, 4: {"a": 1, "b": None}}, canonical=True) for name in ("x", "y")]
ONE = cbor2.dumps({"temp": 39.02, "gust": None}, canonical=True)
ANOTHER = cbor2.dumps({"temp": 1, "gust": [2, {"a": 3}]}, canonical=True)
# thing, kind, action, time, follows, payload (None: left out)
Entries = list[tuple[str, str, int, int, list[object], bytes | None]]
ENTRIES: Entries = [
    ("EWR", "weather", 0, 1_357_020_000_000_000, [], ONE),
    ("JFK", "weather", 0, 1_357_019_000_000_000, [[AUTHOR, INCARNATION, 7, LEAF]], ANOTHER),
    ("EWR", "", 1, -1, [], b"\xf6"),
    ("LGA", "", 9, 0, [], None),
]  # fmt: skip


def u32(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def columns() -> list[bytes]:
    """The 17 columns of `ENTRIES`, written by hand."""
    rows = [
        b"\xf6" + cbor2.dumps(39.02),
        cbor2.dumps([2, {"a": 3}]) + b"\x01",
        b"\xf6",
        b"",
    ]
    times = [time for _, _, _, time, _, _ in ENTRIES]
    differences = [(b - a) % 2**64 for a, b in zip([0, *times[:-1]], times, strict=True)]
    shape = b"\x82\x64gust\x64temp"
    return [
        struct.pack("<3H", 3, 3, 3), b"EWRJFKLGA",
        struct.pack("<2H", 7, 0), b"weather",
        u32(len(shape)), shape,
        AUTHOR + INCARNATION,
        u32(0, 1, 0, 2),
        u32(0, 0, 1, 1),
        u32(0, 0, 1, 9),
        struct.pack("<4Q", *differences),
        u32(0, 1, 0, 0),
        struct.pack("<IQ", 0, 7) + LEAF,
        u32(2, 2, 1, 0),
        u32(*map(len, rows)), b"".join(rows),
        LEFT_OUT,
    ]  # fmt: skip


def _device_columns(shape: bytes = b"\x83\x03\x04\x82\x61a\x61b") -> list[bytes]:
    """The columns of two entries on behalf of devices, written by hand."""
    rows = [b"\x61x\x01\xf6", b"\x61y\x01\xf6"]
    return [
        struct.pack("<H", 3), b"EWR", struct.pack("<H", 0), b"", u32(len(shape)), shape, b"",
        u32(0, 0), u32(0, 0), u32(0, 0), struct.pack("<2Q", 0, 0), u32(0, 0), b"", u32(2, 2),
        u32(*map(len, rows)), b"".join(rows), b"",
    ]  # fmt: skip


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
        for (thing, kind, action, time, follows, payload), salt in zip(entries, SALTS, strict=False)
    ]


def _with(**changed: bytes) -> list[bytes]:
    """Return the columns with some replaced, by c<number>."""
    return [changed.get(f"c{n}", column) for n, column in enumerate(columns())]


def _row(row: bytes) -> list[bytes]:
    """Return the columns with another row for the first entry."""
    rest = columns()[15][10:]
    lengths = struct.unpack("<4I", columns()[14])
    return _with(c14=u32(len(row), *lengths[1:]), c15=row + rest)


def cases() -> dict[str, Case]:
    malformed: dict[str, tuple[str, list[bytes]]] = {
        "no_columns": ("no columns", []),
        "columns_16": ("16 columns", columns()[:-1]),
        "short_column": ("a column for three entries", _with(c7=u32(0, 1, 0))),
        "odd_column": ("a column that ends in half a number", _with(c7=columns()[7] + b"\0")),
        "thing_beyond": ("thing 3 of 3", _with(c7=u32(0, 1, 0, 3))),
        "thing_order": ("things not in order of first use", _with(c7=u32(1, 0, 1, 2))),
        "thing_unused": ("a thing that is not used", _with(c7=u32(0, 1, 0, 0))),
        "thing_twice": ("a thing twice in its list", _with(c1=b"EWRJFKEWR")),
        "thing_empty": ("an empty thing", _with(c0=struct.pack("<3H", 3, 6, 0))),
        "thing_control": ("a thing with a line break", _with(c1=b"EWRJ\nKLGA")),
        "thing_not_utf8": ("a thing that is not UTF-8", _with(c1=b"EWRJ\xffKLGA")),
        "things_too_many": (
            "more things than entries",
            _with(c0=struct.pack("<5H", 1, 2, 3, 1, 2)),
        ),
        "lengths_too_long": ("lengths beyond the strings", _with(c0=struct.pack("<3H", 3, 3, 4))),
        "kind_too_long": (
            "a kind of 64 bytes",
            _with(c2=struct.pack("<2H", 64, 0), c3=b"k" * 64),
        ),
        "shape_order": ("keys of a shape out of order", _with(c5=b"\x82\x64temp\x64gust")),
        "shape_twice": ("a key twice in a shape", _with(c5=b"\x82\x64gust\x64gust")),
        "shape_number": ("a number as a key", _with(c5=b"\x82\x00\x69gusttempx")),
        "shape_beyond": ("shape 1 of 1", _with(c13=u32(2, 3, 1, 0))),
        "log_unused": ("a log that is not used", _with(c6=columns()[6] * 2)),
        "log_beyond": ("log 1 of 1", _with(c12=struct.pack("<IQ", 1, 7) + LEAF)),
        "follows_65": (
            "an entry that follows 65",
            _with(
                c11=u32(0, 65, 0, 0),
                c12=b"".join(struct.pack("<IQ", 0, n) + LEAF for n in range(65)),
            ),
        ),
        "follows_missing": ("an entry that follows two, of one", _with(c11=u32(0, 2, 0, 0))),
        "log_twice": (
            "a log twice in its list",
            _with(
                c6=columns()[6] * 2,
                c11=u32(0, 2, 0, 0),
                c12=b"".join(struct.pack("<IQ", n, n) + LEAF for n in range(2)),
            ),
        ),
        "follows_2_32": ("entry 2^32 of a log", _with(c12=struct.pack("<IQ", 0, 1 << 32) + LEAF)),
        "row_short": ("a row with a value too few", _row(b"\xf6")),
        "row_long": ("a row with a value too many", _row(b"\xf6\xf6\xf6")),
        "row_not_shortest": ("an integer in two bytes", _row(b"\xf6\x18\x01")),
        "row_double": ("1.5 in double precision", _row(b"\xf6" + struct.pack(">Bd", 0xFB, 1.5))),
        "row_nan": ("NaN", _row(b"\xf6\xf9\x7e\x00")),
        "row_infinity": ("infinity", _row(b"\xf6\xf9\x7c\x00")),
        "row_tag": ("a date, which is a tag", _row(b"\xf6\xc1\x00")),
        "row_undefined": ("undefined", _row(b"\xf6\xf7")),
        "row_indefinite": ("an array of indefinite length", _row(b"\xf6\x9f\xff")),
        "row_map_order": ("an inner map out of order", _row(b"\xf6\xa2\x61b\x00\x61a\x00")),
        "row_map_twice": ("a key twice in an inner map", _row(b"\xf6\xa2\x61a\x00\x61a\x00")),
        "row_deep": ("16 arrays in the map", _row(b"\xf6" + b"\x81" * 16 + b"\x00")),
        "row_very_deep": ("1,000 arrays", _row(b"\xf6" + b"\x81" * 1000)),
        "row_array_2_63": ("an array of 2^63 items", _row(b"\xf6\x9b\x80" + bytes(7))),
        "no_shape_not_cbor": (
            "a payload without shape that is not CBOR",
            _with(c15=columns()[15][:-1] + b"\xff"),
        ),
        "left_out_with_row": (
            "a row for a payload left out",
            _with(c13=u32(2, 2, 0, 0), c16=LEFT_OUT * 2),
        ),
        "digest_missing": ("no digest for the payload left out", _with(c16=b"")),
        "digest_too_many": ("a digest too many", _with(c16=LEFT_OUT * 2)),
    }
    device_shapes: dict[str, tuple[str, bytes]] = {
        "device_shape_order": ("inner keys out of order", b"\x83\x03\x04\x82\x61b\x61a"),
        "device_shape_numbers": ("numbers of no device", b"\x83\x03\x05\x82\x61a\x61b"),
        "device_shape_float": ("a number that is a float", b"\x83\xf9\x42\x00\x04\x82\x61a\x61b"),
        "device_shape_texts": ("keys without an array", b"\x84\x03\x04\x61a\x61b"),
        "device_shape_key": ("an inner key that is a number", b"\x83\x03\x04\x82\x00\x61a"),
        "device_shape_short": (
            "three inner keys, two values",
            b"\x83\x03\x04\x83\x61a\x61b\x61c",
        ),
    }
    return (
        {"four": _case("four entries of all sorts", columns(), ENTRIES)}
        | {stem: _case(comment, wrong) for stem, (comment, wrong) in malformed.items()}
        | {"devices": _case("two devices", _device_columns(), _said(DEVICES))}
        | {
            stem: _case(comment, _device_columns(shape), count=2)
            for stem, (comment, shape) in device_shapes.items()
        }
    )


def _said(payloads: list[bytes]) -> Entries:
    return [("EWR", "", 0, 0, [], payload) for payload in payloads]


def _case(
    comment: str, columns: list[bytes], entries: Entries | None = None, *, count: int = 4
) -> Case:
    count = count if entries is None else len(entries)
    return {
        "comment": comment,
        "expect": "malformed" if entries is None else "success",
        "count": count,
        "salts": [salt.hex() for salt in SALTS[:count]],
        "columns": [column.hex() for column in columns],
        "entries": None if entries is None else _entries(entries),
    }
