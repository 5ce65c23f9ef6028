"""Logs whose seeds do not follow from one are passed on like any other."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.log_section import LogSection
from bundler.plan import Span
from ledger.append import own_log
from ledger.log import LogState
from ledger.records import cover_to_row
from ledger.seeds import Cover, root_cover, subcover
from pannier.lacks import Piece
from pannier.load import log_section
from pannier.sending import prepare
from tests.sim.brought import bring
from tests.sim.world import World, faults

NAMES = ("mal", "bob", "cyd")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """All three are members of a ledger that bob founded."""
    with World(tmp_path, NAMES) as world:
        world.found("bob", "mal", "cyd")
        world.rounds(NAMES, 4)
        yield world


def own(world: World) -> LogState:
    return own_log(world.store("mal"), world["mal"].author)


def write(world: World, numbers: Collection[int]) -> None:
    for number in numbers:
        world.put("mal", f"t{number}", number)


def section(world: World, first: int, cover: Cover) -> LogSection:
    """Return what mal holds from *first* on, under *cover*."""
    log = own(world)
    span = Span(first, log.size)
    piece = Piece(store=world.store("mal"), state=log, span=span, with_cover=True)
    return replace(log_section(piece), cover=cover)


def assert_cyd_comes_to_hold_all(world: World) -> None:
    """mal has nothing more to do with it."""
    for _ in range(4):
        world.clock.pass_days(1)
        for name in ("bob", "cyd"):
            assert world.exchange(name, "other stick").report.reasons == {}
    log = own(world)
    assert world.store("cyd").log(log.name).frontier == log.frontier
    assert faults(world["bob"]) == faults(world["cyd"]) == []


def test_a_new_entry_brings_only_the_seeds_that_it_needs(world: World) -> None:
    """Or whoever writes under many would have others send them all with each."""
    write(world, range(400))
    whole = own(world).cover
    seeds = tuple(one for number in range(400) for one in subcover(whole, number, 1))
    bring(world, "bob", "mal", [section(world, 0, seeds)])
    assert_cyd_comes_to_hold_all(world)
    write(world, [400])
    bring(world, "bob", "mal", [section(world, 400, subcover(whole, 400, 1))])
    assert len(world.store("bob").log(own(world).name).cover) == 401
    (bundle,) = prepare(world["bob"], world["bob"].peer_named("cyd"))
    assert bundle.size_bytes < 2000
    assert_cyd_comes_to_hold_all(world)


def test_what_goes_on_under_another_tree_brings_its_seeds(world: World) -> None:
    write(world, range(4))
    world.rounds(NAMES, 3)
    other = root_cover(bytes(16))
    store, log = world.store("mal"), own(world)
    with store.transaction():
        sealed = cover_to_row(log.name, other, store.rest)
        store.run("UPDATE log SET cover = ? WHERE id = ?", sealed, log.row)
    write(world, range(4, 8))
    bring(world, "bob", "mal", [section(world, 4, other)])
    assert_cyd_comes_to_hold_all(world)
