"""Members come, go, fight and return; sticks carry who knows what to whom, in any order."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ledger.append import open_incarnation
from ledger.errors import RefusedError
from ledger.facts import Role
from ledger.log import LogName, root_at
from ledger.members import members
from ledger.merge import merge
from ledger.store import Store
from ledger.views import history, things
from pannier.errors import UsageError
from pannier.membership import author_named, revoke, share
from pannier.nodedb_peers import KEY_LOST
from pannier.statements import UNFOUNDED
from pannier.trusted_time import Uptime
from tests.ledger.world import lacked
from tests.sim.brought import bring, sections_of
from tests.sim.world import START_US, World, facts, faults

NAMES = ("ada", "bea", "cy", "dee")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ada founded the ledger; bea is an admin too, cy and dee write. All have met."""
    with World(tmp_path, NAMES) as made:
        made.found("ada")
        for name, role in (("bea", Role.ADMIN), ("cy", Role.WRITER), ("dee", Role.WRITER)):
            grant(made, "ada", name, role)
        made.put("ada", "begun", "by ada")
        made.rounds(NAMES, 3)
        for name in NAMES:
            assert made.has(name)
        yield made


def grant(world: World, by: str, to: str, role: Role = Role.WRITER) -> bool:
    return share(world[by], world.store(by), world[by].peer_named(to), role)


def remove(world: World, by: str, *whom: str) -> None:
    store = world.store(by)
    revoke(world[by], store, [author_named(world[by], store, name) for name in whom])


def what_counts(store: Store) -> dict[str, object]:
    """All that nodes must agree on that know the same: not what is void, which only some hold."""
    found = facts(store)
    found["logs"] = {
        str(log.name): (log.counted, root_at(log, log.counted, store.nodes(log)))
        for log in store.logs()
        if log.counted
    }
    found["history"] = {
        thing: [(one.log, one.number, one.entry) for one in history(store, thing)]
        for thing in things(store)
    }
    return found


def assert_agree(world: World, names: Sequence[str]) -> set[str]:
    """All *names* know the same and verify; return the names of the members."""
    first = what_counts(world.store(names[0]))
    for name in names:
        assert faults(world[name]) == []
        for what, value in what_counts(world.store(name)).items():
            assert value == first[what], f"{what} of {name} and {names[0]} differ"
    known = members(world.store(names[0]))
    return {one.card.name for one in known.values()}


def assert_quiet(world: World, names: Sequence[str]) -> None:
    """Nobody has more to say: what is void is not offered again and again."""
    before = {name: world[name].counting.counter() for name in names}
    away = {world[name].card.node_id for name in set(world.names) - set(names)}
    world.rounds(names, 3)
    for name in names:
        assert world[name].counting.counter() == before[name]
        waiting = [one for one in world[name].db.queued_bundles() if not one.control]
        assert [one for one in waiting if one.peer not in away] == []


def shown(world: World, name: str) -> set[str]:
    return set(things(world.store(name)))


# -- one is removed -------------------------------------------------------------------------------


def test_what_a_removed_member_wrote_after_vanishes_also_where_it_was_merged(world: World) -> None:
    world.put("cy", "before", 1)
    world.rounds(("cy", "ada", "bea", "dee"), 2)
    world.put("cy", "after", 2)
    world.rounds(("cy", "dee"), 3, "other stick")
    assert "after" in shown(world, "dee")
    remove(world, "ada", "cy")
    heard = [world.exchange(name) for name in ("ada", "dee", "bea", "ada", "dee")]
    assert "cy was removed" in str([one.report.notes for one in heard])
    assert assert_agree(world, ("ada", "bea", "dee")) == {"ada", "bea", "dee"}
    for name in ("ada", "bea", "dee"):
        assert shown(world, name) >= {"begun", "before"}
        assert "after" not in shown(world, name)
    assert_quiet(world, ("ada", "bea", "dee"))


def test_a_removed_members_late_bundle_by_a_third_node_brings_nothing(world: World) -> None:
    world.put("cy", "late", 1)
    world.rounds(("cy", "dee"), 2, "other stick")
    assert "late" in shown(world, "dee"), "who has not heard of the removal carries it on"
    remove(world, "ada", "cy")
    world.rounds(("ada", "bea"), 2)
    world.rounds(("dee", "bea"), 1, "third stick")
    world.exchange("bea", "third stick")
    world.rounds(("dee", "ada", "bea"), 4, "third stick")
    assert "late" not in shown(world, "bea")
    assert world.store("bea").log(late_log(world)).size == 0
    assert assert_agree(world, ("ada", "bea", "dee")) == {"ada", "bea", "dee"}
    assert_quiet(world, ("ada", "bea", "dee"))


def late_log(world: World) -> LogName:
    cy = world["cy"].card.author
    return next(log.name for log in world.store("dee").logs() if log.name.author == cy)


def test_a_removed_member_hears_nothing_more(world: World) -> None:
    world.rounds(NAMES, 2)
    remove(world, "ada", "cy")
    world.rounds(("ada", "bea", "dee"), 3)
    world.put("ada", "secret", 1)
    world.put("dee", "dee's secret", 2)
    world.put("cy", "void", 3)
    for name in ("dee", "ada", "bea", "cy"):
        world.exchange(name)
    world.rounds(("dee", "ada", "bea", "cy"), 2)
    assert shown(world, "cy") == {"begun", "void"}
    assert cy_is_member(world, "cy"), "nothing tells it otherwise"
    assert assert_agree(world, ("ada", "bea", "dee")) == {"ada", "bea", "dee"}
    assert shown(world, "dee") == {"begun", "secret", "dee's secret"}
    assert faults(world["cy"]) == []
    assert_quiet(world, ("ada", "bea", "dee"))
    with pytest.raises(UsageError, match="no member"):
        remove(world, "ada", "cy")


def cy_is_member(world: World, at: str) -> bool:
    return world["cy"].card.author in members(world.store(at))


def test_a_removed_member_can_share_another_ledger_though_the_common_key_got_lost(
    world: World,
) -> None:
    remove(world, "ada", "cy")
    lost_key_and_new_ledger(world)
    world.rounds(("cy", "ada"), 3)
    assert world.has("ada", "new")
    assert not [one for one in world["ada"].db.receipts(world["cy"].card.node_id) if one[1]]


def test_a_removed_member_is_not_told_what_its_bundles_found_here(world: World) -> None:
    """Such as that the log is there which one of them guessed the length of."""
    remove(world, "ada", "cy")
    ada, cy = world["ada"], world["cy"].card.node_id
    world.exchange("ada")
    before = ada.counting.counter()
    ada.db.owe_receipt(cy, "a" * 16, UNFOUNDED, -1)
    world.exchange("ada")
    assert ada.counting.counter() == before


def test_a_removed_member_that_never_answers_is_told_of_all_lost_keys_once(world: World) -> None:
    remove(world, "ada", "cy")
    ada, cy = world["ada"], world["cy"].card.node_id
    for number in ("a" * 16, "b" * 16):
        ada.db.owe_receipt(cy, number, KEY_LOST, -1)
        world.exchange("ada")
    before = ada.counting.counter()
    for _ in range(3):
        world.exchange("ada")
    assert ada.counting.counter() == before


def test_who_never_answers_may_have_lost_the_common_key(world: World) -> None:
    """What was handed out and expired goes again under a key that cannot get lost."""
    world.uptime = lambda: Uptime("boot", 0, world.clock() - START_US)
    world.configure("cy", "[peer.ada]\nexpiry_days = 30\n")
    lost_key_and_new_ledger(world)
    for month in range(2):
        world.exchange("cy", f"stick of month {month}")
        world.clock.pass_days(32)
    world.exchange("cy", "last stick")
    assert world.exchange("ada", "last stick").problems == []
    assert world.has("ada", "new")


def lost_key_and_new_ledger(world: World) -> None:
    """ada forgets the key that cy thinks both have, and cy shares a ledger with her under it."""
    world["ada"].db.run("DELETE FROM pairwise WHERE peer = ?", world["cy"].card.node_id)
    world.found("cy", ledger="new")
    share(world["cy"], world.store("cy", "new"), world["cy"].peer_named("ada"), Role.WRITER)


def test_who_comes_back_goes_on_in_a_new_log(world: World) -> None:
    world.put("cy", "before", 1)
    world.rounds(("cy", "ada", "dee"), 2)
    remove(world, "ada", "cy")
    world.put("cy", "void", 2)
    world.rounds(("ada", "bea", "dee"), 2)
    assert grant(world, "bea", "cy")
    world.rounds(NAMES, 4)
    world.put("cy", "again", 3)
    world.rounds(NAMES, 4)
    assert assert_agree(world, NAMES) == set(NAMES)
    for name in NAMES:
        assert shown(world, name) == {"begun", "before", "again"}


def test_a_grant_may_come_after_what_it_lets_in_in_one_bundle(world: World) -> None:
    open_incarnation(world.store("cy"), world["cy"].author)
    world.put("cy", "in a log that ada has not seen", 1)
    world.rounds(("cy", "dee"), 2, "other stick")
    remove(world, "ada", "cy")
    world.rounds(("ada", "bea"), 2, "third stick")
    assert grant(world, "bea", "cy")
    world.rounds(("bea", "dee"), 2, "fourth stick")
    sections = sections_of(world.store("dee"))[::-1]
    bring(world, "ada", "dee", sections)
    assert "in a log that ada has not seen" in shown(world, "ada")
    assert assert_agree(world, ("ada", "dee")) == set(NAMES)


def test_what_lay_ready_for_a_removed_member_goes_no_further(world: World) -> None:
    world.put("dee", "not yet read", 1)
    world.rounds(("dee", "bea"), 2, "other stick")
    world.rounds(("bea", "ada"), 2, "third stick")
    cy = world["cy"].card.node_id
    assert [one.control for one in world["ada"].db.bundles(cy)] == [False]
    remove(world, "ada", "cy")
    world.rounds(("ada", "cy", "ada", "cy"), 1, "fourth stick")
    assert world["ada"].db.bundles(cy) == []
    assert shown(world, "cy") == {"begun"}


# -- several decide at once -----------------------------------------------------------------------


def test_of_a_grant_and_a_removal_at_once_the_removal_wins(world: World) -> None:
    remove(world, "ada", "cy")
    assert grant(world, "bea", "cy", Role.ADMIN)
    world.rounds(("bea", "cy"), 2, "other stick")
    world.put("cy", "by an admin, as it thinks", 1)
    grant(world, "cy", "dee", Role.ADMIN)
    world.rounds(("cy", "dee"), 2, "other stick")
    world.rounds(("dee", "bea", "ada"), 4)
    assert assert_agree(world, ("ada", "bea", "dee")) == {"ada", "bea", "dee"}
    roles = {one.card.name: one.role for one in members(world.store("dee")).values()}
    assert roles["dee"] is Role.WRITER, "cy could not grant any more"
    assert shown(world, "dee") == {"begun"}
    assert grant(world, "bea", "cy")
    world.rounds(NAMES, 4)
    assert assert_agree(world, NAMES) == set(NAMES)


def test_what_a_removed_admin_granted_holds_up_to_its_removal(world: World) -> None:
    for name in ("eve", "fay"):
        world.add(name)
    everybody = (*NAMES, "eve", "fay")
    world.acquaint(everybody)
    grant(world, "bea", "eve")
    world.rounds((*NAMES, "eve"), 3)
    remove(world, "ada", "bea")
    grant(world, "bea", "fay")
    world.rounds(("bea", "fay"), 3, "other stick")
    world.put("fay", "by nobody", 1)
    world.put("eve", "by a member", 2)
    world.rounds(("fay", "dee", "bea"), 3, "other stick")
    world.rounds(("ada", "cy", "dee", "eve"), 4)
    assert assert_agree(world, ("ada", "cy", "dee", "eve")) == {"ada", "cy", "dee", "eve"}
    assert shown(world, "dee") == {"begun", "by a member"}


def test_an_elder_who_fights_back_wins_on_all_nodes(world: World) -> None:
    world.put("bea", "before", 0)
    world.rounds(NAMES, 2)
    remove(world, "bea", "ada")
    world.put("bea", "after", 1)
    world.rounds(("bea", "cy", "dee", "ada"), 3)
    assert assert_agree(world, ("bea", "cy", "dee")) == {"bea", "cy", "dee"}
    assert not removed(world, "ada"), "nobody sends it to her: somebody hands it over"
    hand_over(world, "cy", "ada")
    assert removed(world, "ada")
    with pytest.raises(UsageError, match="only an admin"):
        grant(world, "ada", "dee", Role.ADMIN)
    remove(world, "ada", "bea")
    assert not removed(world, "ada")
    world.put("ada", "back", 2)
    world.rounds(NAMES, 4)
    assert assert_agree(world, ("ada", "cy", "dee")) == {"ada", "cy", "dee"}
    assert shown(world, "cy") == {"begun", "before", "back"}


def removed(world: World, name: str) -> bool:
    return world[name].card.author not in members(world.store(name))


def test_two_who_remove_each_other_at_once(world: World) -> None:
    grant(world, "bea", "cy", Role.ADMIN)
    world.rounds(NAMES, 3)
    remove(world, "cy", "bea")
    remove(world, "bea", "cy")
    world.put("cy", "cy's", 1)
    world.put("bea", "bea's", 2)
    world.rounds(("cy", "dee"), 2, "other stick")
    world.rounds(("bea", "ada"), 2)
    world.rounds(("ada", "dee", "bea"), 5)
    assert assert_agree(world, ("ada", "bea", "dee")) == {"ada", "bea", "dee"}
    assert shown(world, "ada") == {"begun", "bea's"}


def test_two_who_put_each_other_out_of_their_ledgers_come_to_rest(world: World) -> None:
    """Each takes the other to have lost its ledger, and says in every notice how that begins."""
    world.found("ada", "bea", ledger="ada's")
    world.found("bea", "ada", ledger="bea's")
    both = ("ada", "bea")
    world.rounds(both, 4)
    for name, other in (both, both[::-1]):
        store = world.store(name, f"{name}'s")
        revoke(world[name], store, [world[other].card.author])
    world.rounds(both, 8)
    assert_quiet(world, both)


def test_a_removed_admin_who_is_no_elder_cannot_undo_it(world: World) -> None:
    remove(world, "ada", "bea")
    world.rounds(("ada", "cy", "dee"), 2)
    # Nobody sends the ledger to bea any more: somebody hands it over.
    hand_over(world, "ada", "bea")
    assert removed(world, "bea")
    with pytest.raises(UsageError, match="you were removed from log by ada"):
        remove(world, "bea", "ada")
    with pytest.raises(UsageError, match="only an admin"):
        grant(world, "bea", "cy", Role.ADMIN)
    with pytest.raises(RefusedError):
        world.put("bea", "x", 1)
    assert faults(world["bea"]) == []


def hand_over(world: World, giver: str, taker: str) -> None:
    """Merge what the log of *giver* holds into *taker*'s ledger."""
    for received in list(lacked(world.store(giver), world.store(taker))):
        merge(world.store(taker), received)
