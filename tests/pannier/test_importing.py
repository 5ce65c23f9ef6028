"""What becomes of bundles that arrived; attacks are in `tests.sim.test_attacks`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.entry_encodings import COLUMNAR, ROWS
from bundler.sealed import bundle_id
from bundler.sections import encode_section
from ledger.append import close_log
from ledger.members import Role
from pannier.errors import BusyError
from pannier.import_report import Outcome, Report
from pannier.importing import import_arrived
from pannier.lock import exclusive
from pannier.membership import share
from spool.errors import FullError
from spool.quotas import Quotas
from spool.tree import open_spool
from tests.bundler.doubles import CountedEntropy
from tests.sim import attacks
from tests.sim.world import World, assert_equal, faults

NAMES = ("ada", "bea")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea")
        world.rounds(NAMES, 2)
        yield world


def gap(world: World) -> str:
    """Leave a bundle for bea that lacks what comes before; return its id."""
    world.put("ada", "well", 1)
    world.put("ada", "well", 2)
    section = attacks.own_entries(world["ada"], world.store("ada"), 2)
    sealed = attacks.sealed_by(world["ada"], world["bea"], [section])
    attacks.leave(world, "ada", "bea", sealed)
    return bundle_id(sealed).hex()


def waiting(world: World) -> Sequence[tuple[object, ...]]:
    return world["bea"].db.rows("SELECT bundle, kind, number FROM waiting")


def test_a_report_counts_and_names(world: World) -> None:
    report = Report(outcomes={"a": Outcome.MERGED, "b": Outcome.HELD, "c": Outcome.MERGED})
    assert report.count(Outcome.MERGED) == 2
    assert report.ids(Outcome.HELD, Outcome.SEEN) == ["b"]
    assert import_arrived(world["bea"]) == Report()


def test_what_waits_is_held_with_what_it_waits_for(world: World) -> None:
    number = gap(world)
    done = world.exchange("bea")
    assert done.report.outcomes == {number: Outcome.HELD}
    assert waiting(world) == [(number, "range", 2)]
    assert [name.bundle_id for name in world["bea"].spool.held.names()] == [number]
    assert world["bea"].spool.inbox.bundles() == []
    assert world["bea"].db.seen(number) is None
    assert number not in dict(world["bea"].db.receipts(world["ada"].card.node_id))


def test_what_was_waited_for_releases_it_and_its_sender_hears_of_it(world: World) -> None:
    number = gap(world)
    world.exchange("bea")
    world.exchange("ada")
    done = world.exchange("bea")
    assert done.report.outcomes[number] is Outcome.MERGED
    assert (world["bea"].spool.held.names(), waiting(world)) == ([], [])
    assert number in dict(world["bea"].db.receipts(world["ada"].card.node_id))
    assert_equal(world, NAMES)


def test_what_lies_beyond_a_close_waits_for_nothing(world: World) -> None:
    """The entries before it are on a branch that its author gave up: they may never come."""
    copy = world.back_up("ada")
    number = gap(world)
    world.restore("ada", copy)
    ada, store = world["ada"], world.store("ada")
    (state,) = [log for log in store.logs() if log.size]
    close_log(store, ada.author, state, time_us=world.clock())
    assert world.exchange("bea").report.outcomes == {number: Outcome.HELD}
    world.exchange("ada", "close")
    done = world.exchange("bea", "close")
    assert done.report.outcomes[number] is Outcome.MERGED
    assert any("beyond its closed log were left out" in note for note in done.report.notes)
    assert (world["bea"].spool.held.names(), waiting(world)) == ([], [])


def test_no_room_to_hold_leaves_it_in_the_inbox(world: World) -> None:
    number = gap(world)
    bea = world["bea"]
    bea.spool = open_spool(
        world.home("bea").spool, entropy=CountedEntropy("x"), quotas=Quotas(held_bytes=100)
    )
    done = world.exchange("bea")
    assert done.report.outcomes == {number: Outcome.INCOMPLETE}
    assert f"bundle {number} waits in the inbox" in done.report.notes[0]
    assert bea.spool.inbox.bundles() == [number]
    with pytest.raises(FullError):
        bea.spool.held.hold(bea.spool.outbox.queued(world["ada"].card.node_id)[0], bytes(200))
    world.exchange("ada")
    assert world.exchange("bea").report.outcomes[number] is Outcome.MERGED
    assert_equal(world, NAMES)


def test_what_is_said_in_what_finds_no_room_is_heard_once(world: World) -> None:
    gap(world)
    bea, ada = world["bea"], world["ada"].card.node_id
    quotas = Quotas(held_bytes=100)
    bea.spool = open_spool(world.home("bea").spool, entropy=CountedEntropy("x"), quotas=quotas)
    before = bea.db.peer(ada).counter
    world.exchange("bea")
    said, unanswered = bea.db.peer(ada).counter, bea.db.unanswered(ada)
    assert said > before
    assert import_arrived(bea).count(Outcome.INCOMPLETE) == 1
    assert (bea.db.peer(ada).counter, bea.db.unanswered(ada)) == (said, unanswered)


def test_what_is_refused_after_it_waited_keeps_its_bytes_in_quarantine(world: World) -> None:
    """It waits for a ledger, and says nonsense about it."""
    world.found("ada", ledger="second")
    store = world.store("ada", "second")
    world.put("ada", "x", 1, "second")
    (state,) = [log for log in store.logs() if log.size]
    lie = attacks.log_section(store, state, 0, 1)
    other = replace(lie.checkpoint, root=bytes(32))
    nonsense = encode_section(replace(lie, entries=b"\xff" + lie.entries, checkpoint=other))
    sealed = attacks.sealed_by(world["ada"], world["bea"], [nonsense])
    attacks.leave(world, "ada", "bea", sealed)
    number = bundle_id(sealed).hex()
    assert world.exchange("bea").report.outcomes == {number: Outcome.HELD}
    share(world["ada"], store, world["ada"].peer_named("bea"), Role.READER)
    world.exchange("ada")
    done = world.exchange("bea")
    assert done.report.outcomes[number] is Outcome.REFUSED
    (bad,) = world["bea"].spool.quarantine.list()
    assert (bad.bundle_id, bad.reason) == (number, done.report.reasons[number])
    assert bad.size_bytes >= len(sealed)
    assert (world["bea"].spool.held.names(), waiting(world)) == ([], [])
    assert world["bea"].db.seen(number) == "refused"
    assert_equal(world, NAMES, "second")


def test_what_is_here_already_is_not_read_again(world: World) -> None:
    """Its author signed what is here: whatever comes beside that is looked at no more."""
    world.put("ada", "well", 1)
    world.rounds(NAMES, 2)
    (state,) = [log for log in world.store("ada").logs() if log.size]
    again = attacks.log_section(world.store("ada"), state, 0, state.size)
    nonsense = encode_section(replace(again, entries=b"\xff" + again.entries))
    sealed = attacks.sealed_by(world["ada"], world["bea"], [nonsense])
    attacks.leave(world, "ada", "bea", sealed)
    done = world.exchange("bea")
    assert done.report.outcomes[bundle_id(sealed).hex()] is Outcome.MERGED
    assert done.report.entries == {}
    assert_equal(world, NAMES)


def test_a_held_bundle_whose_senders_card_is_gone_is_dropped(world: World) -> None:
    number = gap(world)
    world.exchange("bea")
    (world.home("bea").cards / "ada.card").unlink()
    world.reopen("bea")
    world["bea"].db.run("DELETE FROM waiting")
    notes = world.exchange("bea").report.notes
    assert f"bundle {number} no longer opens and is dropped" in notes[0]
    assert world["bea"].spool.held.names() == []
    assert world.exchange("bea").report.notes == []


def test_one_bundle_that_comes_twice_is_merged_once(world: World) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "one")
    world.exchange("ada", "two")
    first = world.exchange("bea", "one").report
    second = world.exchange("bea", "two")
    assert sum(first.entries.values()) == 1
    assert (second.report.outcomes, second.collected.seen) == ({}, 1)


def test_a_bundle_that_cannot_be_opened_is_refused_once_and_answered_in_full(world: World) -> None:
    for value in range(3):
        world.put("ada", "well", value)
        world.rounds(NAMES, 1)
    world.put("ada", "well", 9)
    world.exchange("ada")
    ada = world["ada"].card.node_id
    bea = world["bea"]
    bea.db.run("DELETE FROM pairwise")
    done = world.exchange("bea")
    (number,) = done.report.ids(Outcome.REFUSED)
    assert dict(bea.db.receipts(ada))[number] == "the key for it is lost"
    assert [one.key_id for one in bea.db.bundles(ada)] == [None]
    assert world.exchange("bea").problems == []
    world.rounds(NAMES, 3)
    assert_equal(world, NAMES)
    assert faults(bea) == []


def test_two_processes_do_not_import_at_once(world: World) -> None:
    locked = exclusive(world.home("bea").locks / "import", "busy")
    with locked, pytest.raises(BusyError, match="another pannier is importing"):
        import_arrived(world["bea"])


def test_what_a_newer_version_wrote_waits_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        world.put("ada", "well", number)
    world.exchange("ada")
    with monkeypatch.context() as older:
        older.setattr("bundler.entry_encodings.is_known", lambda encoding: encoding == ROWS)
        done = world.exchange("bea")
        (bundle,) = done.report.outcomes
        assert done.report.outcomes == {bundle: Outcome.HELD}
        assert waiting(world) == [(bundle, "newer", COLUMNAR)]
        assert [line for line in done.report.notes if "newer" in line] == [
            "a bundle from ada needs a newer pannier; it waits"
        ]
        assert world.exchange("bea").report.outcomes == {}
    assert world.exchange("bea").report.outcomes == {bundle: Outcome.MERGED}
    assert waiting(world) == []
