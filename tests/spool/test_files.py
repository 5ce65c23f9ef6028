import errno
from collections.abc import Callable
from itertools import count

import pytest

from spool.errors import ConflictError, FullError, GoneError, SpoolError, StorageError
from spool.file_system import Facts
from spool.files import Files, Order, Write
from tests.faults import Faults, MemoryFileSystem, counting_entropy
from tests.spool.samples import every_crash

PATHS = ("out/peer/a", "out/peer/b", "in/c")
GROUP = [Write(path, path.encode() * 9, Order.SAME) for path in PATHS]
WHOLE = {write.path: write.data for write in GROUP}


def files_in(fs: MemoryFileSystem, pid: int = 1) -> Files:
    return Files(fs, entropy=counting_entropy(), pid=pid)


def fresh() -> MemoryFileSystem:
    fs = MemoryFileSystem()
    fs.make_folder("tmp")
    fs.sync([""])
    return fs


def visible(fs: MemoryFileSystem) -> dict[str, bytes]:
    return {path: data for path, data in fs.files().items() if not path.startswith("tmp/")}


def test_a_group_is_all_or_nothing_under_each_name_after_any_crash() -> None:
    found_part = 0
    for fs, finished in every_crash(fresh, lambda fs: files_in(fs).publish(GROUP)):
        found = visible(fs)
        assert found.items() <= WHOLE.items()
        if finished:
            assert found == WHOLE
        found_part += not finished and bool(found)
        files_in(fs, pid=2).publish(GROUP)
        assert visible(fs) == WHOLE
    assert found_part > 3


def test_replacing_leaves_the_old_or_the_new_after_any_crash() -> None:
    def prepare() -> MemoryFileSystem:
        fs = fresh()
        files_in(fs).replace("a", b"old")
        return fs

    for fs, finished in every_crash(prepare, lambda fs: files_in(fs, pid=3).replace("a", b"new")):
        assert visible(fs)["a"] in ((b"new",) if finished else (b"old", b"new"))


def test_moving_never_loses_the_file_where_renames_are_one_step() -> None:
    def prepare() -> MemoryFileSystem:
        fs = fresh()
        files_in(fs).replace("in/a", b"data")
        return fs

    for fs, finished in every_crash(prepare, lambda fs: files_in(fs).move("in/a", "bad/x/a")):
        if finished:
            assert visible(fs) == {"bad/x/a": b"data"}


def test_a_group_costs_two_flushes_however_many_files() -> None:
    fs = fresh()
    fs.steps.clear()
    files_in(fs).publish(Write(f"in/{n}", b"x", Order.SAME) for n in range(100))
    assert sum(step.startswith("sync") for step in fs.steps) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("lasts", [False, True])
def test_an_error_at_any_step_is_of_this_room_and_can_be_repeated(number: int, lasts: bool) -> None:
    kind = FullError if number in (errno.ENOSPC, errno.EDQUOT) else StorageError
    for fail_at in count():
        fs = fresh()
        fs.steps.clear()
        fs.faults = Faults(fail_at=fail_at, error=number, lasts=lasts)
        try:
            files_in(fs).publish(GROUP)
        except SpoolError as error:
            assert type(error) is kind  # noqa: PT017 - which step fails is not known here
        else:
            assert fail_at > len(GROUP) * 4
            return
        fs.faults = Faults()
        assert visible(fs).items() <= WHOLE.items()
        if not lasts:
            assert [path for path in fs.files() if path.startswith("tmp/")] == []
        files_in(fs, pid=2).publish(GROUP)
        assert visible(fs) == WHOLE


def test_create_new_refuses_what_exists() -> None:
    fs = fresh()
    files_in(fs).create_new("a", b"one")
    with pytest.raises(ConflictError):
        files_in(fs, pid=2).create_new("a", b"one")
    assert fs.files() == {"a": b"one"}


@pytest.mark.parametrize("other", [b"two", b"longer", b""])
def test_create_same_refuses_other_bytes(other: bytes) -> None:
    fs = fresh()
    files_in(fs).create_same("a", b"one")
    with pytest.raises(ConflictError):
        files_in(fs, pid=2).create_same("a", other)
    assert fs.files() == {"a": b"one"}


def test_create_same_makes_durable_what_another_process_left_in_the_air() -> None:
    fs = fresh()
    fs.create("a", [b"one"])
    files_in(fs).create_same("a", b"one")
    assert fs.after_power_cut(lambda _: False).files() == {"a": b"one"}


class _Meddling(MemoryFileSystem):
    """Lets another process act just before the first rename."""

    def __init__(self, meddle: Callable[[MemoryFileSystem], object]) -> None:
        super().__init__()
        self._meddle: Callable[[MemoryFileSystem], object] | None = meddle

    def rename_new(self, old: str, new: str) -> None:
        if self._meddle is not None:
            meddle, self._meddle = self._meddle, None
            meddle(self)
        super().rename_new(old, new)


def test_two_processes_publish_the_same_at_once() -> None:
    fs = _Meddling(lambda fs: fs.create("out/a", [b"one"]))
    fs.make_folder("tmp")
    files_in(fs).create_same("out/a", b"one")
    assert fs.files() == {"out/a": b"one"}


def test_two_processes_publish_different_bytes_at_once() -> None:
    fs = _Meddling(lambda fs: fs.create("out/a", [b"two"]))
    fs.make_folder("tmp")
    with pytest.raises(ConflictError):
        files_in(fs).create_same("out/a", b"one")
    assert fs.files() == {"out/a": b"two"}


@pytest.mark.parametrize("step", ["inspect", "read"])
def test_another_process_has_the_same_and_is_done_with_it_at_once(step: str) -> None:
    class Fleeting(_Meddling):
        def inspect(self, path: str) -> Facts | None:
            self._take_away(path, "inspect")
            return super().inspect(path)

        def read(self, path: str, *, limit_bytes: int) -> bytes:
            self._take_away(path, "read")
            return super().read(path, limit_bytes=limit_bytes)

        def _take_away(self, path: str, at: str) -> None:
            if at == step and path in self.files():
                taken.append(path)
                super().remove(path)

    taken: list[str] = []
    fs = Fleeting(lambda fs: fs.create("out/a", [b"one"]))
    fs.make_folder("tmp")
    files_in(fs).create_same("out/a", b"one")
    assert "out/a" in taken
    assert fs.files() == {"out/a": b"one"}


def test_another_process_removes_the_folder_as_empty() -> None:
    fs = _Meddling(lambda fs: fs.remove_folder("out"))
    fs.make_folder("tmp")
    files_in(fs).create_same("out/a", b"one")
    assert fs.files() == {"out/a": b"one"}


def test_a_temporary_file_taken_away_is_an_error() -> None:
    def remove_all(fs: MemoryFileSystem) -> None:
        for path in fs.files():
            fs.remove(path)

    fs = _Meddling(remove_all)
    fs.make_folder("tmp")
    with pytest.raises(StorageError, match="temporary"):
        files_in(fs).create_same("out/a", b"one")


def test_moving_what_is_gone_is_no_error() -> None:
    fs = fresh()
    assert files_in(fs).move("in/a", "bad/a") is False


def test_reading_what_is_gone() -> None:
    with pytest.raises(GoneError):
        files_in(fresh()).read("a", limit_bytes=1)


def test_reading_what_is_too_long() -> None:
    fs = fresh()
    files_in(fs).replace("a", b"12")
    with pytest.raises(StorageError):
        files_in(fs).read("a", limit_bytes=1)


def test_sweeping_removes_only_what_nobody_will_finish() -> None:
    fs = fresh()
    day_ns = 86_400 * 10**9
    for name in (
        "1-" + "0" * 16,
        "2-" + "0" * 16,
        "notes.txt",
        "2-short",
        "9" * 20 + "-" + "0" * 16,
    ):
        fs.create(f"tmp/{name}", [b"x"])
    fs.make_folder("tmp/2-" + "1" * 16)
    files_in(fs).sweep(is_alive=lambda pid: pid == 1, now_ns=day_ns)
    assert sorted(fs.files()) == ["tmp/1-" + "0" * 16, "tmp/2-short", "tmp/notes.txt"]
    files_in(fs).sweep(is_alive=lambda _: True, now_ns=2 * day_ns)
    assert sorted(fs.files()) == ["tmp/2-short", "tmp/notes.txt"]
