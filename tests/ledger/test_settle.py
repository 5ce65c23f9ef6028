"""What a removal does to the logs and views of a ledger file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.append import Draft, close_log, open_incarnation
from ledger.close import close_payload
from ledger.entry import INCARNATIONS_THING, MEMBERS_THING, Action
from ledger.errors import RefusedError
from ledger.facts import Grant, Revocation, Role
from ledger.fork import Fork
from ledger.log import Close, LogName, LogStatus, log_origin, root_at
from ledger.members import members
from ledger.merge import Forked, Gap, Merged, NotGranted, Void, take_fork
from ledger.note import Checkpoint
from ledger.store import Store
from ledger.views import (
    between,
    conflicts,
    heads,
    history,
    last_before,
    missing,
    things,
)
from tests.ledger.world import (
    NOW,
    Site,
    World,
    carried,
    change,
    counted,
    draft,
    faults,
    forged_fork,
    genesis_of,
    keys_of,
    numbered_log,
    picture,
    revocation_draft,
    rows_counted,
    send,
    settle,
    value_of,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "cy", admins=["ada"]) as made:
        ada, bob, cy = made.sites
        ada.grant("bob")
        ada.grant("cy")
        settle(ada, bob, cy)
        yield made


def remove(by: Site, name: str, log: LogName, size: int) -> None:
    by.write(revocation_draft(keys_of(name).author, {log.incarnation: size}))


def shown(store: Store, thing: str) -> dict[str, list[object]]:
    """What each view says of one thing."""
    return {
        "heads": [value_of(one.entry) for one in heads(store, thing)],
        "heads then": [value_of(one.entry) for one in heads(store, thing, until_us=2**62)],
        "history": [value_of(one.entry) for one in history(store, thing)],
        "between": [
            value_of(one.entry) for one in between(store, 0, 2**62) if one.entry.thing == thing
        ],
    }


def test_entries_beyond_a_removal_are_in_no_view_and_still_proven(world: World) -> None:
    ada, bob, cy = world.sites
    for number in range(4):
        bob.put("t", number)
    bob.put("only bob's", 4)
    send(bob, ada)
    remove(ada, "bob", bob.log, 2)
    assert shown(ada.store, "t") == {
        "heads": [1], "heads then": [1], "history": [0, 1], "between": [0, 1],
    }  # fmt: skip
    assert list(things(ada.store)) == ["t"]
    state = ada.store.log(bob.log)
    assert (state.size, state.counts, state.counted) == (5, 2, 2)
    last = last_before(ada.store, "t", bob.log, 5)
    assert last is not None
    assert last.number == 1
    assert faults(ada.store) == []
    settle(ada, bob, cy)
    assert picture(bob.store) == picture(cy.store) == picture(ada.store)


def test_what_a_void_entry_followed_is_shown_again(world: World) -> None:
    ada, bob, cy = world.sites
    ada.put("t", "ada's")
    cy.put("t", "cy's")
    settle(ada, bob, cy)
    bob.put("t", "bob's, instead of both")
    settle(ada, bob, cy)
    assert shown(cy.store, "t")["heads"] == ["bob's, instead of both"]
    remove(ada, "bob", bob.log, 0)
    settle(ada, bob, cy)
    for site in world.sites:
        assert set(shown(site.store, "t")["heads"]) == {"ada's", "cy's"}
        assert conflicts(site.store) == ["t"]
        assert faults(site.store) == []


def test_an_entry_that_follows_a_void_one_does_not_wait_for_it(world: World) -> None:
    ada, bob, cy = world.sites
    bob.put("t", 1)
    settle(ada, bob, cy)
    bob.put("t", 2)
    send(bob, cy)
    cy.put("t", 3)
    remove(ada, "bob", bob.log, 1)
    settle(ada, cy)
    assert [log.counted for log in ada.store.logs() if log.name == bob.log] == [1]
    assert missing(ada.store, "t") == missing(cy.store, "t") == []
    assert shown(ada.store, "t") == shown(cy.store, "t")
    assert set(shown(ada.store, "t")["history"]) == {1, 3}


def test_limits_rise_again_when_the_removal_turns_out_to_be_void(world: World) -> None:
    ada, bob, cy = world.sites
    ada.grant("bob", Role.ADMIN)
    settle(ada, bob, cy)
    cy.put("t", 1)
    cy.put("t", 2)
    cy.put("u", 3)
    send(cy, bob)
    remove(bob, "cy", cy.log, 1)
    send(bob, ada)
    send(cy, ada)
    assert shown(ada.store, "t")["heads"] == [1]
    remove(ada, "bob", bob.log, 0)
    settle(ada, bob, cy)
    for site in world.sites:
        assert shown(site.store, "t")["heads"] == [2]
        assert list(things(site.store)) == ["t", "u"]
        assert site.store.log(cy.log).counts is None
        assert faults(site.store) == []


def test_a_range_that_begins_beyond_a_removal_is_left_out(world: World) -> None:
    ada, bob, cy = world.sites
    for number in range(3):
        bob.put("t", number)
    send(bob, ada)
    ada.revoke("bob")
    bob.write(draft("t", 3), draft("t", 4))
    send(ada, cy)
    assert cy.take(carried(bob.store, bob.log, 3)) == Void(counts=3)
    assert cy.take(carried(bob.store, bob.log, 2)) == Merged(count=2)
    assert cy.take(carried(bob.store, bob.log, 3)) == Void(counts=3)
    assert cy.store.log(bob.log).size == 5
    assert shown(cy.store, "t")["history"] == [0, 1, 2]
    assert shown(cy.store, "t")["heads"] == [2]
    assert faults(cy.store) == []
    open_incarnation(bob.store, bob.author)
    bob.put("t", 5)
    assert cy.take(carried(bob.store, bob.log)) == Void(counts=0)
    assert counted(cy.store) == counted(ada.store)


def test_of_one_who_was_never_granted_a_range_waits(world: World) -> None:
    ada, bob, _ = world.sites
    eve = world.join("eve")
    with pytest.raises(RefusedError):
        eve.put("t", 1)
    ada.grant("eve")
    send(ada, eve)
    eve.put("t", 1)
    assert bob.take(carried(eve.store, eve.log)) == NotGranted(author=eve.author.public)
    assert bob.take(carried(ada.store, ada.log)) == Merged(count=1)
    assert bob.take(carried(eve.store, eve.log)) == Merged(count=1)


def test_who_is_taken_back_writes_in_a_new_log(world: World) -> None:
    ada, bob, cy = world.sites
    bob.put("t", 1)
    settle(ada, bob, cy)
    ada.revoke("bob")
    bob.put("t", "void")
    old = bob.log
    settle(ada, bob, cy)
    with pytest.raises(RefusedError, match="ask one of its admins"):
        bob.put("t", "refused")
    ada.grant("bob")
    settle(ada, bob, cy)
    bob.put("t", 2)
    assert bob.log != old
    settle(ada, bob, cy)
    for site in world.sites:
        assert shown(site.store, "t")["history"] == [1, 2]
        assert faults(site.store) == []


def test_who_was_removed_may_not_write_and_nothing_is_written(world: World) -> None:
    ada, bob, _ = world.sites
    ada.revoke("bob")
    send(ada, bob)
    before = counted(bob.store)
    with pytest.raises(RefusedError):
        bob.put("t", 1)
    with pytest.raises(RefusedError):
        bob.revoke("ada")  # no admin ever, and its revocation does nothing
    assert counted(bob.store) == before
    assert faults(bob.store) == []


def test_a_removed_founder_undoes_it(world: World) -> None:
    ada, bob, cy = world.sites
    ada.grant("bob", Role.ADMIN)
    settle(ada, bob, cy)
    bob.revoke("ada")
    ada.put("t", "before it heard of that")
    settle(ada, bob, cy)
    assert keys_of("ada").author not in members(ada.store)
    with pytest.raises(RefusedError):
        ada.put("t", "after")
    ada.revoke("bob")
    settle(ada, bob, cy)
    for site in world.sites:
        assert set(members(site.store)) == {keys_of("ada").author, keys_of("cy").author}
        assert shown(site.store, "t")["history"] == ["before it heard of that"]
        assert faults(site.store) == []


def test_a_removed_author_that_finds_two_branches_of_its_log_says_nothing(world: World) -> None:
    ada, bob, _ = world.sites
    bob.put("t", 0)
    send(bob, ada)
    copy = bob.backup(world.folder / "backup.db")
    bob.put("t", 1)
    log = bob.log
    lost = carried(bob.store, log)
    bob.restore(copy)
    bob.put("t", 2)
    remove(ada, "bob", log, 1)
    send(ada, bob)
    outcome = bob.take(lost)
    assert isinstance(outcome, Forked)
    assert shown(bob.store, "t")["history"] == [0]
    assert faults(bob.store) == []


# -- closes ---------------------------------------------------------------------------------------


def test_a_close_by_a_removed_author_is_void_wherever_it_came_first(world: World) -> None:
    ada, bob, cy = world.sites
    for number in range(3):
        bob.put("t", number)
    old = bob.log
    settle(ada, bob, cy)
    ada.revoke("bob")
    point = carried(bob.store, old, 0, 1).checkpoint
    open_incarnation(bob.store, bob.author)
    bob.write(
        Draft(
            thing=INCARNATIONS_THING,
            payload=close_payload(old, point),
            time_us=NOW,
            action=Action.CLOSE,
        )
    )
    assert cy.take(carried(bob.store, bob.log)) == Merged(count=1)
    assert (cy.store.log(old).status, cy.store.log(old).size) == (LogStatus.CLOSED, 1)
    settle(ada, bob, cy)
    for site in world.sites:
        state = site.store.log(old)
        assert (state.status, state.close, state.size) == (LogStatus.OPEN, None, 3)
        assert shown(site.store, "t")["history"] == [0, 1, 2]
        assert faults(site.store) == []


@pytest.mark.parametrize("action", [Action.GRANT, Action.REVOKE, Action.EPOCH, Action.CLOSE])
@pytest.mark.parametrize("is_readable", [False, True])
def test_words_that_count_for_nothing_cost_the_same_in_each_log(
    world: World, *, action: Action, is_readable: bool
) -> None:
    """A plain writer can make thousands of logs of one such word each."""
    _, bob, cy = world.sites
    card, author = keys_of("dee").card, cy.author.public
    said = {
        Action.GRANT: Grant(card=card, role=Role.WRITER).to_payload(),
        Action.REVOKE: Revocation(author=author, sizes={}).to_payload(),
        Action.CLOSE: close_payload(bob.log, carried_last(world)),
    }
    payload = said.get(action, b"\xf6") if is_readable else b"\xf6"
    draft = Draft(thing=MEMBERS_THING, payload=payload, time_us=NOW, action=action, follows=())
    read = []
    for _ in range(12):
        open_incarnation(bob.store, bob.author)
        bob.write(draft)
        received = carried(bob.store, bob.log)
        with rows_counted(cy.store) as counts:
            assert cy.take(received) == Merged(count=1)
        read.append(counts.total())
    assert read[-1] == read[1]
    assert faults(cy.store) == []


def test_what_ends_one_log_costs_the_same_however_many_there_are(world: World) -> None:
    """A plain writer can make thousands of logs, each of which ends the one before."""
    _, bob, cy = world.sites
    bob.put("t", 1)
    cy.take(carried(bob.store, bob.log))
    read = []
    for _ in range(12):
        before = bob.store.log(bob.log)
        received = carried(bob.store, close_log(bob.store, bob.author, before, time_us=NOW).name)
        with rows_counted(cy.store) as counts:
            assert cy.take(received) == Merged(count=1)
        assert cy.store.log(before.name).status is LogStatus.CLOSED
        read.append(counts.total())
    assert read[-1] == read[1]
    assert faults(cy.store) == []


@pytest.mark.parametrize("size", [1, 2])
def test_where_words_about_members_fall_off_all_logs_are_settled(world: World, size: int) -> None:
    """Ada granted dee, and ends her log before that, or behind it."""
    ada, bob, cy = world.sites
    old = ada.put("t", 1).name
    start = ada.store.log(old).size
    ada.grant("dee")
    dee = world.join("dee")
    settle(ada, dee)
    dee.put("t", "dee's")
    settle(dee, ada, bob, cy)
    point = carried(ada.store, old, 0, start + size - 1).checkpoint
    open_incarnation(ada.store, ada.author)
    closing = close_payload(old, point)
    ada.write(Draft(thing=INCARNATIONS_THING, payload=closing, time_us=NOW, action=Action.CLOSE))
    for site in (bob, cy):
        site.take(carried(ada.store, ada.log))
        assert (keys_of("dee").author in members(site.store)) == (size > 1)
        assert ("dee's" in shown(site.store, "t")["history"]) == (size > 1)
        assert faults(site.store) == []


def carried_last(world: World) -> Checkpoint:
    """A checkpoint of another author's: what it says of one's own log is signed by nobody."""
    ada = world.sites[0]
    return carried(ada.store, ada.log).checkpoint


@pytest.mark.parametrize("is_early", [False, True])
def test_a_word_that_counted_for_nothing_counts_once_an_admin_says_so(
    world: World, *, is_early: bool
) -> None:
    """Bob, a writer, grants dee and removes cy; then it comes out that bob is an admin."""
    ada, bob, _ = world.sites
    dan = world.join("dan")
    send(ada, dan)
    bob.put("t", 1)
    bob.grant("dee")
    bob.revoke("cy")
    ada.grant("bob", Role.ADMIN)
    first, second = (bob, ada) if is_early else (ada, bob)
    before = set(members(dan.store))
    send(first, dan)
    assert set(members(dan.store)) == before
    send(second, dan)
    names = {keys_of(name).author for name in ("ada", "bob", "dee")}
    assert set(members(dan.store)) == names
    assert faults(dan.store) == []


def test_a_log_is_opened_again_without_the_proofs_of_others(world: World) -> None:
    ada, bob, cy = world.sites
    bob.put("t", 0)
    old = bob.store.log(bob.log)
    send(bob, ada)
    for number in range(9):
        log = numbered_log(bob.author.public, number)
        take_fork(cy.store, log, forged_fork(bob.keys, cy.store.ledger_id, log))
    close_log(bob.store, bob.author, old, time_us=NOW)
    cy.take(carried(bob.store, bob.log))
    assert cy.store.log(old.name).status is LogStatus.CLOSED
    remove(ada, "bob", old.name, 1)
    with rows_counted(cy.store, "FROM evidence") as read:
        send(ada, cy)
    assert cy.store.log(old.name).status is LogStatus.OPEN
    assert read.total() == 0


def test_who_is_no_admin_any_more_unsays_nothing(tmp_path: Path) -> None:
    """Bob, an admin, removed dee; as a writer he ends his log before that."""
    genesis = genesis_of("ada")
    ada, bob = (Site.make(tmp_path / name, name, genesis) for name in ("ada", "bob"))
    ada.grant("bob", Role.ADMIN)
    ada.grant("dee")
    settle(ada, bob)
    old = bob.put("well", 1).name
    bob.revoke("dee")
    settle(ada, bob)
    ada.revoke("bob")
    ada.grant("bob")
    settle(ada, bob)
    open_incarnation(bob.store, bob.author)
    state = bob.store.log(old)
    root = root_at(state, 1, bob.store.nodes(state))
    last = bob.author.sign_checkpoint(log_origin(bob.store.ledger_id, old), 1, root)
    closing = close_payload(old, last)
    bob.write(Draft(thing=INCARNATIONS_THING, payload=closing, time_us=NOW, action=Action.CLOSE))
    settle(ada, bob)
    for site in (ada, bob):
        assert site.store.log(old).size == 2
        assert keys_of("dee").author not in members(site.store)
        assert faults(site.store) == []


def test_a_close_from_before_a_removal_holds(world: World) -> None:
    ada, bob, cy = world.sites
    bob.put("t", 1)
    old = bob.store.log(bob.log)
    close_log(bob.store, bob.author, old, time_us=NOW)
    settle(ada, bob)
    ada.revoke("bob")
    settle(ada, bob, cy)
    for site in world.sites:
        state = site.store.log(old.name)
        assert state.status is LogStatus.CLOSED
        assert state.close == Close(size=1, root=old.frontier.root())
        assert faults(site.store) == []


def test_a_proof_of_a_fork_beyond_a_removal_is_not_kept(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "bob", admins=["ada"]) as world:
        ada, bob = world.sites
        ada.grant("bob")
        send(ada, bob)
        bob.put("t", 0)
        twin = world.join("bob", folder="twin")
        bob.store.close()
        twin.store.close()
        twin.store.path.write_bytes(bob.store.path.read_bytes())
        bob.store, twin.store = (Store.open(one.store.path, world.key) for one in (bob, twin))
        bob.put("t", 1)
        twin.put("t", 2)
        send(bob, twin)
        ((state, data),) = twin.store.evidence("fork")
        ada.take(carried(bob.store, state.name, 0, 1))
        ada.revoke("bob")
        assert take_fork(ada.store, state.name, Fork.from_bytes(data)) == Void(counts=1)
        assert ada.store.evidence("fork") == []


# -- verify ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [None, 0, 3])
def test_a_limit_that_nobody_set_is_a_fault(world: World, counts: int | None) -> None:
    ada, bob, _ = world.sites
    for number in range(4):
        bob.put("t", number)
    send(bob, ada)
    remove(ada, "bob", bob.log, 2)
    assert faults(ada.store) == []
    change(ada.store, "UPDATE log SET counts = ? WHERE counts = 2", counts)
    assert "of its entries 2 should count" in str(faults(ada.store)[0])


def test_a_void_entry_in_a_view_is_a_fault(world: World) -> None:
    ada, bob, _ = world.sites
    bob.put("t", 1)
    bob.put("t", 2)
    send(bob, ada)
    remove(ada, "bob", bob.log, 1)
    change(ada.store, "UPDATE latest SET number = 1")
    assert "what it shows as latest" in str(faults(ada.store))


# -- any entries, any limit -----------------------------------------------------------------------

written = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("tuv"), st.booleans()), max_size=14
)


@settings(max_examples=25)
@given(written, st.lists(st.integers(0, 15), min_size=1, max_size=3), st.integers(0, 2))
def test_views_under_a_limit_are_those_of_a_ledger_without_the_rest(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, str, bool]],
    limits: list[int],
    who: int,
) -> None:
    """However a limit came to be what it is, the views are made of what counts and nothing else."""
    with World.of(tmp_path_factory.mktemp("limits"), "ada", "bob", "cy") as world:
        for number, (name, thing, is_carried) in enumerate(entries):
            site = world.sites["abc".index(name)]
            site.put(thing, number)
            if is_carried:
                settle(*world.sites)
        settle(*world.sites)
        store = world.sites[0].store
        target = store.log(world.sites[who].log)
        with store.transaction():
            for limit in limits:
                store.set_counts(store.log(target.name), limit)
        expected = {
            thing: [
                number
                for number, (name, one, _) in enumerate(entries)
                if one == thing and counts_under(entries, number, who, limits[-1])
            ]
            for thing in "tuv"
        }
        found = {thing: sorted(map(int, map(str, values_of(store, thing)))) for thing in "tuv"}
        assert found == expected
        assert list(things(store)) == sorted(thing for thing, values in expected.items() if values)
        for thing in "tuv":
            now, then = (shown(store, thing)[view] for view in ("heads", "heads then"))
            assert sorted(now, key=str) == sorted(then, key=str), "the tables say what entries say"


def values_of(store: Store, thing: str) -> list[object]:
    return shown(store, thing)["history"]


def counts_under(entries: list[tuple[str, str, bool]], number: int, who: int, limit: int) -> bool:
    name = entries[number][0]
    place = sum(one == name for one, _, _ in entries[:number])
    return name != "abc"[who] or place < limit


def test_a_gap_before_a_limit_still_waits(world: World) -> None:
    ada, bob, cy = world.sites
    bob.put("t", 1)
    bob.put("t", 2)
    send(bob, ada)
    ada.revoke("bob")
    send(ada, cy, most=1)
    other = world.join("cy", folder="other cy")
    other.take(carried(ada.store, ada.log))
    assert other.take(carried(bob.store, bob.log, 1)) == Gap(size=0)
