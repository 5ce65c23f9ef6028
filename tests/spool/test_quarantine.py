from random import Random

import pytest

from spool.delivery import Delivery
from spool.errors import MalformedNameError
from spool.quotas import Quotas
from tests.faults import MemoryFileSystem
from tests.spool.samples import ANNE, STICK, every_crash, fragment, spool_in
from tests.spool.test_held import CountedFileSystem

ID = f"{1:016x}"


def test_what_failed_is_kept_with_its_reason() -> None:
    fs = MemoryFileSystem()
    quarantine = spool_in(fs).quarantine
    quarantine.put(ID, "no signature\ud800", {"a.bundle": b"data"})
    (bad,) = quarantine.list()
    assert (bad.bundle_id, bad.reason) == (ID, "no signature\\ud800")
    assert fs.files()[f"bad/{ID}/a.bundle"] == b"data"
    quarantine.discard(ID)
    quarantine.discard(ID)
    assert quarantine.list() == []


def test_rejecting_moves_what_arrived_and_survives_any_crash() -> None:
    deliveries = [Delivery(fragment(1), ANNE, STICK, bytes([number])) for number in range(2)]

    def prepare() -> MemoryFileSystem:
        fs = MemoryFileSystem()
        spool_in(fs).inbox.receive(deliveries)
        return fs

    for fs, finished in every_crash(prepare, lambda fs: spool_in(fs).reject(ID, "forged")):
        spool = spool_in(fs)
        if finished:
            assert spool.inbox.bundles() == []
        spool.reject(ID, "forged")
        assert spool.inbox.bundles() == []
        (bad,) = spool.quarantine.list()
        assert bad.reason == "forged"
        if finished:
            assert bad.size_bytes == 2 * 4096


def test_the_oldest_go_first() -> None:
    quotas = Quotas(quarantine_bundles=3)
    quarantine = spool_in(MemoryFileSystem(), quotas).quarantine
    for number in (5, 4, 3, 2, 1):
        quarantine.put(f"{number:016x}", "bad", {"x": b""})
    assert [bad.bundle_id[-1] for bad in quarantine.list()] == ["3", "2", "1"]


def test_bytes_are_bounded_and_the_newest_is_kept() -> None:
    quotas = Quotas(quarantine_bytes=3 * 4096)
    quarantine = spool_in(MemoryFileSystem(), quotas).quarantine
    for number in range(9):
        quarantine.put(f"{number:016x}", "bad", {"x": bytes(4097)})
        used = sum(bad.size_bytes for bad in quarantine.list())
        assert used <= quotas.quarantine_bytes
        assert quarantine.list()[-1].bundle_id == f"{number:016x}"


def test_what_is_put_there_is_counted_without_a_look_at_all() -> None:
    """Whoever sends what is refused must not have all of it read for each."""
    fs = CountedFileSystem()
    for number in range(100):
        spool_in(fs).quarantine._files.replace(f"bad/{number:016x}/reason.txt", b"x")
    quarantine = spool_in(fs, Quotas(quarantine_bundles=100)).quarantine
    quarantine.put(f"{100:016x}", "bad", {"x": b""})
    before = fs.looks
    for number in range(101, 201):
        quarantine.put(f"{number:016x}", "bad", {"x": b""})
    assert fs.looks - before <= 20 * 100
    assert [bad.bundle_id for bad in quarantine.list()] == [f"{n:016x}" for n in range(101, 201)]


def test_what_other_processes_put_there_is_counted_in_time() -> None:
    fs, quotas = MemoryFileSystem(), Quotas(quarantine_bundles=4)
    quarantine = spool_in(fs, quotas).quarantine
    for number in range(300):
        quarantine.put(f"{number % 5:016x}", "bad", {"x": b""})
        if number < 200:
            quarantine._files.replace(f"bad/{1000 + number:016x}/reason.txt", b"x")
    assert len(quarantine.list()) == 4


def test_the_bounds_are_kept_whatever_is_put_again() -> None:
    quotas = Quotas(quarantine_bytes=6 * 4096, quarantine_bundles=4)
    quarantine, random = spool_in(MemoryFileSystem(), quotas).quarantine, Random(5)
    for _ in range(300):
        bundle_id = f"{random.randrange(6):016x}"
        quarantine.put(bundle_id, "bad", {random.choice("xyz"): bytes(random.randrange(20_000))})
        if not random.randrange(5):
            quarantine.discard(f"{random.randrange(6):016x}")
        found = quarantine.list()
        assert len(found) <= 4
        assert sum(bad.size_bytes for bad in found) <= quotas.quarantine_bytes


def test_of_one_too_large_the_smaller_files_stay() -> None:
    quotas = Quotas(quarantine_bytes=2 * 4096)
    fs = MemoryFileSystem()
    quarantine = spool_in(fs, quotas).quarantine
    quarantine.put(ID, "bad", {"large": bytes(9000), "small": b"x"})
    assert sorted(fs.files()) == [f"bad/{ID}/reason.txt", f"bad/{ID}/small", "locks/mark"]


def test_a_full_disk_fails_nothing() -> None:
    fs = MemoryFileSystem(capacity_bytes=2 * 4096)
    quarantine = spool_in(fs).quarantine
    quarantine.put(ID, "bad", {"x": bytes(9000)})
    assert [path for path in fs.files() if path.startswith("bad/")] == []


def test_a_reason_that_is_missing_or_damaged() -> None:
    fs = MemoryFileSystem()
    quarantine = spool_in(fs).quarantine
    quarantine.put(ID, "bad", {"x": b"1"})
    fs.remove(f"bad/{ID}/reason.txt")
    assert [bad.reason for bad in quarantine.list()] == [""]
    fs.create(f"bad/{ID}/reason.txt", [bytes(5000)])
    assert [bad.reason for bad in quarantine.list()] == [""]


def test_a_bundle_id_cannot_be_a_path() -> None:
    quarantine = spool_in(MemoryFileSystem()).quarantine
    with pytest.raises(MalformedNameError):
        quarantine.put("..", "", {})
    with pytest.raises(MalformedNameError):
        quarantine.discard("..")
