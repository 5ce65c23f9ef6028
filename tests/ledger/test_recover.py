from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.append import (
    Draft,
    close_log,
    open_incarnation,
    own_log,
)
from ledger.close import close_from_payload, close_payload
from ledger.entries import Entries
from ledger.entry import INCARNATIONS_THING, Action
from ledger.errors import MalformedError, StaleError, UnverifiedError
from ledger.fork import Fork
from ledger.genesis import LedgerId
from ledger.log import Close, LogName, LogStatus, log_origin
from ledger.members import Role, members
from ledger.merge import Ended, Forked, Gap, Merged, NotGranted, _merge_once, take_fork
from ledger.merkle import EMPTY_FRONTIER
from ledger.note import Checkpoint, sign_checkpoint
from ledger.views import conflicts, heads, history
from tests.ledger.verifiers import verifier_of
from tests.ledger.world import (
    NOW,
    Site,
    World,
    carried,
    counted,
    draft,
    dump,
    facts,
    faults,
    keys_of,
    payload,
    picture,
    send,
    settle,
    value_of,
)
from tests.vectors import load

VECTORS = load("close")


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    author, ledger_id = bytes.fromhex(vector["author"]), LedgerId(bytes.fromhex(vector["ledger"]))
    data = bytes.fromhex(vector["payload"])
    if vector["expect"] == "success":
        name, last = close_from_payload(author, data)
        last.verify(log_origin(ledger_id, name), verifier_of(vector))
        assert (name.incarnation.hex(), last.size) == (vector["closed"], vector["size"])
        assert close_payload(name, last) == data
        return
    if vector["expect"] == "malformed":
        with pytest.raises(MalformedError):
            close_from_payload(author, data)
        return
    name, last = close_from_payload(author, data)
    with pytest.raises(UnverifiedError):
        last.verify(log_origin(ledger_id, name), verifier_of(vector))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "cy") as made:
        yield made


def agree(*sites: Site) -> None:
    """All hold the same, show the same, and verify."""
    for site in sites:
        assert faults(site.store) == []
        assert facts(site.store) == facts(sites[0].store)
        assert picture(site.store) == picture(sites[0].store)


def said(site: Site, thing: str) -> list[object]:
    return [value_of(one.entry) for one in history(site.store, thing)]


# -- the author comes back from a backup ---------------------------------------------------------


def lose(ada: Site, bob: Site, folder: Path, *, after: int = 5, most: int = 65_536) -> LogName:
    """Ada writes 3 entries, makes a backup, writes *after* more, shows bob, loses her disk."""
    for number in range(3):
        ada.put(f"t{number}", "before")
    copy = ada.backup(folder / "backup.db")
    for number in range(after):
        ada.put(f"t{number}", "lost")
    send(ada, bob, most=most)
    old = ada.log
    ada.restore(copy)
    assert ada.log == old
    return old


def test_one_who_wrote_nothing_since_goes_on_in_a_new_log(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    outcome = ada.take(carried(bob.store, old))
    assert outcome == Merged(count=5)
    assert ada.store.log(old).status is LogStatus.OPEN
    state = ada.put("t0", "after")
    assert state.name != old
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert cy.values("t0") == ["after"]
    assert {site.store.log(old).size for site in world.sites} == {8}
    assert conflicts(cy.store) == []


def test_one_whom_others_know_no_longer_than_the_backup_notices_nothing(
    world: World, tmp_path: Path
) -> None:
    ada, bob, _ = world.sites
    old = lose(ada, bob, tmp_path, after=0)
    assert ada.take(carried(bob.store, old)) == Merged(count=0)
    assert ada.put("t", "after").name == old


def test_both_histories_are_kept(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("t0", "mine")
    ada.put("new", "mine")
    assert ada.take(carried(bob.store, old, 3)) == Merged(count=5)
    closed, new = ada.store.logs()
    assert (closed.name, closed.status, closed.size) == (old, LogStatus.CLOSED, 8)
    assert closed.close == Close(size=8, root=bob.store.log(old).frontier.root())
    assert [entry.action for entry in ada.store.entries(new, 0, 9)] == [Action.CLOSE, 0, 0]
    assert own_log(ada.store, ada.author).name == new.name
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert said(cy, "t0") == ["before", "lost", "mine"]
    assert cy.values("new") == ["mine"]
    assert [data for _, data in ada.store.evidence("fork")]
    assert [value_of(entry) for *_, entry in ada.store.dropped(0)] == ["mine", "mine"]


def test_what_two_branches_say_of_one_thing_is_a_conflict(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("t0", "mine")
    ada.put("t0", "mine again")
    ada.put("t1", "mine")
    bob.put("t1", "bob, who saw what was lost")
    ada.take(carried(bob.store, old))
    assert conflicts(ada.store) == ["t0", "t1"]
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert sorted(map(str, cy.values("t0"))) == ["lost", "mine again"]
    assert sorted(map(str, cy.values("t1"))) == ["bob, who saw what was lost", "mine"]
    ada.put("t0", "settled")
    settle(ada, bob, cy)
    assert bob.values("t0") == ["settled"]


def test_what_the_lost_branch_did_not_touch_is_no_conflict(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path, after=2)
    ada.put("t2", "mine")
    ada.delete("t2")
    ada.take(carried(bob.store, old))
    assert conflicts(ada.store) == []
    (head,) = heads(ada.store, "t2")
    assert head.deleted
    settle(ada, bob, cy)
    agree(ada, bob, cy)


def test_what_was_followed_then_is_followed_again_and_nothing_else(
    world: World, tmp_path: Path
) -> None:
    ada, bob, cy = world.sites
    cy.put("seen", "cy")
    cy.put("unseen", "cy")
    ada.take(carried(cy.store, cy.log, 0, 1))
    old = lose(ada, bob, tmp_path)
    ada.put("seen", "mine")
    ada.put("unseen", "mine")
    ada.take(carried(cy.store, cy.log))
    assert conflicts(ada.store) == ["unseen"]
    ada.take(carried(bob.store, old))
    assert conflicts(ada.store) == ["unseen"]
    assert ada.values("seen") == ["mine"]
    settle(ada, bob, cy)
    agree(ada, bob, cy)


def test_grants_and_deletions_are_said_again(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.grant("dee")
    ada.delete("t1")
    ada.take(carried(bob.store, old))
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert {one.card.name for one in members(bob.store).values()} == {"ada", "bob", "cy", "dee"}
    assert {one.deleted for one in heads(bob.store, "t1")} == {True, False}


def test_taking_back_twice_is_taking_back_once(world: World, tmp_path: Path) -> None:
    ada, bob, _ = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("new", "mine")
    received = carried(bob.store, old)
    ada.take(received)
    before, entropy = facts(ada.store), ada.log
    assert ada.take(received) == Merged(count=0)
    assert facts(ada.store) == before
    assert ada.log == entropy
    assert said(ada, "new") == ["mine"]


def test_others_hold_the_shorter_branch(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path, after=1)
    for number in range(9):
        ada.put("mine", number)
    assert ada.take(carried(bob.store, old)) == Merged(count=1)
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert said(bob, "mine") == list(range(9))
    assert said(bob, "t0") == ["before", "lost"]


def test_others_hold_some_of_either_branch(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    ada.put("mine", 2)
    send(ada, cy)
    assert cy.store.log(old).size == 5
    send(bob, cy)
    send(cy, bob)
    for site in (bob, cy):
        assert site.store.log(old).status is LogStatus.FORKED
    assert bob.values("t0") == ["lost"]
    assert cy.values("t0") == ["before"]
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert said(cy, "mine") == [1, 2]
    assert said(cy, "t0") == ["before", "lost"]


def test_the_proof_comes_before_the_branch(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    send(ada, cy)
    send(bob, cy)
    ((_, proof),) = cy.store.evidence("fork")
    take_fork(ada.store, old, Fork.from_bytes(proof))
    assert ada.store.log(old).status is LogStatus.FORKED
    assert ada.put("mine", 2).name != old, "a forked log is not written on"
    assert ada.take(carried(bob.store, old, 3)) == Merged(count=5)
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert said(bob, "mine") == [1, 2]


def test_a_long_log_comes_back_in_several_sections(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path, after=20, most=10)
    assert send(bob, ada, most=10) == [Merged(count=7), Merged(count=10), Merged(count=3)]
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert ada.store.log(old).size == 23


def test_a_range_that_begins_behind_the_fork_does_nothing_yet(world: World, tmp_path: Path) -> None:
    ada, bob, _ = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    ada.put("mine", 2)
    before = dump(ada.store)
    outcome = ada.take(carried(bob.store, old, 4))
    assert outcome == Forked(fork=None, status=LogStatus.OPEN)
    assert ada.take(carried(bob.store, old, 6)) == Gap(size=5)
    assert dump(ada.store) == before


def test_a_branch_is_taken_from_a_checkpoint_on(world: World, tmp_path: Path) -> None:
    """Else so much could lie between two that no range could carry it on."""
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    ada.put("mine", 2)
    closed = close_log(ada.store, ada.author, ada.store.log(old), time_us=NOW)
    assert closed.name != old
    bob.take(carried(ada.store, closed.name))
    assert [one.size for one in bob.store.checkpoints(bob.store.log(old), 0, 8)] == [8]
    assert bob.take(carried(ada.store, old, 3)) == Gap(size=0)
    assert bob.take(carried(ada.store, old, 0, 3)) == Merged(count=0)
    assert bob.take(carried(ada.store, old, 3)) == Merged(count=2)
    state = bob.store.log(old)
    assert (state.size, state.status) == (5, LogStatus.CLOSED)
    assert [one.size for one in bob.store.checkpoints(state, 0, 5)] == [3, 5]
    settle(ada, bob, cy)
    agree(ada, bob, cy)


def test_so_is_an_own_branch_that_others_hold(world: World, tmp_path: Path) -> None:
    ada, bob, _ = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    received = carried(bob.store, old, 3)
    ada.store.run("DELETE FROM checkpoint WHERE size = 3")
    before = ada.store.log(old)
    assert ada.take(received) == Gap(size=2)
    assert ada.store.log(old).size == before.size
    assert ada.store.log(old).status is LogStatus.FORKED
    assert ada.take(carried(bob.store, old)) == Merged(count=5)


def test_who_is_removed_once_its_own_word_falls_off_takes_the_branch_of_the_others(
    world: World, tmp_path: Path
) -> None:
    """Bob removed ada; dee took her back, whom ada granted on the branch that gives way."""
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path, most=5)
    ada.grant("dee", Role.ADMIN)
    dee = world.join("dee")
    send(ada, dee)
    bob.revoke("ada")
    dee.take(carried(bob.store, bob.log))
    dee.grant("ada")
    send(dee, ada)
    assert keys_of("ada").author in members(ada.store)
    for first, end in ((3, 5), (5, 8)):
        assert ada.take(carried(bob.store, old, first, end)) == Merged(count=end - first)
    settle(ada, bob)
    for site in (ada, bob):
        assert keys_of("ada").author not in members(site.store)
        assert faults(site.store) == []
    assert counted(ada.store) == counted(bob.store)
    bob.grant("ada")
    settle(ada, bob, cy)
    ada.put("again", 1)
    settle(ada, bob, cy)
    assert said(cy, "again") == [1]
    agree(bob, cy)


def test_who_is_no_admin_any_more_takes_its_branch_back_and_says_no_close(
    world: World, tmp_path: Path
) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    bob.revoke("ada")
    bob.grant("ada")
    send(bob, cy)
    ada.take(carried(bob.store, bob.log))
    assert ada.take(carried(bob.store, old, 3)) == Merged(count=5)
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert said(cy, "mine") == [1]
    assert list(cy.store.facts((Action.CLOSE,))) == []


def test_a_forged_branch_is_not_taken(world: World, tmp_path: Path) -> None:
    ada, bob, _ = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    received = carried(bob.store, old)
    *others, last = received.entries.one_by_one()
    forged = Entries.of([*others, last._replace(thing="forged")])
    before = dump(ada.store)
    with pytest.raises(UnverifiedError):
        ada.take(replace(received, entries=forged))
    assert dump(ada.store) == before


def test_whoever_may_not_write_takes_nothing_back(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "eve", admins=["ada"]) as world:
        ada, eve = world.sites
        ada.put("t", 1)
        forged = replace(carried(ada.store, ada.log), log=LogName(eve.author.public, bytes(8)))
        assert eve.take(forged) == NotGranted(author=eve.author.public)


# -- closes ---------------------------------------------------------------------------------------


def close_at(site: Site, log: LogName, size: int) -> None:
    """Close *log* at a size that it had once, in a new incarnation."""
    write_close(site, log, carried(site.store, log, 0, size).checkpoint)


def write_close(site: Site, log: LogName, point: Checkpoint) -> None:
    open_incarnation(site.store, site.author)
    site.write(closing(log, point))


def closing(log: LogName, point: Checkpoint) -> Draft:
    payload = close_payload(log, point)
    return Draft(thing=INCARNATIONS_THING, payload=payload, time_us=NOW, action=Action.CLOSE)


def test_a_longer_log_than_its_close_is_cut_and_what_falls_off_is_kept(world: World) -> None:
    ada, bob, cy = world.sites
    for number in range(6):
        ada.put("t", number)
    old = ada.log
    whole = carried(ada.store, old)
    bob.take(whole)
    close_at(ada, old, 4)
    assert bob.take(carried(ada.store, ada.log)) == Merged(count=1)
    state = bob.store.log(old)
    assert (state.status, state.size) == (LogStatus.CLOSED, 4)
    assert [(number, value_of(entry)) for _, number, entry in bob.store.dropped(0)] == [
        (4, 4),
        (5, 5),
    ]
    assert bob.values("t") == [3]
    assert faults(bob.store) == []
    assert bob.take(whole) == Ended(close=Close(size=4, root=state.frontier.root()))
    # A third node that only ever talks to the one that was cut gets everything.
    send(bob, cy)
    assert facts(cy.store) == facts(bob.store)
    assert picture(cy.store) == picture(bob.store)


def test_a_close_inside_what_one_checkpoint_covered_brings_its_own(world: World) -> None:
    ada, bob, cy = world.sites
    ada.write(*(draft("t", number) for number in range(3)))
    old, short = ada.log, own_log(ada.store, ada.author)
    ada.write(*(draft("t", number) for number in range(3, 7)))
    bob.take(carried(ada.store, old, 0, 7))
    assert [one.size for one in bob.store.checkpoints(bob.store.log(old), 0, 9)] == [7]
    with ada.store.transaction():
        ada.store.truncate(ada.store.log(old), short.frontier)
    close_log(ada.store, ada.author, ada.store.log(old), time_us=NOW)
    bob.take(carried(ada.store, ada.log))
    assert [one.size for one in bob.store.checkpoints(bob.store.log(old), 0, 9)] == [3]
    send(bob, cy)
    agree(bob, cy)
    assert cy.values("t") == [2]


def test_a_close_may_come_before_the_log_that_it_ends(world: World) -> None:
    ada, bob, _ = world.sites
    for number in range(6):
        ada.put("t", number)
    old = ada.log
    whole, rest = carried(ada.store, old), carried(ada.store, old, 4)
    close_at(ada, old, 4)
    bob.take(carried(ada.store, ada.log))
    state = bob.store.log(old)
    assert (state.status, state.size) == (LogStatus.CLOSED, 0)
    assert faults(bob.store) == []
    assert isinstance(bob.take(whole), Ended)
    assert isinstance(bob.take(rest), Ended), "and waits for nothing"
    assert bob.take(carried(ada.store, old, 2, 4)) == Gap(size=0)
    assert bob.take(carried(ada.store, old, 0, 2)) == Merged(count=2)
    assert bob.take(carried(ada.store, old, 2, 4)) == Merged(count=2)
    assert bob.values("t") == [3]
    assert faults(bob.store) == []


def branches(world: World, tmp_path: Path) -> tuple[Site, Site, LogName]:
    """Return two who write as ada, on branches of one log that part after 3 of 8 and 6 entries."""
    ada = world.sites[0]
    for number in range(3):
        ada.put("t", number)
    other = world.join("ada", folder="ada's other")
    other.restore(ada.backup(tmp_path / "copy.db"))
    for number in range(5):
        ada.put("t", f"ada {number}")
    for number in range(3):
        other.put("t", f"other {number}")
    return ada, other, ada.log


@pytest.mark.parametrize("held", [4, 6, 8])
def test_a_close_on_another_branch_waits_for_that_branch_and_then_replaces_ours(
    world: World, tmp_path: Path, held: int
) -> None:
    ada, other, old = branches(world, tmp_path)
    bob = world.sites[1]
    bob.take(carried(ada.store, old, 0, held))
    shown = picture(bob.store)
    close_log(other.store, other.author, other.store.log(old), time_us=NOW)
    bob.take(carried(other.store, other.log))
    state = bob.store.log(old)
    assert (state.status, state.size) == (LogStatus.CLOSED, held)
    assert picture(bob.store) == shown, "nothing goes before what replaces it is here"
    assert faults(bob.store) == []
    assert bob.take(carried(other.store, old)) == Merged(count=3)
    agree(bob, other)
    assert bob.values("t") == ["other 2"]
    assert [number for _, number, _ in bob.store.dropped(0)] == list(range(3, held))
    assert len(bob.store.evidence("fork")) == 1
    # From then on nothing moves it: the other branch is evidence.
    before = dump(bob.store)
    outcome = bob.take(carried(ada.store, old, 0, 5))
    assert isinstance(outcome, Forked)
    assert outcome.status is LogStatus.CLOSED
    assert dump(bob.store) == before


def test_a_branch_comes_back_in_sections_that_do_not_reach_the_close(
    world: World, tmp_path: Path
) -> None:
    ada, other, old = branches(world, tmp_path)
    bob = world.sites[1]
    bob.take(carried(ada.store, old))
    close_log(other.store, other.author, other.store.log(old), time_us=NOW)
    bob.take(carried(other.store, other.log))
    assert bob.take(carried(other.store, old, 0, 4)) == Merged(count=1)
    assert bob.store.log(old).size == 4
    assert bob.take(carried(other.store, old, 4)) == Merged(count=2)
    agree(bob, other)


def test_a_checkpoint_of_a_branch_that_another_process_replaced_meanwhile_is_not_kept(
    world: World, tmp_path: Path
) -> None:
    ada, other, old = branches(world, tmp_path)
    bob = world.sites[1]
    received = carried(ada.store, old, 0, 6)
    bob.take(received)
    close_log(other.store, other.author, other.store.log(old), time_us=NOW)
    bob.take(carried(other.store, other.log))
    before = bob.store.log(old)
    bob.take(carried(other.store, old))
    with pytest.raises(StaleError):
        _merge_once(bob.store, received, before)
    agree(bob, other)


def test_a_fork_that_is_known_is_settled_by_the_close(world: World, tmp_path: Path) -> None:
    ada, other, old = branches(world, tmp_path)
    bob, cy = world.sites[1:3]
    bob.take(carried(ada.store, old))
    bob.take(carried(other.store, old))
    cy.take(carried(other.store, old))
    cy.take(carried(ada.store, old))
    assert {site.store.log(old).status for site in (bob, cy)} == {LogStatus.FORKED}
    close_log(other.store, other.author, other.store.log(old), time_us=NOW)
    settle(bob, cy, other)
    agree(bob, cy, other)
    assert bob.values("t") == ["other 2"]


@pytest.mark.parametrize("first", [0, 1])
def test_two_different_closes_are_hostile_and_all_agree_on_the_lesser(
    world: World, tmp_path: Path, first: int
) -> None:
    ada, other, old = branches(world, tmp_path)
    bob, cy = world.sites[1:3]
    for site in (ada, other):
        close_log(site.store, site.author, site.store.log(old), time_us=NOW)
        site.put("after", site.store.path.parent.name)
    order = [(ada, other), (other, ada)][first]
    for source in order:
        send(source, bob)
    for source in reversed(order):
        send(source, cy)
    settle(bob, cy, other)
    agree(bob, cy)
    state = bob.store.log(old)
    assert (state.status, state.size) == (LogStatus.HOSTILE, 6)
    assert bob.values("t") == ["other 2"]
    # The same close again changes nothing, and nothing beyond it is taken.
    before = facts(bob.store)
    for source in order:
        send(source, bob)
    assert facts(bob.store) == before


def test_two_closes_at_one_branch_leave_the_shorter(world: World) -> None:
    ada, bob, cy = world.sites
    for number in range(6):
        ada.put("t", number)
    old = ada.log
    ranges = {size: carried(ada.store, old, 0, size) for size in (6, 4, 5)}
    for received in ranges.values():
        write_close(ada, old, received.checkpoint)
    logs = [state.name for state in ada.store.logs() if state.size]
    for site, order in ((bob, logs), (cy, logs[::-1])):
        for name in order:
            site.take(carried(ada.store, name))
        for size in (6, 4):
            site.take(ranges[size])
    agree(bob, cy)
    state = cy.store.log(old)
    assert (state.status, state.size) == (LogStatus.HOSTILE, 4)


def test_a_close_that_proves_nothing_does_nothing(world: World) -> None:
    ada, bob, _ = world.sites
    ada.put("t", 1)
    bob.put("t", 2)
    old, state = ada.log, own_log(ada.store, ada.author)
    origin = log_origin(ada.store.ledger_id, bob.log)
    by_ada = sign_checkpoint(ada.author.signer, origin, 1, bob.store.log(bob.log).frontier.root())
    (good,) = ada.store.checkpoints(state, 0, 1)
    own_origin = log_origin(ada.store.ledger_id, old)
    payloads = [
        payload("nonsense"),
        close_payload(bob.log, by_ada),
        close_payload(old, by_ada),
        close_payload(old, replace(good, size=0)),
        close_payload(
            old, sign_checkpoint(ada.author.signer, own_origin, 0, EMPTY_FRONTIER.root())
        ),
    ]
    for one in payloads:
        open_incarnation(ada.store, ada.author)
        ada.write(Draft(thing=INCARNATIONS_THING, payload=one, time_us=NOW, action=Action.CLOSE))
    settle(ada, bob)
    for site in (ada, bob):
        assert {one.status for one in site.store.logs()} == {LogStatus.OPEN}
        assert faults(site.store) == []


def test_a_log_does_not_close_itself(world: World) -> None:
    ada, bob, _ = world.sites
    open_incarnation(ada.store, ada.author)
    log = ada.log
    point = ada.author.sign_checkpoint(log_origin(ada.store.ledger_id, log), 1, bytes(32))
    ada.write(closing(log, point))
    assert bob.take(carried(ada.store, log)) == Merged(count=1)
    assert bob.store.log(log).status is LogStatus.OPEN
    assert bob.take(carried(ada.store, log)) == Merged(count=0)


@pytest.mark.parametrize("is_turned", [False, True])
def test_logs_that_end_each_other_are_the_same_whichever_came_first(
    world: World, *, is_turned: bool
) -> None:
    """Each goes on beyond where the other ends it, and says only there that it ends the other."""
    ada, bob, cy = world.sites
    twin = world.join("ada", folder="twin")
    for site in (ada, twin):
        site.put("t", site.store.path.parent.name)
    logs = [site.log for site in (ada, twin)]
    points = [
        carried(site.store, log).checkpoint for site, log in zip((ada, twin), logs, strict=True)
    ]
    ada.write(closing(logs[1], points[1]))
    twin.write(closing(logs[0], points[0]))
    ways = [carried(site.store, log) for site, log in zip((ada, twin), logs, strict=True)]
    first, second = (bob, cy) if is_turned else (cy, bob)
    for taker, way in ((first, ways), (second, ways[::-1])):
        for received in way:
            assert taker.take(received) == Merged(count=2)
    agree(bob, cy)
    assert {bob.store.log(log).close for log in logs} == {None}


# -- the author hears of its own close ------------------------------------------------------------


def test_an_older_copy_that_hears_of_the_close_first_loses_nothing(
    world: World, tmp_path: Path
) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    very_old = ada.backup(tmp_path / "very old.db")
    ada.put("mine", 1)
    ada.take(carried(bob.store, old))
    settle(ada, bob)
    # The disk is lost again, and the same backup is put back; more is written.
    ada.restore(very_old)
    ada.put("mine", 2)
    assert ada.log == old
    closing = next(one.name for one in bob.store.logs() if one.name != old and one.size)
    ada.take(carried(bob.store, closing))
    assert ada.store.log(old).status is LogStatus.CLOSED
    assert ada.put("mine", 3).name != old
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert sorted(map(str, said(cy, "mine"))) == ["1", "2", "3"]


def test_entries_beyond_a_close_of_ours_are_said_again_by_us(world: World, tmp_path: Path) -> None:
    ada, bob, cy = world.sites
    for number in range(4):
        ada.put("t", number)
    old = ada.log
    other = world.join("ada", folder="ada's other")
    other.restore(ada.backup(tmp_path / "copy.db"))
    close_at(other, old, 2)
    bob.take(carried(other.store, other.log))
    ada.take(carried(bob.store, other.log))
    assert ada.store.log(old).size == 2
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert said(cy, "t") == [0, 1, 2, 3]
    assert cy.values("t") == [3]


def test_a_fork_of_which_nobody_has_the_other_branch_ends_on_ours(
    world: World, tmp_path: Path
) -> None:
    ada, bob, cy = world.sites
    old = lose(ada, bob, tmp_path)
    ada.put("mine", 1)
    send(ada, cy)
    # Bob hands on what he has of the branch that is gone, and then is gone himself.
    cy.take(carried(bob.store, old))
    ada.put("mine", 2)
    settle(ada, cy)
    assert {site.store.log(old).status for site in (ada, cy)} == {LogStatus.FORKED}
    assert said(cy, "mine") == [1]
    close_log(ada.store, ada.author, ada.store.log(old), time_us=NOW)
    settle(ada, cy)
    agree(ada, cy)
    assert said(cy, "mine") == [1, 2]
    settle(ada, bob, cy)
    agree(ada, bob, cy)
    assert [value_of(entry) for *_, entry in bob.store.dropped(0)] == ["lost"] * 5
