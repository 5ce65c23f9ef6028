"""Writing and reading long files without a stay in the system's memory.

What is on a medium is written once and read once, by others: to clear the pages for a copy here,
fill and drop them costs more than a good disk does. Where a system or a file system knows no other
way, what is here takes the usual one.

Source: O_DIRECT in open(2) of Linux.
"""

import errno
import fcntl
import os
from mmap import MAP_PRIVATE, mmap
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_DIRECT: int = getattr(os, "O_DIRECT", 0)
# Addresses, offsets and lengths must be multiples of what the disk writes at once: never more.
_BLOCK_BYTES = 4096
# Shorter files go through the system's memory: whoever reads them soon finds them there.
_LONG_BYTES = 1 << 20


class LongWriter:
    """Writes a file from its beginning to its end, while what comes next is being made."""

    def __init__(self, descriptor: int, rooms: list[memoryview]) -> None:
        """Write to *descriptor*, an empty file.

        Args:
            descriptor: Of the file.
            rooms: Memory that was used before and is not in use; some is taken and given back.
        """
        self._descriptor = descriptor
        self._rooms = rooms
        self._room = self._take_room()
        self._held_bytes = 0
        self._begun_bytes = 0
        self._pool: ThreadPoolExecutor | None = None
        self._spare = self._room
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until nothing is being written any more; what was not finished is cut off."""
        if self._pool is not None:
            self._pool.shutdown()
            self._rooms.append(self._spare)
        self._rooms.append(self._room)

    def add(self, chunk: bytes | memoryview) -> int:
        """Append *chunk*, which is copied; return its length.

        Raises:
            OSError: the disk said no to what came before.
        """
        at, size = 0, len(chunk)
        while at < size:
            end = min(size, at + _LONG_BYTES - self._held_bytes)
            held = self._held_bytes + end - at
            self._room[self._held_bytes : held] = chunk[at:end]
            at, self._held_bytes = end, held
            if held == _LONG_BYTES:
                self._begin_to_write()
        return size

    def finish(self) -> None:
        """Hand all that was added to the system.

        Raises:
            OSError: the disk said no.
        """
        self._wait()
        rest, self._held_bytes = self._room[: self._held_bytes], 0
        if self._pool is not None:
            whole = len(rest) - len(rest) % _BLOCK_BYTES
            _write_long(self._descriptor, rest[:whole], self._begun_bytes)
            rest = rest[whole:]
            _set_direct(self._descriptor, is_direct=False)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _begin_to_write(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- most files are short

        if self._pool is None:
            self._pool, self._spare = ThreadPoolExecutor(1), self._take_room()
        self._wait()
        self._writing = self._pool.submit(
            _write_long, self._descriptor, self._room, self._begun_bytes
        )
        self._room, self._spare = self._spare, self._room
        self._begun_bytes += _LONG_BYTES
        self._held_bytes = 0

    def _take_room(self) -> memoryview:
        try:
            return self._rooms.pop()
        except IndexError:
            return memoryview(mmap(-1, _LONG_BYTES, flags=MAP_PRIVATE))

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()


def read_long(descriptor: int, room: memoryview, length: int) -> int:
    """Read the first *length* bytes of a file; return how many there are.

    Args:
        descriptor: Of the file, at its beginning; stays at the end of what was read.
        room: Where they are put; *length* or longer.
        length: How many there should be.

    Raises:
        OSError: the disk said no.
    """
    begun = size = _read_direct(descriptor, room[: length - length % _BLOCK_BYTES])
    while size < length and (count := os.readv(descriptor, [room[size:length]])):
        size += count
    _let_go(descriptor, begun, size - begun)
    return size


def _read_direct(descriptor: int, room: memoryview) -> int:
    """Read the first bytes of a file, if they are many; return how many, 0 for the usual way."""
    if len(room) < _LONG_BYTES or not _set_direct(descriptor, is_direct=True):
        return 0
    try:
        return os.readv(descriptor, [room])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return 0  # the room begins anywhere, or the file system cannot
    finally:
        _set_direct(descriptor, is_direct=False)


def _write_long(descriptor: int, data: memoryview, offset: int) -> None:
    rest, is_direct = data, _set_direct(descriptor, is_direct=True)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except OSError as error:
            if error.errno != errno.EINVAL or not is_direct:
                raise
            is_direct = _set_direct(descriptor, is_direct=False)
    if not is_direct:
        _let_go(descriptor, offset, len(data))


def _set_direct(descriptor: int, *, is_direct: bool) -> bool:
    """Say whether *descriptor* goes past the system's memory; return whether it does now."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    wanted = flags | _DIRECT if is_direct else flags & ~_DIRECT
    if wanted != flags:
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, wanted)
        except OSError:
            return False  # the file system has no such thing
    return is_direct and bool(_DIRECT)


def _let_go(descriptor: int, offset: int, length: int) -> None:
    """Tell the system that these bytes are not needed in memory any more.

    What is not on the disk it begins to write; what is, makes room for what we write next.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
