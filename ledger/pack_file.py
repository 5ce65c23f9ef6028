"""Packs as files: writing one so that it is there or not, reading from it (docs/format.md 9.5).

With `ledger.store_file` all I/O of this room.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ledger.blob import Chunk
from ledger.blob_pack import (
    HEAD_BYTES,
    MAGIC,
    PACK_NAME_BYTES,
    RECORD_BYTES,
    RECORD_HEAD_BYTES,
    SALT_BYTES,
    BlobKeys,
    Span,
    body_bytes,
    next_span,
)
from ledger.errors import AlteredError, DamagedError, FullError
from ledger.keys import Entropy
from ledger.long_file import LongReader, LongWriter

_PACK = re.compile(r"[0-9a-f]{16}\.pack")
_DRAFT = re.compile(r"\.[0-9a-f]{16}\.tmp")
# Read at once if the records lie one after another; one may be longer than half of it.
_WINDOW_BYTES = 2 << 20


class PackWriter:
    """A pack being written, under a name that nobody looks for until `publish`."""

    def __init__(self, folder: Path, keys: BlobKeys, entropy: Entropy) -> None:
        """Begin one in *folder*; a pack's name and key come from *entropy*.

        Raises:
            DamagedError: the disk said no.
        """
        salt = entropy(SALT_BYTES)
        self.name = salt[:PACK_NAME_BYTES]
        self.path = _path(folder, self.name)
        self._draft = folder / f".{self.name.hex()}.tmp"
        self._key = keys.pack(salt)
        with _disk_errors(folder):
            _make_folder(folder)
            if self.path.exists():
                raise FileExistsError(errno.EEXIST, "it is there already", str(self.path))
            self._opened = _locked_draft(self._draft)
        self._file = LongWriter(self._opened.fileno(), RECORD_BYTES)
        self._file.room()[:HEAD_BYTES] = MAGIC + salt
        self._file.add(HEAD_BYTES)

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self._file.size_bytes

    def add(self, name: bytes, chunk: Chunk) -> Span:
        """Append a chunk; return where it lies.

        Raises:
            DamagedError: the disk said no.
        """
        offset = self.size_bytes
        with _disk_errors(self.path):
            length = self._key.seal_into(self._file.room(), offset, name, chunk)
            self._file.add(length)
        return Span(name, offset, length, chunk.size)

    def sync(self) -> None:
        """Wait until all that was added is durable.

        Raises:
            DamagedError: the disk said no.
        """
        with _disk_errors(self.path):
            self._file.flush()
            os.fsync(self._opened.fileno())

    def publish(self) -> None:
        """Give the pack its name, durably; after `sync`.

        Raises:
            DamagedError: the disk said no.
        """
        with _disk_errors(self.path):
            self._draft.rename(self.path)
            _sync_folder(self.path.parent)

    def close(self) -> None:
        """Let go of the file; what was not published is gone."""
        with suppress(OSError):
            self._opened.close()
        self._draft.unlink(missing_ok=True)


def _locked_draft(path: Path) -> FileIO:
    """Return a new file that is held: what nobody holds any more is swept."""
    while True:
        file = FileIO(path, "xb", opener=_opener)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # somebody swept it before it was held


def pack_names(folder: Path) -> set[bytes]:
    """Return the names of the packs in *folder*; none if it is not there.

    Raises:
        DamagedError: it cannot be read.
    """
    found = (path.name for path in _inside(folder) if _PACK.fullmatch(path.name))
    return {bytes.fromhex(name.removesuffix(".pack")) for name in found}


def remove(folder: Path, pack: bytes) -> None:
    """Remove a pack, if it is there.

    Raises:
        DamagedError: the disk said no.
    """
    path = _path(folder, pack)
    with _disk_errors(path):
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what processes that are no more have left unfinished.

    Raises:
        DamagedError: the disk said no.
    """
    for path in _inside(folder):
        if not _DRAFT.fullmatch(path.name):
            continue
        with _disk_errors(path), suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # somebody is writing it
            path.unlink(missing_ok=True)


def read_record(folder: Path, pack: bytes, keys: BlobKeys, span: Span, digest: bytes) -> Chunk:
    """Return the chunk at *span* of the pack called *pack*. Any thread may.

    Raises:
        AlteredError: it is not what was written there.
        DamagedError: the pack is gone, or cannot be read.
    """
    path = _path(folder, pack)
    with _disk_errors(path), path.open("rb", buffering=0) as file:
        salt = file.read(HEAD_BYTES)[len(MAGIC) :]
        record = os.pread(file.fileno(), span.length, span.offset)
    return keys.pack(salt).open(span.offset, record, digest)


def read_bodies(
    folder: Path, keys: BlobKeys, wanted: Iterable[tuple[bytes, Span]]
) -> Iterator[tuple[int, memoryview]]:
    """Yield the codec and the body of each chunk that is *wanted*. Any thread may ask.

    Args:
        folder: Of the packs.
        keys: Of the ledger.
        wanted: The name of a pack, and where in it.

    Yields:
        Bodies, each of which is there until the next one is asked for.

    Raises:
        AlteredError: one is not what was written there.
        DamagedError: a pack is gone, or cannot be read.
    """
    reader, body = LongReader(_WINDOW_BYTES), memoryview(bytearray(RECORD_BYTES))
    for pack, some in groupby(wanted, key=itemgetter(0)):
        path = _path(folder, pack)
        with ExitStack() as opened:
            with _disk_errors(path):
                file = opened.enter_context(path.open("rb", buffering=0))
                key = keys.pack(file.read(HEAD_BYTES)[len(MAGIC) :])
            for run in _runs(span for _, span in some):
                first, last = run[0], run[-1]
                with _disk_errors(path):
                    length = last.offset + last.length - first.offset
                    records = reader.read(file.fileno(), first.offset, length)
                for span in run:
                    at = span.offset - first.offset
                    part = body[: max(0, body_bytes(span.length))]
                    yield key.open_into(part, span.offset, records[at : at + span.length])[1], part


def _runs(wanted: Iterable[Span]) -> Iterator[list[Span]]:
    """Yield records that lie one after another together, as many as are read at once."""
    run: list[Span] = []
    for span in wanted:
        is_next = run and span.offset == run[-1].offset + run[-1].length
        if is_next and span.offset + span.length - run[0].offset <= _WINDOW_BYTES:
            run.append(span)
            continue
        if run:
            yield run
        run = [span]
    if run:
        yield run


def read_spans(folder: Path, pack: bytes, keys: BlobKeys) -> tuple[list[Span], bool]:
    """Return where the records of a pack lie that open, up to the first that does not.

    Returns:
        The records, none if the pack is gone; and whether there is nothing behind them.

    Raises:
        DamagedError: it cannot be read.
    """
    path, found = _path(folder, pack), list[Span]()
    with _disk_errors(path), suppress(FileNotFoundError), path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
            return [], False
        key, offset = keys.pack(head[len(MAGIC) :]), HEAD_BYTES
        while (span := next_span(head := file.read(RECORD_HEAD_BYTES), offset)) is not None:
            record = head + file.read(span.length - RECORD_HEAD_BYTES)
            try:
                key.open(offset, record, b"")
            except AlteredError:
                return found, False
            found.append(span)
            offset += span.length
        return found, not head
    return [], False


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _inside(folder: Path) -> list[Path]:
    with _disk_errors(folder):
        return list(folder.iterdir()) if folder.is_dir() else []


def _path(folder: Path, pack: bytes) -> Path:
    return folder / f"{pack.hex()}.pack"


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk says into our error."""
    try:
        yield
    except OSError as error:
        kind = FullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else DamagedError
        raise kind(f"{path}: {error.strerror or error}") from error
