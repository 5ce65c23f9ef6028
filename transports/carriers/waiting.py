"""Waiting for file descriptors of any number: select() itself knows none beyond 1,023."""

import selectors
from collections.abc import Iterable
from typing import Protocol

# Those of `selectors.DefaultSelector` take a file descriptor themselves, which may be the last.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class HasFileno(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Return its file descriptor."""


def wait_for(
    seconds: float | None,
    *,
    reading: Iterable[HasFileno | int] = (),
    writing: Iterable[HasFileno | int] = (),
) -> set[int]:
    """Wait until something can be read or written, at most so long; return which descriptors.

    Args:
        seconds: How long; 0: only look; None: without end.
        reading: What to wait for until it can be read.
        writing: What to wait for until it can be written.
    """
    with _Selector() as selector:
        interests: dict[int, int] = {}
        for some, event in ((reading, selectors.EVENT_READ), (writing, selectors.EVENT_WRITE)):
            for one in some:
                fd = one if isinstance(one, int) else one.fileno()
                interests[fd] = interests.get(fd, 0) | event
        for fd, events in interests.items():
            selector.register(fd, events)
        return {key.fd for key, _ in selector.select(seconds)}
