"""What is noted of a bundle that waits; what waits for what is in `test_importing`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.sealed import bundle_id
from bundler.sections import Section, encode_section
from pannier import arrivals, judging, waits
from pannier.import_report import Outcome, Report
from pannier.new_ledgers import NewLedgers
from pannier.waits import MOST_OF_A_KIND, Wait, worth_noting
from spool.name import BundleName
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


TODAY = 20_000
EACH_DAY = Wait("day", b"", number=TODAY)


def test_of_each_kind_a_few_are_noted_and_the_day() -> None:
    found = [Wait(kind, bytes(16), number=n) for n in range(100) for kind in ("range", "grant")]
    noted = worth_noting([*found, Wait("ledger", bytes(16)), *found], TODAY)
    assert len(noted) == len(set(noted)) == 2 * MOST_OF_A_KIND + 2
    assert set(noted) <= {*found, Wait("ledger", bytes(16)), EACH_DAY}
    assert noted[-1] == EACH_DAY
    assert set(worth_noting(found, TODAY + 1)) != set(worth_noting(found, TODAY))


def test_all_are_noted_where_they_are_few() -> None:
    found = [Wait("range", bytes(16), number=n) for n in range(MOST_OF_A_KIND)]
    assert worth_noting(found, TODAY) == found


@pytest.mark.parametrize("kind", ["range", "close"])
def test_nobody_takes_the_places_of_others(kind: str) -> None:
    """Not by many logs, nor by many authors of a ledger of one's own."""
    own, other = b"o" * 16, b"l" * 16
    honest = [Wait(kind, other, b"h" * 32, bytes(8), 1)]
    many = [Wait(kind, other, b"m" * 32, n.to_bytes(8, "big"), 1) for n in range(300)]
    many += [Wait(kind, own, n.to_bytes(32, "big"), bytes(8), 1) for n in range(300)]
    assert {*honest, EACH_DAY} < set(worth_noting([*many, *honest], TODAY))


def gaps(world: World, count: int) -> list[Section]:
    """Sections of logs of ada's of which the beginning never comes."""
    store = world.store("ada")
    state = next(one for one in store.logs() if one.name.author == world["ada"].card.author)
    base = replace(attacks.log_section(store, state, 1, 2), cover=())
    incarnations = (number.to_bytes(8, "big") for number in range(count))
    return [replace(base, incarnation=one) for one in incarnations]


def test_a_bundle_that_waits_for_any_number_of_logs_notes_a_few(world: World) -> None:
    assert leave(world, gaps(world, 300)) is Outcome.HELD
    assert world["bea"].db.rows("SELECT count(*) FROM waiting") == [(MOST_OF_A_KIND + 1,)]


@pytest.mark.parametrize("behind", ["another's", "one's own"])
def test_what_stands_behind_many_gaps_comes(world: World, behind: str) -> None:
    """At once where another wrote it; on another day where it is of who left the gaps, too."""
    store, author = world.store("ada"), "cyd" if behind == "another's" else "ada"
    (log,) = (one for one in store.logs() if one.name.author == world[author].card.author)
    first, second = (attacks.log_section(store, log, n, n + 1) for n in range(2))
    leave(world, [*gaps(world, 300), second])
    leave(world, [first])
    if author == "ada":
        world.clock.pass_days(1)
        world.exchange("bea")
    (known,) = (one for one in world.store("bea").logs() if one.name == log.name)
    assert known.size == 2


def test_few_are_tried_for_another_day_in_one_import(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "_MOST_DAILY", 2)
    for number in range(5):
        leave(world, gaps(world, 100 + number))
    tried: list[str] = []
    retry = judging.retry

    def noted(new: NewLedgers, name: BundleName, report: Report) -> None:
        tried.append(name.bundle_id)
        retry(new, name, report)

    monkeypatch.setattr(judging, "retry", noted)
    world.clock.pass_days(1)
    counts = []
    for _ in range(4):
        world.exchange("bea")
        counts.append(len(tried))
    assert counts == [2, 4, 5, 5]
    assert len(set(tried)) == 5


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
