"""Bytes that ZMODEM (lrzsz) puts on a line for a file, both ways counted."""

import os
import selectors
import subprocess
from pathlib import Path

from benchmarks.processes import FailedError, missing

_PIECE_BYTES = 1 << 16
_PATIENCE_SECONDS = 60


def absent() -> str | None:
    """Return what to say if lrzsz is not installed."""
    return missing("sz", "lrzsz")


def bytes_on_the_line(path: Path, received: Path) -> int:
    """Send *path* into the folder *received* over a line without errors; return all its bytes.

    Raises:
        FailedError: it did not arrive as it was.
    """
    received.mkdir()
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(["sz", "-q", "-b", path], stdin=pipe, stdout=pipe) as sender,
        subprocess.Popen(["rz", "-q", "-b"], stdin=pipe, stdout=pipe, cwd=received) as receiver,
    ):
        count = _relay(sender, receiver)
    if (received / path.name).read_bytes() != path.read_bytes():
        raise FailedError("ZMODEM did not bring the file as it was")
    return count


def _relay(one: subprocess.Popen[bytes], other: subprocess.Popen[bytes]) -> int:
    """Carry what each says to the other until both are silent; return how much that was."""
    count = 0
    with selectors.DefaultSelector() as lines:
        for talker, listener in ((one, other), (other, one)):
            lines.register(_fd(talker.stdout), selectors.EVENT_READ, _fd(listener.stdin))
        while lines.get_map():
            ready = lines.select(_PATIENCE_SECONDS)
            if not ready:
                raise FailedError("ZMODEM fell silent in the middle")
            for key, _ in ready:
                said = os.read(key.fd, _PIECE_BYTES)
                if not said:
                    lines.unregister(key.fileobj)
                count += _say(key.data, said)
    return count


def _say(fd: int, data: bytes) -> int:
    """Write *data* to who may have hung up; return how many bytes went onto the line."""
    written = 0
    while written < len(data):
        try:
            written += os.write(fd, data[written:])
        except BrokenPipeError:
            break
    return len(data)


def _fd(pipe: object) -> int:
    fileno: int = pipe.fileno()  # type: ignore[attr-defined]
    return fileno
