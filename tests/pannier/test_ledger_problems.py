"""What a daemon tells of ledger files that cannot be read: each thing once, and when it is over."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import DamagedError
from pannier.daemon import Daemon, Telling
from pannier.errors import PannierError
from pannier.ledger_problems import LedgerProblems
from pannier.node import Node
from tests.sim.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ["ada"]) as world:
        for ledger in ("log", "other"):
            world.found("ada", ledger=ledger)
            world.put("ada", "well", 1, ledger)
        yield world


@pytest.fixture
def path(world: World) -> Path:
    path = world.store("ada").path
    world.reopen("ada")
    return path


def put_in_place(good: bytes, path: Path) -> None:
    """As a repair does: it is another file."""
    mended = path.with_suffix(".mended")
    mended.write_bytes(good)
    mended.replace(path)


class Watched:
    """Rounds of one piece of work each, as a daemon does them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: list[str] = []
        self.problems = LedgerProblems(self.said.append)

    def round(self, damaged: Path | None = None) -> list[str]:
        """Return what is said in a round; *damaged*: in this file something is found meanwhile."""
        self.said.clear()
        self.world.reopen("ada")
        node = self.world["ada"]
        with self.problems.round(), self.problems.watching(node):
            if damaged is not None:
                find(node, damaged)
        return list(self.said)


def find(node: Node, damaged: Path) -> None:
    """Come upon what is wrong deep in a file."""
    list(node.ledgers())
    error = DamagedError("an entry is not what it was")
    error.path = damaged
    assert node.leave(error)


def test_a_daemon_tells_of_it_once_and_when_it_is_over(
    world: World, path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    world.configure("ada", f'[transport.drop]\npath = "{folder}"\n')
    said = list[str]()

    def opened() -> Node:
        world.reopen("ada")
        return world["ada"]

    telling = Telling(
        say=said.append,
        folder=lambda _, __: [],
        medium=lambda _, __: [],
        imported=lambda _: [],
    )
    daemon, good = Daemon(opened, telling), path.read_bytes()

    def look() -> list[str]:
        said.clear()
        daemon.look_everywhere()
        return list(said)

    for _ in range(2):
        assert look() == []
        path.write_bytes(b"nothing of a ledger")
        (line,) = look()
        assert line.startswith(f"{path} is not a ledger file")
        assert look() == []
        assert daemon.problems["ledgers"] == [line]
        put_in_place(good, path)
        assert look() == [f"{path} can be read again"]
        assert not any(daemon.problems.values())


def test_what_only_some_rounds_notice_is_not_told_again_and_again(world: World, path: Path) -> None:
    watched, good = Watched(world), path.read_bytes()
    (line,) = watched.round(damaged=path)
    assert "an entry is not what it was" in line
    for damaged in (None, path, None, None, path):
        assert watched.round(damaged=damaged) == []
        assert watched.problems.lines() == [line]
    put_in_place(good, path)
    assert watched.round() == [f"{path} can be read again"]
    assert watched.problems.lines() == []
    assert watched.round(damaged=path) == [line]


def test_it_is_not_over_before_a_round_has_looked(world: World, path: Path) -> None:
    watched, good = Watched(world), path.read_bytes()
    path.write_bytes(b"nothing of a ledger")
    (line,) = watched.round()
    with watched.problems.round():
        pass
    copy = path.with_name("a copy.db")
    shutil.copy(path, copy)
    with pytest.raises(PannierError):
        watched.round()
    copy.unlink()
    assert watched.problems.lines() == [line]
    assert watched.round() == []
    put_in_place(good, path)
    assert watched.round() == [f"{path} can be read again"]


def test_a_file_that_is_gone_cannot_be_read_again(world: World, path: Path) -> None:
    watched = Watched(world)
    path.write_bytes(b"nothing of a ledger")
    assert len(watched.round()) == 1
    path.unlink()
    assert watched.round() == [f"{path} is gone"]
