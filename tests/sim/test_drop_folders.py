"""Whole nodes on a drop folder that other tools serve: rsync --inplace, and Syncthing's ways."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pannier.exchange import Exchanged
from spool.os_file_system import OsFileSystem
from tests.sim.world import World, assert_equal, data_queue, fragments


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as world:
        world.found("ada", "bea")
        world.put_many("ada", 3000)
        yield world


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that a transport reads."""
    names: list[str] = []
    read = OsFileSystem.read

    def recording(self: OsFileSystem, path: str, *, limit_bytes: int) -> bytes:
        names.append(path.rpartition("/")[2])
        return read(self, path, limit_bytes=limit_bytes)

    monkeypatch.setattr(OsFileSystem, "read", recording)
    return names


def temporary(names: list[str]) -> list[str]:
    return [name for name in names if "tmp" in name or "conflict" in name or name.endswith("part")]


@pytest.mark.root
@pytest.mark.skipif(
    shutil.which("rsync") is None and not os.environ.get("CI"), reason="needs rsync"
)
def test_rsync_inplace(tmp_path: Path, world: World, opened: list[str]) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    for _ in range(3):
        world.exchange("ada", here)
        carry_by_rsync(here, there, lambda: world.exchange("bea", there))
        carry_by_rsync(there, here, lambda: world.exchange("ada", here))
    assert_equal(world, ["ada", "bea"])
    assert data_queue(world["ada"]) == data_queue(world["bea"]) == []
    assert temporary(opened) == []


def carry_by_rsync(source: Path, target: Path, look: Callable[[], Exchanged]) -> None:
    """Copy slowly and in place, while the other end keeps looking."""
    command = ["rsync", "-a", "--inplace", "--bwlimit=400", "--exclude=medium.json"]
    with subprocess.Popen([*command, f"{source}/", f"{target}"]) as process:
        while process.poll() is None:
            look()
    assert process.returncode == 0
    look()


def test_an_imitation_of_syncthing(tmp_path: Path, world: World, opened: list[str]) -> None:
    """Temporary names, conflict copies and late parts, as Syncthing makes them."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    world.exchange("ada", here)
    (path,) = fragments(here)
    data = path.read_bytes()
    folder = there / path.relative_to(here).parent
    folder.mkdir(parents=True)
    late = folder / f".syncthing.{path.name}.tmp"
    late.write_bytes(data[: len(data) // 2])
    (folder / f"~syncthing~{path.name}.tmp").write_bytes(data[:100])
    conflict = path.name.replace(".pnr", ".sync-conflict-20260301-120000-ABCDEFG.pnr")
    (folder / conflict).write_bytes(data[: len(data) // 3])
    (folder / f"{path.name}.part").write_bytes(data[:9])
    assert not world.exchange("bea", there).report.outcomes
    late.write_bytes(data)
    late.rename(folder / path.name)
    world.exchange("bea", there)
    assert_equal(world, ["ada", "bea"])
    assert temporary(opened) == []
    assert (folder / conflict).exists(), "nobody else's file is touched"
