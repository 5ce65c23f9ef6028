from collections.abc import Iterator

import pytest

from spool.name import FragmentName
from tests.faults import KEEPS, CrashError, MemoryFileSystem
from tests.transports.toy import medium_in
from transports.errors import MediumFullError
from transports.medium import fragment_path

MARK = "0badcafe"
DAY_NS = 86_400 * 10**9
PATHS = {
    fragment_path(FragmentName(3, 9, "0" * 8, f"{n:x}" * 16, 0)): bytes([n]) * 9 for n in range(4)
}


def _publish(fs: MemoryFileSystem) -> None:
    files = medium_in(fs).files
    files.sweep(mark=MARK, now_ns=0)
    for path, data in PATHS.items():
        files.stage(path, [data[:4], data[4:]], mark=MARK)
    assert files.publish(PATHS, mark=MARK) == {}


def _after_every_crash() -> Iterator[tuple[MemoryFileSystem, bool]]:
    for crash_at in range(1000):
        fs = MemoryFileSystem()
        medium_in(fs)
        fs.steps.clear()
        fs.faults.crash_at = crash_at
        try:
            _publish(fs)
        except CrashError:
            pass
        yield fs.after_kill(), not fs.is_dead
        for keep in KEEPS:
            yield fs.after_power_cut(keep), not fs.is_dead
        if not fs.is_dead:
            assert crash_at > 15
            return


def test_a_name_is_never_without_its_bytes_after_any_crash() -> None:
    part = 0
    for fs, finished in _after_every_crash():
        found = {path: data for path, data in fs.files().items() if path.endswith(".pnr")}
        assert found.items() <= PATHS.items()
        if finished:
            assert found == PATHS
        part += 0 < len(found) < len(PATHS)
        _publish(fs)
        assert [path for path in fs.files() if ".tmp-" in path] == []
    assert part > 3


def test_a_group_costs_two_flushes() -> None:
    fs = MemoryFileSystem()
    medium_in(fs)
    fs.steps.clear()
    _publish(fs)
    assert sum(step.startswith("sync") for step in fs.steps) == 2


def test_what_does_not_fit_leaves_nothing() -> None:
    fs = MemoryFileSystem(capacity_bytes=4 * 4096)
    files = medium_in(fs).files
    before = fs.files()
    with pytest.raises(MediumFullError):
        files.stage("pannier/00/x", [bytes(4096)] * 9, mark=MARK)
    assert fs.files() == before


def test_what_the_source_raises_passes_through_and_leaves_nothing() -> None:
    fs = MemoryFileSystem()
    files = medium_in(fs).files
    before = fs.files()
    with pytest.raises(ZeroDivisionError):
        files.stage("pannier/00/x", (b"x" * (1 // n) for n in (1, 0)), mark=MARK)
    assert fs.files() == before


def test_a_name_that_cannot_be_given_does_not_stop_the_others() -> None:
    fs = MemoryFileSystem()
    files = medium_in(fs).files
    blocked = next(iter(PATHS))
    fs.make_folder(blocked.rpartition("/")[0])
    fs.make_folder(blocked)
    for path, data in PATHS.items():
        files.stage(path, [data], mark=MARK)
    assert list(files.publish(PATHS, mark=MARK)) == [blocked]
    assert {path for path in fs.files() if path.endswith(".pnr")} == set(PATHS) - {blocked}
    assert [path for path in fs.files() if ".tmp-" in path] == []


def test_sweeping_spares_what_others_write() -> None:
    fs = MemoryFileSystem()
    files = medium_in(fs).files
    name = next(iter(PATHS)).rpartition("/")[2]
    ours, others = f".{name}.tmp-{MARK}", f".{name}.tmp-12345678"
    foreign = [f".syncthing.{name}.tmp", f"{name}.part", f".{ours}.AbCdEf", ".x.tmp-0badcafe"]
    for each in (ours, others, *foreign):
        fs.create(f"pannier/{each}", [b"x"])
    kept = {f"pannier/{each}" for each in (others, *foreign)}
    files.sweep(mark=MARK, now_ns=DAY_NS)
    assert kept <= set(fs.files())
    assert f"pannier/{ours}" not in fs.files()
    files.sweep(mark=MARK, now_ns=2 * DAY_NS)
    assert kept - set(fs.files()) == {f"pannier/{others}"}
