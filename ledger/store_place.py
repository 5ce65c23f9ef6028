"""Finished ledger files get their names: whole, for good, and never over what another has made.

Processes at one home make the same ledger at the same moment: one restores a backup of it, to
another a peer shares it, in a third somebody says its passphrase. One of them is first.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_LOGS = ("-wal", "-journal")


def put_in_place(draft: Path, path: Path) -> None:
    """Give a finished ledger file its name, where nothing has that name; durable on return.

    What SQLite had beside a file of that name that is gone it would take for a part of this one. It
    gets another name: what was written last may be in it, and nowhere else.

    Raises:
        FileExistsError: something has it; *draft* is there still.
        OSError: the disk said no, or what SQLite could not put into the file lies beside it.
    """
    _check_finished(draft)
    with _alone_in(path.parent) as folder:
        _check_free(path)
        if _set_logs_aside(path):
            os.fsync(folder)  # before another file is there, which SQLite would put them into
        draft.rename(path)
        os.fsync(folder)


def take_place(draft: Path, path: Path) -> None:
    """Give a finished ledger file the name of another, which is gone then; durable on return.

    Raises:
        OSError: the disk said no, or what SQLite could not put into the file lies beside it.
    """
    _check_finished(draft)
    with _alone_in(path.parent) as folder:
        draft.rename(path)
        os.fsync(folder)


def put_new(draft: Path, path: Path) -> None:
    """Give any file its name, where nothing has that name; durable on return.

    Raises:
        FileExistsError: something has it; *draft* is there still.
        OSError: the disk said no.
    """
    with _alone_in(path.parent) as folder:
        _check_free(path)
        draft.rename(path)
        os.fsync(folder)


def _check_free(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "File exists", str(path))


def _set_logs_aside(path: Path) -> bool:
    """Take what is left of a ledger file that is gone from its name; return whether anything is."""
    left = [end for end in (*_LOGS, "-shm") if _beside(path, end).exists()]
    for end in left:
        one = _beside(path, end)
        if end in _LOGS and one.stat().st_size:
            one.rename(_unused(path, end))
        else:
            one.unlink()
    return bool(left)


def _unused(path: Path, end: str) -> Path:
    names = (_beside(path, f".damaged-{number}{end}") for number in count(1))
    return next(one for one in names if not one.exists())


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _check_finished(draft: Path) -> None:
    if _beside(draft, "-wal").exists():
        raise OSError(errno.EIO, "not all of the ledger could be written", str(draft))


@contextmanager
def _alone_in(folder: Path) -> Iterator[int]:
    """Give *folder*, open; no other process puts a file in place there meanwhile.

    To look and then rename is not one step, and a link in place of it would leave two names of one
    file where it is cut short.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # where there are no locks is no home; but a backup may go there
            fcntl.flock(number, fcntl.LOCK_EX)
        yield number
    finally:
        os.close(number)
