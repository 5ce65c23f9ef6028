"""Pages of a damaged ledger file: rows in them, pages that they lead to, frames of its log."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache

from ledger.schema import TABLES
from ledger.sqlite_pages import (
    FRAME_HEAD_BYTES,
    MAX_RECORD_BYTES,
    Record,
    children,
    frame_page,
    frame_salts,
    page_bytes,
    records,
    wal_salts,
)
from tests.fuzz.harness import Target

PAGE = 512
LONGEST = 12 * PAGE


class NothingFoundError(Exception):
    """No row is on any page."""


def take(data: bytes) -> None:
    size = page_bytes(data[:100]) if data[:16] == b"SQLite format 3\0" else PAGE
    pages = [data[at : at + size].ljust(size, b"\0") for at in range(0, len(data), size)]

    def read(number: int) -> bytes | None:
        return pages[number - 1] if 0 < number <= len(pages) else None

    found: list[Record] = []
    for number, page in enumerate(pages[:12], 1):
        found += records(page, number, read)
        assert all(isinstance(one, int) for one in children(page, number))
    sizes = [len(one) for _, values in found for one in values if isinstance(one, bytes | str)]
    assert max(sizes, default=0) <= MAX_RECORD_BYTES
    salts = wal_salts(data) or frame_salts(data)
    assert frame_page(data[:FRAME_HEAD_BYTES].ljust(FRAME_HEAD_BYTES), salts) != 0
    if not found:
        raise NothingFoundError


@cache
def file_of_rows(rows: int, payload_bytes: int) -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.executescript(TABLES)
        for row in range(rows):
            db.execute("INSERT INTO thing VALUES (?, ?)", (row, f"thing {row}"))
            payload = bytes(payload_bytes)
            values = (row, row, 1, 0, row * 2**40, None, bytes(32), payload)
            db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            db.execute("INSERT INTO checkpoint VALUES (1, ?, ?, ?, NULL)", (row, b"r", b"s"))
        return db.serialize()


def seeds() -> Iterator[bytes]:
    whole = file_of_rows(30, 700)
    yield whole[:LONGEST]
    yield whole[PAGE:LONGEST]
    for at in range(0, len(whole), PAGE):
        yield whole[at : at + 3 * PAGE]
    yield file_of_rows(40, 8)[:LONGEST]


TARGET = Target(take, (NothingFoundError,), seeds, longest=2048)
