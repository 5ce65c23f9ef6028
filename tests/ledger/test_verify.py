from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.append import Draft
from ledger.blob import CHUNK_BYTES, chunk_of
from ledger.errors import DamagedError, LedgerError
from ledger.file_payload import file_of
from ledger.log import LogStatus
from ledger.merge import merge
from ledger.records import cover_to_row
from ledger.seeds import root_cover, without
from ledger.store import Store
from ledger.verify import Fault, LogReport, verify, verify_file
from ledger.views import conflicts, heads, history, things
from tests.ledger.world import (
    NOW,
    REST_KEY,
    Drbg,
    Site,
    World,
    carried,
    change,
    draft,
    faults,
    send,
    settle,
)

SIZE = 600
"""Entries of ada's log: more than two tiles, under checkpoints at 1, 300 and 600."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "cy") as made:
        yield made


@pytest.fixture
def ada(world: World) -> Site:
    ada, bob, _ = world.sites
    for first, end in ((0, 1), (1, 300), (300, SIZE)):
        ada.write(*(draft(f"t{number % 50}", number) for number in range(first, end)))
    bob.put("t1", "bob")
    bob.put("t2", "bob")
    send(bob, ada)
    ada_after = ada.store.log(ada.log)
    assert ada_after.size == SIZE
    return ada


def reports(store: Store) -> list[LogReport]:
    return list(verify(store))


def test_a_good_ledger_has_no_faults_and_everything_was_looked_at(ada: Site) -> None:
    found = reports(ada.store)
    assert [(one.entries, one.checkpoints, one.faults) for one in found] == [
        (SIZE, 3, ()),
        (2, 1, ()),
    ]
    assert verify_file(ada.store) == []


class TestWhileOthersWrite:
    """Logs are read one after the other, and somebody writes before the last is."""

    def second(self, ada: Site, meanwhile: Callable[[Site], object]) -> LogReport:
        with Store.open(ada.store.path, REST_KEY) as beside:
            found = verify(ada.store)
            next(found)
            meanwhile(replace(ada, store=beside))
            return next(found)

    def test_what_is_new_is_for_the_next_time(self, world: World, ada: Site) -> None:
        bob = world.sites[1]
        bob.put("t3", "bob")
        report = self.second(ada, lambda beside: send(bob, beside))
        assert (report.entries, report.faults) == (2, ())
        assert reports(ada.store)[1].entries == 3

    def test_a_log_whose_author_is_removed_is_looked_at_once_more(self, ada: Site) -> None:
        report = self.second(ada, lambda beside: beside.revoke("bob"))
        assert (report.state.counts, report.faults) == (2, ())

    def test_what_is_wrong_stays_wrong(self, ada: Site) -> None:
        change(ada.store, "UPDATE entry SET time = 0 WHERE id = ?", 2 << 32)
        report = self.second(ada, lambda beside: beside.revoke("bob"))
        assert "do not have the root" in report.faults[0].reason


def test_an_empty_ledger_has_nothing_to_verify(world: World) -> None:
    assert reports(world.sites[2].store) == []
    assert verify_file(world.sites[2].store) == []


FIELDS = {
    "payload": "UPDATE entry SET payload = x'1904d2' WHERE id = ?",
    "no CBOR for a payload": "UPDATE entry SET payload = x'ff' WHERE id = ?",
    "digest": "UPDATE entry SET digest = zeroblob(32) WHERE id = ?",
    "short digest": "UPDATE entry SET digest = zeroblob(31) WHERE id = ?",
}


@pytest.mark.parametrize("number", [0, 1, 255, 256, 299, 300, SIZE - 1])
@pytest.mark.parametrize("what", FIELDS)
def test_an_altered_payload_or_digest_is_named(ada: Site, number: int, what: str) -> None:
    assert change(ada.store, FIELDS[what], (1 << 32) + number) == 1
    check_named(ada, number)


@pytest.mark.parametrize("number", [0, 255, SIZE - 1])
@pytest.mark.parametrize("payload", [b"\x19\x04\xd2", b"\xff", b""])
def test_a_payload_altered_by_who_has_the_keys_is_named(
    ada: Site, number: int, payload: bytes
) -> None:
    """What the seal of the row cannot show, since it is right, the digest does."""
    (entry,) = ada.store.entries(ada.store.log(ada.log), number, number + 1)
    sealed = ada.store.rest.seal_payload(entry.digest, payload)
    change(ada.store, "UPDATE entry SET payload = ? WHERE id = ?", sealed, (1 << 32) + number)
    check_named(ada, number)


def check_named(ada: Site, number: int) -> None:
    ((fault,), rest) = [one.faults for one in reports(ada.store)]
    assert (fault.log, fault.number) == (ada.log, number)
    assert str(fault).startswith(f"log {ada.log}, entry {number}: ")
    assert rest == ()


ROOTS = {
    "time": "UPDATE entry SET time = time + 1 WHERE id = ?",
    "action": "UPDATE entry SET action = 1 WHERE id = ?",
    "thing": "UPDATE entry SET thing = thing + 1 WHERE id = ?",
    "kind": "UPDATE entry SET kind = (SELECT max(id) FROM kind) WHERE id = ?",
}


@pytest.mark.parametrize(("number", "covered"), [(0, 1), (1, 300), (299, 300), (300, SIZE)])
@pytest.mark.parametrize("what", ROOTS)
def test_what_only_the_root_shows_is_found_at_its_checkpoint(
    ada: Site, number: int, covered: int, what: str
) -> None:
    change(ada.store, "INSERT INTO kind VALUES (99, 'another')")
    assert change(ada.store, ROOTS[what], (1 << 32) + number) == 1
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert fault.number is None
    assert f"entries up to {covered} do not have the root" in fault.reason


@pytest.mark.parametrize("number", [0, 5, 299, SIZE - 1])
def test_a_missing_row_is_named(ada: Site, number: int) -> None:
    assert change(ada.store, "DELETE FROM entry WHERE id = ?", (1 << 32) + number) == 1
    (report, _) = reports(ada.store)
    (fault,) = report.faults
    assert (fault.log, fault.number, fault.reason) == (ada.log, number, "the entry is missing")


def test_an_entry_whose_thing_is_gone_is_missing(ada: Site) -> None:
    change(ada.store, "DELETE FROM thing WHERE name = 't7'")
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert (fault.number, fault.reason) == (7, "the entry is missing")


def flip(store: Store, table: str, column: str, where: str) -> int:
    """Flip the last bit of a column of bytes."""
    [(value,)] = store.rows(f"SELECT {column} FROM {table} WHERE {where}")  # noqa: S608
    assert isinstance(value, bytes)
    flipped = value[:-1] + bytes([value[-1] ^ 1])
    return change(store, f"UPDATE {table} SET {column} = ? WHERE {where}", flipped)  # noqa: S608


@pytest.mark.parametrize(
    ("table", "column", "where", "reason"),
    [
        ("checkpoint", "signature", "log = 1 AND size = 300", "checkpoint 300: "),
        ("checkpoint", "root", "log = 1 AND size = 300", "up to 300 do not have the root"),
        ("node", "hash", "log = 1 AND level = 8 AND position = 1", "tree node 8/1 is wrong"),
        ("node", "hash", "log = 1 AND level = 9", "tree node 9/0 is wrong"),
        ("log", "frontier", "id = 1", "the root that the log remembers"),
    ],
)
def test_a_flipped_bit_in_what_proves_the_log_is_named(
    ada: Site, table: str, column: str, where: str, reason: str
) -> None:
    assert flip(ada.store, table, column, where) == 1
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert (fault.log, fault.number) == (ada.log, None)
    assert reason in fault.reason


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DELETE FROM checkpoint WHERE log = 1 AND size = 600", "no checkpoint covers all"),
        ("DELETE FROM checkpoint WHERE log = 1", "no checkpoint covers all of its 600"),
        ("UPDATE checkpoint SET size = 601 WHERE log = 1 AND size = 600", "its author signed 601"),
        ("UPDATE checkpoint SET size = 299 WHERE log = 1 AND size = 300", "up to 299 do not have"),
        ("DELETE FROM node WHERE log = 1 AND level = 8", "tree node 8/0 is wrong"),
        ("UPDATE log SET status = 2 WHERE id = 1", "closed without a close"),
        (
            "UPDATE log SET close_size = 1, close_root = zeroblob(32) WHERE id = 1",
            "open with one",
        ),
    ],
)
def test_what_is_wrong_beside_the_entries_is_named(ada: Site, sql: str, reason: str) -> None:
    assert change(ada.store, sql) >= 1
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert reason in fault.reason


def test_another_seed_is_found_at_the_first_payload(ada: Site) -> None:
    wrong = cover_to_row(ada.log, root_cover(bytes(16)), ada.store.rest)
    change(ada.store, "UPDATE log SET cover = ? WHERE id = 1", wrong)
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert (fault.number, fault.reason) == (0, "the payload is not the one that was signed")


def test_a_seed_that_is_gone_is_found_where_a_payload_needs_it(ada: Site) -> None:
    cover = without(without(ada.store.log(ada.log).cover, 7), 400)
    sealed = cover_to_row(ada.log, cover, ada.store.rest)
    change(ada.store, "UPDATE log SET cover = ? WHERE id = 1", sealed)
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert (fault.number, fault.reason) == (7, "the seed of its payload is missing")
    change(ada.store, "UPDATE entry SET payload = NULL WHERE id = ?", (1 << 32) + 7)
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert (fault.number, fault.reason) == (7, "its payload is missing")


def test_entries_of_one_who_may_not_write_are_a_fault(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "bob", admins=["ada"]) as world:
        ada, bob = world.sites
        ada.grant("bob")
        send(ada, bob)
        bob.put("t", 1)
        send(bob, ada)
        assert faults(ada.store) == []
        change(ada.store, "UPDATE entry SET action = 7 WHERE action = 2")
        assert "of its entries 0 should count" in str(faults(ada.store))


def test_an_entry_beyond_the_close_is_named(world: World, ada: Site) -> None:
    state = ada.store.log(ada.log)
    root = ada.store.checkpoints(state, 299, 300)[0].root
    sql = "UPDATE log SET status = 2, close_size = 300, close_root = ? WHERE id = 1"
    change(ada.store, sql, root)
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert fault.number == 300
    assert "beyond where the log was closed" in fault.reason
    # On another branch than the close it only waits for that branch; but nobody said this close.
    change(ada.store, sql, bytes(32))
    ((fault,), _) = [one.faults for one in reports(ada.store)]
    assert (fault.number, fault.reason) == (
        None,
        "it is closed, but should be open, by what is kept",
    )


class TestStanding:
    """Whether a log is open, forked or closed follows from what is kept."""

    @pytest.mark.parametrize(
        ("sql", "should"),
        [
            ("status = 1", "it is forked, but should be open"),
            ("status = 1, fork_index = 7", "it is forked, but should be open"),
            ("fork_index = 7", "it is open, but should be open at another entry"),
        ],
    )
    def test_a_log_that_is_open_by_all_that_is_kept(self, ada: Site, sql: str, should: str) -> None:
        assert change(ada.store, f"UPDATE log SET {sql} WHERE id = 2") == 1  # noqa: S608
        (_, (fault,)) = [one.faults for one in reports(ada.store)]
        assert fault.reason == f"{should}, by what is kept"

    @pytest.fixture
    def bob(self, world: World, tmp_path: Path) -> Site:
        """Hold a log of ada's that is forked from its entry 1 on."""
        ada, bob, _ = world.sites
        ada.put("t", 1)
        other = world.join("ada", folder="other")
        other.restore(ada.backup(tmp_path / "copy.db"))
        ada.put("t", "one")
        other.put("t", "two")
        send(ada, bob)
        merge(bob.store, carried(other.store, other.log))
        assert bob.store.log(ada.log).status is LogStatus.FORKED
        return bob

    @pytest.mark.parametrize(
        ("sql", "should"),
        [
            ("status = 0", "it is open, but should be forked"),
            ("fork_index = 0", "it is forked, but should be forked at another entry"),
            ("fork_index = NULL", "it is forked, but should be forked at another entry"),
        ],
    )
    def test_a_log_with_a_proof_of_two_histories(self, bob: Site, sql: str, should: str) -> None:
        assert faults(bob.store) == []
        assert change(bob.store, f"UPDATE log SET {sql} WHERE status = 1") == 1  # noqa: S608
        assert should in str(faults(bob.store))

    def test_a_proof_that_cannot_be_read(self, bob: Site) -> None:
        change(bob.store, "UPDATE evidence SET data = x'80' WHERE what = 'fork'")
        assert "a kept fork" in str(reports(bob.store)[0].faults)

    @pytest.fixture
    def closed(self, world: World, tmp_path: Path) -> Site:
        """Be ada, who took back the branch that bob holds, and closed that log."""
        ada, bob, _ = world.sites
        ada.put("t", 1)
        copy = ada.backup(tmp_path / "copy.db")
        ada.put("t", 2)
        log = ada.log
        send(ada, bob)
        ada.restore(copy)
        ada.put("t", 3)
        ada.take(carried(bob.store, log))
        assert ada.store.log(log).status is LogStatus.CLOSED
        return ada

    @pytest.mark.parametrize(
        "sql",
        [
            "status = 0, close_size = NULL, close_root = NULL",
            "status = 1, close_size = NULL, close_root = NULL",
            "status = 3",
            "close_size = 3",
        ],
    )
    def test_a_log_that_its_author_ended(self, closed: Site, sql: str) -> None:
        assert faults(closed.store) == []
        assert change(closed.store, f"UPDATE log SET {sql} WHERE status = 2") == 1  # noqa: S608
        assert "should be closed" in str(faults(closed.store))

    def test_a_close_that_cannot_be_read_is_named_and_nothing_else(self, closed: Site) -> None:
        change(closed.store, "UPDATE entry SET payload = x'00' WHERE action = 4")
        assert [fault.number for fault in faults(closed.store)] == [0]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("UPDATE latest SET number = number - 1 WHERE thing = 1", "shows as latest"),
        ("DELETE FROM latest WHERE thing = 1", "shows as latest"),
        ("INSERT INTO latest VALUES (999, 1, 5)", "shows as latest"),
        ("INSERT INTO follow VALUES (1, zeroblob(32), zeroblob(8), 0, zeroblob(16))", "followed"),
        ("INSERT INTO follow VALUES (-1, zeroblob(32), zeroblob(8), 0, zeroblob(16))", "followed"),
        ("INSERT INTO follow VALUES (1 << 60, zeroblob(32), zeroblob(8), 0, x'')", "followed"),
        ("INSERT INTO file VALUES (99)", "of entries that are not there"),
        ("INSERT INTO lack VALUES (x'00', 99)", "of entries that are not there"),
        ("UPDATE entry SET id = id + 10000 WHERE id = (3 << 32)", "of no log"),
        ("INSERT INTO entry SELECT (9 << 32), 1, 1, 9, 0, NULL, digest, NULL FROM entry LIMIT 1",
         "of no log, or beyond"),
        ("INSERT INTO entry SELECT (1 << 32) + 600, 1, 1, 9, 0, NULL, digest, NULL FROM entry "
         "LIMIT 1", "of no log, or beyond"),
    ],
)  # fmt: skip
def test_tables_that_disagree_are_named(ada: Site, sql: str, reason: str) -> None:
    if change(ada.store, sql) == 0:
        change(ada.store, "UPDATE entry SET id = id + 10000 WHERE id = (2 << 32)")
    assert reason in " ".join(map(str, verify_file(ada.store)))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM follow",
        "UPDATE follow SET leaf = zeroblob(length(leaf))",
        "UPDATE follow SET number = number + 1",
        "UPDATE follow SET thing = thing + 1",
    ],
)
def test_what_is_followed_is_worked_out_anew(world: World, ada: Site, sql: str) -> None:
    ada.put("t1", "after bob")
    assert faults(ada.store) == []
    assert change(ada.store, sql) == 1
    (fault,) = faults(ada.store)
    assert "what it takes for followed" in fault.reason


def test_what_void_entries_follow_is_not_followed(world: World, ada: Site) -> None:
    bob = world.sites[1]
    send(ada, bob)
    bob.put("t3", "after ada")
    log = ada.revoke("bob")
    assert log.size
    send(bob, ada)
    assert faults(ada.store) == []


class TestFiles:
    """Which entries are files, and what of them is not here."""

    @pytest.fixture
    def store(self, ada: Site) -> Store:
        chunks = [chunk_of(bytes([number]) * 100) for number in range(3)]
        digests = [one.digest for one in chunks]
        file = file_of(2 * CHUNK_BYTES + 100, digests, executable=False)
        ada.write(Draft("a file", file.to_payload(), NOW, "file"))
        ada.store.blobs.add(chunks[:1], Drbg("packs"))
        assert faults(ada.store) == []
        return ada.store

    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM file",
            "UPDATE file SET entry = entry - 1",
            "INSERT INTO file VALUES (1 << 32)",
            "DELETE FROM lack WHERE name = (SELECT min(name) FROM lack)",
            "UPDATE lack SET entry = entry - 1 WHERE name = (SELECT min(name) FROM lack)",
            "INSERT INTO lack SELECT name, (1 << 32) + 600 FROM blob",
            "INSERT INTO lack SELECT name, 1 << 32 FROM blob",
            "DELETE FROM blob",
        ],
    )
    def test_are_worked_out_anew(self, store: Store, sql: str) -> None:
        assert change(store, sql) == 1
        (fault,) = faults(store)
        assert "which of its entries are files, or what they lack" in fault.reason


def test_a_kept_fork_that_proves_nothing_is_a_fault(ada: Site) -> None:
    with ada.store.transaction():
        ada.store.keep_evidence(ada.store.log(ada.log), "fork", b"\x80")
    (fault,) = verify_file(ada.store)
    assert (fault.log, fault.number) == (ada.log, None)
    assert "a kept fork" in fault.reason


def test_a_fault_of_the_file_is_named_without_a_log() -> None:
    assert str(Fault(log=None, number=None, reason="the file is damaged")) == "the file is damaged"


def test_a_log_that_is_forked_and_one_that_is_hostile_verify(world: World, tmp_path: Path) -> None:
    ada, bob, _ = world.sites
    ada.put("t", 1)
    other = world.join("ada", folder="other")
    other.restore(ada.backup(tmp_path / "copy.db"))
    ada.put("t", "one")
    other.put("t", "two")
    send(ada, bob)
    merge(bob.store, carried(other.store, other.log))
    assert bob.store.log(ada.log).status is LogStatus.FORKED
    assert faults(bob.store) == []


def test_thousands_of_checkpoints_take_one_signature_each(world: World) -> None:
    bob = world.sites[1]
    for number in range(400):
        bob.put("t", number)
    (report,) = reports(bob.store)
    assert (report.entries, report.checkpoints, report.faults) == (400, 400, ())


# -- bits that flip in the file itself ----------------------------------------------------------


class Healthy:
    """A closed ledger file of a few pages, to be damaged again and again."""

    def __init__(self, folder: Path) -> None:
        with World.of(folder, "ada", "bob", "cy") as world:
            ada, bob, cy = world.sites
            for number in range(3):
                ada.write(*(draft(f"thing {n}", {"value": n * number}) for n in range(100)))
                bob.put(f"thing {number}", bytes(3000))
                settle(ada, bob, cy)
            cy.put("thing 0", "cy")
            bob.put("thing 0", "bob")
            settle(ada, bob, cy)
            path = ada.backup(folder / "healthy.db")
        self.data = path.read_bytes()
        self.damaged = folder / "damaged.db"


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Healthy:
    return Healthy(tmp_path_factory.mktemp("healthy"))


QUESTIONS: list[Callable[[Store], object]] = [
    lambda store: list(verify(store)),
    verify_file,
    lambda store: list(things(store)),
    lambda store: heads(store, "thing 0"),
    lambda store: list(history(store, "thing 1")),
    conflicts,
    lambda store: [store.leaves(log, 0, 999) for log in store.logs()],
    lambda store: [store.costs(log, 0, 999) for log in store.logs()],
]


def ask_everything(path: Path) -> bool:
    """Ask a damaged file everything; return whether the damage was noticed."""
    noticed = False
    try:
        store = Store.open(path, REST_KEY)
    except LedgerError:
        return True
    with store:
        for question in QUESTIONS:
            try:
                question(store)
            except DamagedError:
                noticed = True
        try:
            return noticed or bool(faults(store))
        except DamagedError:
            return True


def damage(healthy: Healthy, flips: list[tuple[int, int]]) -> bool:
    data = bytearray(healthy.data)
    for place, bits in flips:
        data[place] ^= bits
    healthy.damaged.write_bytes(data)
    return ask_everything(healthy.damaged)


def test_flipped_bytes_in_the_file_are_damage_or_a_fault_and_nothing_else(
    healthy: Healthy,
) -> None:
    places = range(0, len(healthy.data), len(healthy.data) // 130)
    noticed = [damage(healthy, [(place, 1 << place % 8)]) for place in places]
    # The rest lies in what SQLite keeps free, which is most of so small a file.
    assert len(places) / 4 < sum(noticed) < len(places)


@settings(max_examples=60)
@given(data=st.data())
def test_several_flipped_bytes_are_no_worse(healthy: Healthy, data: st.DataObject) -> None:
    places = st.integers(0, len(healthy.data) - 1) | st.integers(0, 200)
    flips = st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=6)
    damage(healthy, data.draw(flips))


@pytest.mark.parametrize("part", [0, 1, 99, 100, 4096, 0.3, 0.7, -5000])
def test_a_file_that_was_cut_short_is_damaged(healthy: Healthy, part: float) -> None:
    size = int(part * len(healthy.data)) if 0 < part < 1 else int(part)
    path = healthy.damaged.with_name("cut.db")
    path.write_bytes(healthy.data[:size])
    assert ask_everything(path)


def test_the_healthy_file_is_healthy(healthy: Healthy) -> None:
    path = healthy.damaged.with_name("whole.db")
    path.write_bytes(healthy.data)
    assert not ask_everything(path)
