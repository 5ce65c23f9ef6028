"""What peers hold by ``node.db`` is compared with the logs that are here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.cli.repair import ask_each_anew
from pannier.held_check import misheld, misheld_lines
from tests.sim.world import World, assert_equal


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        for number in range(5):
            world.put("ada", f"thing {number}", number)
        world.rounds(("ada", "bea"), 3)
        world.put("bea", "thing", "of bea")
        world.rounds(("ada", "bea"), 3)
        for name in ("ada", "bea"):
            assert misheld(world[name]) == []
        yield world


@pytest.mark.parametrize(
    ("sql", "is_own"),
    [
        ("size = size + 64", True),
        ("size = size - 1", True),
        ("size = size - 1, root = x'00'", True),
        ("root = zeroblob(length(root))", True),
        ("root = zeroblob(length(root))", False),
    ],
)
def test_a_peer_that_cannot_hold_that_is_asked_anew(
    world: World, sql: str, *, is_own: bool
) -> None:
    node = world["ada"]
    (peer,) = node.peers
    which = "author = ?" if is_own else "author != ?"
    assert node.db.run(f"UPDATE held SET {sql} WHERE {which}", node.card.author)  # noqa: S608
    (line,) = misheld_lines(node, misheld(node))
    assert line.startswith("node.db: bea cannot hold ")
    world.put("ada", "late", 1)
    assert ask_each_anew(node) == [peer]
    assert misheld(node) == []
    assert ask_each_anew(node) == []
    world.rounds(("ada", "bea"), 3)
    assert_equal(world, ("ada", "bea"))
    assert misheld(world["ada"]) == []


def test_a_peer_may_hold_more_of_what_others_wrote(world: World) -> None:
    node = world["ada"]
    node.db.run("UPDATE held SET size = size + 64 WHERE author != ?", node.card.author)
    assert misheld(node) == []


def test_of_a_log_with_two_histories_a_peer_may_hold_the_other(world: World) -> None:
    node, store = world["ada"], world.store("ada")
    store.run("UPDATE log SET status = 1")
    node.db.run("UPDATE held SET root = zeroblob(length(root))")
    assert misheld(node) == []


def test_a_ledger_that_cannot_be_read_is_passed_over(world: World) -> None:
    path = world.store("ada").path
    world.reopen("ada")
    path.write_bytes(b"no ledger")
    assert misheld(world["ada"]) == []


def test_where_nothing_was_noted_nothing_is_wrong(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        assert misheld(world["ada"]) == []
