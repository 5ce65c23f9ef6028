"""Mending the files of a home: beside whom, and what an interrupted repair leaves."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.blob import chunk_of
from ledger.errors import DamagedError, DiskError, OtherKeysError, RefusedError
from ledger.genesis import LedgerId
from ledger.schema import APPLICATION_ID
from pannier.cli.repair import repair_each
from pannier.errors import BusyError, PannierError
from pannier.lock import exclusive
from pannier.node import Node
from pannier.repairing import ledger_faults, node_db_faults
from tests.sim.world import DAY_US, World, assert_equal, entries_of, facts, faults


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


def spoil_entries(path: Path) -> None:
    """Write zeros over what the entries lie on, and nothing else."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entry'").fetchone()
    data = path.read_bytes()
    path.write_bytes(data[: (root - 1) * 4096] + bytes(4096) + data[root * 4096 :])


UNREAD = "Page 245: unable to get the page. error code=8458"
"""What SQLite says where a page cannot be read (EIO)."""

CORRUPT = "Tree 9 page 12: btreeInitPage() returns error code 11"
CUT_OFF = "Tree 9 page 12: unable to get the page. error code=522"


def checked_as(path: Path, *lines: str) -> Callable[..., sqlite3.Connection]:
    """Return what connects to SQLite, whose checks of *path* say *lines* at once."""
    real: Callable[..., sqlite3.Connection] = sqlite3.connect

    class Checked(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith("PRAGMA integrity_check"):
                return super().execute("SELECT ?", ("\n".join(lines),))
            return super().execute(sql, *values)

    def connect(where: str | Path, *words: Any, **more: Any) -> sqlite3.Connection:
        is_it = path.name in str(where) and ".repair-" not in str(where)
        return real(where, *words, **more, **({"factory": Checked} if is_it else {}))

    return connect


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
        list(world["ada"].every_ledger())
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


@pytest.mark.parametrize("name", ["ledger", "node.db"])
def test_a_page_that_a_check_could_not_read_is_no_damage(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """SQLite names it among what is damaged, by the code of its error."""
    node = world["ada"]
    _ = node.db
    path = ledger_path(world) if name == "ledger" else node.home.node_db
    world.reopen("ada")
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", checked_as(path, "*** in database main ***", UNREAD))
        with pytest.raises((PannierError, DiskError), match="disk I/O error"):
            list(repair_each(world["ada"]))
    assert path.read_bytes() == before
    assert damaged_files(path) == []


@pytest.mark.parametrize("line", ["Page 3: never used", CORRUPT, CUT_OFF])
@pytest.mark.parametrize("name", ["ledger", "node.db"])
def test_what_else_a_check_says_is_damage(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    node = world["ada"]
    path = ledger_path(world) if name == "ledger" else node.home.node_db
    world.reopen("ada")
    monkeypatch.setattr(sqlite3, "connect", checked_as(path, line))
    found = (
        node_db_faults(world["ada"])
        if name == "node.db"
        else ledger_faults(world["ada"], LedgerId(bytes.fromhex(path.stem)))
    )
    assert len(found) == 1
    assert found[0].endswith(line)


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


class TestWhereNodeDbIsLostToo:
    """Nothing is left that the node would tell of, and its peer thinks that it holds all still."""

    def settle(self, world: World) -> None:
        for _ in range(8):
            done = [world.exchange(name) for name in ("ada", "bea")]
            if not any(one.written or one.removed or one.report.outcomes for one in done):
                return
        raise AssertionError("they never come to an end")

    def lose_node_db(self, world: World, name: str, how: str) -> None:
        if how == "missing":
            world.forget(name)
        elif how == "damaged":
            world.reopen(name)
            world.home(name).node_db.write_bytes(bytes(8192))

    @pytest.mark.parametrize("skew_days", [0, -400], ids=["", "clock in the past"])
    @pytest.mark.parametrize("node_db", ["damaged", "missing"])
    @pytest.mark.parametrize("ledger", ["entries", "all"])
    @pytest.mark.parametrize("name", ["ada", "bea"])
    def test_all_comes_back(
        self, world: World, name: str, ledger: str, node_db: str, skew_days: int
    ) -> None:
        world.put("bea", "hers", 1)
        world.rounds(("ada", "bea"), 3)
        before = facts(world.store("ada"))
        leaves = set(entries_of(world.store("ada")))
        path = world.store(name).path
        world.reopen(name)
        if ledger == "entries":
            spoil_entries(path)
        else:
            path.write_bytes(bytes(len(path.read_bytes())))
        self.lose_node_db(world, name, node_db)
        world.skew_us[name] = skew_days * DAY_US
        repaired = list(repair_each(world[name]))
        assert path in [one.path for one in repaired]
        assert leaves.isdisjoint(
            leaf for store in world[name].ledgers() for leaf in entries_of(store)
        )
        world.reopen(name)
        self.settle(world)
        after = assert_equal(world, ("ada", "bea"))
        assert leaves <= set(entries_of(world.store(name)))
        assert before["heads"] == after["heads"]

    def test_also_where_the_ledger_was_repaired_before(self, world: World) -> None:
        path = ledger_path(world)
        spoil_entries(path)
        assert [one.path for one in repair_each(world["ada"])] == [path]
        self.lose_node_db(world, "ada", "damaged")
        (repaired,) = repair_each(world["ada"])
        assert repaired.path == world.home("ada").node_db
        world.reopen("ada")
        self.settle(world)
        assert_equal(world, ("ada", "bea"))

    def test_a_ledger_file_that_is_gone_comes_back_after_node_db_was_mended(
        self, world: World
    ) -> None:
        ledger_path(world).unlink()
        self.lose_node_db(world, "ada", "damaged")
        list(repair_each(world["ada"]))
        world.reopen("ada")
        self.settle(world)
        assert_equal(world, ("ada", "bea"))
