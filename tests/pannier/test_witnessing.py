from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.witness_section import WitnessedLog, WitnessSection
from ledger.log import LogStatus, log_origin
from pannier.sending import prepare
from pannier.way import Way
from pannier.witnessing import witness_section
from tests.sim.world import DAY_US, World

SYMBOL_BYTES = 1360


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea", "cyd")
        world.put("ada", "well", 12)
        world.rounds(("ada", "bea", "cyd"), 3)
        world.clock.now_us += 2 * DAY_US
        yield world


def said(
    world: World, name: str, to: str, *, symbol_bytes: int = SYMBOL_BYTES
) -> WitnessSection | None:
    node = world[name]
    return witness_section(Way.to(node, node.peer_named(to), symbol_bytes=symbol_bytes))


def items(section: WitnessSection | None) -> list[WitnessedLog]:
    return [item for _, logs in section.ledgers for item in logs] if section else []


def bring(world: World, name: str, to: str) -> None:
    """Make the bundles for a peer as when a carrier takes them."""
    node = world[name]
    for bundle in prepare(node, node.peer_named(to)):
        node.db.note_written(bundle.bundle_id, "stick", world.clock(), [bundle.peer])


def test_what_is_held_is_countersigned_by_this_node_at_its_time(world: World) -> None:
    store = world.store("bea")
    (item,) = items(said(world, "bea", "cyd"))
    (state,) = [one for one in store.logs() if one.size]
    assert (item.author, item.incarnation) == state.name
    assert item.witnessed.checkpoint == store.last_checkpoint(state)
    own = {one.witness: one for one in item.witnessed.cosignatures}[world["bea"].card.author]
    assert own.time_seconds == world.clock() // 1_000_000
    own.verify(log_origin(store.ledger_id, state.name), item.witnessed.checkpoint)


def test_what_others_countersigned_is_passed_on(world: World) -> None:
    for _ in range(3):
        world.put("cyd", "gate", 1)
        world.clock.now_us += 2 * DAY_US
        world.rounds(("ada", "bea", "cyd"), 3)
    world.clock.now_us += 2 * DAY_US
    of_ada = [
        {one.witness for one in item.witnessed.cosignatures}
        for item in items(said(world, "bea", "cyd"))
        if item.author == world["ada"].card.author
    ]
    assert of_ada == [{world[name].card.author for name in ("ada", "bea", "cyd")}]


def test_it_is_said_once_a_day_with_other_news(world: World) -> None:
    world.put("ada", "well", 13)
    assert said(world, "ada", "bea")
    bring(world, "ada", "bea")
    world.clock.now_us += DAY_US - 3_600_000_000
    world.put("ada", "well", 14)
    assert said(world, "ada", "bea") is None
    world.clock.now_us += 3_600_000_000
    assert said(world, "ada", "bea")
    assert said(world, "ada", "cyd"), "each peer has its own day"


def test_over_small_frames_it_is_said_once_a_week(world: World) -> None:
    world.configure("ada", "[peer.bea]\nmtu = 511\n")
    world.put("ada", "well", 13)
    world.clock.now_us += 7 * DAY_US
    bring(world, "ada", "bea")
    world.clock.now_us += 6 * DAY_US
    assert said(world, "ada", "bea") is None
    world.clock.now_us += DAY_US
    assert said(world, "ada", "bea")


def test_it_is_said_again_if_its_bundle_was_never_taken(world: World) -> None:
    node = world["ada"]
    world.put("ada", "well", 13)
    (bundle,) = prepare(node, node.peer_named("bea"))
    assert said(world, "ada", "bea") is None
    node.db.forget_bundle(bundle.bundle_id)
    assert said(world, "ada", "bea")


def test_it_has_no_more_room_than_64_symbols(world: World) -> None:
    for number in range(20):
        world.found("ada", "bea", ledger=f"ledger {number}")
        world.put("ada", "well", 1, ledger=f"ledger {number}")
    assert len(items(said(world, "ada", "bea"))) == 21
    days = []
    for _ in range(4):
        section = said(world, "ada", "bea", symbol_bytes=64)
        assert section is not None
        assert 1500 < len(section.to_body()) <= 64 * 64
        days.append({one.ledger for one in section.ledgers})
        world.clock.now_us += DAY_US
    assert len(set.union(*days)) > max(map(len, days)), "each day has others"


def test_nothing_is_said_of_a_log_with_two_histories(world: World) -> None:
    store = world.store("ada")
    (state,) = [one for one in store.logs() if one.size]
    with store.transaction():
        store.set_status(state, LogStatus.FORKED)
    assert said(world, "ada", "bea") is None
