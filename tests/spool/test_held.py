from collections.abc import Iterator

import pytest

from spool.errors import ConflictError, FullError, GoneError
from spool.file_system import Facts
from spool.quotas import Quotas
from tests.faults import MemoryFileSystem
from tests.spool.samples import bundle, every_crash, late_from, spool_in


class CountedFileSystem(MemoryFileSystem):
    """One that counts how often it is asked what is there."""

    looks = 0

    def names(self, folder: str) -> Iterator[str]:
        self.looks += 1
        return super().names(folder)

    def inspect(self, path: str) -> Facts | None:
        self.looks += 1
        return super().inspect(path)


@pytest.fixture
def fs() -> CountedFileSystem:
    """An empty disk."""
    return CountedFileSystem()


def test_what_is_held_can_be_found_read_and_released() -> None:
    held = spool_in(MemoryFileSystem()).held
    names = [bundle(1), bundle(2, priority=0)]
    for name in names:
        held.hold(name, name.bundle_id.encode())
        held.hold(name, name.bundle_id.encode())
    assert held.names() == [names[1], names[0]]
    assert held.read(names[0]) == names[0].bundle_id.encode()
    held.release(names[0])
    held.release(names[0])
    assert held.names() == [names[1]]
    with pytest.raises(GoneError):
        held.read(names[0])
    with pytest.raises(ConflictError):
        held.hold(names[1], b"other")


def test_holding_survives_any_crash() -> None:
    for fs, finished in every_crash(
        MemoryFileSystem, lambda fs: spool_in(fs).held.hold(bundle(1), b"whole")
    ):
        held = spool_in(fs).held
        assert held.names() in ([[bundle(1)]] if finished else [[], [bundle(1)]])
        assert all(held.read(name) == b"whole" for name in held.names())


def test_a_full_quota_refuses_and_keeps_what_is_there() -> None:
    held = spool_in(MemoryFileSystem(), Quotas(held_bytes=2 * 4096)).held
    held.hold(bundle(1), b"x" * 4096)
    with pytest.raises(FullError):
        held.hold(bundle(2, priority=0), b"x" * 4097)
    held.hold(bundle(1), b"x" * 4096)
    held.hold(bundle(3), b"x" * 4096)
    assert held.names() == [bundle(1), bundle(3)]


def test_so_does_a_full_count(fs: CountedFileSystem) -> None:
    held = spool_in(fs, Quotas(held_bundles=2)).held
    for number in (1, 2, 2):
        held.hold(bundle(number), b"x")
    with pytest.raises(FullError):
        held.hold(bundle(3), b"x")
    held.release(bundle(1))
    held.release(bundle(1))
    held.hold(bundle(3), b"x")
    assert held.names() == [bundle(2), bundle(3)]
    with pytest.raises(FullError):
        held.hold(bundle(4), b"x")


def test_what_other_processes_hold_and_release_counts(fs: CountedFileSystem) -> None:
    quotas = Quotas(held_bundles=3)
    held, other = spool_in(fs, quotas).held, spool_in(fs, quotas).held
    other.hold(bundle(1), b"x")
    held.hold(bundle(2), b"x")
    held.hold(bundle(3), b"x")
    with pytest.raises(FullError):
        spool_in(fs, quotas).held.hold(bundle(4), b"x")
    other.release(bundle(1))
    held.hold(bundle(4), b"x")
    other.release(bundle(2))
    held.expire(late_from(0))
    held.hold(bundle(5), b"x")
    assert held.names() == [bundle(3), bundle(4), bundle(5)]


def test_holding_looks_at_what_is_held_once(fs: CountedFileSystem) -> None:
    """Also where it is full: else many who wait would cost their square."""
    held = spool_in(fs, Quotas(held_bundles=100)).held
    held.hold(bundle(0), b"x")
    before = fs.looks
    for number in range(1, 100):
        held.hold(bundle(number), b"x")
    assert fs.looks - before <= 5 * 99
    before = fs.looks
    for number in range(100, 200):
        with pytest.raises(FullError):
            held.hold(bundle(number), b"x")
    assert fs.looks - before <= 5 * 100


def test_expiry() -> None:
    held = spool_in(MemoryFileSystem()).held
    held.hold(bundle(1, expiry_days=9), b"x")
    assert held.expire(late_from(9)) == []
    assert held.expire(late_from(10)) == [bundle(1, expiry_days=9)]
    assert held.names() == []
