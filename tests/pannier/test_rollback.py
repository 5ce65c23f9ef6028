"""What a node does that learns that it is older than others know, whatever tells it."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from bundler.notices import ForkSection
from bundler.sections import Section
from bundler.witness_section import LedgerWitness, WitnessedLog, WitnessSection
from ledger.append import Author, open_incarnation, own_log
from ledger.errors import DiskError, FullError
from ledger.log import LogStatus
from ledger.store import Store
from ledger.views import heads
from ledger.witness import Witnessed
from pannier.adding import Adding
from pannier.errors import PannierError
from pannier.membership import revoke
from pannier.rollback import begin_before_writing, go_on_beginning
from tests.sim.brought import bring, sections_of
from tests.sim.world import World

BOTH = ("ada", "bea")
LEDGERS = ("log", "diary")


class KilledError(BaseException):
    """The process is no more."""


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[World]:
    """ada has lost an entry of each of two ledgers; bea has all of one."""
    with World(tmp_path, BOTH) as world:
        world.found("bea", "ada")
        world.rounds(BOTH, 3)
        world.found("ada", ledger="diary")
        world.put("ada", "early", 1)
        world.put("ada", "today", 1, "diary")
        world.rounds(BOTH, 2)
        copy = world.back_up("ada")
        world.put("ada", "late", 1)
        world.put("ada", "today", 2, "diary")
        world.rounds(BOTH, 1)
        world.restore("ada", copy)
        yield world


@pytest.fixture
def world(restored: World) -> World:
    """And she has written another in its place."""
    restored.put("ada", "new", 1)
    return restored


def proof(world: World) -> Section:
    """What bea says when she has seen both branches."""
    world.exchange("ada", "other stick")
    world.exchange("bea", "other stick")
    ((state, data),) = world.store("bea").evidence("fork")
    author, incarnation = state.name
    ledger = world.store("bea").ledger_id
    return ForkSection(ledger=ledger, author=author, incarnation=incarnation, fork=data)


def word(world: World) -> Section:
    """What a witness says that has seen one of them."""
    store = world.store("bea")
    name = own_log(world.store("ada"), world["ada"].author).name
    checkpoint = store.last_checkpoint(store.log(name))
    assert checkpoint is not None
    log = WitnessedLog(*name, Witnessed(checkpoint, ()))
    return WitnessSection(ledgers=(LedgerWitness(store.ledger_id, (log,)),))


def tell(world: World, section: Section) -> None:
    bring(world, "ada", "bea", [section])


def diary_sizes(world: World) -> list[int]:
    """Write in the diary; return how long each log of it is then."""
    world.put("ada", "today", 3, "diary")
    return [log.size for log in world.store("ada", "diary").logs()]


@pytest.mark.parametrize("says", [proof, word])
class TestWhoIsTold:
    def test_writes_in_new_logs(self, world: World, says: Callable[[World], Section]) -> None:
        before = world["ada"].counting.incarnation()
        tell(world, says(world))
        assert world["ada"].counting.incarnation() > before
        assert diary_sizes(world) == [1, 1]

    def test_and_is_killed_learns_it_again(
        self, world: World, says: Callable[[World], Section], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        section = says(world)
        log = own_log(world.store("ada"), world["ada"].author).name
        with monkeypatch.context() as harm:
            harm.setattr("pannier.rollback.open_incarnation", _killed)
            with pytest.raises(KilledError):
                tell(world, section)
        assert world.store("ada").log(log).status is LogStatus.OPEN
        tell(world, section)
        assert world.store("ada").log(log).status is LogStatus.FORKED
        assert diary_sizes(world) == [1, 1]


def test_who_hears_of_more_than_it_holds_writes_in_new_logs(restored: World) -> None:
    """It has written nothing since, so that there is one history yet."""
    section, before = word(restored), restored["ada"].counting.incarnation()
    tell(restored, section)
    began = restored["ada"].counting.incarnation()
    assert began > before
    tell(restored, section)
    assert restored["ada"].counting.incarnation() == began, "it is no news"
    restored.put("ada", "new", 1)
    author = restored["ada"].card.author
    logs = [log for log in restored.store("ada").logs() if log.name.author == author]
    assert [log.size for log in logs] == [1, 1]
    assert diary_sizes(restored) == [1, 1]


def test_who_hears_one_by_one_of_what_it_lost_begins_anew_once(restored: World) -> None:
    """Of a log that it has left it is no news that more of it is lost."""
    copy = restored.back_up("ada")
    for number in range(4):
        restored.put("ada", "late", number)
    ada, name = restored.store("ada"), own_log(restored.store("ada"), restored["ada"].author).name
    lost = ada.checkpoints(ada.log(name), 1, ada.log(name).size)
    restored.restore("ada", copy)
    heard = []
    for number, checkpoint in enumerate(lost):
        log = WitnessedLog(*name, Witnessed(checkpoint, ()))
        tell(restored, WitnessSection(ledgers=(LedgerWitness(ada.ledger_id, (log,)),)))
        restored.put("ada", "new", number)
        heard.append(restored["ada"].counting.incarnation())
    assert len(heard) == 4
    assert len(set(heard)) == 1
    author = restored["ada"].card.author
    logs = [log for log in restored.store("ada").logs() if log.name.author == author]
    assert [log.size for log in logs] == [1, 4]


def test_who_was_removed_and_sees_its_other_history_writes_in_new_logs(world: World) -> None:
    """What it says of the ledger that it was removed from is void: nothing there is settled."""
    name = own_log(world.store("ada"), world["ada"].author).name
    revoke(world["bea"], world.store("bea"), [world["ada"].card.author])
    bring(world, "ada", "bea", sections_of(world.store("bea")))
    assert world.store("ada").log(name).status is LogStatus.FORKED
    assert diary_sizes(world) == [1, 1]


def _killed(*_: object) -> None:
    raise KilledError


def test_a_ledger_that_cannot_be_written_keeps_nobody_from_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is begun anew as soon as it can be."""
    with monkeypatch.context() as harm:
        harm.setattr("pannier.rollback.open_incarnation", _unless_diary)
        world.rounds(BOTH, 3)
        assert heads(world.store("ada"), "late")
        before = world["ada"].counting.incarnation()
        world.exchange("ada")
        assert world["ada"].counting.incarnation() == before
    world.exchange("ada")
    assert diary_sizes(world) == [1, 1]


def test_nor_is_anything_written_in_its_old_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even before the next import."""
    with monkeypatch.context() as harm:
        harm.setattr("pannier.rollback.open_incarnation", _unless_diary)
        tell(world, proof(world))
        with pytest.raises(DiskError):
            diary_sizes(world)
    assert diary_sizes(world) == [1, 1]
    assert diary_sizes(world) == [1, 2]


def test_nor_by_what_is_taken_back_with_the_new_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `add` that finds no room has not begun anew either."""
    with monkeypatch.context() as harm:
        harm.setattr("pannier.rollback.open_incarnation", _unless_diary)
        tell(world, proof(world))
    file = tmp_path / "file"
    file.write_bytes(bytes(9999))
    adding = Adding(world["ada"], world.store("ada", "diary"))
    with monkeypatch.context() as harm:
        harm.setattr("pannier.ledgers.append_columns", _full)
        with pytest.raises(FullError):
            list(adding.run([file]))
    assert diary_sizes(world) == [1, 1]


@pytest.mark.parametrize("says", [proof, word])
def test_a_disk_that_gets_full_on_the_way_takes_back_no_more_than_is_told_again(
    world: World, says: Callable[[World], Section], monkeypatch: pytest.MonkeyPatch
) -> None:
    section = says(world)
    logs = {one: own_log(world.store("ada", one), world["ada"].author).name for one in LEDGERS}
    with monkeypatch.context() as harm:
        harm.setattr("pannier.rollback.open_incarnation", _full_after_one())
        with pytest.raises(FullError):
            tell(world, section)
    for one in LEDGERS:
        world.put("ada", "after", 1, one)
        assert own_log(world.store("ada", one), world["ada"].author).name != logs[one]


def test_a_home_that_cannot_be_looked_at_is_said_to_be(world: World) -> None:
    ada, store = world["ada"], world.store("ada")
    ada.home.anew.write_bytes(b"no folder")
    with pytest.raises(PannierError, match="cannot read"):
        go_on_beginning(ada)
    with pytest.raises(PannierError, match="cannot read"):
        begin_before_writing(ada, store)


def test_a_full_disk_lets_nothing_be_kept_before_it_began_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = proof(world)
    log = own_log(world.store("ada"), world["ada"].author).name
    monkeypatch.setattr("pannier.rollback.open_incarnation", _full)
    with pytest.raises(FullError):
        tell(world, section)
    assert world.store("ada").log(log).status is LogStatus.OPEN


def _full(*_: object) -> None:
    raise FullError("no room")


def _full_after_one() -> Callable[[Store, Author], None]:
    calls = count()

    def act(store: Store, author: Author) -> None:
        if next(calls):
            raise FullError("no room")
        open_incarnation(store, author)

    return act


def _unless_diary(store: Store, author: Author) -> None:
    if store.genesis.name == "diary":
        raise DiskError("the diary can only be read")
    open_incarnation(store, author)
