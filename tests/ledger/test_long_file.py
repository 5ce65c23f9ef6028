import errno
import fcntl
import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.long_file import LongReader, LongWriter

_MOST_BYTES = 100_000
_DIRECT: int = getattr(os, "O_DIRECT", 0)
_LONG = 5 * 2**20 + 12_345
_ALL = Random(7).randbytes(_LONG)


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)


def content(size: int) -> bytes:
    return _ALL[:size]


def write(descriptor: int, data: bytes, step: int) -> LongWriter:
    writer = LongWriter(descriptor, _MOST_BYTES)
    for at in range(0, len(data), step):
        part = data[at : at + step]
        writer.room()[: len(part)] = part
        writer.add(len(part))
    return writer


@pytest.mark.parametrize("size", [0, 1, 4096, 2**20, 2**20 + 1, _LONG])
@pytest.mark.parametrize("step", [4096, 99_999])
def test_what_was_added_is_in_the_file(
    descriptor: int, tmp_path: Path, size: int, step: int
) -> None:
    data = content(size)
    writer = write(descriptor, data, step)
    assert writer.size_bytes == size
    writer.flush()
    assert (tmp_path / "file").read_bytes() == data


def test_more_may_come_after_a_flush(descriptor: int, tmp_path: Path) -> None:
    data = content(_LONG)
    writer = write(descriptor, data, 77_777)
    writer.flush()
    for at in range(0, _LONG, 50_000):
        part = data[at : at + 50_000]
        writer.room()[: len(part)] = part
        writer.add(len(part))
    writer.flush()
    assert (tmp_path / "file").read_bytes() == data * 2


def test_a_disk_that_takes_a_part_at_a_time_gets_all(
    descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:70_001]))
    write(descriptor, content(_LONG), 99_999).flush()
    assert (tmp_path / "file").read_bytes() == content(_LONG)


@pytest.mark.skipif(not _DIRECT, reason="this system knows no other way itself")
@pytest.mark.parametrize("name", ["F_SETFL", "write"])
def test_a_file_system_that_knows_no_other_way_gets_the_usual_one(
    descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    refused = refuse_direct(monkeypatch, name)
    write(descriptor, content(_LONG), 99_999).flush()
    assert refused
    assert (tmp_path / "file").read_bytes() == content(_LONG)
    assert bytes(LongReader(_LONG).read(descriptor, 5, _LONG)) == content(_LONG)[5:]


def refuse_direct(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Let the system say at one call that it cannot go past its memory; return how often."""
    refused: list[str] = []
    real_fcntl, real_write, real_read = fcntl.fcntl, os.write, os.preadv

    def is_direct(descriptor: int) -> bool:
        return bool(real_fcntl(descriptor, fcntl.F_GETFL) & _DIRECT)

    def refuse() -> None:
        refused.append(name)
        raise OSError(errno.EINVAL, "Invalid argument")

    def set_flags(descriptor: int, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags & _DIRECT:
            refuse()
        return real_fcntl(descriptor, command, flags)

    def write_usual(descriptor: int, data: memoryview) -> int:
        if is_direct(descriptor):
            refuse()
        return real_write(descriptor, data)

    def read_usual(descriptor: int, rooms: list[memoryview], offset: int) -> int:
        if is_direct(descriptor):
            refuse()
        return real_read(descriptor, rooms, offset)

    if name == "F_SETFL":
        monkeypatch.setattr(fcntl, "fcntl", set_flags)
    else:
        monkeypatch.setattr(os, "write", write_usual)
        monkeypatch.setattr(os, "preadv", read_usual)
    return refused


def test_what_the_disk_says_is_passed_on(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match="No space left"):
        write(descriptor, content(_LONG), 99_999)


@settings(max_examples=30)
@given(offset=st.integers(0, _LONG + 5000), length=st.integers(1, _LONG))
def test_any_part_is_read(
    tmp_path_factory: pytest.TempPathFactory, offset: int, length: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "long"
    if not path.exists():
        path.write_bytes(content(_LONG))
    with path.open("rb") as file:
        found = LongReader(_LONG).read(file.fileno(), offset, length)
        assert bytes(found) == content(_LONG)[offset : offset + length]
        assert not fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & _DIRECT
