import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from io import BufferedWriter
from pathlib import Path

import pytest

from ledger import store_file
from ledger.errors import BusyError, DamagedError, RefusedError
from ledger.store import Store
from ledger.store_place import put_in_place
from tests.ledger.world import (
    REST_KEY,
    Site,
    World,
    change,
    faults,
    genesis_of,
    picture,
)

_LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT * FROM meta").fetchall()
db.close()
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob") as made:
        yield made


@pytest.fixture
def ada(world: World) -> Site:
    return world.sites[0]


def test_a_ledger_made_twice_is_the_same_file(tmp_path: Path) -> None:
    genesis = genesis_of("ada")
    with (
        Store.create(tmp_path, genesis, REST_KEY) as one,
        Store.create(tmp_path, genesis, REST_KEY) as other,
    ):
        assert one.path == other.path == tmp_path / f"{genesis.ledger_id.hex()}.db"
        assert one.genesis == other.genesis == genesis
    assert list(tmp_path.iterdir()) == [one.path]


def test_what_a_create_that_was_cut_short_left_is_no_hindrance(tmp_path: Path) -> None:
    genesis = genesis_of("ada")
    left = tmp_path / f"{genesis.ledger_id.hex()}.{genesis.nonce.hex()}.new"
    left.write_bytes(b"half a database")
    with Store.create(tmp_path, genesis, REST_KEY) as store:
        assert store.genesis == genesis


def test_what_other_creates_left_is_swept_and_what_is_held_is_not(tmp_path: Path) -> None:
    for name in ("a.1.new", "a.1.new-wal", "b.2.new-shm", "b.2.new-journal", "c.3.new-wal"):
        (tmp_path / name).write_bytes(b"left")
    with (tmp_path / "c.3.new").open("xb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with Store.create(tmp_path, genesis_of("ada"), REST_KEY):
            left = sorted(path.name for path in tmp_path.glob("*.new*"))
    assert left == ["c.3.new", "c.3.new-wal"]


def test_a_draft_that_was_swept_before_it_was_held_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes make ledgers: one sweeps what the other has just made, and sweeps again."""
    lock, put = fcntl.flock, put_in_place
    swept: list[Path] = []

    def slow_to_lock(file: BufferedWriter, how: int) -> None:
        if how == fcntl.LOCK_EX and not swept:
            swept.append(Path(file.name))
            swept[0].unlink()
        lock(file, how)

    def put_beside_another(draft: Path, path: Path) -> None:
        store_file._sweep(tmp_path)
        put(draft, path)

    monkeypatch.setattr("ledger.store_file.fcntl.flock", slow_to_lock)
    monkeypatch.setattr("ledger.store_file.put_in_place", put_beside_another)
    genesis = genesis_of("ada")
    with Store.create(tmp_path, genesis, REST_KEY) as store:
        assert store.genesis == genesis
    assert len(swept) == 1


def test_a_file_whose_log_cannot_be_moved_into_it_is_not_put_in_place(ada: Site) -> None:
    path = ada.store.path
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT * FROM meta").fetchall()
        with pytest.raises(BusyError):
            ada.store.finish()
        ada.store.close()
        with pytest.raises(OSError, match="not all of the ledger could be written"):
            put_in_place(path, path.with_name("elsewhere"))
    assert path.exists()


def test_a_finished_file_has_all_that_was_written(ada: Site) -> None:
    ada.put("well", 1)
    before = picture(ada.store)
    ada.store.finish()
    path = ada.store.path.with_name("elsewhere")
    put_in_place(ada.store.path, path)
    assert [one.name for one in path.parent.iterdir()] == ["elsewhere"]
    with Store.open(path, REST_KEY) as store:
        assert picture(store) == before


def test_a_file_that_is_there_is_not_replaced(ada: Site, tmp_path: Path) -> None:
    ada.store.finish()
    there = tmp_path / "there"
    there.write_bytes(b"")
    with pytest.raises(FileExistsError):
        put_in_place(ada.store.path, there)
    assert (ada.store.path.exists(), there.read_bytes()) == (True, b"")
    there.unlink()
    there.symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        put_in_place(ada.store.path, there)


def test_what_lies_beside_a_name_is_kept_and_is_not_taken_for_a_part_of_the_file(
    ada: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice; and before the file has the name what lay there has lost it for good."""
    ada.put("well", 1)
    path, steps = tmp_path / "place", list[str]()
    fsync, rename = os.fsync, Path.rename

    def synced(folder: int) -> None:
        steps.append("sync")
        fsync(folder)

    def renamed(old: Path, new: Path) -> Path:
        steps.append(new.name)
        return rename(old, new)

    for end in ("-wal", "-journal"):
        path.with_name(f"place.damaged-1{end}").write_bytes(b"older")
        path.with_name(f"place{end}").write_bytes(b"newest")
    path.with_name("place-shm").touch()
    ada.store.finish()
    monkeypatch.setattr("ledger.store_place.os.fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    put_in_place(ada.store.path, path)
    assert steps == ["place.damaged-2-wal", "place.damaged-2-journal", "sync", "place", "sync"]
    found = {one.name: one.read_bytes() for one in tmp_path.glob("place.*")}
    assert found == {
        f"place.damaged-{number}{end}": content
        for number, content in ((1, b"older"), (2, b"newest"))
        for end in ("-wal", "-journal")
    }
    with Store.open(path, REST_KEY) as store:
        assert faults(store) == []
        assert [log.size for log in store.logs()] == [1]


def test_what_another_process_made_meanwhile_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genesis, put, others = genesis_of("ada"), put_in_place, tmp_path / "others"
    others.mkdir()

    def too_late(draft: Path, path: Path) -> None:
        monkeypatch.undo()
        with Store.create(others, genesis, REST_KEY) as made:
            with made.transaction():
                made.set_meta("of", b"another")
            made.finish()
        made.path.rename(path)
        put(draft, path)

    monkeypatch.setattr("ledger.store_file.put_in_place", too_late)
    with Store.create(tmp_path, genesis, REST_KEY) as store:
        assert store.meta("of") == b"another"
    assert sorted(tmp_path.iterdir()) == sorted([others, store.path])


def test_a_file_is_durable_and_readers_do_not_wait(ada: Site) -> None:
    assert ada.store.rows("PRAGMA journal_mode") == [("wal",)]
    assert ada.store.rows("PRAGMA synchronous") == [(2,)]


def test_what_is_no_ledger_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="not there"):
        Store.open(tmp_path / "none.db", REST_KEY)
    with pytest.raises(DamagedError, match="not there"):
        Store.open(tmp_path, REST_KEY)
    text = tmp_path / "text.db"
    text.write_text("a letter" * 1000)
    with pytest.raises(DamagedError):
        Store.open(text, REST_KEY)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE meta (key, value)")
    with pytest.raises(DamagedError, match="not a ledger file"):
        Store.open(other, REST_KEY)


def test_a_file_of_a_later_version_is_left_alone(ada: Site) -> None:
    change(ada.store, "PRAGMA user_version = 2")
    with pytest.raises(RefusedError, match="update pannier"):
        Store.open(ada.store.path, REST_KEY)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM meta",
        "UPDATE meta SET value = x'00'",
        "UPDATE meta SET value = 'text'",
        "UPDATE meta SET value = 7",
        "DROP TABLE meta",
    ],
)
def test_a_damaged_genesis_is_said_so(ada: Site, sql: str) -> None:
    change(ada.store, sql)
    with pytest.raises(DamagedError):
        Store.open(ada.store.path, REST_KEY)


def test_a_copy_holds_what_was_there_and_is_one_file(ada: Site, tmp_path: Path) -> None:
    ada.put("t", 1)
    shown = picture(ada.store)
    path = ada.backup(tmp_path / "copy.db")
    ada.put("t", 2)
    assert [one.name for one in tmp_path.glob("copy*")] == ["copy.db"]
    with Store.open(path, REST_KEY) as copy:
        assert picture(copy) == shown
        assert faults(copy) == []
    with pytest.raises(DamagedError):
        ada.store.copy_to(tmp_path / "no folder" / "copy.db")


WRITER = """
import sys
from pathlib import Path
from ledger.append import Author, append
from ledger.store import Store
from tests.ledger.world import REST_KEY, Drbg, draft, keys_of
author = Author(signer=keys_of("ada").signer, entropy=Drbg("killed"))
with Store.open(Path(sys.argv[1]), REST_KEY) as store:
    while True:
        for state in append(store, author, (draft(f"t{n}", n) for n in range(200))):
            print(state.size, flush=True)
"""


def test_a_writer_killed_in_the_middle_leaves_what_it_said_was_written(ada: Site) -> None:
    command = [sys.executable, "-c", WRITER, str(ada.store.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(4)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.stdout]
    with Store.open(ada.store.path, REST_KEY) as store:
        (log,) = store.logs()
        assert log.size in (said[-1], said[-1] + 200)
        assert faults(store) == []


def test_opening_it_again_here_takes_no_lock_from_whoever_has_it_open(tmp_path: Path) -> None:
    """Else another process that closes it takes the WAL away, and all that is written since."""
    genesis = genesis_of("ada")
    with Store.create(tmp_path, genesis, REST_KEY) as store:
        Store.open(store.path, REST_KEY).close()
        wal = store.path.with_name(f"{store.path.name}-wal")
        assert wal.exists()
        subprocess.run([sys.executable, "-c", _LOOK, str(store.path)], check=True)
        assert wal.exists()
        with store.transaction():
            store.set_meta("after", b"kept")
        with Store.open(store.path, REST_KEY) as again:
            assert again.rows("SELECT value FROM meta WHERE key = 'after'") == [(b"kept",)]


def test_who_only_reads_reads_a_file_whose_first_opening_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with Store.create(tmp_path / "made", genesis_of("ada"), REST_KEY) as store:
        genesis = store.genesis
        store.finish()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("INSERT INTO meta VALUES ('half', zeroblob(100000))")
        journal = f"{store.path.name}-journal"
        for name in (store.path.name, journal):
            shutil.copy(tmp_path / "made" / name, tmp_path)
    with Store.open(tmp_path / store.path.name, REST_KEY, is_read_only=True) as found:
        assert found.genesis == genesis
        assert found.meta("half") is None
    assert not (tmp_path / journal).exists()
