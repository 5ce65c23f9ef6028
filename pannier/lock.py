"""Keeping two processes out of each other's way. The system lets go when a process dies."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from pannier.errors import BusyError, PannierError

_RETRY_SECONDS = 0.05
# What every user of a SQLite file in WAL mode has locked, shared, as long as it is open.
# Source: https://www.sqlite.org/src/file/src/os.h
_SQLITE_SHARED, _SQLITE_SHARED_BYTES = 0x40000002, 510

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _try_lock_users(file: IO[bytes]) -> None:
        file.seek(_SQLITE_SHARED)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, _SQLITE_SHARED_BYTES)

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _try_lock_users(file: IO[bytes]) -> None:
        what = fcntl.LOCK_EX | fcntl.LOCK_NB
        fcntl.lockf(file, what, _SQLITE_SHARED_BYTES, _SQLITE_SHARED)


@contextmanager
def exclusive(path: Path, what: str, *, patience_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock *path* while the block runs.

    Args:
        path: A file that stays, empty.
        what: What is being done, for the message.
        patience_seconds: How long to wait for another process to let go.

    Raises:
        BusyError: another process holds it, and goes on holding it.
        PannierError: the file system knows no locks, or refused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise PannierError(f"cannot make the lock {path}: {error.strerror}") from error
    with file:
        try:
            _wait_for_lock(file, patience_seconds)
        except (BlockingIOError, PermissionError) as error:
            raise BusyError(f"another pannier is {what}; wait for it, then try again") from error
        except OSError as error:
            raise PannierError(f"cannot lock {path}: {error.strerror}") from error
        yield


@contextmanager
def sole_user(path: Path) -> Iterator[None]:
    """Let no other process use a file of SQLite while the block runs, however damaged it is.

    This process must not have it open: its own locks do not show here, and are gone afterwards.

    Raises:
        BusyError: another process has it open.
        PannierError: it cannot be opened.
    """
    with ExitStack() as held:
        with suppress(FileNotFoundError):  # then nobody uses it
            _lock_users(held, path)
        yield


def _lock_users(held: ExitStack, path: Path) -> None:
    try:
        file = held.enter_context(path.open("r+b"))
        try:
            _try_lock_users(file)
        except (BlockingIOError, PermissionError) as error:
            raise BusyError(
                f"another pannier uses {path}: stop it (`pannier run`, a link), then try again"
            ) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PannierError(f"cannot lock {path}: {error.strerror}") from error


def _wait_for_lock(file: IO[bytes], patience_seconds: float) -> None:
    end = time.monotonic() + patience_seconds
    while True:
        try:
            _try_lock(file)
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= end:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return
