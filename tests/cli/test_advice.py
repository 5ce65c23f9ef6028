import errno
import sqlite3

import pytest

from ledger.errors import DamagedError, FullError
from pannier.cli.advice import advice
from pannier.cli.root import run
from spool.errors import StorageError


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def of_sqlite(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.ENOSPC, "full"), "make room"),
        (caused(StorageError("cannot write"), OSError(errno.EROFS, "no")), "let it be written"),
        (caused(StorageError("cannot write"), OSError(errno.EIO, "no")), "look to that disk"),
        (caused(FullError("x"), of_sqlite("SQLITE_FULL")), "make room"),
        (caused(DamagedError("x"), of_sqlite("SQLITE_IOERR_FSYNC")), "look to that disk"),
        (caused(DamagedError("x"), of_sqlite("SQLITE_READONLY")), "let it be written"),
    ],
)
def test_a_disk_that_refuses_is_somebodys_to_see_to(error: Exception, what: str) -> None:
    assert what in (advice(error) or "")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        OSError(errno.ENOENT, "gone"),
        caused(DamagedError("x"), of_sqlite("SQLITE_CORRUPT")),
    ],
)
def test_about_other_errors_there_is_no_advice(error: Exception) -> None:
    assert advice(error) is None


def test_it_is_part_of_the_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> int:
        raise caused(StorageError("cannot write"), OSError(errno.ENOSPC, "full"))

    monkeypatch.setattr("pannier.cli.root.pannier.main", fail)
    assert run(["status"]) == 1
    said = capsys.readouterr().err
    assert said == "pannier: cannot write; make room there, then try again\n"
