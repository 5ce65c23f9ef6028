"""What a peer leaves out goes to it no more, and yet comes when it would take it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.members import Role, members
from ledger.views import things
from pannier.left_out import LEFT_OUT
from pannier.membership import author_named, revoke, share
from tests.pannier.links.wire import Wire
from tests.sim.world import World, assert_equal

DAYS = 40
BETWEEN = 2


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Cyd was removed from one of two ledgers, does not know it, and writes on."""
    with World(tmp_path, ("ada", "cyd", "bea")) as made:
        made.found("ada", "cyd", "bea")
        made.found("ada", "cyd", "bea", ledger="other")
        made.put("ada", "begun", 1)
        made.rounds(made.names, 3)
        made.put("cyd", "before", 1)
        made.rounds(made.names, 3)
        remove(made)
        made.put("cyd", "void", 1)
        yield made


def remove(world: World) -> None:
    ada, store = world["ada"], world.store("ada")
    revoke(ada, store, [author_named(ada, store, "cyd")])


def made_for_ada(world: World) -> list[str]:
    """Return the bundles with entries that cyd ever made for ada, by what became of them."""
    found = world["cyd"].db.rows(
        "SELECT state FROM bundle WHERE peer = ? AND NOT control", world["ada"].card.node_id
    )
    return sorted(str(state) for (state,) in found)


def lacked(world: World) -> int:
    """Return how many bundles with entries cyd made for ada because of one more meeting."""
    before = len(made_for_ada(world))
    world.rounds(("cyd", "ada", "cyd"), 1)
    return len(made_for_ada(world)) - before


def in_the_other(world: World, thing: str) -> None:
    """Something that travels, whatever happens to the ledger that cyd was removed from."""
    world.put("ada", thing, 1, "other")


def test_over_a_link_it_goes_once(world: World) -> None:
    before = len(made_for_ada(world))
    wire = Wire(world, "cyd", "ada")
    wire.open()
    wire.run(10)
    in_the_other(world, "so that they go on talking")
    wire.run(10)
    wire.close()
    assert len(made_for_ada(world)) - before <= 2
    assert made_for_ada(world).count(LEFT_OUT) >= 1
    assert "queued" not in made_for_ada(world)
    assert assert_equal(world, ("ada", "cyd"), "other")


def test_by_stick_it_goes_ever_more_rarely(world: World) -> None:
    before, on_days = len(made_for_ada(world)), []
    for day in range(0, DAYS, BETWEEN):
        in_the_other(world, f"on day {day}")
        if lacked(world):
            on_days.append(day)
        world.clock.pass_days(BETWEEN)
    assert len(on_days) <= 8, on_days
    assert on_days[-1] >= DAYS // 2, "and yet it does: who was wrong must come round"
    assert len(made_for_ada(world)) - before <= 9


def test_what_is_new_still_goes(world: World) -> None:
    lacked(world)
    assert lacked(world) == 0
    world.put("cyd", "more", 2)
    assert lacked(world) == 1
    assert lacked(world) == 0


def test_who_is_taken_back_is_sent_at_once_what_it_left_out(world: World) -> None:
    lacked(world)
    assert lacked(world) == 0
    ada = world["ada"]
    assert share(ada, world.store("ada"), ada.peer_named("cyd"), Role.WRITER)
    world.rounds(world.names, 3)
    assert world["cyd"].card.author in members(world.store("cyd"))
    world.put("cyd", "again", 3)
    world.rounds(world.names, 3)
    for name in world.names:
        assert {"before", "again"} <= set(things(world.store(name)))
        assert "void" not in things(world.store(name))


def test_another_incarnation_of_a_peer_is_asked_anew(world: World) -> None:
    lacked(world)
    assert lacked(world) == 0
    world["ada"].counting.renew(above=world["ada"].counting.incarnation())
    in_the_other(world, "so that ada speaks")
    assert lacked(world) + lacked(world) == 1
    assert lacked(world) == 0
