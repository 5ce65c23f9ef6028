"""A little of `make power`: the power goes out at some calls of each kind of operation."""

import os
import re
from pathlib import Path

import pytest

from tests.proving.power_lab import Laboratory, Thoroughness, describe, scratch, try_all
from tests.proving.power_log import calls, has_strace, record
from tests.proving.power_machine import Machine, lay_out, on_disk
from tests.proving.power_scene import Scene
from tests.proving.power_scenes import SCENES

# Where CI is set, strace is installed: without it the tests fail there, and are not passed over.
pytestmark = pytest.mark.skipif(
    not has_strace() and not os.environ.get("CI"), reason="needs strace, and leave to trace"
)

MUCH = {
    "init": Thoroughness(cuts=3, each=3),
    "settings": Thoroughness(cuts=3, each=3),
    "put": Thoroughness(cuts=3, each=3),
    "exchange": Thoroughness(cuts=1, each=1, random_states=1),
    "backup": Thoroughness(cuts=3, each=3),
    "repair": Thoroughness(cuts=3, each=2, random_states=1),
    "checkout": Thoroughness(cuts=1, each=2, random_states=1),
    "link": Thoroughness(cuts=2, each=2, random_states=1),
}


def scene_of(name: str) -> Scene:
    (scene,) = [one for one in SCENES if one.name == name]
    return scene


@pytest.mark.parametrize("name", MUCH)
def test_nothing_that_was_acknowledged_is_lost(name: str) -> None:
    scene = scene_of(name)
    operations = {step.operation for step in scene.steps if step.operation}
    tried = list(try_all(scene, MUCH[name]))
    assert [describe(loss) for _, loss in tried if loss is not None] == []
    assert {cut.operation for cut, _ in tried} == operations
    assert len(tried) >= 3 * len(operations)


def test_what_was_just_said_is_always_tried(tmp_path: Path) -> None:
    """With nothing but what was synced by then: else promises would be tried by chance."""
    laboratory = Laboratory(scene_of("put"), tmp_path)
    tried = {
        (cut.operation, cut.said.count(b"\n"), cut.state)
        for _, cut in laboratory.play(Thoroughness(cuts=1, each=0))
    }
    lines = {"put, the first": 2, "put": 1, "put --each": 3}
    for operation, count in lines.items():
        for said in range(1, count + 1):
            assert (operation, said, "strict") in tried


WRITES = """
import os, threading
from pathlib import Path
top = Path(os.sys.argv[1])
os.chdir(top)
(top / "folder").mkdir()
with open("folder/file", "wb") as file:
    file.write(b"one two")
    file.seek(2)
    file.write(b"E")
    file.truncate(5)
descriptor = os.open("folder/more", os.O_RDWR | os.O_CREAT | os.O_APPEND)
os.write(descriptor, b"abc")
os.writev(descriptor, [b"d", b"ef"])
os.fsync(descriptor)
again = os.open("folder/more", os.O_WRONLY)
os.pwrite(again, b"g", 7)
os.pwritev(again, [b"h", b"i"], 9)
above = os.open("folder", os.O_RDONLY)
os.link("more", "link", src_dir_fd=above, dst_dir_fd=above)
os.rename("file", "renamed", src_dir_fd=above, dst_dir_fd=above)
os.unlink("more", dir_fd=above)
os.mkdir("empty", dir_fd=above)
os.rmdir(top / "folder" / "empty")
def write():
    Path("folder/by a thread").write_bytes(bytes(100_000))
thread = threading.Thread(target=write)
thread.start()
thread.join()
print("said")
"""


def test_calls_of_all_kinds_are_understood(tmp_path: Path) -> None:
    (tmp_path / "top" / "disk").mkdir(parents=True)
    (tmp_path / "writes.py").write_text(WRITES)
    machine = Machine(tmp_path / "top", ("disk",))
    disk = str(tmp_path / "top" / "disk")
    done = record("writes", [disk], tmp_path / "log", env={"PYTHONPATH": str(tmp_path)})
    assert done.stderr == b""
    for call in calls(tmp_path / "log"):
        machine.apply(call)
    live = machine.disks["disk"].live()
    assert live == on_disk(tmp_path / "top" / "disk")
    assert live["folder/renamed"] == b"onE t"
    assert live["folder/link"] == b"abcdef\0g\0hi"
    assert len(live) == 4
    assert re.fullmatch(rb"said\n", machine.said)
    assert machine.disks["disk"].strict() == {}


def test_what_is_laid_out_is_what_was_there(tmp_path: Path) -> None:
    tree = {"a": None, "a/b": None, "a/b/c": b"content", "d": b"", "d.db-shm": b"made anew"}
    with scratch() as folder:
        lay_out(folder / "disk", tree)
        found = on_disk(folder / "disk")
    assert found == {path: data for path, data in tree.items() if path != "d.db-shm"}
