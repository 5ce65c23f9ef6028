"""A bell that wakes a thread which waits for wires; rung by other threads and by signals."""

import os
from contextlib import suppress

from transports.carriers.waiting import wait_for


class Bell:
    """Rung from anywhere, heard by one thread that waits on `fileno`.

    Attributes:
        is_stopped: Whether the thread is to end.
    """

    def __init__(self) -> None:
        """Make a bell that is silent."""
        self.is_stopped = False
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)

    def fileno(self) -> int:
        """Return what becomes readable when somebody rings."""
        return self._reading

    def ringing_fileno(self) -> int:
        """Return where a byte rings it, for what can do nothing but write."""
        return self._writing

    def ring(self) -> None:
        """Wake the thread; does nothing once closed."""
        with suppress(OSError):  # full: it has been rung often enough
            os.write(self._writing, b"!")

    def stop(self) -> None:
        """Tell the thread to end."""
        self.is_stopped = True
        self.ring()

    def hush(self) -> bool:
        """Forget all ringing so far; return whether there was any."""
        was_rung = False
        with suppress(BlockingIOError):
            while os.read(self._reading, 4096):
                was_rung = True
        return was_rung

    def wait(self, seconds: float) -> None:
        """Wait until somebody rings, at most so long."""
        if not self.is_stopped:
            wait_for(max(seconds, 0), reading=[self._reading])
        self.hush()

    def close(self) -> None:
        """Let go; may be called twice."""
        writing, self._writing = self._writing, -1
        if writing >= 0:
            os.close(writing)
            os.close(self._reading)
