"""The pages of a damaged file of SQLite, and of the log beside it, as they lie on the disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from ledger.sqlite_pages import (
    FRAME_HEAD_BYTES,
    WAL_HEAD_BYTES,
    frame_page,
    frame_salts,
    is_commit,
    page_bytes,
    wal_salts,
)


class Images:
    """The pages of a damaged file and of its log."""

    def __init__(self, path: Path) -> None:
        """Look into *path*, within a ``with`` block; it may be anything, or not there."""
        self._path = path
        self._file: IO[bytes] | None = None
        self._wal: IO[bytes] | None = None
        self._frames_found: list[tuple[int, int]] = []
        self._newest: dict[int, int] = {}
        self._size = 0

    def __enter__(self) -> Self:
        wal = self._path.with_name(self._path.name + "-wal")
        self._file = self._path.open("rb") if self._path.exists() else None
        self._wal = wal.open("rb") if wal.exists() else None
        self._size = page_bytes(self._read(self._file, 0, 100))
        self._frames_found = self._frames()
        self._newest = dict(self._frames_found)
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._file, self._wal):
            if file is not None:
                file.close()

    def page(self, number: int) -> bytes | None:
        """Return the newest image of a page."""
        if number in self._newest:
            return self._read(self._wal, self._newest[number], self._size)
        return self._in_file(number)

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of all images of pages, newer ones of a page first."""
        for number, at in reversed(self._frames_found):
            yield number, self._read(self._wal, at, self._size)
        number = 1
        while (page := self._in_file(number)) is not None:
            yield number, page
            number += 1

    def _in_file(self, number: int) -> bytes | None:
        found = self._read(self._file, (number - 1) * self._size, self._size) if number > 0 else b""
        return found + bytes(self._size - len(found)) if found else None

    def _frames(self) -> list[tuple[int, int]]:
        """Return page and offset of all that the log holds, up to the last commit.

        What follows that was rolled back, and may be another history of a log of our own. Frames
        before it count whatever their checksums say: their rows are proven otherwise.
        """
        salts = wal_salts(self._read(self._wal, 0, WAL_HEAD_BYTES))
        at = WAL_HEAD_BYTES
        found: list[tuple[int, int]] = []
        committed = 0
        while len(head := self._read(self._wal, at, FRAME_HEAD_BYTES)) == FRAME_HEAD_BYTES:
            salts = salts or frame_salts(head)
            number = frame_page(head, salts)
            if number is not None:
                found.append((number, at + FRAME_HEAD_BYTES))
                committed = len(found) if is_commit(head) else committed
            at += FRAME_HEAD_BYTES + self._size
        return found[:committed]

    @staticmethod
    def _read(file: IO[bytes] | None, at: int, size: int) -> bytes:
        if file is None:
            return b""
        file.seek(at)
        return file.read(size)
