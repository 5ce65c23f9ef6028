"""Finished ledger files get their names: whole, for good, and never over what another has made.

Processes at one home make the same ledger at the same moment: one restores a backup of it, to
another a peer shares it, in a third somebody says its passphrase. One of them is first.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def put_in_place(draft: Path, path: Path) -> None:
    """Give a finished file its name, where nothing has that name; durable on return.

    Raises:
        FileExistsError: something has it; *draft* is there still.
        OSError: the disk said no, or what SQLite could not put into the file lies beside it.
    """
    _check_finished(draft)
    with _alone_in(path.parent) as folder:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "it is there already", str(path))
        draft.rename(path)
        os.fsync(folder)


def take_place(draft: Path, path: Path) -> None:
    """Give a finished file the name of another, which is gone then; durable on return.

    Raises:
        OSError: the disk said no, or what SQLite could not put into the file lies beside it.
    """
    _check_finished(draft)
    with _alone_in(path.parent) as folder:
        draft.rename(path)
        os.fsync(folder)


def _check_finished(draft: Path) -> None:
    if draft.with_name(f"{draft.name}-wal").exists():
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
