"""Mending the files of a home: beside whom, and what an interrupted repair leaves."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.blob import chunk_of
from ledger.errors import DamagedError, DiskError, OtherKeysError, RefusedError
from ledger.schema import APPLICATION_ID
from pannier.cli.repair import repair_each
from pannier.errors import BusyError, PannierError
from pannier.lock import exclusive
from pannier.node import Node
from pannier.repairing import ledger_faults, node_db_faults
from tests.sim.world import World, assert_equal, entries_of, faults


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        for number in range(5):
            world.put("ada", f"thing {number}", number)
        world.rounds(("ada", "bea"), 3)
        yield world


def ledger_path(world: World) -> Path:
    path = world.store("ada").path
    world.reopen("ada")
    return path


def spoil(path: Path) -> bytes:
    """Write zeros over all pages but the first ones; return what is there now."""
    data = path.read_bytes()
    data = data[: 6 * 4096] + bytes(len(data) - 6 * 4096)
    path.write_bytes(data)
    return data


def damaged_files(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.glob(f"{path.name}.damaged-*"))


def test_a_second_repair_of_one_second_keeps_both_damaged_files(world: World) -> None:
    path = ledger_path(world)
    contents = []
    for _ in range(2):
        contents.append(spoil(path))
        assert len(list(repair_each(world["ada"]))) == 1
        world.reopen("ada")
    first, second = damaged_files(path)
    assert second == f"{first}-2"
    assert [path.with_name(name).read_bytes() for name in (first, second)] == contents
    assert faults(world["ada"]) == []


def test_of_a_file_that_was_cut_off_the_log_is_read(world: World) -> None:
    world.put("ada", "late", "in the log of SQLite")
    path = world.store("ada").path
    leaves = set(entries_of(world.store("ada")))
    log = path.with_name(f"{path.name}-wal").read_bytes()
    world.reopen("ada")
    path.write_bytes(b"")
    path.with_name(f"{path.name}-wal").write_bytes(log)
    with pytest.raises(DamagedError, match="is empty"):
        world.store("ada")
    (repaired,) = repair_each(world["ada"])
    assert repaired.salvaged is not None
    assert leaves <= set(entries_of(world.store("ada")))


def test_a_file_that_was_just_made_is_not_damaged(world: World) -> None:
    """Whoever opens it first makes it one with a log, by a journal, and may be killed there."""
    path = ledger_path(world)
    journal = path.with_name(f"{path.name}-journal")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN")
        db.execute("INSERT INTO meta VALUES ('some', zeroblob(50000))")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("PRAGMA cache_size = 1")
        db.execute("UPDATE meta SET value = zeroblob(60000) WHERE key = 'some'")
        data = journal.read_bytes()
        file = path.read_bytes()
        db.execute("ROLLBACK")
    assert data
    path.write_bytes(file)
    journal.write_bytes(data)
    assert list(repair_each(world["ada"])) == []
    assert not journal.exists()
    assert faults(world["ada"]) == []


def test_what_a_killed_repair_left_is_removed_even_where_nothing_is_damaged(world: World) -> None:
    path = ledger_path(world)
    left = path.parent / ".repair-00"
    left.mkdir()
    (left / "scratch.db").write_bytes(b"what was found")
    assert list(repair_each(world["ada"])) == []
    assert not left.exists()


def test_a_card_that_cannot_be_read_is_no_fault_of_node_db(world: World) -> None:
    node = world["ada"]
    (card,) = node.home.cards.glob("*.card")
    card.write_bytes(b"nothing")
    world.reopen("ada")
    with pytest.raises(PannierError, match="card is damaged"):
        list(repair_each(world["ada"]))
    assert not list(node.home.path.glob("*.damaged-*"))


def test_what_only_a_newer_pannier_reads_is_not_set_aside(world: World) -> None:
    node = world["ada"]
    node.db.run("PRAGMA user_version = 2")
    world.reopen("ada")
    with pytest.raises(PannierError, match="newer pannier"):
        list(repair_each(world["ada"]))
    assert not list(node.home.path.glob("*.damaged-*"))


@pytest.mark.parametrize("name", ["ledger", "node.db"])
def test_a_disk_that_does_not_read_is_no_damage(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Read again in a moment, all may be well."""
    node = world["ada"]
    _ = node.db
    path = ledger_path(world) if name == "ledger" else node.home.node_db
    world.reopen("ada")
    real = sqlite3.connect

    def refuse(where: str | Path, *words: Any, **more: Any) -> object:
        if path.name in str(where) and ".repair-" not in str(where):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise error
        return real(where, *words, **more)

    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", refuse)
        with pytest.raises((PannierError, DiskError), match="disk I/O error"):
            list(repair_each(world["ada"]))
    assert path.read_bytes() == before
    assert damaged_files(path) == []


def test_what_cannot_be_mended_keeps_no_other_file_from_it(world: World) -> None:
    path = ledger_path(world)
    spoil(path)
    newer = path.with_name(f"{bytes(16).hex()}.db")
    with closing(sqlite3.connect(newer)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 2")
    mended: list[Path] = []
    with pytest.raises(RefusedError, match="update pannier"):
        mended.extend(one.path for one in repair_each(world["ada"]))
    assert mended == [path]
    newer.unlink()
    assert damaged_files(path) != []
    assert faults(world["ada"]) == []


@pytest.mark.parametrize("lock", ["run", "import", "send"])
def test_nothing_is_done_beside_others(world: World, lock: str) -> None:
    path = ledger_path(world)
    data = spoil(path)
    node = world["ada"]
    with (
        exclusive(node.home.locks / lock, "working"),
        pytest.raises(BusyError, match="stop `pannier run`"),
    ):
        list(repair_each(node))
    assert path.read_bytes() == data


def test_a_file_of_another_node_stays_where_it_is(world: World) -> None:
    path = ledger_path(world)
    theirs = world.store("bea").path
    world.reopen("bea")
    path.write_bytes(theirs.read_bytes())
    with pytest.raises(OtherKeysError):
        list(repair_each(world["ada"]))
    assert path.read_bytes() == theirs.read_bytes()
    assert damaged_files(path) == []


def test_the_check_of_the_keys_may_be_what_is_damaged(world: World) -> None:
    store = world.store("ada")
    with store.transaction():
        store.set_meta("check", bytes(16))
    world.reopen("ada")
    (repaired,) = list(repair_each(world["ada"]))
    assert repaired.salvaged is not None
    assert repaired.salvaged.lost == ()
    assert_equal(world, ("ada", "bea"))


def test_contents_of_files_stay_where_they_are(world: World) -> None:
    store = world.store("ada")
    chunks = [chunk_of(bytes([number]) * 5000) for number in range(3)]
    store.blobs.add(chunks, world["ada"].entropy)
    path = ledger_path(world)
    spoil(path)
    list(repair_each(world["ada"]))
    blobs = world.store("ada").blobs
    assert [blobs.read(one.digest).content() for one in chunks] == [one.content() for one in chunks]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE bundle SET counter = 'many'",
        "UPDATE peer SET counter = x'00'",
        "INSERT INTO pairwise VALUES ({peer}, x'0011', x'0011', 1)",
        "DROP TABLE told",
    ],
)
def test_values_that_nobody_wrote_are_found_in_node_db(world: World, change: str) -> None:
    node = world["ada"]
    (peer,) = node.peers
    assert node_db_faults(node) == []
    node.db.run(change.format(peer=f"'{peer}'"))
    world.reopen("ada")
    assert node_db_faults(world["ada"])
    (repaired,) = list(repair_each(world["ada"]))
    assert repaired.salvaged is None
    assert repaired.damaged.exists()
    world.put("ada", "late", 1)
    world.rounds(("ada", "bea"), 3)
    assert_equal(world, ("ada", "bea"))


def test_looking_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SQLite would move out of its log may be what a file is mended with."""
    world.put("ada", "late", "in the log of SQLite")
    store = world.store("ada")
    before = {one.name: one.read_bytes() for one in store.path.parent.glob("*.db*")}
    folder = world.folder / "copy"
    folder.mkdir()
    for name, data in before.items():
        (folder / name).write_bytes(data)
    node = world["ada"]
    other = Node.open(node.home, node.keys, clock=node.clock, entropy=node.entropy)
    monkeypatch.setattr(other, "ledger_path", lambda _: folder / store.path.name)
    assert ledger_faults(other, store.ledger_id) == []
    for suffix in ("", "-wal"):
        name = f"{store.path.name}{suffix}"
        assert (folder / name).read_bytes() == before[name]
