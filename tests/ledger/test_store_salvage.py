"""Finding rows in a damaged file and its log: what was committed, newest first."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.schema import TABLES
from ledger.store_salvage import Salvage

PAGE = 4096


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as db:
        db.executescript(
            f"PRAGMA journal_mode = WAL; PRAGMA cache_size = -20; BEGIN;{TABLES}COMMIT"
        )
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield db


def keep(db: sqlite3.Connection, first: int, end: int) -> None:
    for number in range(first, end):
        db.execute("INSERT INTO meta VALUES (?, ?)", (f"key {number}", bytes(1000)))


def copied(tmp_path: Path) -> Path:
    """Copy the file and its log as they are, as a power cut leaves them."""
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"live.db{suffix}", tmp_path / f"copy.db{suffix}")
    return tmp_path / "copy.db"


def keys(path: Path) -> set[str]:
    scratch = path.with_name("scratch.db")
    scratch.unlink(missing_ok=True)
    with Salvage.of(path, scratch) as found:
        return {f"key {number}" for number in range(200) if found.meta(f"key {number}")}


def test_what_was_not_committed_is_not_found(db: sqlite3.Connection, tmp_path: Path) -> None:
    """It may be another history of a log of our own, signed and never given to anybody."""
    for first in (0, 20):
        db.execute("BEGIN")
        keep(db, first, first + 20)
        db.execute("COMMIT")
    path = copied(tmp_path)
    wal = path.with_name("copy.db-wal")
    data = bytearray(wal.read_bytes())
    commits = [at for at in range(32, len(data), 24 + PAGE) if any(data[at + 4 : at + 8])]
    assert len(commits) == 2
    data[commits[1] + 4 : commits[1] + 8] = bytes(4)
    wal.write_bytes(data)
    assert keys(path) == {f"key {number}" for number in range(20)}


def test_what_was_rolled_back_is_not_found(db: sqlite3.Connection, tmp_path: Path) -> None:
    db.execute("BEGIN")
    keep(db, 0, 20)
    db.execute("COMMIT")
    committed_bytes = (tmp_path / "live.db-wal").stat().st_size
    db.execute("BEGIN")
    keep(db, 20, 200)
    path = copied(tmp_path)
    db.execute("ROLLBACK")
    assert path.with_name("copy.db-wal").stat().st_size > committed_bytes + 10 * PAGE
    assert keys(path) == {f"key {number}" for number in range(20)}


def test_what_a_damaged_frame_hides_from_sqlite_is_found(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    """SQLite takes nothing of its log from the first bad frame on."""
    for number in range(0, 100, 10):
        db.execute("BEGIN")
        keep(db, number, number + 10)
        db.execute("COMMIT")
    path = copied(tmp_path)
    wal = bytearray(path.with_name("copy.db-wal").read_bytes())
    wal[32 + 24 + 3000] ^= 1  # in the first frame
    path.with_name("copy.db-wal").write_bytes(wal)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as damaged:
        assert damaged.execute("SELECT count(*) FROM meta").fetchone() == (0,)
    assert len(keys(path)) >= 99


@pytest.mark.parametrize("cut", [0, 10, 32, 60, 5000])
def test_a_log_that_was_cut_off(db: sqlite3.Connection, tmp_path: Path, cut: int) -> None:
    db.execute("BEGIN")
    keep(db, 0, 20)
    db.execute("COMMIT")
    path = copied(tmp_path)
    wal = path.with_name("copy.db-wal")
    wal.write_bytes(wal.read_bytes()[:cut])
    assert keys(path) == set()


def test_a_log_without_a_head_is_read_by_what_its_frames_say(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    keep(db, 0, 20)
    path = copied(tmp_path)
    wal = path.with_name("copy.db-wal")
    wal.write_bytes(bytes(32) + wal.read_bytes()[32:])
    assert len(keys(path)) == 20


def test_versions_of_an_entry_that_differ_are_both_kept(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    for time in (5, 5, 6):
        values = (1 << 32, 1, 1, 0, time, None, bytes(32), None)
        db.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    path = copied(tmp_path)
    with Salvage.of(path, path.with_name("scratch.db")) as found:
        ((number, versions),) = found.entries(1, 0, 9)
    assert number == 0
    assert [row[4] for row in versions] == [6, 5]
