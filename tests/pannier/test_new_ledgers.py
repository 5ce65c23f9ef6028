"""Ledgers that nobody granted, made up by the dozen; honest ones in any order: `test_arrivals`."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.content import Opened, open_bundle
from bundler.head import Stamp
from bundler.keyring import Keyring
from bundler.notices import GenesisSection
from bundler.sections import Section, encode_section
from ledger.genesis import Genesis, LedgerId
from ledger.members import Role, members
from ledger.views import things
from pannier import arrivals, new_ledgers, waits
from pannier.import_report import Outcome
from pannier.ledgers import new_ledger
from pannier.membership import share
from pannier.new_ledgers import MOST_OPEN, NewLedgers
from tests.sim import attacks
from tests.sim.brought import sections_of
from tests.sim.world import World, faults

MANY = 3 * MOST_OPEN


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ada, whom bea takes for an honest peer, as cyd is one."""
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("bea", "cyd")
        world.rounds(("bea", "ada", "cyd"), 3)
        yield world


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many new ledgers were begun, and how many of them were open at most."""
    found: Counter[str] = Counter()
    begin = NewLedgers.begin

    def counted(new: NewLedgers, genesis: Genesis, sender: str) -> bool:
        before = new.moves
        is_there = begin(new, genesis, sender)
        found["begun"] += new.moves - before
        files = (new.node.home.ledgers / "pending").glob("*.db")
        found["open"] = max(found["open"], sum(1 for _ in files))
        return is_there

    monkeypatch.setattr(NewLedgers, "begin", counted)
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often each bundle was opened."""
    found: Counter[bytes] = Counter()

    def noted(sealed: bytes, keyring: Keyring) -> Opened:
        found[sealed] += 1
        return open_bundle(sealed, keyring)

    monkeypatch.setattr("pannier.judging.open_bundle", noted)
    return found


def leave(world: World, by: str, counter: int, sections: Sequence[Section]) -> None:
    """Leave a bundle for bea; in which order several are looked at follows from *counter*."""
    stamp = Stamp(incarnation=world[by].counting.incarnation(), counter=counter, time_us=0)
    encoded = [encode_section(one) for one in sections]
    sealed = attacks.sealed_by(world[by], world["bea"], encoded, stamp=stamp)
    attacks.leave(world, by, "bea", sealed)


def made_up(world: World, first: int, count: int) -> list[Section]:
    """Geneses of ada's of which nothing else ever comes."""
    admins = (world["ada"].card,)
    nonces = (number.to_bytes(16, "big") for number in range(first, first + count))
    made = (Genesis(name="x", admins=admins, time_us=1, nonce=nonce) for nonce in nonces)
    return [GenesisSection(genesis=one.to_bytes()) for one in made]


def offered(world: World, by: str, name: str) -> tuple[Section, Section]:
    """A ledger that somebody shares with bea: how it begins, and the log with the grant."""
    node = world[by]
    store = new_ledger(node, name)
    share(node, store, node.peer_named("bea"), Role.WRITER)
    (log,) = sections_of(store)
    return GenesisSection(genesis=store.genesis.to_bytes()), log


def joined(world: World) -> set[str]:
    return {store.genesis.name for store in world["bea"].ledgers()} - {"log"}


def test_geneses_end_no_import(world: World, most: Counter[str], opened: Counter[bytes]) -> None:
    leave(world, "ada", 10_000, made_up(world, 0, MANY))
    world.put("cyd", "hers", 1)
    world.exchange("cyd")
    outcomes = world.exchange("bea").report.outcomes
    assert set(outcomes.values()) == {Outcome.HELD, Outcome.MERGED}, "nothing is refused"
    assert "hers" in things(world.store("bea"))
    assert most == {"begun": MOST_OPEN, "open": MOST_OPEN}
    assert max(opened.values()) <= 2, "not once for each ledger that it waits for"
    assert list((world.home("bea").ledgers / "pending").iterdir()) == []


def test_many_bundles_of_geneses_are_tried_a_few_times_each(
    world: World, most: Counter[str], opened: Counter[bytes]
) -> None:
    for number in range(10):
        leave(world, "ada", 10_000 + number, made_up(world, number * MANY, MANY))
    assert set(world.exchange("bea").report.outcomes.values()) == {Outcome.HELD}
    assert most["open"] == MOST_OPEN
    assert most["begun"] <= 2 * 10 * MOST_OPEN
    assert max(opened.values()) <= 3, "as they came, and in two rounds"
    assert len(opened) == 10


@pytest.mark.parametrize("seed", range(3))
def test_honest_ledgers_are_joined_among_made_up_ones(
    world: World, most: Counter[str], seed: int
) -> None:
    parts = [[part] for name in ("one", "two") for part in offered(world, "cyd", name)]
    bundles = [("cyd", part) for part in parts]
    bundles += [("ada", made_up(world, number * MANY, MANY)) for number in range(6)]
    random.Random(seed).shuffle(bundles)
    for counter, (by, sections) in enumerate(bundles, 10_000):
        leave(world, by, counter, sections)
    world.exchange("bea")
    assert joined(world) == {"one", "two"}
    assert most["open"] == MOST_OPEN


@pytest.mark.parametrize("seed", range(3))
def test_more_than_there_is_room_for_are_joined_in_one_import(
    world: World, most: Counter[str], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each in two bundles, which come in any order."""
    monkeypatch.setattr(new_ledgers, "MOST_OPEN", 3)
    names = [f"number {number}" for number in range(12)]
    parts = [part for name in names for part in offered(world, "cyd", name)]
    random.Random(seed).shuffle(parts)
    for counter, part in enumerate(parts, 10_000):
        leave(world, "cyd", counter, [part])
    world.exchange("bea")
    assert joined(world) == set(names)
    assert most["open"] == 3


@pytest.mark.parametrize("seed", range(3))
def test_what_found_no_room_in_one_import_finds_it_in_the_next(
    world: World, opened: Counter[bytes], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Where as many are open as may be that nobody granted, of the same sender."""
    for module in (arrivals, new_ledgers):
        monkeypatch.setattr(module, "MOST_OPEN", 3)
    names = [f"number {number}" for number in range(5)]
    parts = [part for name in names for part in offered(world, "cyd", name)]
    parts += [offered(world, "cyd", f"half {number}")[0] for number in range(5)]
    random.Random(seed).shuffle(parts)
    for counter, part in enumerate(parts, 10_000):
        leave(world, "cyd", counter, [part])
    for _ in range(5):
        world.exchange("bea")
    assert joined(world) == set(names)
    before = opened.total()
    world.exchange("bea")
    assert opened.total() == before, "what nobody grants is not tried for ever"


def test_one_that_begins_among_more_than_are_noted_is_joined_some_days_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "MOST_OF_A_KIND", 2)
    genesis, log = offered(world, "cyd", "one")
    leave(world, "cyd", 10_000, [*made_up(world, 0, 5), genesis])
    world.exchange("bea")
    leave(world, "cyd", 10_001, [log])
    for _ in range(20):
        world.exchange("bea")
        world.clock.pass_days(1)
    assert joined(world) == {"one"}


def test_honest_ledgers_are_joined_though_a_peer_has_much_that_waits(world: World) -> None:
    held = world["bea"].spool.held
    held._quotas = replace(held._quotas, held_bundles=8)
    for number in range(12):
        leave(world, "ada", 10_000 + number, made_up(world, number, 1))
    outcomes = Counter(world.exchange("bea").report.outcomes.values())
    assert outcomes == {Outcome.HELD: 4, Outcome.INCOMPLETE: 8}
    for counter, part in enumerate(offered(world, "cyd", "one"), 10_000):
        leave(world, "cyd", counter, [part])
        world.exchange("bea")
    assert joined(world) == {"one"}


def test_so_they_are_where_all_begin_in_one_bundle_and_are_granted_in_another(
    world: World, most: Counter[str]
) -> None:
    names = [f"number {number}" for number in range(MOST_OPEN + 4)]
    geneses, logs = zip(*(offered(world, "cyd", name) for name in names), strict=True)
    leave(world, "cyd", 10_000, geneses)
    world.exchange("bea")
    leave(world, "cyd", 10_001, logs)
    world.exchange("bea")
    assert joined(world) == set(names)
    assert most["open"] == MOST_OPEN


def test_a_ledger_that_another_process_made_meanwhile_is_merged_into(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of it in a bundle of its own; somebody restores a backup right before it joins."""
    genesis, log = offered(world, "cyd", "one")
    assert isinstance(genesis, GenesisSection)
    join = NewLedgers.join

    def too_late(new: NewLedgers, ledger_id: LedgerId) -> bool:
        if new.node.ledger(ledger_id) is None and new.node.card.author in members(
            new._stores[ledger_id]
        ):
            store = new.node.make_ledger(Genesis.from_bytes(genesis.genesis))
            with store.transaction():
                store.set_meta("of", b"another")
        return join(new, ledger_id)

    monkeypatch.setattr(NewLedgers, "join", too_late)
    leave(world, "cyd", 10_000, [genesis])
    leave(world, "cyd", 10_001, [log])
    world.exchange("bea")
    (store,) = (one for one in world["bea"].ledgers() if one.genesis.name == "one")
    assert store.meta("of") == b"another"
    assert world["bea"].card.author in members(store)
    assert list((world.home("bea").ledgers / "pending").iterdir()) == []
    assert list(world["bea"].spool.held.names()) == []


def test_what_a_killed_import_left_goes_with_the_next(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        pending = world.home("bea").ledgers / "pending"
        pending.mkdir()
        for name in ("0f.db", "0f.db-wal", "0f.aa.new", "0f.aa.new-journal"):
            (pending / name).write_bytes(b"half of it")
        NewLedgers(world["bea"]).close()
        assert list(pending.iterdir()) == []


def test_what_is_joined_is_whole_in_one_file(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.put("ada", "well", 1)
        world.rounds(("ada", "bea"), 1)
        assert faults(world["bea"]) == []
        world.reopen("bea")
        (file,) = (path for path in world.home("bea").ledgers.rglob("*") if path.is_file())
        assert file.suffix == ".db"
