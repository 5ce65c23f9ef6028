"""Logs whose seeds do not follow from one are passed on like any other."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.entry_encodings import encode_entries
from bundler.log_section import LogSection
from bundler.plan import Span
from ledger.append import own_log
from ledger.entries import Entries
from ledger.log import LogState
from ledger.records import cover_to_row
from ledger.seeds import Cover, root_cover, subcover
from pannier.lacks import Piece
from pannier.load import log_section
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


def section(world: World, first: int, cover: Cover, left_out: Collection[int] = ()) -> LogSection:
    """Return what mal holds from *first* on, under *cover*, without some of the payloads."""
    store, log = world.store("mal"), own(world)
    piece = Piece(store=store, state=log, span=Span(first, log.size), with_cover=True)
    entries = [
        one._replace(payload=None) if number in left_out else one
        for number, one in enumerate(store.entries(log, first, log.size), first)
    ]
    encoding, data, cuts = encode_entries(Entries.of(entries))
    return replace(log_section(piece), cover=cover, encoding=encoding, entries=data, cuts=cuts)


def assert_cyd_comes_to_hold_all(world: World) -> None:
    """mal has nothing more to do with it."""
    for _ in range(4):
        world.clock.pass_days(1)
        for name in ("bob", "cyd"):
            assert world.exchange(name, "other stick").report.reasons == {}
    log = own(world)
    assert world.store("cyd").log(log.name).frontier == log.frontier
    assert faults(world["bob"]) == faults(world["cyd"]) == []


def test_a_payload_that_is_missing_keeps_back_no_other(world: World) -> None:
    write(world, range(8))
    seeds = tuple(one for number in range(8) for one in subcover(own(world).cover, number, 1))
    bring(world, "bob", "mal", [section(world, 0, seeds, left_out=[5])])
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
