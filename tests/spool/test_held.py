import errno
from collections.abc import Iterator

import pytest

from spool.errors import ConflictError, FullError, GoneError
from spool.file_system import Facts
from spool.held import Held
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


def each(number: str) -> str:
    """Say that each bundle is somebody else's."""
    return number


class Owners(dict[str, str]):
    """Who owns which bundle, by its id."""

    def fill(self, held: Held, owner: str) -> int:
        """Hold bundles of *owner* until no more are; return how many that were."""
        for count in range(100):
            name = bundle(len(self))
            self[name.bundle_id] = owner
            try:
                held.hold(name, b"x", self.__getitem__)
            except FullError:
                del self[name.bundle_id]
                return count
        raise AssertionError("it never was full")


@pytest.mark.parametrize("quotas", [Quotas(held_bundles=16), Quotas(held_bytes=16 * 4096)])
def test_nobody_fills_it_alone(fs: CountedFileSystem, quotas: Quotas) -> None:
    """In whatever process; and what one has is in nobody's way but its own."""
    held, owners = spool_in(fs, quotas).held, Owners()
    assert [owners.fill(held, owner) for owner in ("ada", "bea", "ada")] == [8, 4, 0]
    held = spool_in(fs, quotas).held
    assert [owners.fill(held, owner) for owner in ("bea", "ada", "cyd")] == [0, 0, 2]
    held.hold(bundle(0), b"x", owners.__getitem__)
    for number in range(8):
        held.release(bundle(number))
    assert owners.fill(held, "dan") == 5
    assert owners.fill(held, "bea") == 1


def test_a_full_quota_refuses_and_keeps_what_is_there() -> None:
    held = spool_in(MemoryFileSystem(), Quotas(held_bytes=2 * 4096)).held
    held.hold(bundle(1), b"x" * 4096, each)
    with pytest.raises(FullError):
        held.hold(bundle(2, priority=0), b"x" * 4097, each)
    held.hold(bundle(1), b"x" * 4096, each)
    held.hold(bundle(3), b"x" * 4096, each)
    assert held.names() == [bundle(1), bundle(3)]


def test_so_does_a_full_count(fs: CountedFileSystem) -> None:
    held = spool_in(fs, Quotas(held_bundles=2)).held
    for number in (1, 2, 2):
        held.hold(bundle(number), b"x", each)
    with pytest.raises(FullError):
        held.hold(bundle(3), b"x", each)
    held.release(bundle(1))
    held.release(bundle(1))
    held.hold(bundle(3), b"x", each)
    assert held.names() == [bundle(2), bundle(3)]
    with pytest.raises(FullError):
        held.hold(bundle(4), b"x", each)


def test_what_other_processes_hold_and_release_counts(fs: CountedFileSystem) -> None:
    quotas = Quotas(held_bundles=3)
    held, other = spool_in(fs, quotas).held, spool_in(fs, quotas).held
    other.hold(bundle(1), b"x", each)
    held.hold(bundle(2), b"x", each)
    held.hold(bundle(3), b"x", each)
    with pytest.raises(FullError):
        spool_in(fs, quotas).held.hold(bundle(4), b"x", each)
    other.release(bundle(1))
    held.hold(bundle(4), b"x", each)
    other.release(bundle(2))
    held.expire(late_from(0))
    held.hold(bundle(5), b"x", each)
    assert held.names() == [bundle(3), bundle(4), bundle(5)]


def test_holding_looks_at_what_is_held_once(fs: CountedFileSystem) -> None:
    """Also where it is full: else many who wait would cost their square."""
    held = spool_in(fs, Quotas(held_bundles=100)).held
    held.hold(bundle(0), b"x", each)
    before = fs.looks
    for number in range(1, 100):
        held.hold(bundle(number), b"x", each)
    assert fs.looks - before <= 5 * 99
    before = fs.looks
    for number in range(100, 200):
        with pytest.raises(FullError):
            held.hold(bundle(number), b"x", each)
    assert fs.looks - before <= 5 * 100


def test_expiry() -> None:
    held = spool_in(MemoryFileSystem()).held
    held.hold(bundle(1, expiry_days=9), b"x")
    assert held.expire(late_from(9)) == []
    assert held.expire(late_from(10)) == [bundle(1, expiry_days=9)]
    assert held.names() == []


def test_what_the_disk_cannot_read_is_put_away_and_may_come_again(fs: CountedFileSystem) -> None:
    spool = spool_in(fs)
    spool.held.hold(bundle(1), b"one")
    fs.faults.unreadable = {path: errno.EIO for path in fs.files() if path.startswith("held/")}
    with pytest.raises(GoneError):
        spool.held.read(bundle(1))
    assert (spool.held.names(), len(spool.quarantine.list())) == ([], 1)
    spool.held.release(bundle(1))
    fs.faults.unreadable = {}
    spool.held.hold(bundle(1), b"one")
    assert spool.held.read(bundle(1)) == b"one"
