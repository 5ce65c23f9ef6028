"""What SQLite and the disk say, as errors of this room: which of it tells of damage."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ledger.descriptors import refusal
from ledger.errors import BusyError, DamagedError, DiskError, FullError

MEND = ": `pannier verify --repair` saves what it can of it"
"""What to do about a file that is damaged."""

_DISK_CODES = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)

_ERROR_CODE = re.compile("error code[ =]([0-9]+)")
"""What a check of SQLite says in the midst of its lines."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _OfFile(Protocol):
    """What reads one file.

    Attributes:
        path: Of the file.
    """

    path: Path


_Reader = TypeVar("_Reader", bound=_OfFile)


@contextmanager
def found_in(path: Path) -> Iterator[None]:
    """Let what shows damage in the block say in which file it was found.

    Raises:
        DamagedError: as it was, with `path`.
    """
    try:
        yield
    except DamagedError as error:
        error.path = error.path or path
        raise


def naming_its_file(
    method: Callable[Concatenate[_Reader, _P], _T],
) -> Callable[Concatenate[_Reader, _P], _T]:
    """Let the damage that *method* finds bear the path of its file (`found_in`), but faster."""

    @wraps(method)
    def named(self: _Reader, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(self, *args, **kwargs)
        except DamagedError as error:
            error.path = error.path or self.path
            raise

    return named


@contextmanager
def storage_errors(path: Path, name: str = "", damage: list[str] | None = None) -> Iterator[None]:
    """Turn what SQLite and the disk say into our errors.

    Args:
        path: Of the file.
        name: Of the ledger.
        damage: Takes what shows that the file is not as it was written.

    Raises:
        BusyError: another process holds it.
        FullError: the disk is full.
        DiskError: the disk refuses; what stands in the file may be whole.
        DamagedError: it is not as it was written.
    """
    try:
        yield
    except DamagedError as error:
        error.path = error.path or path
        raise
    except sqlite3.OperationalError as error:
        said = str(error)
        if "locked" in said:
            which = f"the ledger {name}" if name else path.name
            raise BusyError(f"{which} is busy: another pannier is writing; try again") from error
        if "readonly" in said:
            raise DiskError(
                f"{path} can only be read: let this user write to it and to its folder"
            ) from error
        if "disk is full" in said:
            raise FullError(f"{path}: {error}") from error
        if "no such" in said:
            raise _damaged(path, error, damage) from error
        if is_of_disk(error):
            why = reason(error)
            raise DiskError(f"{path}: {why}") from why
        raise _of(path, DamagedError(f"{path}: {error}")) from error
    except OSError as error:
        raise DiskError(f"{path}: {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # SQLite quotes a damaged schema in its messages, and Python cannot decode those.
        raise _damaged(path, error, damage) from error


def is_of_disk(error: sqlite3.OperationalError) -> bool:
    """Return whether the file could not be opened, read or written, whatever stands in it."""
    return _is_disk_code(getattr(error, "sqlite_errorcode", 0))  # some are made by Python


def reason(error: sqlite3.OperationalError) -> Exception:
    """Return *error*, or what SQLite does not say: that no more files may be open than are."""
    is_unopened = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN
    return (refusal() if is_unopened else None) or error


def names_disk(lines: Iterable[str]) -> bool:
    """Return whether a check of SQLite could not read all of the file, by the *lines* it says.

    It goes on where the disk refuses a page, and names it as if it were damaged.
    """
    return any(_is_disk_code(int(code)) for line in lines for code in _ERROR_CODE.findall(line))


def _is_disk_code(code: int) -> bool:
    return code & 0xFF in _DISK_CODES and code != sqlite3.SQLITE_IOERR_SHORT_READ


def damage_in(path: Path, why: Exception | str) -> DamagedError:
    """Return what says that a file is not as it was written, and what to do about it."""
    return _of(path, DamagedError(f"{path} is damaged ({why}){MEND}"))


def _damaged(path: Path, error: Exception, damage: list[str] | None) -> DamagedError:
    found = damage_in(path, error)
    if damage is not None:
        damage.append(str(found))
    return found


def _of(path: Path, error: DamagedError) -> DamagedError:
    error.path = path
    return error
