from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bundler.notices import ForkSection
from ledger.genesis import LedgerId
from ledger.log import LogStatus
from ledger.store import Store
from ledger.views import things
from pannier.known_forks import KnownFork, told_today
from pannier.notice import Notice, known_facts, notice_for
from pannier.sending import prepare
from pannier.way import Way
from tests.ledger.world import forged_fork, numbered_log
from tests.sim.world import DAY_US, World

LEDGER = LedgerId(bytes(16))
EVE, MALLORY = b"e" * 32, b"m" * 32


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea", "cyd")
        world.rounds(("ada", "bea", "cyd"), 3)
        yield world


def known(
    author: bytes, count: int, *, has_entries: bool, size_bytes: int = 300
) -> list[KnownFork]:
    """Some proofs; of none of the logs are there others in the same test."""
    first = 1000 * has_entries
    return [
        KnownFork(
            section=ForkSection(
                ledger=LEDGER,
                author=author,
                incarnation=numbered_log(author, first + number).incarnation,
                fork=bytes(size_bytes),
            ),
            has_entries=has_entries,
        )
        for number in range(count)
    ]


def way_to(world: World, name: str, to: str) -> Way:
    node = world[name]
    return Way.to(node, node.peer_named(to), symbol_bytes=1360)


def forks_in(sections: Sequence[object]) -> list[ForkSection]:
    return [one for one in sections if isinstance(one, ForkSection)]


def notice(world: World) -> Notice:
    """What bea tells cyd."""
    return notice_for(way_to(world, "bea", "cyd"))


def keep_forks(world: World, count: int) -> None:
    """Let bea know *count* proofs against ada, as if from before there was a bound."""
    store: Store = world.store("bea")
    keys = world["ada"].keys
    with store.transaction():
        for number in range(count):
            state = store.ensure_log(numbered_log(keys.author, number))
            proof = forged_fork(keys, store.ledger_id, state.name)
            store.keep_evidence(state, "fork", proof.to_bytes())
            store.set_status(state, LogStatus.FORKED, fork_index=0)


# -- whose turn it is -----------------------------------------------------------------------------


def test_what_fits_is_told_whole() -> None:
    few = known(EVE, 40, has_entries=True) + known(MALLORY, 24, has_entries=False)
    for day in range(3):
        told = told_today(few, day)
        assert len(told) == 64
        assert set(told) == {one.section for one in few}


@pytest.mark.parametrize(("size_bytes", "count"), [(300, 64), (1024, 64), (1025, 63), (1 << 14, 4)])
def test_no_more_is_told_than_64_and_64_kib(size_bytes: int, count: int) -> None:
    many = known(EVE, 4096, has_entries=True, size_bytes=size_bytes)
    assert len(told_today(many, 7)) == count


def test_over_the_days_all_are_told() -> None:
    many = known(EVE, 200, has_entries=True) + known(EVE, 64, has_entries=False)
    counts = Counter(section for day in range(60) for section in told_today(many, day))
    assert set(counts) == {one.section for one in many}


def test_nobody_hides_the_proof_against_another_behind_many() -> None:
    many = known(EVE, 4096, has_entries=True)
    (one,) = known(MALLORY, 1, has_entries=False)
    for day in range(9):
        assert one.section in told_today([*many, one], day)


def test_those_of_logs_with_entries_come_first() -> None:
    many = [known(bytes([number]) * 32, 1, has_entries=number % 2 == 0)[0] for number in range(100)]
    told = told_today(many, 3)
    assert [one.author[0] % 2 for one in told] == [0] * 50 + [1] * 14


# -- what a peer is told --------------------------------------------------------------------------


def test_4096_proofs_silence_nobody(world: World) -> None:
    keep_forks(world, 4096)
    world.put("bea", "well", 1)
    node = world["bea"]
    assert len(forks_in(notice(world).sections)) == 64
    assert len(forks_in(known_facts(way_to(world, "bea", "cyd")))) == 64
    assert sum(one.size_bytes for one in prepare(node, node.peer_named("cyd"))) < 1 << 16
    world.rounds(("bea", "cyd"), 3)
    assert "well" in things(world.store("cyd"))
    assert len(world.store("cyd").evidence("fork")) == 64


def test_whose_turn_it_is_is_no_news_but_another_proof_is(world: World) -> None:
    keep_forks(world, 99)
    before = notice(world)
    world.clock.now_us += DAY_US
    after = notice(world)
    assert set(forks_in(before.sections)) != set(forks_in(after.sections))
    assert before.digest == after.digest
    keep_forks(world, 100)
    assert notice(world).digest != after.digest
