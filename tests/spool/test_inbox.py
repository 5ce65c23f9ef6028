import errno

import pytest

from spool.delivery import Delivery
from spool.errors import FullError, MalformedNameError, StorageError
from spool.quotas import Quotas
from tests.faults import KEEP_NOTHING, Faults, MemoryFileSystem
from tests.spool.samples import ANNE, BEA, STICK, every_crash, fragment, late_from, spool_in
from tests.spool.test_carried import refuse

ID = f"{1:016x}"
PARTS = [Delivery(fragment(1), ANNE, STICK, bytes([number]) * 99) for number in range(3)]
WHOLE = {part.data for part in PARTS}


def test_what_arrives_is_read_back_with_peer_and_source() -> None:
    inbox = spool_in(MemoryFileSystem()).inbox
    receipt = inbox.receive([*PARTS, Delivery(fragment(1), BEA, "serial0", b"x")])
    assert receipt.stored == (ID,) * 4
    assert inbox.bundles() == [ID]
    assert inbox.size_bytes(ID) == 298
    arrivals = list(inbox.read(ID))
    assert {(each.peer, each.source) for each in arrivals} == {(ANNE, STICK), (BEA, "serial0")}
    assert {each.data for each in arrivals} == WHOLE | {b"x"}


def test_what_came_of_one_sender_can_be_read_and_rejected_alone() -> None:
    spool = spool_in(MemoryFileSystem())
    spool.inbox.receive([*PARTS, Delivery(fragment(1), BEA, "serial0", b"x")])
    assert sorted(spool.inbox.senders(ID)) == [ANNE, BEA]
    assert [each.data for each in spool.inbox.read(ID, BEA)] == [b"x"]
    spool.reject_from(ID, "forged", [BEA])
    assert {each.data for each in spool.inbox.read(ID)} == WHOLE
    spool.reject_from(ID, "forged", [BEA, ANNE])
    assert spool.inbox.bundles() == []
    assert [bad.size_bytes for bad in spool.quarantine.list()] == [4 * 4096]


def test_an_acknowledgement_is_true_after_any_crash() -> None:
    for fs, finished in every_crash(MemoryFileSystem, lambda fs: spool_in(fs).inbox.receive(PARTS)):
        inbox = spool_in(fs).inbox
        found = {each.data for each in inbox.read(ID)}
        assert found == WHOLE if finished else found <= WHOLE
        inbox.receive(PARTS)
        assert sorted(each.data for each in inbox.read(ID)) == sorted(WHOLE)
        lasting = spool_in(fs.after_power_cut(KEEP_NOTHING)).inbox
        assert {each.data for each in lasting.read(ID)} == WHOLE


def test_what_arrives_twice_or_by_two_ways_is_kept_once() -> None:
    inbox = spool_in(MemoryFileSystem()).inbox
    inbox.receive(PARTS)
    inbox.receive([part._replace(source="other") for part in PARTS])
    assert len(list(inbox.read(ID))) == len(PARTS)


def test_what_the_disk_spoiled_is_taken_again() -> None:
    fs = MemoryFileSystem()
    inbox = spool_in(fs).inbox
    inbox.receive(PARTS)
    spoiled = inbox.paths(ID)[0]
    fs.remove(spoiled)
    fs.create(spoiled, [b"rot"])
    assert len(list(inbox.read(ID))) == len(PARTS) - 1
    inbox.receive(PARTS)
    assert {each.data for each in inbox.read(ID)} == WHOLE


def test_what_the_disk_cannot_read_is_put_away_and_a_sound_copy_is_taken() -> None:
    """The rest is read, and nothing is thrown away: another computer may read it yet."""
    fs = MemoryFileSystem()
    spool = spool_in(fs)
    spool.inbox.receive(PARTS)
    bad = spool.inbox.paths(ID)[0]
    lost = fs.files()[bad]
    fs.faults = Faults(unreadable={bad: errno.EIO})
    assert {each.data for each in spool.inbox.read(ID)} == WHOLE - {lost}
    (kept,) = spool.quarantine.list()
    assert (kept.bundle_id, bad in kept.reason) == (ID, True)
    assert fs.files()[f"bad/{ID}/{bad.rpartition('/')[2]}"] == lost
    assert len(spool.inbox.known()) == len(PARTS) - 1
    fs.faults = Faults()
    spool.inbox.receive(PARTS)
    assert {each.data for each in spool.inbox.read(ID)} == WHOLE


def test_a_disk_that_fails_for_a_moment_costs_nothing() -> None:
    fs = MemoryFileSystem()
    spool = spool_in(fs)
    spool.inbox.receive(PARTS)
    fs.faults = Faults(once=dict.fromkeys(spool.inbox.paths(ID), errno.EIO))
    assert {each.data for each in spool.inbox.read(ID)} == WHOLE
    assert not fs.faults.once
    assert spool.quarantine.list() == []


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_where_the_disk_itself_fails_nothing_leaves_the_inbox(number: int) -> None:
    fs = MemoryFileSystem()
    inbox = spool_in(fs).inbox
    inbox.receive(PARTS)
    paths = inbox.paths(ID)
    fs.faults = Faults(
        unreadable=dict.fromkeys(paths, number), fail_at=len(fs.steps), error=number, lasts=True
    )
    with pytest.raises(StorageError):
        list(inbox.read(ID))
    assert inbox.paths(ID) == paths


def test_what_gives_way_stays_where_the_disk_refuses_the_newcomer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fs = MemoryFileSystem()
    inbox = spool_in(fs, Quotas(inbox_bytes=4 * 4096)).inbox
    inbox.receive([Delivery(fragment(number), ANNE, STICK, b"x") for number in range(4)])
    urgent = [Delivery(fragment(number, priority=0), ANNE, STICK, b"y") for number in (7, 8)]
    before = inbox.bundles()
    with monkeypatch.context() as full:
        full.setattr(fs, "create", refuse)
        with pytest.raises(FullError):
            inbox.receive(urgent)
    assert inbox.bundles() == before
    fs.capacity_bytes = len(fs.files()) * 4096
    assert len(inbox.receive(urgent).stored) == 2
    assert inbox.bundles()[:2] == [f"{7:016x}", f"{8:016x}"]
    assert len(inbox.bundles()) == 4


def test_a_group_costs_two_flushes() -> None:
    fs = MemoryFileSystem()
    inbox = spool_in(fs).inbox
    fs.steps.clear()
    inbox.receive(PARTS)
    assert sum(step.startswith("sync") for step in fs.steps) == 2


def test_over_quota_the_less_urgent_gives_way_and_the_equal_is_refused() -> None:
    fs = MemoryFileSystem()
    inbox = spool_in(fs, Quotas(inbox_bytes=2 * 4096)).inbox
    inbox.receive([Delivery(fragment(n, priority=n), ANNE, STICK, b"x") for n in (4, 5)])
    receipt = inbox.receive(
        [Delivery(fragment(n, priority=p), ANNE, STICK, b"x") for n, p in ((6, 4), (7, 4))]
    )
    assert receipt.gave_way == (f"{5:016x}",)
    assert receipt.stored == (f"{6:016x}",)
    assert receipt.refused == (f"{7:016x}",)
    assert sorted(inbox.bundles()) == [f"{4:016x}", f"{6:016x}"]
    assert len([path for path in fs.files() if path.startswith("in/")]) == 2


def test_bundles_come_by_urgency() -> None:
    inbox = spool_in(MemoryFileSystem()).inbox
    inbox.receive(
        Delivery(fragment(number, priority=priority), ANNE, STICK, b"x")
        for number, priority in ((1, 3), (2, 0), (3, 7))
    )
    assert inbox.bundles() == [f"{number:016x}" for number in (2, 1, 3)]


def test_discarding_twice_is_no_error() -> None:
    fs = MemoryFileSystem()
    inbox = spool_in(fs).inbox
    inbox.receive(PARTS)
    inbox.discard(ID)
    inbox.discard(ID)
    assert inbox.bundles() == []
    assert f"in/{ID}" not in fs.live


def test_a_bundle_expires_with_its_latest_name() -> None:
    inbox = spool_in(MemoryFileSystem()).inbox
    inbox.receive(
        Delivery(fragment(1, expiry_days=day), ANNE, STICK, bytes([day])) for day in (5, 9)
    )
    assert inbox.expire(late_from(9)) == []
    assert inbox.expire(late_from(10)) == [ID]
    assert inbox.bundles() == []


def test_files_that_vanish_or_are_none_of_ours_are_passed_over() -> None:
    fs = MemoryFileSystem()
    inbox = spool_in(fs).inbox
    inbox.receive(PARTS)
    fs.create(f"in/{ID}/stray", [b"x"])
    reading = inbox.read(ID)
    next(reading)
    inbox.discard(ID)
    assert list(reading) == []


@pytest.mark.parametrize("bundle_id", ["..", "", "A" * 16])
def test_a_bundle_id_cannot_be_a_path(bundle_id: str) -> None:
    inbox = spool_in(MemoryFileSystem()).inbox
    with pytest.raises(MalformedNameError):
        inbox.discard(bundle_id)
    with pytest.raises(MalformedNameError):
        list(inbox.read(bundle_id))
