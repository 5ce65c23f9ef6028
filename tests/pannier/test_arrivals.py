"""Bundles of one import in any order; what each of them alone may do is in `test_importing`."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bundler.entry_encodings
from bundler.content import Opened, open_bundle
from bundler.head import Stamp
from bundler.keyring import Keyring
from bundler.log_section import LogSection
from bundler.notices import GenesisSection
from bundler.sections import Section, encode_section
from ledger.entries import Entries
from ledger.errors import FullError
from ledger.members import Role
from ledger.views import things
from pannier import arrivals, judging
from pannier.exchange import exchange_medium
from pannier.home import Peer
from pannier.import_report import Outcome
from pannier.importing import import_arrived
from pannier.membership import share
from pannier.merging import Merging
from pannier.node import Node
from pannier.out_bundle import OutBundle
from pannier.review import accept, waiting
from pannier.sending import prepare
from pannier.waits import Reach, Wait
from tests.sim import attacks
from tests.sim.brought import sections_of
from tests.sim.world import World, assert_equal


class Offer(NamedTuple):
    """A ledger that ada has and bea has not, in sections; bea's grant is in the last of them."""

    world: World
    sections: Sequence[Section]
    without: Path


@pytest.fixture(scope="module")
def offer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offer]:
    """Two authors, one of whom was granted late, who contradict each other."""
    with World(tmp_path_factory.mktemp("arrivals"), ("ada", "bea", "cyd")) as world:
        world.found("ada", "cyd")
        world.rounds(("ada", "cyd"), 2)
        for number in range(9):
            world.put("ada", "well", number)
        for _ in range(3):
            world.put_many("cyd", 5)
        world.delete("ada", "well")
        world.put("cyd", "well", "dry")
        world.rounds(("ada", "cyd"), 2)
        ada, store = world["ada"], world.store("ada")
        share(ada, store, ada.peer_named("bea"), Role.WRITER)
        sections: list[Section] = [GenesisSection(genesis=store.genesis.to_bytes())]
        for state in sorted(store.logs(), key=lambda one: one.name.author == ada.card.author):
            sizes = [0, *(one.size for one in store.checkpoints(state, 0, state.size))]
            sections += [attacks.log_section(store, state, *pair) for pair in pairwise(sizes)]
        yield Offer(world, sections, world.back_up("bea"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[object]:
    """How often the entries of each section were decoded."""
    counts: Counter[object] = Counter()
    decode = bundler.entry_encodings.decode_entries

    def counted(section: LogSection, salts: Sequence[bytes | None]) -> Entries:
        counts[section.author, section.first] += 1
        return decode(section, salts)

    monkeypatch.setattr(bundler.entry_encodings, "decode_entries", counted)
    return counts


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was opened."""
    found: list[bytes] = []

    def noted(sealed: bytes, keyring: Keyring) -> Opened:
        found.append(sealed)
        return open_bundle(sealed, keyring)

    monkeypatch.setattr("pannier.judging.open_bundle", noted)
    return found


def bring(offer: Offer, sections: Sequence[Section], *, stick: str, first: int) -> set[Outcome]:
    """Let bea have what of a new ledger is in *sections*, see `send`."""
    return send(offer.world, sections, stick=stick, first=first)


def send(
    world: World, sections: Sequence[Section], *, stick: str, first: int, by: str = "ada"
) -> set[Outcome]:
    """Let bea have a bundle of each section, all on one stick; return what became of them.

    In which order they are looked at follows from their ids, and so from *first*.
    """
    node = world[by]
    for number, section in enumerate(sections, first):
        stamp = Stamp(incarnation=node.counting.incarnation(), counter=10_000 + number, time_us=0)
        encoded = [encode_section(section)]
        sealed = attacks.sealed_by(node, world["bea"], encoded, stamp=stamp)
        attacks.leave(world, by, "bea", sealed, stick)
    return set(world.exchange("bea", stick).report.outcomes.values())


def assert_joined(offer: Offer) -> None:
    """All of it is there, nothing waits, nothing is left over."""
    world = offer.world
    assert_equal(world, ("ada", "bea"))
    assert world["bea"].spool.held.names() == []
    assert world["bea"].db.rows("SELECT * FROM waiting") == []
    assert list((world.home("bea").ledgers / "pending").iterdir()) == []


@settings(max_examples=12)
@given(st.data())
def test_a_new_ledger_is_the_same_whichever_of_its_bundles_come_first(
    offer: Offer, data: st.DataObject
) -> None:
    offer.world.restore("bea", offer.without)
    order = data.draw(st.permutations(offer.sections))
    cuts = data.draw(st.sets(st.integers(1, len(order) - 1), max_size=3))
    bounds = [0, *sorted(cuts), len(order)]
    for begin, end in pairwise(bounds):
        stick = f"{bounds} {begin}"
        outcomes = bring(offer, order[begin:end], stick=stick, first=begin)
        assert outcomes <= {Outcome.MERGED, Outcome.HELD}
    assert_joined(offer)


@pytest.mark.parametrize("first", [0, 100, 200, 300])
def test_no_section_of_a_new_ledger_is_read_twice(
    offer: Offer, read: Counter[object], opened: list[bytes], first: int
) -> None:
    """And no bundle is opened once for each of the others: a few times each, in any order."""
    offer.world.restore("bea", offer.without)
    outcomes = bring(offer, offer.sections, stick=f"from {first}", first=first)
    assert outcomes == {Outcome.MERGED}
    assert set(read.values()) == {1}
    assert read.total() == len(offer.sections) - 1
    assert len(opened) <= 5 * len(offer.sections)
    assert_joined(offer)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often it was looked whether what something waits for is there, and at which waits."""
    counts: Counter[str] = Counter()
    reach, known_waits = Wait.reach, judging.known_waits

    def counted(wait: Wait, node: Node) -> Reach:
        counts["at the ledgers"] += 1
        return reach(wait, node)

    def read(node: Node, number: str) -> list[Wait]:
        counts["at waits"] += 1
        return known_waits(node, number)

    monkeypatch.setattr(Wait, "reach", counted)
    monkeypatch.setattr(judging, "known_waits", read)
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_bundles_that_build_on_each_other_are_looked_at_a_few_times_each(
    tmp_path: Path, looks: Counter[str], seed: int
) -> None:
    count = 40
    with World(tmp_path, ("ada", "bea")) as world:
        world.found("ada", "bea")
        world.rounds(("ada", "bea"), 2)
        for number in range(count):
            world.put("ada", "well", number)
        store = world.store("ada")
        (log,) = store.logs()
        numbers = list(range(log.size - count, log.size))
        random.Random(seed).shuffle(numbers)
        sections = [attacks.log_section(store, log, number, number + 1) for number in numbers]
        assert send(world, sections, stick="stick", first=0) == {Outcome.MERGED}
        assert_equal(world, ("ada", "bea"))
        assert world["bea"].spool.held.names() == []
    assert max(looks.values()) <= 3 * count


@pytest.mark.parametrize("seed", range(3))
def test_bundles_that_wait_for_each_others_grants_are_merged_in_one_import(
    tmp_path: Path, seed: int
) -> None:
    """Each member was granted by the one before it, and each log is in a bundle of its own."""
    names = [f"member {number}" for number in range(6)]
    with World(tmp_path, ("bea", *names)) as world:
        world.found(names[0], "bea")
        world.rounds((names[0], "bea"), 2)
        for name, after in pairwise(names):
            node, store = world[name], world.store(name)
            share(node, store, node.peer_named(after), Role.ADMIN)
            world.rounds((name, after), 2, name)
        world.put(names[-1], "well", 1)
        sections = [*sections_of(world.store(names[-1]))]
        random.Random(seed).shuffle(sections)
        assert Outcome.HELD not in send(world, sections, by=names[0], stick="all", first=0)
        assert list(things(world.store("bea"))) == ["well"]


def test_an_import_that_is_killed_joins_with_the_next(
    offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All parts wait, and nothing comes any more."""
    offer.world.restore("bea", offer.without)
    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "_bring_together", _killed)
        with pytest.raises(KilledError):
            bring(offer, offer.sections, stick="killed", first=0)
    assert len(offer.world["bea"].spool.held.names()) > 1
    offer.world.reopen("bea")
    import_arrived(offer.world["bea"])
    assert_joined(offer)


def test_a_disk_that_is_full_for_what_waits_ends_no_import(
    offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer.world.restore("bea", offer.without)
    bea = offer.world["bea"]
    with monkeypatch.context() as patch:
        patch.setattr(judging, "retry", _full)
        bring(offer, offer.sections, stick="full", first=0)
        assert import_arrived(bea).no_room_bytes > 0
    assert import_arrived(bea).no_room_bytes == 0
    assert_joined(offer)


class KilledError(BaseException):
    """The end of a process, for that which only catches errors."""


def _killed(*_: object) -> None:
    raise KilledError


def _full(*_: object) -> None:
    raise FullError("no space left")


BUG = "a bug in pannier (KeyError: 137)"


def test_a_bug_costs_one_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        for name in ("ada", "cyd"):
            world.found(name, "bea", ledger=name)
        world.rounds(("ada", "bea", "cyd"), 3)
        for name in ("ada", "cyd"):
            world.put(name, "well", 1, ledger=name)
            world.exchange(name)
        with monkeypatch.context() as patch:
            patch.setattr(Merging, "run", _failing_with_ada(Merging.run))
            for _ in range(2):
                done = exchange_medium(world["bea"], world.stick())
                assert list(done.report.bugs.values()) == [BUG]
                assert any(BUG in one for one in done.problems)
                assert list(things(world.store("bea", "ada"))) == []
                assert list(things(world.store("bea", "cyd"))) == ["well"]
        world.exchange("bea")
        assert list(things(world.store("bea", "ada"))) == ["well"]


def test_what_cannot_be_made_for_one_peer_is_made_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        for name in ("bea", "cyd"):
            world.found("ada", name, ledger=name)

        def failing(node: Node, peer: Peer, *, medium: str | None = None) -> list[OutBundle]:
            if peer.name == "bea":
                raise KeyError(137)
            return prepare(node, peer, medium=medium)

        monkeypatch.setattr("pannier.exchange.prepare", failing)
        done = exchange_medium(world["ada"], world.stick())
        assert done.problems == [f"nothing was made for bea: {BUG}"]
        world.exchange("cyd")
        assert world.has("cyd", "cyd")


def test_so_it_does_where_the_bundle_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with World(tmp_path, ("ada", "bea")) as world:
        world.found("ada", "bea")
        world.configure("bea", '[peer.ada]\nimport = "review"\n')
        world.put("ada", "well", 1)
        world.exchange("ada")
        assert world.exchange("bea").report.count(Outcome.REVIEW) == 1
        bea = world["bea"]
        with monkeypatch.context() as patch:
            patch.setattr(Merging, "run", _failing_with_ada(Merging.run))
            assert list(accept(bea, waiting(bea)).bugs.values()) == [BUG]
            assert list(import_arrived(bea).bugs.values()) == [BUG]
        assert import_arrived(bea).count(Outcome.MERGED) == 1
        assert list(things(world.store("bea"))) == ["well"]


def _failing_with_ada(run: Callable[[Merging, Opened], None]) -> Callable[[Merging, Opened], None]:
    def failing(merging: Merging, opened: Opened) -> None:
        if merging.peer.name == "ada":
            raise KeyError(137)
        run(merging, opened)

    return failing
