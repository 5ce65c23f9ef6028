"""A node whose home is an older copy of itself: nothing that anybody wrote is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.append import open_incarnation
from ledger.log import LogName, LogStatus
from ledger.members import Role
from ledger.views import heads
from pannier.backup import backup, restore
from pannier.membership import revoke, share
from pannier.trusted_time import Uptime
from tests.pannier.links.wire import Wire
from tests.sim.brought import bring, sections_of
from tests.sim.test_crashes import KilledError
from tests.sim.world import DAY_US, START_US, World, assert_equal, data_queue, entries_of

BOTH = ("ada", "bea")
THREE = ("ada", "bea", "cyd")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, THREE) as world:
        world.found("bea", "ada", "cyd")
        world.rounds(THREE, 3)
        yield world


def values(world: World, name: str) -> dict[str, list[bytes]]:
    """The payloads that a node shows of each thing."""
    store = world.store(name)
    found = {
        f"{prefix}/{number}" for prefix in ("early", "late", "new", "third") for number in range(5)
    }
    return {
        thing: sorted(bytes(one.entry.payload or b"") for one in heads(store, thing))
        for thing in sorted(found)
        if heads(store, thing)
    }


def write(world: World, name: str, prefix: str) -> None:
    for number in range(5):
        world.put(name, f"{prefix}/{number}", f"{prefix} {number}")


def assert_settled(world: World, *prefixes: str) -> None:
    """All three are equal and show everything that was written under *prefixes*."""
    assert_equal(world, THREE)
    shown = dict.fromkeys(prefixes, 5)
    for name in THREE:
        things = [thing.partition("/")[0] for thing in values(world, name)]
        assert {prefix: things.count(prefix) for prefix in prefixes} == shown
        assert data_queue(world[name]) == []
        assert world[name].spool.held.names() == []
    assert_no_number_twice(world)


def assert_no_number_twice(world: World) -> None:
    """No place in any log stands for two entries."""
    leaves: dict[tuple[object, ...], bytes] = {}
    for name in THREE:
        for ledger, log, number, leaf in entries_of(world.store(name)):
            assert leaves.setdefault((ledger, log, number), leaf) == leaf


def statuses(world: World, name: str) -> set[LogStatus]:
    return {log.status for log in world.store(name).logs()}


@pytest.mark.parametrize("writes_on", [True, False], ids=["writes on", "silent"])
def test_a_restored_home_gets_back_what_others_hold(world: World, writes_on: bool) -> None:
    write(world, "ada", "early")
    world.rounds(THREE, 2)
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.rounds(THREE, 3)
    world.restore("ada", copy)
    before = world["ada"].counting.incarnation()
    if writes_on:
        write(world, "ada", "new")
    else:
        world.put("bea", "any", "news")
    world.rounds(THREE, 7)
    assert_settled(world, "early", "late", *(["new"] if writes_on else []))
    assert world["ada"].counting.incarnation() > before
    write(world, "ada", "third")
    world.rounds(THREE, 3)
    assert_settled(world, "early", "late", "third")


def test_a_restored_home_that_writes_more_than_others_hold(world: World) -> None:
    """The branch of the author is the longer one; so its peers do not send theirs by themselves."""
    write(world, "ada", "early")
    world.rounds(THREE, 2)
    copy = world.back_up("ada")
    world.put("ada", "late/0", "late")
    world.rounds(THREE, 3)
    world.restore("ada", copy)
    write(world, "ada", "new")
    world.rounds(THREE, 7)
    assert_settled(world, "early", "new")
    assert "late/0" in values(world, "cyd")
    assert LogStatus.CLOSED in statuses(world, "bea")
    assert LogStatus.FORKED not in statuses(world, "cyd")


def test_a_restored_home_that_writes_just_as_much_as_others_hold(world: World) -> None:
    """Neither of the branches is longer: still both sides see that there are two."""
    world.put("ada", "early/0", "early")
    world.rounds(THREE, 2)
    copy = world.back_up("ada")
    world.put("ada", "late/0", "late")
    world.rounds(THREE, 3)
    world.restore("ada", copy)
    world.forget("ada")  # so that nothing tells but what they hold
    world.put("ada", "new/0", "new")
    for name in ("bea", "cyd"):
        world.put(name, f"of {name}", "news")
        world.exchange(name)
    world.rounds(THREE, 7)
    assert_equal(world, THREE)
    assert_no_number_twice(world)
    assert sorted(values(world, "cyd")) == ["early/0", "late/0", "new/0"]


def test_nobody_has_news_after_a_restore_and_a_month_heals_it(world: World) -> None:
    write(world, "ada", "early")
    world.rounds(THREE, 2)
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.rounds(THREE, 4)
    world.restore("ada", copy)
    world.clock.pass_days(31)
    world.rounds(THREE, 6)
    assert_settled(world, "early", "late")


def test_a_home_from_before_it_joined_a_ledger_joins_it_again(tmp_path: Path) -> None:
    """It holds nothing that it could tell of, and its peer thinks that all is there still."""
    with World(tmp_path, BOTH) as world:
        world.uptime = lambda: Uptime("boot", 0, world.clock() - START_US)
        world.configure("ada", "[peer.bea]\nexpiry_days = 30\n")
        copy = world.back_up("bea")
        world.found("ada", "bea")
        world.rounds(BOTH, 2)
        write(world, "bea", "early")
        world.rounds(BOTH, 3)
        world.restore("bea", copy)
        world.clock.pass_days(31)
        world.exchange("ada", "lost stick")  # what expires unheard goes again under another key
        world.clock.pass_days(31)
        world.rounds(BOTH, 4)
        assert_equal(world, BOTH)
        assert len(values(world, "bea")) == 5
        assert [data_queue(world[name]) for name in BOTH] == [[], []]


def restored_with_a_diary(world: World) -> LogName:
    """Restore ada, who had written more in two ledgers; she is about to be told of one.

    Returns:
        The log that she wrote in the other one.
    """
    world.found("ada", ledger="diary")
    world.put("ada", "today", 1, "diary")
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.put("ada", "today", 2, "diary")
    world.exchange("ada")
    world.exchange("bea")
    world.restore("ada", copy)
    world.clock.pass_days(1)
    world.put("ada", "speaks first", 1)
    world.exchange("ada", "other stick")
    world.exchange("bea", "other stick")  # by its counter nobody can tell any more
    (log,) = world.store("ada", "diary").logs()
    return log.name


def assert_diary_goes_on_anew(world: World, before: LogName) -> None:
    world.put("ada", "today", 3, "diary")
    assert world.store("ada", "diary").log(before).size == 1
    assert len(list(world.store("ada", "diary").logs())) == 2


def test_a_restored_home_that_is_told_of_one_ledger_writes_anew_in_all(world: World) -> None:
    """Nobody has told it yet that it had written more in another one."""
    before = restored_with_a_diary(world)
    (note,) = world.exchange("ada", "other stick").report.notes
    assert "took back 5 of our own entries" in note
    assert_diary_goes_on_anew(world, before)


def test_a_kill_before_a_restored_home_writes_anew_in_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took back is not here for good yet: or nothing would tell it again."""
    before = restored_with_a_diary(world)
    with monkeypatch.context() as harm:
        harm.setattr("pannier.merging.begin_anew", _killed)
        with pytest.raises(KilledError):
            world.exchange("ada", "other stick")
    world.exchange("ada", "other stick")
    assert_diary_goes_on_anew(world, before)


def _killed(*_: object, **__: object) -> None:
    raise KilledError


def test_a_restored_home_that_is_told_of_an_older_log_writes_in_a_new_one(world: World) -> None:
    """Restored twice: nobody saw what it had written in the newer log."""
    first = world.back_up("ada")
    write(world, "ada", "late")
    world.rounds(("ada", "bea"), 1)
    world.restore("ada", first)
    open_incarnation(world.store("ada"), world["ada"].author)
    world.put("ada", "new", 1)
    (newer,) = (log.name for log in world.store("ada").logs() if log.size == 1)
    second = world.back_up("ada")
    world.put("ada", "new", 2)
    world.restore("ada", second)
    world.clock.pass_days(1)
    world.exchange("ada", "other stick")  # it speaks first, so its counter tells nobody anything
    world.exchange("bea", "other stick")
    (note,) = world.exchange("ada", "other stick").report.notes
    assert "took back 5 of our own entries" in note
    world.put("ada", "new", 3)
    assert world.store("ada").log(newer).size == 1


@pytest.mark.parametrize("is_told_first", [False, True])
def test_two_branches_of_a_log_have_seeds_of_their_own(world: World, is_told_first: bool) -> None:
    """The copy is from after a log was begun, and before the first entry of it."""
    open_incarnation(world.store("ada"), world["ada"].author)
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.rounds(("ada", "bea"), 2)
    world.restore("ada", copy)
    write(world, "ada", "new")
    if is_told_first:
        world.rounds(("ada", "bea"), 1, "other stick")
    else:
        world.rounds(("bea", "ada"), 3)
    refused = []
    for _ in range(4):
        world.clock.pass_days(1)
        refused += [world.exchange(name, "last stick").report.reasons for name in THREE]
    assert_settled(world, "late", "new")
    assert not any(refused)


def test_two_who_both_count_as_if_from_before_hear_each_other(tmp_path: Path) -> None:
    """To each of them all that the other says is late."""
    with World(tmp_path, BOTH) as world:
        world.found("ada", "bea")
        world.rounds(BOTH, 3)
        copy = world.back_up("bea")
        world.skew_us = {"ada": -40 * 365 * DAY_US, "bea": 365 * DAY_US}
        for name in BOTH:
            world.forget(name)
        world.rounds(BOTH, 3)
        world.restore("bea", copy)
        for name in BOTH:
            world.put(name, f"by {name}", 1)
        world.rounds(BOTH, 6)
        assert_equal(world, BOTH)
        assert [data_queue(world[name]) for name in BOTH] == [[], []]
        for name in BOTH:
            assert not world.exchange(name).report.outcomes, "they answer each other for ever"


def test_a_restored_home_is_told_so(world: World) -> None:
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.rounds(THREE, 3)
    world.restore("ada", copy)
    world.put("bea", "any", "news")
    world.exchange("bea")
    notes = world.exchange("ada").report.notes
    assert any("restored from an older copy of itself" in note for note in notes)


def test_three_nodes_hold_three_branches(world: World) -> None:
    write(world, "ada", "early")
    world.rounds(THREE, 3)
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.exchange("ada", "to bea")
    world.restore("ada", copy)
    write(world, "ada", "new")
    world.exchange("ada", "to cyd")
    world.restore("ada", copy)
    write(world, "ada", "third")
    world.exchange("bea", "to bea")
    world.exchange("cyd", "to cyd")
    world.rounds(THREE, 9)
    assert_equal(world, THREE)
    assert_no_number_twice(world)
    shown = [thing.partition("/")[0] for thing in values(world, "ada")]
    kept = {prefix: shown.count(prefix) for prefix in ("early", "late", "new", "third")}
    assert kept["early"] == kept["third"] == 5
    dropped = [len(list(world.store(name).dropped(0))) for name in THREE]
    assert kept["late"] == 5 or dropped[1] >= 5, "what bea held is shown or kept as evidence"
    assert kept["new"] == 5 or dropped[2] >= 5, "what cyd held is shown or kept as evidence"
    assert all(data_queue(world[name]) == [] for name in THREE)


def test_two_who_know_of_a_fork_come_to_rest(world: World) -> None:
    """All that they say has the proof in it, until the author settles it: that asks for nothing."""
    write(world, "ada", "early")
    world.rounds(THREE, 3)
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.exchange("ada", "to bea")
    world.restore("ada", copy)
    write(world, "ada", "new")
    write(world, "ada", "third")
    world.exchange("ada", "to cyd")
    for name in ("bea", "cyd"):
        world.exchange(name, f"to {name}")
    wire = Wire(world, "bea", "cyd")
    wire.open()
    wire.settle(20)
    wire.close()
    assert all(LogStatus.FORKED in statuses(world, name) for name in ("bea", "cyd"))


def test_a_home_that_is_restored_twice(world: World) -> None:
    copy = world.back_up("ada")
    for prefix in ("early", "late"):
        write(world, "ada", prefix)
        world.rounds(THREE, 4)
        world.restore("ada", copy)
        write(world, "ada", "new")
        world.rounds(THREE, 7)
        assert_equal(world, THREE)
    assert_settled(world, "early", "late", "new")


def test_a_home_is_restored_while_its_bundles_are_on_their_way(world: World) -> None:
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.exchange("ada", "slow")
    world.restore("ada", copy)
    write(world, "ada", "new")
    world.rounds(THREE, 4)
    world.exchange("bea", "slow")
    world.rounds(THREE, 7)
    assert_settled(world, "late", "new")


def test_a_branch_that_comes_too_late_does_not_stop_the_log_for_ever(world: World) -> None:
    """All hold the newer branch, and only a proof of the older one reaches their author."""
    write(world, "ada", "early")
    world.rounds(THREE, 3)
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.exchange("ada", "slow")
    world.restore("ada", copy)
    write(world, "ada", "new")
    world.rounds(THREE, 3)
    world.exchange("bea", "slow")
    world.rounds(THREE, 3)
    assert {LogStatus.FORKED} < {one for name in THREE for one in statuses(world, name)}
    for _ in range(2):
        world.clock.pass_days(31)
        world.rounds(THREE, 4)
    assert_settled(world, "early", "new")
    assert LogStatus.FORKED not in {one for name in THREE for one in statuses(world, name)}


def test_a_clock_that_jumps_ends_no_fork_before_its_other_branch_can_come(world: World) -> None:
    write(world, "ada", "early")
    world.rounds(THREE, 3)
    copy = world.back_up("ada")
    write(world, "ada", "late")
    world.exchange("ada", "slow")
    world.restore("ada", copy)
    write(world, "ada", "new")
    world.rounds(THREE, 3)
    world.exchange("bea", "slow")
    world.rounds(THREE, 3)
    assert LogStatus.FORKED in statuses(world, "ada")
    for days in (400, -20_000, 0):
        world.skew_us["ada"] = days * DAY_US
        world.rounds(THREE, 1)
        assert LogStatus.FORKED in statuses(world, "ada"), days


def forked(world: World, ledger: str) -> LogName:
    """Ada's log goes on in two histories; the one that she does not hold comes from nobody."""
    world.put("ada", "early", 1, ledger)
    world.rounds(THREE, 3)
    copy = world.back_up("ada")
    world.put("ada", "late", 1, ledger)
    world.exchange("ada", "slow")
    world.restore("ada", copy)
    world.put("ada", "new", 1, ledger)
    world.rounds(THREE, 3)
    world.exchange("bea", "slow")
    world.rounds(THREE, 3)
    (log,) = own_forks(world, ledger)
    return log


def own_forks(world: World, ledger: str) -> list[LogName]:
    author = world["ada"].card.author
    logs = world.store("ada", ledger).logs()
    return [
        one.name for one in logs if one.name.author == author and one.status is LogStatus.FORKED
    ]


@pytest.mark.parametrize("role", [None, Role.READER])
def test_an_own_fork_where_one_may_write_no_more_ends_no_import(
    world: World, role: Role | None
) -> None:
    world.found("cyd", "ada", "bea", ledger="other")
    world.rounds(THREE, 3)
    log = forked(world, "log")
    bea = world["bea"]
    revoke(bea, world.store("bea"), [world["ada"].card.author])
    if role is not None:
        share(bea, world.store("bea"), bea.peer_named("ada"), role)
    bring(world, "ada", "bea", sections_of(world.store("bea")))
    for month in range(3):
        world.clock.pass_days(31)
        world.put("cyd", f"month {month}", 1, "other")
        world.rounds(THREE, 2)
        assert heads(world.store("ada", "other"), f"month {month}")
    assert own_forks(world, "log") == [log]
    share(bea, world.store("bea"), bea.peer_named("ada"), Role.WRITER)
    for _ in range(2):
        world.clock.pass_days(31)
        world.rounds(THREE, 4)
    assert own_forks(world, "log") == []
    assert_equal(world, THREE)


def test_who_is_no_admin_any_more_does_not_say_for_ever_how_its_fork_ends(world: World) -> None:
    """It would count for nothing, and so the fork would be there still."""
    world.found("bea", "ada", "cyd", ledger="other", role=Role.ADMIN)
    world.rounds(THREE, 3)
    forked(world, "other")
    bea, store = world["bea"], world.store("bea", "other")
    revoke(bea, store, [world["ada"].card.author])
    share(bea, store, bea.peer_named("ada"), Role.WRITER)
    world.rounds(THREE, 3)
    before = len(world.store("ada", "other").logs())
    for month in range(3):
        world.clock.pass_days(31)
        world.put("cyd", f"month {month}", 1)
        world.rounds(THREE, 2)
    assert len(world.store("ada", "other").logs()) == before


def test_the_reader_of_a_ledger_is_restored(world: World) -> None:
    """It never writes, so that nobody can see by its log that it fell back."""
    copy = world.back_up("cyd")
    write(world, "ada", "late")
    world.rounds(THREE, 4)
    world.restore("cyd", copy)
    world.put("bea", "any", "news")
    world.rounds(THREE, 6)
    assert_settled(world, "late")


@pytest.mark.parametrize("writes_on", [True, False], ids=["writes on", "silent"])
def test_a_ledger_that_was_restored_alone(world: World, tmp_path: Path, writes_on: bool) -> None:
    write(world, "ada", "early")
    world.rounds(THREE, 2)
    kept = tmp_path / "log.backup"
    backup(world["ada"], world.store("ada"), kept, None)
    write(world, "ada", "late")
    world.rounds(THREE, 3)
    path = world.store("ada").path
    world.reopen("ada")
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    restore(world["ada"], kept, None)
    if writes_on:
        write(world, "ada", "new")
    world.rounds(THREE, 5)
    assert_settled(world, "early", "late", *(["new"] if writes_on else []))
    assert LogStatus.FORKED not in statuses(world, "bea")
    assert list(world.store("bea").evidence("fork")) == []


def test_a_home_without_its_bookkeeping_goes_on(world: World) -> None:
    write(world, "ada", "early")
    world.exchange("ada")
    world.forget("ada")
    write(world, "bea", "late")
    world.rounds(THREE, 5)
    write(world, "ada", "new")
    world.rounds(THREE, 4)
    assert_settled(world, "early", "late", "new")


def test_keys_that_one_side_lost_are_made_anew(world: World) -> None:
    """Both sides use a pairwise key that came into use after the backup."""
    for number in range(3):
        world.put("ada", "well", number)
        world.put("bea", "well", number)
        world.rounds(THREE, 1)
    assert world["bea"].db.bundles(world["ada"].card.node_id)
    world.forget("ada")
    write(world, "bea", "late")
    world.exchange("bea")
    problems = world.exchange("ada").problems
    assert any("no key shared with a peer or a group" in problem for problem in problems)
    world.rounds(THREE, 4)
    assert_settled(world, "late")
