"""Nodes that only ever meet by sticks: what is written on one is, in the end, on all."""

import errno
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from ledger.members import Role
from pannier.import_report import Outcome
from pannier.membership import share
from pannier.trusted_time import Uptime
from spool.delivery import Delivery
from spool.name import BundleName, FragmentName
from spool.os_file_system import OsFileSystem
from tests.sim.world import (
    DAY_US,
    START_US,
    World,
    assert_equal,
    data_queue,
    entries_of,
    facts,
    fragments,
    tree,
)

FIVE = ("ada", "bea", "cyd", "dan", "eve")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        yield world


@pytest.fixture
def five(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, FIVE) as world:
        world.found("ada", *FIVE[1:])
        yield world


def test_two_nodes_end_with_the_same_ledger(world: World) -> None:
    world.put("ada", "well", {"depth": 12})
    world.rounds(["ada", "bea"], 1)
    world.put("bea", "well", {"depth": 13})
    world.put("bea", "pump", {"on": True})
    world.delete("ada", "barn")
    world.rounds(["ada", "bea"], 2)
    known = assert_equal(world, ["ada", "bea"])
    assert known["conflicts"] == []
    assert len(list(entries_of(world.store("bea")))) == 5


def test_a_ledger_is_joined_in_one_line(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada")
    done = world.exchange("bea")
    assert done.report.notes == ["joined the ledger log, shared by ada; you may read and write it"]
    assert done.report.entries == {("log", "ada"): 2}
    assert done.problems == []


def test_a_reader_joins_and_is_told_that_it_may_only_read(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea", role=Role.READER)
        world.exchange("ada")
        assert "you may read it" in world.exchange("bea").report.notes[0]


def test_a_ledger_that_is_shared_with_others_stays_with_them(tmp_path: Path) -> None:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea", ledger="secret")
        world.rounds(["ada", "bea", "cyd"], 3)
        assert world.has("bea", "secret")
        assert not world.has("cyd", "secret")


def test_a_receipt_empties_the_queue(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada")
    assert len(data_queue(world["ada"])) == 1
    world.exchange("bea")
    assert len(data_queue(world["ada"])) == 1, "nothing was heard of it yet"
    world.exchange("ada")
    assert data_queue(world["ada"]) == []
    assert world["ada"].spool.outbox.peers() == []


def test_what_did_its_work_is_taken_off_the_medium(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada")
    before = fragments(world.stick())
    world.exchange("bea")
    assert before
    assert not set(before) & set(fragments(world.stick()))


def test_a_bundle_on_the_way_is_neither_repeated_nor_made_anew(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada")
    before = tree(world.stick())
    queued = data_queue(world["ada"])
    world.exchange("ada")
    assert tree(world.stick()) == before
    world.put("ada", "pump", 1)
    world.exchange("ada")
    assert data_queue(world["ada"])[:1] == queued
    assert len(data_queue(world["ada"])) == 2


def test_what_was_spoiled_on_the_medium_is_written_again_at_the_next_visit(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada")
    sound = tree(world.stick())
    (path,) = fragments(world.stick())
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    assert not world.exchange("bea").report.entries
    world.exchange("ada")
    assert tree(world.stick())[str(path.relative_to(world.stick()))] == data
    assert sound.keys() <= tree(world.stick()).keys()
    assert sum(world.exchange("bea").report.entries.values()) == 2


def test_the_same_bytes_go_onto_every_medium(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada", "one")
    world.exchange("ada", "two")
    one, two = (
        {path.name: path.read_bytes() for path in fragments(world.stick(name))}
        for name in ("one", "two")
    )
    assert one == two != {}


@pytest.mark.parametrize("names", [("ada", "bea"), FIVE], ids=["two", "five"])
def test_when_all_is_said_nobody_touches_the_medium(tmp_path: Path, names: tuple[str, ...]) -> None:
    with World(tmp_path, names) as world:
        world.found("ada", *names[1:])
        for name in names:
            world.put_many("ada", 3, prefix=name)
        world.rounds(names, 1)
        for name in names:
            world.put(name, f"of {name}", 1)
        world.rounds(names, 4)
        assert_equal(world, names)
        before = tree(world.stick())
        for name in names * 3:
            done = world.exchange(name)
            assert (done.written, done.removed, done.carried_written) == ({}, 0, 0)
            assert tree(world.stick()) == before
        assert all(data_queue(world[name]) == [] for name in names)


def test_peers_without_a_common_ledger_have_nothing_to_say(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada")
        world.put("ada", "well", 12)
        world.rounds(["ada", "bea"], 3)
        assert fragments(world.stick()) == []


def test_a_notice_goes_once_onto_each_medium(world: World) -> None:
    world.rounds(["ada", "bea"], 1, "one")  # bea leaves a notice for ada, who never comes
    for stick in ("one", "two"):
        for path in fragments(world.stick(stick)):
            path.unlink()
    assert world.exchange("bea", "one").written == {}
    assert len(world.exchange("bea", "two").written) == 1
    assert world.exchange("bea", "two").written == {}


def test_a_notice_that_got_lost_goes_again_when_its_reader_repeats_itself(world: World) -> None:
    world.put("ada", "well", 12)
    world.rounds(["ada", "bea"], 1)
    for path in fragments(world.stick()):
        path.unlink()
    assert world.exchange("ada").written
    assert len(world.exchange("bea").written) == 1
    world.exchange("ada")
    assert data_queue(world["ada"]) == []
    assert world.exchange("bea").written == {}


def test_a_notice_that_comes_again_is_not_answered(world: World) -> None:
    world.rounds(["ada", "bea"], 2)
    world.clock.pass_days(31)
    world.exchange("bea", "hers")
    world.exchange("ada", "his")
    notices = {path: path.read_bytes() for path in fragments(world.stick("his"))}
    world.exchange("bea", "his")
    for path in fragments(world.stick("his")):
        path.unlink()
    for path, data in notices.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    again = world.exchange("bea", "his")
    assert again.collected.repeated
    assert again.written == {}


def test_refusals_are_not_told_in_turns_where_each_byte_costs_airtime(world: World) -> None:
    world.configure("ada", "[peer.bea]\nmtu = 250\n")
    world.rounds(["ada", "bea"], 2)
    ada, bea = world["ada"], world["bea"].card.node_id
    for number in ("a" * 16, "b" * 16):
        ada.db.owe_receipt(bea, number, "no", -1)
        world.exchange("ada")
    before = ada.counting.counter()
    for _ in range(3):
        world.exchange("ada")
    assert ada.counting.counter() == before


def test_what_never_becomes_whole_leaves_the_stick_of_who_thinks_that_it_is_1980(
    world: World,
) -> None:
    world.configure("ada", "[peer.bea]\nrepair = 10\n")  # in fragments of 16 KiB
    world.skew_us["bea"] = 10 * 365 * DAY_US - world.clock()
    world.uptime = lambda: Uptime("boot", 0, world.clock() - START_US)
    backup = world.back_up("ada")
    world.put("ada", "well", Random(1).randbytes(40_000).hex())
    world.exchange("ada")
    (path,) = fragments(world.stick())
    path.write_bytes(path.read_bytes()[:20_000])
    world.restore("ada", backup)  # who has the rest forgets it
    done = [world.exchange("bea") for _ in range(2)]
    assert all(Outcome.INCOMPLETE in one.report.outcomes.values() for one in done)
    assert not path.exists()
    world.clock.pass_days(367)
    world.exchange("bea")
    assert world["bea"].spool.inbox.bundles() == []


def test_what_waits_in_vain_for_all_its_life_leaves_the_stick(world: World) -> None:
    known: list[Path] = []
    for number in range(3):  # by who knows of nobody's time: no bundle has a last day
        world.put("ada", "well", number)
        world.exchange("ada")
        known += set(fragments(world.stick())) - set(known)
    _, lost, path = known
    lost.unlink()
    world.uptime = lambda: Uptime("boot", 0, world.clock() - START_US)
    assert Outcome.HELD in world.exchange("bea").report.outcomes.values()
    world.exchange("bea")  # from now on it counts how long that lies here
    assert path.exists()
    world.clock.pass_days(367)
    assert world.exchange("bea").report.outcomes == {}
    assert not path.exists()
    assert world["bea"].spool.held.names() == []
    world.rounds(["ada", "bea"], 3)  # whose computer did not run meanwhile: it sends it still
    assert_equal(world, ["ada", "bea"])
    assert [data_queue(world[name]) for name in ("ada", "bea")] == [[], []]
    assert world["bea"].spool.held.names() == []


def test_what_a_node_holds_is_said_again_after_a_month(world: World) -> None:
    world.rounds(["ada", "bea"], 2)
    assert world.exchange("bea").written == {}
    world.clock.pass_days(31)
    assert len(world.exchange("bea").written) == 1
    assert world.exchange("bea").written == {}


def test_a_notice_that_arrived_leaves_the_queue(world: World) -> None:
    world.rounds(["ada", "bea"], 2)
    assert [one.control for one in world["bea"].db.bundles(world["ada"].card.node_id)] == [True]
    world.put("ada", "well", 1)
    world.exchange("ada")
    world.exchange("bea", "empty")
    world.exchange("bea")
    bea = world["bea"].db
    assert [one.state for one in bea.bundles(world["ada"].card.node_id, "confirmed")] != []


def test_a_mule_carries_for_those_who_never_meet(world: World) -> None:
    world.add("mule")
    world.put("ada", "well", 12)
    world.exchange("ada", "north")
    done = world.exchange("mule", "north")
    assert (done.collected.carried, done.written, done.carried_written) == (1, {}, 0)
    assert world.exchange("mule", "south").carried_written == 1
    assert world.exchange("bea", "south").report.count(Outcome.MERGED) == 1
    world.exchange("mule", "south")
    world.exchange("mule", "north")
    world.exchange("ada", "north")
    assert_equal(world, ["ada", "bea"])
    assert data_queue(world["ada"]) == []
    assert list(world["mule"].ledgers()) == []
    assert world["mule"].spool.inbox.bundles() == []


def test_a_mule_never_gives_a_medium_back_what_came_from_it(world: World) -> None:
    world.add("mule")
    world.put("ada", "well", 12)
    world.exchange("ada", "north")
    world.exchange("mule", "north")
    world.exchange("mule", "south")
    for stick in ("north", "south"):
        for path in fragments(world.stick(stick)):
            path.unlink()
        before = tree(world.stick(stick))
        assert world.exchange("mule", stick).carried_written == 0
        assert tree(world.stick(stick)) == before


def test_a_mule_keeps_to_its_quota_and_prefers_what_is_urgent(world: World) -> None:
    world.add("mule")
    world.configure("mule", "[spool]\ncarry_bytes = 8192\n")
    world.configure("ada", "[peer.bea]\npriority = 6\n")
    world.put_many("ada", 50)
    world.exchange("ada", "north")
    world.configure("ada", "[peer.bea]\npriority = 2\n")
    world.put_many("ada", 50, "urgent")
    world.exchange("ada", "north")
    world.put_many("ada", 50, "more")
    world.exchange("ada", "north")
    assert len(fragments(world.stick("north"))) == 3
    assert world.exchange("mule", "north").collected.carried <= 2
    carried = world["mule"].spool.carried.known()
    assert [name.priority for name in carried] == [2, 2]


def test_a_stick_goes_through_five_nodes(five: World) -> None:
    five.rounds(FIVE, 1)
    for number, name in enumerate(FIVE):
        five.put(name, "shared", number)
        five.put(name, f"of {name}", number)
    five.rounds(FIVE, 3)
    known = assert_equal(five, FIVE)
    assert known["conflicts"] == ["shared"]
    five.put("cyd", "shared", "settled")
    five.rounds(FIVE, 3)
    assert assert_equal(five, FIVE)["conflicts"] == []
    assert all(data_queue(five[name]) == [] for name in FIVE)


def test_entries_reach_whom_their_author_never_meets(five: World) -> None:
    """Each pair has a stick of its own, in a row: ada - bea - cyd - dan - eve."""
    five.put("ada", "well", 12)
    pairs = list(pairwise(FIVE))
    for left, right in pairs:
        five.exchange(left, f"{left} {right}")
        five.exchange(right, f"{left} {right}")
    assert facts(five.store("eve")) == facts(five.store("ada"))
    five.put("eve", "well", 13)
    for left, right in reversed(pairs):
        five.exchange(right, f"{left} {right}")
        five.exchange(left, f"{left} {right}")
    assert facts(five.store("ada")) == facts(five.store("eve"))


def test_a_stick_that_lies_in_a_drawer_for_months_is_still_good(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada", "old")
    world.clock.pass_days(300)
    world.put("ada", "well", 13)
    world.exchange("ada", "new")
    world.exchange("bea", "new")
    world.exchange("ada", "new")
    world.exchange("bea", "old")
    assert_equal(world, ["ada", "bea"])


def test_pairwise_keys_come_into_use(world: World) -> None:
    for number in range(4):
        world.put("ada", "well", number)
        world.rounds(["ada", "bea"], 1)
    made = world["ada"].db.bundles(world["bea"].card.node_id, "confirmed")
    assert [one.key_id is not None for one in made][:1] == [False]
    assert any(one.key_id is not None for one in made)
    assert_equal(world, ["ada", "bea"])


def test_a_finder_of_a_stick_learns_no_names(world: World) -> None:
    world.put("ada", "well", "the treasure is under the oak")
    world.exchange("ada")
    for name, data in tree(world.stick()).items():
        if name.endswith(".pnr"):
            FragmentName.from_text(name.rpartition("/")[2])
            assert not any(word in data for word in (b"ada", b"bea", b"well", b"oak", b"log"))


@pytest.mark.parametrize("sticks", [1, 4], ids=["one stick", "a bundle on each stick"])
def test_a_ledger_of_many_bundles_is_joined_though_the_grant_comes_last(
    tmp_path: Path, sticks: int
) -> None:
    with World(tmp_path) as world:
        # Bundles for symbols of 8 bytes have at most 64 KiB, and sections 8 MiB before compression.
        world.configure("ada", "[peer.bea]\nmtu = 48\n")
        world.found("ada")
        for number in range(30):
            text = Random(number).randbytes(6_000).hex() + "-" * 900_000
            world.put("ada", str(number), text)
        ada, store = world["ada"], world.store("ada")
        share(ada, store, ada.peer_named("bea"), Role.WRITER)
        world.exchange("ada")
        parts = sorted(world.stick().rglob("*.pnr"))
        assert len(parts) >= 3
        for number in range(sticks):
            some = world.stick(f"part {number}")
            for path in parts[number::sticks][::-1]:
                target = some / path.relative_to(world.stick())
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        for number in reversed(range(sticks)):
            world.exchange("bea", f"part {number}")
        assert world.has("bea")
        assert [one.size for one in world.store("bea").logs()] == [one.size for one in store.logs()]
        assert not list((world.home("bea").ledgers / "pending").glob("*.db*"))
        world.rounds(("bea", "ada"), 2)
        assert list(world["ada"].db.bundles(world["bea"].card.node_id)) == []


def test_a_file_that_the_disk_cannot_read_ends_no_exchange(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.rounds(["ada", "bea"], 2)
    name, ada = FragmentName(0, 60_000, "0" * 8, "1" * 16, 0), world["ada"].card.node_id
    inbox = world["bea"].spool.inbox
    inbox.receive([Delivery(name, ada, "stick", b"a beginning")])
    (bad,) = inbox.paths(name.bundle_id)
    read = OsFileSystem.read

    def refuse(fs: OsFileSystem, path: str, *, limit_bytes: int) -> bytes:
        if path == bad:
            raise OSError(errno.EIO, "Input/output error", path)
        return read(fs, path, limit_bytes=limit_bytes)

    monkeypatch.setattr(OsFileSystem, "read", refuse)
    world.put("ada", "well", 12)
    world.rounds(["ada", "bea"], 2)
    assert_equal(world, ["ada", "bea"])
    assert [kept.bundle_id for kept in world["bea"].spool.quarantine.list()] == [name.bundle_id]


def test_what_somebody_put_into_the_spool_ends_no_exchange(world: World) -> None:
    """Files with ids of bundles, folders with names of ours: whoever looked there left them."""
    spool = world.home("bea").path / "spool"
    for tree_name in ("in", "held", "out", "carry", "part", "bad"):
        (spool / tree_name).mkdir(parents=True, exist_ok=True)
        (spool / tree_name / ("0" * 16)).write_bytes(b"note")
        (spool / tree_name / ("1" * 16) / "unpacked").mkdir(parents=True)
    held = BundleName(0, 60_000, "0" * 8, "1" * 16, 0)
    (spool / "held" / held.bundle_id / held.to_text()).mkdir()
    world.put("ada", "well", 12)
    world.rounds(["ada", "bea"], 2)
    assert_equal(world, ["ada", "bea"])
