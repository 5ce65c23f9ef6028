import errno
import fcntl
import os
from mmap import mmap
from pathlib import Path
from random import Random

import pytest

from spool.long_file import LongWriter, read_long

_DIRECT: int = getattr(os, "O_DIRECT", 0)
_LONG = 5 * 2**20 + 12_345
_ALL = Random(7).randbytes(_LONG)


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)


def content(size: int) -> bytes:
    return _ALL[:size]


def write(descriptor: int, data: bytes, step: int, rooms: list[memoryview] | None = None) -> None:
    with LongWriter(descriptor, [] if rooms is None else rooms) as writer:
        for at in range(0, len(data), step):
            assert writer.add(data[at : at + step]) == len(data[at : at + step])
        writer.finish()


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 4097, _LONG])
@pytest.mark.parametrize("step", [50_001, 3 * 2**20])
def test_what_was_added_is_in_the_file(
    descriptor: int, tmp_path: Path, size: int, step: int
) -> None:
    write(descriptor, content(size), step)
    assert (tmp_path / "file").read_bytes() == content(size)
    assert not fcntl.fcntl(descriptor, fcntl.F_GETFL) & _DIRECT


def test_what_was_put_in_may_change_at_once(descriptor: int, tmp_path: Path) -> None:
    with LongWriter(descriptor, []) as writer:
        for number in range(50):
            part = bytearray([number]) * 100_000
            writer.add(memoryview(part))
            part[:] = bytes(len(part))
        writer.finish()
    assert (tmp_path / "file").read_bytes() == b"".join(bytes([n]) * 100_000 for n in range(50))


def test_memory_is_used_again(tmp_path: Path) -> None:
    rooms: list[memoryview] = []
    for number in range(3):
        descriptor = os.open(tmp_path / str(number), os.O_WRONLY | os.O_CREAT)
        write(descriptor, content(_LONG - number), 99_999, rooms)
        assert len({id(room) for room in rooms}) == len(rooms) == 2
    assert (tmp_path / "2").read_bytes() == content(_LONG - 2)


def test_a_disk_that_takes_a_part_at_a_time_gets_all(
    descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:70_001]))
    write(descriptor, content(_LONG), 99_999)
    assert (tmp_path / "file").read_bytes() == content(_LONG)


def test_what_the_disk_says_is_passed_on(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    rooms: list[memoryview] = []
    with pytest.raises(OSError, match="No space left"):
        write(descriptor, content(2**20), 99_999, rooms)
    with pytest.raises(OSError, match="No space left"):
        write(descriptor, content(_LONG), 99_999, rooms)


@pytest.mark.skipif(not _DIRECT, reason="this system knows no other way itself")
def test_a_file_system_that_knows_no_other_way_gets_the_usual_one(
    descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = os.write, 0

    def write_usual(file: int, data: memoryview) -> int:
        nonlocal refused
        if fcntl.fcntl(file, fcntl.F_GETFL) & _DIRECT:
            refused += 1
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(file, data)

    monkeypatch.setattr(os, "write", write_usual)
    write(descriptor, content(_LONG), 99_999)
    assert refused
    assert (tmp_path / "file").read_bytes() == content(_LONG)


@pytest.mark.parametrize("size", [0, 1, 2**20, _LONG])
@pytest.mark.parametrize("before", [0, 1])
def test_a_file_is_read_wherever_the_room_begins(tmp_path: Path, size: int, before: int) -> None:
    (tmp_path / "file").write_bytes(content(size))
    room = memoryview(mmap(-1, _LONG + 4096))[before:]
    with (tmp_path / "file").open("rb", buffering=0) as file:
        assert read_long(file.fileno(), room, size) == size
        assert bytes(room[:size]) == content(size)
        assert not fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & _DIRECT


def test_a_bad_sector_is_not_tried_again_in_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stick takes its time for each try."""
    (tmp_path / "file").write_bytes(content(_LONG))
    tries: list[int] = []

    def fail(file: int, _rooms: list[memoryview]) -> int:
        tries.append(file)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "readv", fail)
    with (
        (tmp_path / "file").open("rb", buffering=0) as file,
        pytest.raises(OSError, match="Input/output"),
    ):
        read_long(file.fileno(), memoryview(mmap(-1, _LONG)), _LONG)
    assert len(tries) == 1


def test_a_file_that_became_shorter_gives_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content(3 * 2**20 + 7))
    room = memoryview(mmap(-1, _LONG))
    with (tmp_path / "file").open("rb", buffering=0) as file:
        assert read_long(file.fileno(), room, _LONG) == 3 * 2**20 + 7
        assert bytes(room[: 3 * 2**20 + 7]) == content(3 * 2**20 + 7)
