"""Journals of what a link has brought so far, and their names."""

from collections.abc import Iterator
from itertools import pairwise

from spool.errors import SpoolError
from spool.partial import MAX_OBJECT_BYTES, PartName, _apart, _joined, _parsed, _record
from tests.fuzz.harness import Target
from tests.vectors import load

SIZES = (1, 100, 5000, MAX_OBJECT_BYTES)


def take(data: bytes) -> None:
    if data[:1] == b"n":
        text = data[1:].decode(errors="surrogateescape")
        assert PartName.from_text(text).to_text() == text
        return
    size = SIZES[data[0] % len(SIZES) if data else 0]
    pieces, end = _parsed(data[1:], size)
    assert end <= len(data)
    assert data[1 : 1 + end] == b"".join(map(_record, pieces))
    apart = list(_joined(_apart(pieces)))
    assert sum(len(one.data) for one in apart) <= size
    places = [(one.offset, one.offset + len(one.data)) for one in apart]
    assert all(before[1] < after[0] for before, after in pairwise(places))
    if not pieces:
        raise SpoolError("nothing whole")


def seeds() -> Iterator[bytes]:
    for vector in load("part").values():
        for key, value in vector.items():
            if key == "name" and isinstance(value, str):
                yield b"n" + value.encode()
            elif key in ("journal", "data") and isinstance(value, str):
                yield from (bytes([at]) + bytes.fromhex(value) for at in range(len(SIZES)))


TARGET = Target(take, (SpoolError,), seeds, longest=8192)
