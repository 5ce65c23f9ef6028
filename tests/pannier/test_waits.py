"""What is noted of a bundle that waits; what waits for what is in `test_importing`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.sealed import bundle_id
from bundler.sections import Section, encode_section
from pannier import waits
from pannier.import_report import Outcome
from pannier.waits import MOST_OF_A_KIND, Wait, worth_noting
from tests.sim import attacks
from tests.sim.world import World, assert_equal

NAMES = ("ada", "bea", "cyd")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three with a ledger, to which two have added what the third has not."""
    with World(tmp_path, NAMES) as world:
        world.found("bea", "ada", "cyd")
        world.rounds(NAMES, 3)
        for value in (1, 2):
            for name in ("ada", "cyd"):
                world.put(name, "well", value)
            world.rounds(("ada", "cyd"), 2, "elsewhere")
        yield world


def leave(world: World, sections: list[Section]) -> Outcome:
    """Let bea have a bundle from ada; return what became of it."""
    encoded = [encode_section(one) for one in sections]
    sealed = attacks.sealed_by(world["ada"], world["bea"], encoded)
    attacks.leave(world, "ada", "bea", sealed)
    return world.exchange("bea").report.outcomes[bundle_id(sealed).hex()]


def test_of_each_kind_the_first_few_are_noted() -> None:
    found = [Wait(kind, bytes(16), number=n) for n in range(100) for kind in ("range", "grant")]
    noted = worth_noting([*found, Wait("ledger", bytes(16)), *found])
    assert len(noted) == len(set(noted)) == 2 * MOST_OF_A_KIND + 1
    assert noted[:4] == found[:4]


def test_a_bundle_that_waits_for_any_number_of_logs_notes_a_few(world: World) -> None:
    store = world.store("ada")
    state = next(one for one in store.logs() if one.name.author == world["ada"].card.author)
    base = replace(attacks.log_section(store, state, 1, 2), cover=())
    incarnations = (number.to_bytes(8, "big") for number in range(300))
    assert leave(world, [replace(base, incarnation=one) for one in incarnations]) is Outcome.HELD
    assert world["bea"].db.rows("SELECT count(*) FROM waiting") == [(MOST_OF_A_KIND,)]


def test_what_is_not_noted_is_merged_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "MOST_OF_A_KIND", 1)
    store = world.store("ada")
    added = [one for one in store.logs() if one.size == 2]
    assert len(added) == 2
    assert leave(world, [attacks.log_section(store, one, 1, 2) for one in added]) is Outcome.HELD
    for one in added:
        leave(world, [attacks.log_section(store, one, 0, 1)])
    assert world["bea"].spool.held.names() == []
    assert_equal(world, ("ada", "bea"))
