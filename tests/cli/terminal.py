"""A person at a terminal: a real pseudo-terminal with a real process behind it."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.cli.computers import environment

PATIENCE_SECONDS = 60


class Terminal:
    """What is on the screen of one process, and its keyboard."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.screen = ""
        self._master = master
        self._waited_for = 0

    def wait_for(self, text: str) -> None:
        """Wait until *text* is on the screen, after what was waited for before.

        A passphrase that is typed before its prompt stands there gets lost, as with a person.
        """
        while (found := self.screen.find(text, self._waited_for)) < 0:
            assert self._read(), f"never saw {text!r} on {self.screen!r}"
        self._waited_for = found + len(text)

    def type(self, text: str) -> None:
        os.write(self._master, f"{text}\n".encode())

    def finish(self) -> int:
        """Read to the end; return the exit status."""
        while self._read():
            pass
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def _read(self) -> bool:
        """Take more onto the screen; return whether there was any."""
        ready, _, _ = select.select([self._master], [], [], PATIENCE_SECONDS)
        assert ready, f"nothing more came after {self.screen!r}"
        data = b""
        with suppress(OSError):  # EIO: the other side has closed
            data = os.read(self._master, 65536)
        self.screen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


@contextmanager
def at_terminal(words: Sequence[str], *, columns: int = 200) -> Iterator[Terminal]:
    """Run a command with all its streams at a terminal of its own."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "pannier", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(COLUMNS=str(columns)),
            start_new_session=True,
        ) as process:
            os.close(slave)
            try:
                yield Terminal(process, master)
            finally:
                process.kill()
    finally:
        os.close(master)
