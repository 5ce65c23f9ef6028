"""Many nodes, one ledger, and carriers that lose, double, delay and mix up what they carry."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.append import close_log, open_incarnation
from ledger.entry import Action
from ledger.log import LogStatus, Range
from ledger.members import Role, may_write, members
from ledger.merge import Merged
from ledger.views import conflicts
from tests.ledger.world import (
    Site,
    World,
    draft,
    facts,
    faults,
    lacked,
    payload,
    picture,
    settle,
)

NAMES = ("ada", "bob", "cy", "dee")
THINGS = ("t", "u", "v")

names = st.sampled_from(NAMES)
things = st.sampled_from(THINGS)


class Network(RuleBasedStateMachine):
    """Four nodes; only two know that dee may write. A disk is lost once a node."""

    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World.of(self.folder, *NAMES, admins=NAMES[:2])
        self.sites = dict(zip(NAMES, self.world.sites, strict=True))
        self.backups: dict[str, list[tuple[Path, int]]] = {name: [] for name in NAMES}
        self.said: dict[str, list[str]] = {name: [] for name in NAMES}
        self.lost: set[str] = set()
        self.on_the_way: list[tuple[str, Range]] = []
        self.count = 0

    @initialize(name=names, takers=st.permutations(NAMES), writes=st.integers(0, 3))
    def begin(self, name: str, takers: list[str], writes: int) -> None:
        """Grant, write a little, lose a disk: with no more than this most runs would be idle."""
        ada, (first, second, third, _) = self.sites["ada"], takers
        ada.grant("cy", Role.WRITER)
        for taker in ("bob", "cy"):
            self.carry_all("ada", taker)
        ada.grant("dee", Role.WRITER)
        self.carry_all("ada", "dee")
        self.put("dee", "t", 0)
        self.leave("dee", "bob", 1)
        self.back_up(name, first, writes)
        self.leave(name, second, 1)
        for received in reversed(self.on_the_way):
            self.deliver(*received)
        self.lose_disk(name, third, self.backups[name][0], writes // 2)
        self.visit(first, third, 2)

    def carry_all(self, source: str, target: str, most: int = 65_536) -> None:
        ranges = lacked(self.sites[source].store, self.sites[target].store, most=most)
        for one in list(ranges):
            self.deliver(target, one)

    def deliver(self, target: str, received: Range) -> None:
        outcome = self.sites[target].take(received)
        self.reached[type(outcome).__name__] += 1
        if isinstance(outcome, Merged) and outcome.count:
            self.reached["news"] += 1

    def may_write(self, name: str) -> bool:
        site = self.sites[name]
        return may_write(members(site.store), site.author.public)

    def value(self, name: str) -> str:
        self.count += 1
        value = f"{name} {self.count}"
        self.said[name].append(value)
        return value

    # -- what people do ---------------------------------------------------------------------

    @rule(name=names, thing=things, late=st.integers(-3, 3))
    def put(self, name: str, thing: str, late: int) -> None:
        site = self.sites[name]
        if self.may_write(name):
            site.put(thing, self.value(name), time_us=site.now_us + late)

    @rule(name=names, count=st.integers(2, 5))
    def put_many(self, name: str, count: int) -> None:
        if self.may_write(name):
            drafts = [draft(THINGS[number % 3], self.value(name)) for number in range(count)]
            self.sites[name].write(*drafts)

    @rule(name=names, thing=things)
    def delete(self, name: str, thing: str) -> None:
        if self.may_write(name):
            self.sites[name].delete(thing)

    @rule(by=st.sampled_from(NAMES[:2]), name=names, role=st.sampled_from(Role))
    def grant(self, by: str, name: str, role: Role) -> None:
        self.sites[by].grant(name, role)

    @rule(name=names)
    def start_anew(self, name: str) -> None:
        open_incarnation(self.sites[name].store, self.sites[name].author)

    # -- what carriers do ---------------------------------------------------------------------

    @rule(giver=names, taker=names, most=st.sampled_from([1, 2, 5, 65_536]))
    def visit(self, giver: str, taker: str, most: int) -> None:
        if giver != taker:
            self.carry_all(giver, taker, most)

    @rule(giver=names, taker=names, most=st.sampled_from([1, 3, 65_536]))
    def leave(self, giver: str, taker: str, most: int) -> None:
        if giver != taker and len(self.on_the_way) < 30:
            ranges = lacked(self.sites[giver].store, self.sites[taker].store, most=most)
            self.on_the_way += [(taker, one) for one in ranges]

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), again=st.booleans())
    def arrive(self, data: st.DataObject, again: bool) -> None:
        place = data.draw(st.integers(0, len(self.on_the_way) - 1))
        target, received = self.on_the_way[place]
        if not again:
            del self.on_the_way[place]
        self.deliver(target, received)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def go_astray(self, data: st.DataObject) -> None:
        del self.on_the_way[data.draw(st.integers(0, len(self.on_the_way) - 1))]

    # -- what disks do --------------------------------------------------------------------------

    @rule(name=names, taker=names, writes=st.integers(0, 3))
    def back_up(self, name: str, taker: str, writes: int) -> None:
        """Make a backup, go on, and let somebody see what is not in it."""
        self.count += 1
        path = self.sites[name].backup(self.folder / f"{self.count}.db")
        self.backups[name].append((path, len(self.said[name])))
        for number in range(writes):
            self.put(name, THINGS[number % 3], number)
        self.visit(name, taker, 2)

    @precondition(lambda self: any(self.backups[name] for name in NAMES if name not in self.lost))
    @rule(name=names, taker=names, data=st.data(), writes=st.integers(0, 3))
    def lose_another(self, name: str, taker: str, data: st.DataObject, writes: int) -> None:
        if name not in self.lost and self.backups[name]:
            self.lose_disk(name, taker, data.draw(st.sampled_from(self.backups[name])), writes)

    def lose_disk(self, name: str, taker: str, backup: tuple[Path, int], writes: int) -> None:
        """Put a backup back, write, and let somebody see it who may know more than it does."""
        path, count = backup
        self.sites[name].restore(path)
        self.lost.add(name)
        # What was written after the backup may be gone with the disk.
        del self.said[name][count:]
        for _ in range(writes):
            self.put(name, "t", 0)
        self.visit(name, taker, 65_536)

    # -- what must hold -------------------------------------------------------------------------

    @invariant()
    def no_fault_anywhere(self) -> None:
        if self.count % 5 == 0:
            for site in self.sites.values():
                assert faults(site.store) == []

    def teardown(self) -> None:
        try:
            self.check_that_all_agree_in_the_end()
        finally:
            self.world.close()
            shutil.rmtree(self.folder)

    def check_that_all_agree_in_the_end(self) -> None:
        for name in ("cy", "dee"):
            self.sites["ada"].grant(name)  # a backup may be older than the first grant
        for target, received in self.on_the_way:
            self.deliver(target, received)
        sites = list(self.sites.values())
        settle(*sites)
        for site in sites:
            self.end_forks_of_which_nobody_has_the_other_branch(site)
        settle(*sites)
        for site in sites:
            assert faults(site.store) == []
            assert facts(site.store) == facts(sites[0].store)
            assert picture(site.store) == picture(sites[0].store)
        self.check_that_nothing_is_lost(sites[0])
        self.note(sites)

    def end_forks_of_which_nobody_has_the_other_branch(self, site: Site) -> None:
        for state in site.store.logs():
            if state.name.author == site.author.public and state.status is LogStatus.FORKED:
                close_log(site.store, site.author, state, time_us=site.now_us)
                self.reached["gone branches"] += 1

    def check_that_nothing_is_lost(self, site: Site) -> None:
        kept = Counter(
            entry.payload
            for log in site.store.logs()
            for entry in site.store.entries(log, 0, log.size)
            if entry.action == Action.PUT
        )
        for value in (value for values in self.said.values() for value in values):
            assert kept[payload(value)] == 1, value

    def note(self, sites: list[Site]) -> None:
        logs = [state for state in sites[0].store.logs() if state.size]
        self.reached["runs"] += 1
        self.reached["several logs"] += len(logs) > 3
        self.reached["conflicts"] += len(conflicts(sites[0].store))
        self.reached["closed"] += sum(log.status is LogStatus.CLOSED for log in logs)
        self.reached["forks"] += any(site.store.evidence("fork") for site in sites)
        self.reached["lost disks"] += len(self.lost)


@pytest.mark.filterwarnings("error")
def test_all_nodes_come_to_the_same_whatever_happens_on_the_way() -> None:
    Network.reached = Counter()
    run_state_machine_as_test(
        Network,
        settings=settings(
            max_examples=16,
            stateful_step_count=30,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    reached = Network.reached
    assert reached["runs"] >= 16, reached
    for what in ("several logs", "conflicts", "news", "Merged", "Gap"):
        assert reached[what] >= 10, (what, reached)
    for what in ("forks", "closed", "lost disks", "Forked", "NotGranted"):
        assert reached[what] >= 2, (what, reached)
