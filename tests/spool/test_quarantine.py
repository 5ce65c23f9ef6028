import pytest

from spool.delivery import Delivery
from spool.errors import MalformedNameError
from spool.quotas import Quotas
from tests.faults import MemoryFileSystem
from tests.spool.samples import ANNE, STICK, every_crash, fragment, spool_in

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
