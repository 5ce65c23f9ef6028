import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from spool.file_system import Kind
from spool.os_file_system import OsFileSystem
from tests.contracts.file_system import FileSystemContract


class TestOsFileSystem(FileSystemContract):
    @pytest.fixture
    def fs(self, tmp_path: Path) -> OsFileSystem:
        return OsFileSystem(tmp_path)


class TestWithoutHardLinks(FileSystemContract):
    """FAT and exFAT have none."""

    @pytest.fixture
    def fs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OsFileSystem:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        return OsFileSystem(tmp_path)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_no_link_is_followed_at_any_level(root: Path, outside: Path) -> None:
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "real").write_bytes(b"ours")
    fs = OsFileSystem(root)
    for call in (
        lambda: list(fs.names("folder")),
        lambda: fs.read("file", limit_bytes=99),
        lambda: fs.read("folder/secret", limit_bytes=99),
        lambda: fs.create("folder/new", [b"x"]),
        lambda: fs.create("file", [b"x"]),
        lambda: fs.remove("folder/secret"),
        lambda: fs.rename("real", "folder/secret"),
        lambda: fs.make_folder("folder/new"),
        lambda: fs.inspect("folder/secret"),
    ):
        with pytest.raises(OSError, match=r"directory|symbolic|exists"):
            call()
    found = fs.inspect("file")
    assert found is not None
    assert found.kind is Kind.OTHER
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"secret": b"secret"}


def test_renaming_onto_a_link_replaces_the_link(root: Path, outside: Path) -> None:
    (root / "file").symlink_to(outside / "secret")
    fs = OsFileSystem(root)
    fs.create("new", [b"new"])
    fs.rename("new", "file")
    assert (outside / "secret").read_bytes() == b"secret"
    assert (root / "file").read_bytes() == b"new"


def test_only_regular_files_are_read(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        fs = OsFileSystem(root)
        for name in ("fifo", "socket"):
            with pytest.raises(OSError, match=r"regular|No such device"):
                fs.read(name, limit_bytes=99)
            with pytest.raises(OSError, match=r"regular|No such device"):
                fs.read_into(name, memoryview(bytearray(99)))
            found = fs.inspect(name)
            assert found is not None
            assert found.kind is Kind.OTHER


@pytest.mark.skipif(os.getuid() != 0 and not os.environ.get("CI"), reason="needs root")
@pytest.mark.root
def test_a_device_is_not_read(root: Path) -> None:
    os.mknod(root / "zero", 0o20666, os.makedev(1, 5))
    with pytest.raises(OSError, match="regular"):
        OsFileSystem(root).read("zero", limit_bytes=99)


@pytest.mark.parametrize("size", [0, 5, (4 << 20) - 1, (8 << 20) + 3])
def test_a_file_is_read_into_a_room_that_holds_it(root: Path, size: int) -> None:
    fs, data = OsFileSystem(root), (bytes(range(251)) * (size // 251 + 1))[:size]
    assert fs.create("new", [data[:7], memoryview(data)[7:]]) == size
    room = memoryview(bytearray(size + 2))
    assert fs.read_into("new", room) == size
    assert room == data + bytes(2)
    assert fs.read_into("new", room[:size]) == size
    if size:
        with pytest.raises(OSError, match="longer than"):
            fs.read_into("new", room[: size - 1])


def test_names_that_are_not_utf_8(root: Path) -> None:
    raw = os.fsencode(root) + b"/\xff\xfe"
    with open(raw, "wb") as file:  # noqa: PTH123 - no Path holds these bytes
        file.write(b"x")
    fs = OsFileSystem(root)
    (name,) = fs.names("")
    assert fs.read(name, limit_bytes=1) == b"x"


def test_a_root_that_moves_to_another_device_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs = OsFileSystem(root)
    monkeypatch.setattr(fs, "_device", -1)
    with pytest.raises(OSError, match="device is gone"):
        fs.create("a", [b"x"])
    assert list(root.iterdir()) == []


def test_a_missing_root_is_refused(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OsFileSystem(root / "missing")


def test_who_has_patience_gets_the_lock_in_turn(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as held:
        held.enter_context(OsFileSystem(root).lock("lock"))
        monkeypatch.setattr("spool.os_file_system.time.sleep", lambda _: held.close())
        with OsFileSystem(root, patience_seconds=60).lock("lock"):
            pass


def test_a_lock_of_a_killed_process_is_free(root: Path) -> None:
    program = (
        "import sys,time,pathlib; from spool.os_file_system import OsFileSystem\n"
        "with OsFileSystem(pathlib.Path(sys.argv[1])).lock('lock'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        fs = OsFileSystem(root)
        with pytest.raises(BlockingIOError), fs.lock("lock"):
            pass
        process.kill()
        process.wait()
        with fs.lock("lock"):
            pass
