"""Whole nodes on a real exFAT stick: both ways, filled to the last byte, pulled in the middle."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pannier import exchange
from pannier.answers import questions
from pannier.node import Node
from spool.name import BundleName
from tests.sim.world import World, assert_equal, data_queue, fragments
from tests.transports.test_real_media import EXFAT_TOOLS, mounted_exfat, needs, run
from transports.errors import TransportError
from transports.questions import Questions

pytestmark = [pytest.mark.root, needs(*EXFAT_TOOLS, "mount", "umount")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as world:
        world.found("ada", "bea")
        yield world


def new_image(tmp_path: Path, name: str, size_bytes: int = 16 << 20) -> Path:
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(size_bytes)
    run("mkfs.exfat", path)
    return path


def test_an_exchange_both_ways_on_exfat(tmp_path: Path, world: World) -> None:
    image = new_image(tmp_path, "stick.img")
    world.put_many("ada", 500)
    for name in ("ada", "bea"):
        with mounted_exfat(tmp_path / "stick", image) as stick:
            assert world.exchange(name, stick).problems == []
    world.put("bea", "thing/1", "from bea")
    for name in ("bea", "ada", "bea"):
        with mounted_exfat(tmp_path / "stick", image) as stick:
            assert world.exchange(name, stick).problems == []
    assert_equal(world, ["ada", "bea"])
    assert data_queue(world["ada"]) == data_queue(world["bea"]) == []


def test_a_stick_filled_to_the_last_byte_loses_nothing_and_says_so(
    tmp_path: Path, world: World
) -> None:
    image = new_image(tmp_path, "small.img")
    world.put_many("ada", 2000)
    with mounted_exfat(tmp_path / "stick", image) as stick:
        fill(stick / "holiday.mov")
        with pytest.raises(TransportError, match="full"):
            world.exchange("ada", stick)
        (stick / "holiday.mov").unlink()
        world.exchange("bea", stick)  # now it is a medium
        fill(stick / "holiday.mov")
        done = world.exchange("ada", stick)
        assert "no room" in " ".join(done.problems)
        assert done.written == {}
        assert fragments(stick) == []
        assert [path.name for path in stick.rglob("*.tmp-*")] == []
        assert len(data_queue(world["ada"])) == 1
        (stick / "holiday.mov").unlink()
        assert world.exchange("ada", stick).problems == []
    with mounted_exfat(tmp_path / "stick", image) as stick:
        world.exchange("bea", stick)
    assert_equal(world, ["ada", "bea"])


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(os.urandom(size))
            except OSError:
                size //= 2


def test_a_stick_pulled_in_the_middle_loses_nothing_and_says_so(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = new_image(tmp_path, "pulled.img")
    world.put_many("ada", 2000)
    stick = tmp_path / "stick"

    def pulling(node: Node) -> Questions:
        asked = questions(node)

        def pull_then_yield(peer: str, name: BundleName) -> Iterator[bytes | memoryview]:
            subprocess.run(["umount", "-l", stick], check=True)
            yield from asked.fragments(peer, name)

        return asked._replace(fragments=pull_then_yield)

    with (
        suppress(subprocess.CalledProcessError),  # of the umount at the end
        mounted_exfat(stick, image),
        monkeypatch.context() as patch,
    ):
        patch.setattr(exchange, "questions", pulling)
        done = world.exchange("ada", stick)
    assert done.problems
    assert done.is_gone or done.written == {}
    assert fragments(stick) == [], "written to the disk below the mount point"
    assert len(data_queue(world["ada"])) == 1
    again = new_image(tmp_path, "again.img")
    for name in ("ada", "bea"):
        with mounted_exfat(stick, again):
            assert world.exchange(name, stick).problems == []
    assert_equal(world, ["ada", "bea"])
