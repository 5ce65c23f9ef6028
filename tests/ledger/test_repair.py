"""A new ledger file out of a damaged one: what is proven is kept, and nothing else."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.append import Draft, append, close_log, own_log
from ledger.blob import CHUNK_BYTES, chunk_of
from ledger.blob_pack import BlobKeys
from ledger.errors import DamagedError
from ledger.file_payload import file_of
from ledger.log import LogName, LogStatus
from ledger.passphrase import NETWORK_KEY, NETWORK_KEY_LABEL
from ledger.records import cover_to_row
from ledger.repair import Lost, Owner, Salvaged, salvage
from ledger.rest import RestKey
from ledger.seeds import root_cover
from ledger.store import COVER_COPY, Store
from ledger.views import conflicts, things
from tests.ledger.world import (
    NOW,
    REST_KEY,
    Drbg,
    Site,
    World,
    draft,
    facts,
    faults,
    genesis_of,
    picture,
    send,
    settle,
)

PAGE = 4096
HIDDEN = RestKey(REST_KEY.key, hides_names=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path / "sites", "ada", "bob", admins=["ada"]) as world:
        ada, bob = world.sites
        ada.grant("bob")
        for number in range(5):
            ada.put(f"thing {number % 3}", number)
        settle(ada, bob)
        bob.put("thing 0", "of bob")
        settle(ada, bob)
        yield world


def everything(_: LogName) -> int:
    """What others hold of any log: no entry must be said again."""
    return 2**32


def repaired(
    site: Site,
    folder: Path,
    key: RestKey = REST_KEY,
    held: Callable[[LogName], int] = everything,
) -> tuple[Salvaged, Store]:
    """Close the file of a site, and open what is saved of it."""
    site.store.close()
    folder.mkdir()
    found = salvage(site.store.path, folder, site.store.ledger_id, Owner(site.author, key), held)
    assert found is not None
    store = Store.open(found.path, key)
    assert faults(store) == []
    return found, store


def change(site: Site, *sql: str) -> None:
    with closing(sqlite3.connect(site.store.path, isolation_level=None)) as db:
        for one in sql:
            db.execute(one)


def spoil(site: Site, table: str) -> None:
    """Write zeros where a table begins; where an index of it does, nothing changes."""
    with closing(sqlite3.connect(site.store.path)) as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[
            0
        ]
    data = bytearray(site.store.path.read_bytes())
    data[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    site.store.path.write_bytes(data)


def test_of_a_sound_file_all_is_kept(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    before, shown = facts(ada.store), picture(ada.store)
    checkpoints = [ada.store.checkpoints(state, 0, state.size) for state in ada.store.logs()]
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert facts(store) == before
        assert picture(store) == shown
        assert [store.checkpoints(state, 0, state.size) for state in store.logs()] == checkpoints
    assert (found.lost, found.entries) == ((), 7)


@pytest.mark.parametrize("root", range(6))
def test_seeds_of_a_branch_that_was_given_up_take_no_others_place(
    world: World, tmp_path: Path, root: int
) -> None:
    """Its pages may still be there; which of the seeds are found first is chance."""
    ada = world.sites[0]
    other = cover_to_row(ada.log, root_cover(bytes([root] * 16)), ada.store.rest)
    before = facts(ada.store)
    with ada.store.transaction():
        ada.store.keep_evidence(ada.store.log(ada.log), COVER_COPY, other)
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert facts(store) == before
    assert (found.lost, found.entries) == ((), 7)


def test_what_is_written_next_goes_into_a_new_log(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    known = ada.log
    _, store = repaired(ada, tmp_path / "new")
    with store:
        list(append(store, ada.author, [draft("after", 1)]))
        assert own_log(store, ada.author).name != known
        assert store.log(known).size == 6


@pytest.mark.parametrize("table", ["thing", "kind", "meta", "evidence", "latest", "follow", "node"])
def test_what_stands_on_two_pages_is_not_lost_with_one(
    world: World, tmp_path: Path, table: str
) -> None:
    ada = world.sites[0]
    before = facts(ada.store)
    ada.store.close()
    spoil(ada, table)
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert facts(store) == before
    assert found.lost == ()


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        ("DELETE FROM entry WHERE id & 4294967295 = 3 AND id >> 32 = 1", 3),
        ("UPDATE entry SET time = time + 1 WHERE id & 4294967295 = 3 AND id >> 32 = 1", 3),
        ("UPDATE entry SET payload = x'00' WHERE id & 4294967295 = 3 AND id >> 32 = 1", 3),
        ("UPDATE entry SET digest = zeroblob(32) WHERE id & 4294967295 = 3 AND id >> 32 = 1", 3),
        ("UPDATE entry SET thing = 99 WHERE id & 4294967295 = 3 AND id >> 32 = 1", 3),
        ("UPDATE checkpoint SET signature = zeroblob(64) WHERE size = 6", 5),
        ("UPDATE checkpoint SET root = zeroblob(32) WHERE size = 3", 6),
        ("DELETE FROM checkpoint WHERE size IN (2, 3)", 6),
        ("DELETE FROM checkpoint WHERE log = 1", 0),
        ("UPDATE log SET cover = zeroblob(60) WHERE id = 1", 6),
        ("UPDATE log SET cover = zeroblob(60) WHERE id = 2", 6),
        ("DELETE FROM evidence WHERE what != 'genesis'", 6),
        ("UPDATE log SET size = 99, frontier = zeroblob(9) WHERE id = 1", 6),
    ],
)
def test_only_what_is_proven_is_kept(world: World, tmp_path: Path, damage: str, kept: int) -> None:
    ada, bob = world.sites
    log, before = ada.log, facts(ada.store)
    change(ada, damage)
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert store.log(log).size == kept
        lost = [(one.first, one.end) for one in found.lost if one.log == log]
        assert lost == ([(kept, 6)] if kept < 6 else [])
        ada.store = store
        send(bob, ada)
        assert facts(store) == before
    ada.store = Store.open(found.path, REST_KEY)


def test_an_altered_entry_is_not_kept_whoever_signs_what_follows(
    world: World, tmp_path: Path
) -> None:
    """Damage in the middle: what comes after cannot be proven without it."""
    ada = world.sites[0]
    log = ada.log
    change(ada, "UPDATE entry SET time = 7 WHERE id & 4294967295 = 1 AND id >> 32 = 1")
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert store.log(log).size == 1
    assert [(one.first, one.end) for one in found.lost if one.log == log] == [(1, 6)]


def test_the_page_of_the_logs_takes_no_own_entries_along(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    log = ada.log
    ada.store.close()
    spoil(ada, "log")
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert store.log(log).size == 6
    assert found.lost == ()


def test_hidden_names_stay_hidden(tmp_path: Path) -> None:
    with World.of(tmp_path / "sites", "ada", key=HIDDEN) as world:
        (ada,) = world.sites
        ada.put("a secret name", 1)
        before = facts(ada.store)
        ada.store.close()
        spoil(ada, "meta")
        found, store = repaired(ada, tmp_path / "new", HIDDEN)
        with store:
            assert facts(store) == before
            assert store.rest.hides_names
        assert b"a secret name" not in found.path.read_bytes()


def test_what_was_void_is_kept_and_stays_void(world: World, tmp_path: Path) -> None:
    ada, bob = world.sites
    ada.revoke("bob")
    bob.put("thing 0", "late")
    before = facts(ada.store)
    bobs = LogName(bob.author.public, bob.log.incarnation)
    counted = ada.store.log(bobs).counts
    _, store = repaired(ada, tmp_path / "new")
    with store:
        assert facts(store) == before
        assert store.log(bobs).counts == counted == 1


def test_closed_logs_are_closed(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    closed = ada.log
    close_log(ada.store, ada.author, ada.store.log(closed), time_us=NOW)
    ada.put("after", 1)
    before = facts(ada.store)
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert facts(store) == before
        assert store.log(closed).status is LogStatus.CLOSED
    assert found.lost == ()


def test_what_a_closed_log_lost_is_told(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    closed, size = ada.log, ada.store.log(ada.log).size
    close_log(ada.store, ada.author, ada.store.log(closed), time_us=NOW)
    assert size == 6
    change(ada, "DELETE FROM entry WHERE id & 4294967295 = 5 AND id >> 32 = 1")
    found, store = repaired(ada, tmp_path / "new")
    with store:
        assert store.log(closed).close is not None
        assert store.log(closed).size == size - 1
    assert found.lost == (Lost(log=closed, first=size - 1, end=size),)


def test_a_proven_fork_stays_proven(world: World, tmp_path: Path) -> None:
    ada, bob = world.sites
    copy = ada.backup(tmp_path / "copy.db")
    ada.put("one", 1)
    settle(ada, bob)
    ada.restore(copy)
    ada.put("other", 2)
    send(ada, bob)
    forks = bob.store.evidence("fork")
    assert [state.status for state, _ in forks] == [LogStatus.FORKED]
    before = facts(bob.store)
    _, store = repaired(bob, tmp_path / "new")
    with store:
        assert facts(store) == before
        assert [data for _, data in store.evidence("fork")] == [data for _, data in forks]


def test_what_fell_off_a_log_is_kept_if_it_opens(world: World, tmp_path: Path) -> None:
    ada, bob = world.sites
    copy = ada.backup(tmp_path / "copy.db")
    ada.put("one", 1)
    settle(ada, bob)
    ada.restore(copy)
    ada.put("other", 2)
    settle(ada, bob)
    dropped = list(ada.store.dropped(0))
    assert dropped
    change(ada, "INSERT INTO evidence (log, what, data) VALUES (1, 'dropped', x'0102')")
    _, store = repaired(ada, tmp_path / "new")
    with store:
        assert list(store.dropped(0)) == dropped


def test_sealed_keys_are_kept_if_they_open(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    sealed = ada.store.rest.seal(NETWORK_KEY_LABEL, bytes(32))
    with ada.store.transaction():
        ada.store.set_meta(NETWORK_KEY, sealed)
    change(ada, "INSERT INTO meta VALUES ('blob key', x'00')")
    _, store = repaired(ada, tmp_path / "new")
    with store:
        assert store.meta(NETWORK_KEY) == sealed
        assert store.meta("blob key") is None


def test_contents_of_files_are_found_again(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    chunks = [chunk_of(bytes([number]) * 1000) for number in range(3)]
    ada.store.blobs.add(chunks, Drbg("pack"))
    folder = ada.store.blobs.folder
    _, store = repaired(ada, tmp_path / "new")
    with store:
        assert store.blobs.held(chunk.digest for chunk in chunks) == {
            chunk.digest for chunk in chunks
        }
        assert store.blobs.keys.name(chunks[0].digest) == BlobKeys(store.rest.key).name(
            chunks[0].digest
        )
    assert folder.is_dir()


@pytest.mark.parametrize("is_here", [True, False])
@pytest.mark.parametrize("hides", [True, False])
def test_rows_of_contents_are_not_taken_for_hidden_names(
    tmp_path: Path, is_here: bool, hides: bool
) -> None:
    """All entries would be lost with their names."""
    chunks = [chunk_of(bytes([number]) * 1000) for number in range(40)]
    file = file_of(39 * CHUNK_BYTES + 1000, [one.digest for one in chunks], executable=False)
    key = RestKey(REST_KEY.key, hides)
    ada = Site.make(tmp_path / "ada", "ada", genesis_of("ada"), key)
    ada.write(Draft("a file", file.to_payload(), NOW, "file"))
    if is_here:
        ada.store.blobs.add(chunks, Drbg("pack"))
    ada.store.close()
    change(ada, "DELETE FROM meta WHERE key = 'names'")
    (new := tmp_path / "new").mkdir()
    owner = Owner(ada.author, REST_KEY)
    found = salvage(ada.store.path, new, ada.store.ledger_id, owner, everything)
    assert found is not None
    assert (found.lost, found.entries) == ((), 1)
    with Store.open(found.path, REST_KEY) as store:
        assert store.rest.hides_names == hides
        assert list(things(store)) == ["a file"]
        assert store.file_entries.lacking().chunks == (0 if is_here else 40)


def test_without_a_genesis_there_is_nothing(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    path, ledger_id = ada.store.path, ada.store.ledger_id
    ada.store.close()
    for data in (b"", b"a letter" * 1000, bytes(3 * PAGE)):
        path.write_bytes(data)
        folder = tmp_path / str(len(data))
        folder.mkdir()
        assert salvage(path, folder, ledger_id, Owner(ada.author, REST_KEY), everything) is None


def test_a_full_disk_is_told(world: World, tmp_path: Path) -> None:
    ada = world.sites[0]
    with pytest.raises(DamagedError, match="cannot be salvaged"):
        salvage(
            ada.store.path,
            tmp_path / "none",
            ada.store.ledger_id,
            Owner(ada.author, REST_KEY),
            everything,
        )


def test_a_version_of_a_row_that_fits_is_chosen(world: World, tmp_path: Path) -> None:
    """Of a name that stands twice one is damaged: which one, the root tells."""
    ada = world.sites[0]
    before = facts(ada.store)
    ada.store.close()
    data = ada.store.path.read_bytes()
    for at in (data.find(b"thing 1"), data.rfind(b"thing 1")):
        ada.store.path.write_bytes(data[:at] + b"thinG" + data[at + 5 :])
        _, store = repaired(ada, tmp_path / str(at))
        with store:
            assert facts(store) == before


@pytest.mark.parametrize("known", [0, 300])
def test_what_lies_behind_a_gap_and_nobody_has_is_said_again(tmp_path: Path, known: int) -> None:
    """All of the tiles and peaks that are whole; of others nobody can tell what is genuine."""
    with World.of(tmp_path / "sites", "ada") as world:
        (ada,) = world.sites
        ada.write(*(draft(f"thing {number}", number, time_us=NOW) for number in range(600)))
        log = ada.log
        leaves = ada.store.leaves(ada.store.log(log), 0, 600)
        change(ada, "UPDATE entry SET payload = x'00' WHERE id & 4294967295 IN (10, 599)")
        found, store = repaired(ada, tmp_path / "new", held=lambda _: known)
        with store:
            new = own_log(store, ada.author)
            again = store.entries(new, 0, new.size)
            first = max(256, known)
            assert [one.thing for one in again] == [f"thing {at}" for at in range(first, 592)]
            follows = [(one.number, one.leaf) for (one,) in (entry.follows for entry in again)]
            assert follows == [(at, leaves[at][:16]) for at in range(first, 592)]
        assert (found.said_again, found.entries) == (592 - first, 592 - first)


@pytest.mark.parametrize("root", range(6))
def test_so_it_is_whichever_of_two_roots_of_seeds_is_found_first(tmp_path: Path, root: int) -> None:
    with World.of(tmp_path / "sites", "ada") as world:
        (ada,) = world.sites
        ada.write(*(draft(f"thing {number}", number, time_us=NOW) for number in range(600)))
        other = cover_to_row(ada.log, root_cover(bytes([root] * 16)), ada.store.rest)
        with ada.store.transaction():
            ada.store.keep_evidence(ada.store.log(ada.log), COVER_COPY, other)
        change(ada, "UPDATE entry SET payload = x'00' WHERE id & 4294967295 = 10")
        found, store = repaired(ada, tmp_path / "new", held=lambda _: 0)
        store.close()
        assert found.said_again == 344


def test_entries_that_come_back_are_superseded_by_what_was_said_again(tmp_path: Path) -> None:
    with World.of(tmp_path / "sites", "ada", "bob") as world:
        ada, bob = world.sites
        ada.write(*(draft(f"thing {number}", number, time_us=NOW) for number in range(300)))
        settle(ada, bob)
        change(ada, "DELETE FROM entry WHERE id & 4294967295 = 10")
        found, store = repaired(ada, tmp_path / "new", held=lambda _: 0)
        assert found.said_again == 44
        ada.store = store
        settle(ada, bob)
        assert conflicts(store) == []
        assert ada.values("thing 299") == [299]
        assert facts(ada.store) == facts(bob.store)


def test_nothing_is_written_to_a_file_that_was_found_damaged(world: World) -> None:
    ada = world.sites[0]
    change(ada, "DROP TABLE latest")
    with pytest.raises(DamagedError, match="verify --repair"):
        ada.store.rows("SELECT * FROM latest")
    with pytest.raises(DamagedError, match="verify --repair"):
        ada.put("x", 1)
    change(ada, "CREATE TABLE latest (thing, log, number)")
    with pytest.raises(DamagedError, match="verify --repair"):
        ada.put("x", 1)


def test_only_what_the_tree_proves_is_said_again(tmp_path: Path) -> None:
    with World.of(tmp_path / "sites", "ada") as world:
        (ada,) = world.sites
        ada.write(*(draft(f"thing {number}", number, time_us=NOW) for number in range(600)))
        change(
            ada,
            "DELETE FROM entry WHERE id & 4294967295 = 10",
            "UPDATE entry SET time = time + 1 WHERE id & 4294967295 = 300",
        )
        found, store = repaired(ada, tmp_path / "new", held=lambda _: 0)
        with store:
            new = own_log(store, ada.author)
            again = [one.thing for one in store.entries(new, 0, new.size)]
        assert again == [f"thing {at}" for at in range(512, 600)]
        assert found.said_again == 88
