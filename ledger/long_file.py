"""Writing and reading long files without a stay in the system's memory.

What is written once, and read once at some other time, has no use for a copy there: to clear the
pages for it, fill and drop them costs more than the disk does. Where a system or a file system
knows no other way, what is here takes the usual one.

Source: O_DIRECT in open(2) of Linux.
"""

import errno
import fcntl
import os
from mmap import MAP_PRIVATE, mmap

_DIRECT: int = getattr(os, "O_DIRECT", 0)
# Addresses, offsets and lengths must be multiples of what the disk writes at once: never more.
_BLOCK_BYTES = 4096
# Shorter files go through the system's memory: whoever reads them soon finds them there.
_LONG_BYTES = 1 << 20


class LongWriter:
    """Writes a file from its beginning to its end; as much as it holds is not written yet."""

    def __init__(self, descriptor: int, most_bytes: int) -> None:
        """Write to *descriptor*, an empty file, at most *most_bytes* at a time."""
        self._descriptor = descriptor
        self._room = memoryview(mmap(-1, _LONG_BYTES + most_bytes, flags=MAP_PRIVATE))
        self._held_bytes = 0
        self._written_bytes = 0
        self._is_direct = False

    @property
    def size_bytes(self) -> int:
        """How long the file is, with what is held."""
        return self._written_bytes + self._held_bytes

    def room(self) -> memoryview:
        """Return where what comes next is put, for as much as may come at a time."""
        return self._room[self._held_bytes :]

    def add(self, count: int) -> None:
        """Take the first *count* bytes of `room` as part of the file.

        Raises:
            OSError: the disk said no.
        """
        self._held_bytes += count
        if self._held_bytes < _LONG_BYTES:
            return
        if not self._written_bytes % _BLOCK_BYTES:
            self._is_direct = _set_direct(self._descriptor, is_direct=True)
        over = self._held_bytes % _BLOCK_BYTES
        self._write(self._held_bytes - over)

    def flush(self) -> None:
        """Hand all that is held to the system.

        Raises:
            OSError: the disk said no.
        """
        self._be_usual()
        self._write(self._held_bytes)

    def _write(self, count: int) -> None:
        begin, rest = self._written_bytes, self._room[:count]
        while rest:
            try:
                written = os.write(self._descriptor, rest)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._is_direct:
                    raise
                self._be_usual()
                continue
            rest = rest[written:]
            self._written_bytes += written
        self._held_bytes -= count
        self._room[: self._held_bytes] = self._room[count : count + self._held_bytes]
        if not self._is_direct and count >= _LONG_BYTES - _BLOCK_BYTES:
            _let_go(self._descriptor, begin, count)

    def _be_usual(self) -> None:
        if self._is_direct:
            self._is_direct = _set_direct(self._descriptor, is_direct=False)


class LongReader:
    """Reads parts of a file that nobody reads again soon. For one thread."""

    def __init__(self, most_bytes: int) -> None:
        """Read at most *most_bytes* at a time."""
        self._room = memoryview(mmap(-1, most_bytes + 2 * _BLOCK_BYTES, flags=MAP_PRIVATE))

    def read(self, descriptor: int, offset: int, length: int) -> memoryview:
        """Return what is at *offset*, less than *length* at the end; it stays until the next read.

        Raises:
            OSError: the disk said no.
        """
        before = offset % _BLOCK_BYTES
        around = -(-(before + length) // _BLOCK_BYTES) * _BLOCK_BYTES
        is_direct = length >= _LONG_BYTES // 2 and _set_direct(descriptor, is_direct=True)
        try:
            found = os.preadv(descriptor, [self._room[:around]], offset - before)
        except OSError as error:
            if error.errno != errno.EINVAL or not is_direct:
                raise
            is_direct = _set_direct(descriptor, is_direct=False)
            found = os.preadv(descriptor, [self._room[:around]], offset - before)
        if is_direct:
            _set_direct(descriptor, is_direct=False)
        else:
            _let_go(descriptor, offset, length)
        return self._room[before : min(found, before + length)]


def _set_direct(descriptor: int, *, is_direct: bool) -> bool:
    """Say whether *descriptor* goes past the system's memory; return whether it does now."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    wanted = flags | _DIRECT if is_direct else flags & ~_DIRECT
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
