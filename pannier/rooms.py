"""Memory that is used again and again: to ask for as much anew each time costs more than to copy.

What was freed goes back to the system, which clears each page before it hands it out once more.
Nothing is cleared twice, and what nobody writes to takes no memory.
"""

import mmap
from contextlib import suppress


class Rooms:
    """Buffers of one size, as many as were ever in use at once. For one thread."""

    def __init__(self, size_bytes: int) -> None:
        """Ask for nothing yet."""
        self._size_bytes = size_bytes
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """Return a buffer that nobody uses; what is in it is left from before."""
        return self._free.pop() if self._free else memoryview(_new(self._size_bytes))

    def give_back(self, part: memoryview) -> None:
        """Let a buffer be used again, of which *part* is any view."""
        if isinstance(part.obj, mmap.mmap) and len(part.obj) == self._size_bytes:
            self._free.append(memoryview(part.obj))


def _new(size_bytes: int) -> mmap.mmap:
    room = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a system that was built without them
            room.madvise(mmap.MADV_HUGEPAGE)
    return room
