"""What a person can do about a disk that refuses, whatever it was that could not be done."""

import errno
import sqlite3
from collections.abc import Iterator

_FULL = "make room there, then try again"
_READ_ONLY = "let it be written to, then try again"
_FAILING = "look to that disk, then try again"
_FILES = "let more files be open (`ulimit -n`), then try again"
_BY_NUMBER = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _FAILING,
    errno.EMFILE: _FILES,
}
_BY_NAME = {
    "SQLITE_FULL": _FULL,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_IOERR": _FAILING,
    "SQLITE_CANTOPEN": _FAILING,
}


def advice(error: BaseException) -> str | None:
    """Return what to do about *error* if a disk was its cause, None if it was not."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _BY_NUMBER:
            return _BY_NUMBER[cause.errno]
        if isinstance(cause, sqlite3.Error):
            name = getattr(cause, "sqlite_errorname", "")
            return next((_BY_NAME[one] for one in _BY_NAME if name.startswith(one)), None)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
