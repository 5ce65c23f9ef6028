"""Keeping two processes out of each other's way. The system lets go when a process dies."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pannier.errors import BusyError

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock *path* while the block runs.

    Args:
        path: A file that stays, empty.
        what: What is being done, for the message.

    Raises:
        BusyError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            _try_lock(file)
        except OSError as error:
            raise BusyError(f"another pannier is {what}; wait for it, then try again") from error
        yield
