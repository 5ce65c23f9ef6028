import pytest

from spool.errors import ConflictError, FullError, GoneError
from spool.quotas import Quotas
from tests.faults import MemoryFileSystem
from tests.spool.samples import bundle, every_crash, late_from, spool_in


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


def test_expiry() -> None:
    held = spool_in(MemoryFileSystem()).held
    held.hold(bundle(1, expiry_days=9), b"x")
    assert held.expire(late_from(9)) == []
    assert held.expire(late_from(10)) == [bundle(1, expiry_days=9)]
    assert held.names() == []
