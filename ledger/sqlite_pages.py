"""Rows in the bytes of a SQLite file that SQLite itself no longer reads. Pure.

A page is taken by itself: of one that is whole every row is found, whatever became of the pages
that lead to it. What comes out may be older than what the file said last, or damaged, and means
nothing until somebody has proven it.

Source: https://www.sqlite.org/fileformat2.html sections 1.3, 1.5, 1.6, 2.1 and 4.1.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

PAGE_BYTES = 4096
"""Of the files that we write; another size is what a header says that is whole."""

FILE_HEAD_BYTES = 100
WAL_HEAD_BYTES = 32
FRAME_HEAD_BYTES = 24
MAX_RECORD_BYTES = 8 << 20
"""More than any row of ours: entries and seeds have at most 2 MiB."""

_MAGIC = b"SQLite format 3\0"
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_HEADS = {_INTERIOR_INDEX: 12, _INTERIOR_TABLE: 12, _LEAF_INDEX: 8, _LEAF_TABLE: 8}
_MAX_COLUMNS = 64
_INT_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FIRST_BLOB = 12

Value = int | float | str | bytes | None
PageReader = Callable[[int], bytes | None]
"""Gives the bytes of a page by its number, from 1; None if there is none."""


class Record(NamedTuple):
    """A row of a table or an index.

    Attributes:
        rowid: Of a table with one; else None.
        values: One a column.
    """

    rowid: int | None
    values: tuple[Value, ...]


class _BrokenError(Exception):
    """A row is not whole."""


def page_bytes(head: bytes) -> int:
    """Return the size of the pages of a file that begins with *head*."""
    size = int.from_bytes(head[16:18], "big")
    size = 65_536 if size == 1 else size
    is_whole = head.startswith(_MAGIC) and size >= 512 and not size & (size - 1)
    return size if is_whole else PAGE_BYTES


def wal_salts(head: bytes) -> bytes | None:
    """Return the 8 bytes that all frames of a log have that count; None if its head is damaged."""
    if len(head) < WAL_HEAD_BYTES or int.from_bytes(head[:4], "big") not in _WAL_MAGIC:
        return None
    return head[16:24]


def frame_salts(head: bytes) -> bytes:
    """Return the salts of a frame that begins with *head*, 24 bytes."""
    return head[8:16]


def is_commit(head: bytes) -> bool:
    """Return whether a transaction ends with the frame that begins with *head*."""
    return head[4:8] != bytes(4)


def frame_page(head: bytes, salts: bytes) -> int | None:
    """Return which page a frame of a log holds; None if it is of a log before this one.

    Args:
        head: The first 24 bytes of the frame.
        salts: Of the log.
    """
    return int.from_bytes(head[:4], "big") or None if frame_salts(head) == salts else None


def records(page: bytes, number: int, overflow: PageReader) -> Iterator[Record]:
    """Yield the rows on a page that are whole; none if it is no page of rows.

    Args:
        page: All of it.
        number: Of the page, from 1.
        overflow: Gives the pages on which long rows go on.
    """
    start = FILE_HEAD_BYTES if number == 1 else 0
    kind = page[start] if len(page) > start else 0
    if kind not in _HEADS or kind == _INTERIOR_TABLE:
        return
    for at in _cells(page, start):
        try:
            yield _record(page, at, kind, overflow)
        except (_BrokenError, IndexError, struct.error, UnicodeDecodeError):
            continue


def children(page: bytes, number: int) -> list[int]:
    """Return the pages that a page leads to; none if it is a leaf, or no page of rows."""
    start = FILE_HEAD_BYTES if number == 1 else 0
    kind = page[start] if len(page) > start else 0
    if kind not in (_INTERIOR_INDEX, _INTERIOR_TABLE):
        return []
    places = [*_cells(page, start), start + 8]
    return [int.from_bytes(page[at : at + 4], "big") for at in places]


def _cells(page: bytes, start: int) -> list[int]:
    """Return where the cells of a page begin."""
    first = start + _HEADS[page[start]]
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    count = min(count, (len(page) - first) // 2)
    places = struct.unpack_from(f">{count}H", page, first)
    return [at for at in dict.fromkeys(places) if first + 2 * count <= at < len(page)]


def _record(page: bytes, at: int, kind: int, overflow: PageReader) -> Record:
    if kind == _INTERIOR_INDEX:
        at += 4
    size, at = _varint(page, at)
    rowid = None
    if kind == _LEAF_TABLE:
        rowid, at = _varint(page, at)
        rowid -= (rowid >> 63) << 64
    if size > MAX_RECORD_BYTES:
        raise _BrokenError
    payload = _payload(page, at, size, kind == _LEAF_TABLE, overflow)
    return Record(rowid, _values(payload))


def _payload(page: bytes, at: int, size: int, is_table: bool, overflow: PageReader) -> bytes:
    """Return the *size* bytes of a cell that begin at *at* and may go on elsewhere."""
    usable = len(page)
    most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return _whole(page[at : at + size], size)
    least = (usable - 12) * 32 // 255 - 23
    here = least + (size - least) % (usable - 4)
    here = here if here <= most else least
    parts = [_whole(page[at : at + here], here)]
    following = int.from_bytes(_whole(page[at + here : at + here + 4], 4), "big")
    left = size - here
    while left > 0:  # each page takes some of it, so that a circle of pages ends
        more = overflow(following)
        if more is None or len(more) != usable:
            raise _BrokenError
        parts.append(more[4 : 4 + left])
        following, left = int.from_bytes(more[:4], "big"), left - (usable - 4)
    return b"".join(parts)


def _values(payload: bytes) -> tuple[Value, ...]:
    head_bytes, at = _varint(payload, 0)
    types: list[int] = []
    while at < head_bytes:
        one, at = _varint(payload, at)
        types.append(one)
        if len(types) > _MAX_COLUMNS:
            raise _BrokenError
    if at != head_bytes:
        raise _BrokenError
    values: list[Value] = []
    for one in types:
        value, at = _value(payload, at, one)
        values.append(value)
    if at != len(payload):
        raise _BrokenError
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind >= _FIRST_BLOB:
        size = (kind - _FIRST_BLOB) // 2
        data = _whole(payload[at : at + size], size)
        return (data.decode() if kind & 1 else data), at + size
    if kind in _INT_BYTES:
        size = _INT_BYTES[kind]
        return int.from_bytes(_whole(payload[at : at + size], size), "big", signed=True), at + size
    match kind:
        case 0:
            return None, at
        case 7:
            return struct.unpack_from(">d", payload, at)[0], at + 8
        case 8 | 9:
            return kind - 8, at
    raise _BrokenError


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at *at*, of up to 64 bits, and where it ends."""
    value = 0
    for place in range(at, at + 8):
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _whole(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise _BrokenError
    return data
