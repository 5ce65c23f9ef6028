"""Setting a damaged file aside: where it may be interrupted, and what is there then."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pannier import set_aside
from pannier.set_aside import interrupted, take_up

OLD, NEW = ["early", "late"], ["new"]
_CALLS = ((os, "link"), (Path, "replace"), (Path, "rename"), (Path, "unlink"))


class _PowerOutError(BaseException):
    """Nothing runs any more, no clearing up either."""


def make(path: Path, rows: list[str], *, has_log: bool = False) -> None:
    """Make a file, with its last row in its log alone if it *has_log*."""
    made = path.with_name("made")
    made.mkdir()
    with closing(sqlite3.connect(made / path.name, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [(row,) for row in rows[:-1]])
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("INSERT INTO t VALUES (?)", (rows[-1],))
        if not has_log:
            db.execute("PRAGMA journal_mode = DELETE")
        for one in made.iterdir():
            if not one.name.endswith("-shm"):
                shutil.copy(one, path.parent)
    shutil.rmtree(made)


def read(path: Path) -> list[str]:
    """Read a copy, so that nothing changes."""
    copy = path.with_name("read")
    copy.mkdir()
    try:
        for one in (path, path.with_name(f"{path.name}-wal")):
            if one.exists():
                shutil.copy(one, copy)
        with closing(sqlite3.connect(copy / path.name)) as db:
            return [row for (row,) in db.execute("SELECT a FROM t")]
    except sqlite3.Error:
        return []
    finally:
        shutil.rmtree(copy)


def stop_at(
    monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException
) -> Callable[[], int]:
    """Let *error* happen at a call that changes names; return what tells how many there were."""
    count = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*words: object, **more: object) -> object:
            nonlocal count
            count += 1
            if count == number:
                raise error
            return real(*words, **more)

        return call

    for owner, name in _CALLS:
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return lambda: count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    path = tmp_path / "x.db"
    make(path, OLD, has_log=True)
    assert read(path) == OLD
    return path


def swap(path: Path, *, is_gone: bool) -> None:
    work = path.parent / "work"
    new = work / "new.db"
    if not is_gone:
        make(new, NEW)
    set_aside.set_aside(path, path.with_name("x.db.damaged"), None if is_gone else new, work)


def test_a_file_that_was_cut_off_keeps_its_log(path: Path) -> None:
    """All that there was may be in there."""
    log = path.with_name("x.db-wal").read_bytes()
    path.write_bytes(b"")
    swap(path, is_gone=False)
    assert path.with_name("x.db.damaged").read_bytes() == b""
    assert path.with_name("x.db.damaged-wal").read_bytes() == log
    assert read(path) == NEW


def names(path: Path) -> set[str]:
    return {one.name for one in path.parent.iterdir() if one.is_file()}


@pytest.mark.parametrize("is_gone", [False, True])
def test_the_damaged_file_keeps_its_log(path: Path, is_gone: bool) -> None:
    swap(path, is_gone=is_gone)
    aside = path.with_name("x.db.damaged")
    assert read(aside) == OLD
    assert read(path) == ([] if is_gone else NEW)
    there = {"x.db.damaged", "x.db.damaged-wal"}
    assert names(path) == (there if is_gone else there | {"x.db"})


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("has_links", [True, False])
def test_wherever_it_is_interrupted_it_is_taken_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, is_gone: bool, has_links: bool
) -> None:
    """Nothing older than the file with its log is ever at its place, and nothing is lost."""
    copy = shutil.copytree(path.parent, path.parent / "copy" / "0").parent
    for number in range(1, 40):
        case = shutil.copytree(copy / "0", copy / str(number)) / path.name
        with monkeypatch.context() as patch:
            if not has_links:
                patch.setattr(os, "link", no_links)
            count = stop_at(patch, number, _PowerOutError())
            try:
                swap(case, is_gone=is_gone)
            except _PowerOutError:
                pass
            else:
                assert number > 6
                assert count() < number
                return
        assert read(case) in (OLD, NEW, [])
        if read(case) == []:
            assert not case.exists() or not case.stat().st_size
        check_taken_up(case, copy / f"{number}-more", monkeypatch)
    raise AssertionError("it never ends")


def check_taken_up(case: Path, copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often that is interrupted, too."""
    for number in range(1, 20):
        again = shutil.copytree(case.parent, copies / str(number), copy_function=clone) / case.name
        relink(case, again)
        with monkeypatch.context() as patch:
            count = stop_at(patch, number, _PowerOutError())
            try:
                finish(again)
            except _PowerOutError:
                finish(again)
            else:
                assert count() < number
                return
    raise AssertionError("it never ends")


def finish(path: Path) -> None:
    aside = path.with_name("x.db.damaged")
    for one in interrupted(path.parent):
        assert one == path
        take_up(path, aside, path.parent / "work")
    found = [read(one) for one in (path, aside)]
    assert OLD in found
    assert found in ([OLD, []], [OLD, OLD], [NEW, OLD], [[], OLD])
    assert not any("repairing" in name for name in names(path))


def clone(source: str, target: str) -> str:
    return str(shutil.copy2(source, target))


def relink(case: Path, again: Path) -> None:
    """Let two names be of one file where they were."""
    for suffix in ("", "-wal"):
        one, other = (case.with_name(f"x.db{held}{suffix}") for held in ("", ".repairing"))
        if one.exists() and other.exists() and one.samefile(other):
            again.with_name(other.name).unlink()
            os.link(again.with_name(one.name), again.with_name(other.name))


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "no links here")


def test_a_disk_that_refuses_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it does: all is as it was, or as it was to be."""
    copy = shutil.copytree(path.parent, path.parent / "copy" / "0").parent
    refused = 0
    for number in range(1, 40):
        case = shutil.copytree(copy / "0", copy / str(number)) / path.name
        with monkeypatch.context() as patch:
            stop_at(patch, number, OSError(errno.EIO, "no"))
            try:
                swap(case, is_gone=False)
            except OSError:
                refused += 1
                assert read(case) in (OLD, NEW)
            else:
                if read(case) == NEW and refused > 4:
                    break
        finish(case)
    assert refused > 4
