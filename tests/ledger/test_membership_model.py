"""Admins who grant and remove at once, carriers that mix up everything: all come to the same."""

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
from ledger.errors import RefusedError
from ledger.log import Range
from ledger.members import Role, may_write, members
from tests.ledger.world import (
    World,
    counted,
    faults,
    keys_of,
    lacked,
    picture,
    settle,
)

NAMES = ("ada", "bob", "cy", "dee")
names = st.sampled_from(NAMES)
others = st.sampled_from(NAMES[1:])
things = st.sampled_from(("t", "u"))


class Admins(RuleBasedStateMachine):
    """Ada made admins of bob and cy, and cy made a writer of dee. Then they fall out."""

    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World.of(self.folder, *NAMES, admins=NAMES[:1])
        self.sites = dict(zip(NAMES, self.world.sites, strict=True))
        self.on_the_way: list[tuple[str, Range]] = []
        self.count = 0

    @initialize(who=st.permutations(NAMES), whom=st.permutations(NAMES))
    def begin(self, who: list[str], whom: list[str]) -> None:
        """Two removals; one victim fights back, and some write what nobody should count."""
        self.sites["ada"].grant("bob", Role.ADMIN)
        self.sites["ada"].grant("cy", Role.ADMIN)
        self.carry("ada", "cy", 65_536)
        self.sites["cy"].grant("dee")
        settle(*self.sites.values())
        for by, target in zip(who[:2], whom[:2], strict=True):
            self.revoke(by, target)
        for name in NAMES:
            self.put(name, "t")
        self.carry(who[0], whom[0], 65_536)
        self.revoke(whom[0], who[0])
        self.carry(who[1], who[2], 65_536)
        self.carry(whom[1], who[2], 1)

    def is_admin(self, name: str) -> bool:
        member = members(self.sites[name].store).get(keys_of(name).author)
        return member is not None and member.role is Role.ADMIN

    # -- what people do ---------------------------------------------------------------------

    @rule(name=names, thing=things)
    def put(self, name: str, thing: str) -> None:
        site = self.sites[name]
        self.count += 1
        if may_write(members(site.store), site.author.public):
            site.put(thing, f"{name} {self.count}")
        else:
            with pytest.raises(RefusedError):
                site.put(thing, "void")

    @rule(by=names, name=others, role=st.sampled_from(Role))
    def grant(self, by: str, name: str, role: Role) -> None:
        if self.is_admin(by):
            self.sites[by].grant(name, role)

    @rule(by=names, name=names)
    def revoke(self, by: str, name: str) -> None:
        """Also by one who was removed: it may be the elder."""
        was = keys_of(by).author in members(self.sites[by].store).removed
        if by == name or not (self.is_admin(by) or was):
            return
        try:
            self.sites[by].revoke(name)
        except RefusedError:
            self.reached["refused"] += 1
            assert was
        else:
            self.reached["fought back"] += was

    @rule(name=names)
    def start_anew(self, name: str) -> None:
        open_incarnation(self.sites[name].store, self.sites[name].author)

    @rule(name=names)
    def close(self, name: str) -> None:
        """End one's log and go on in another, as somebody does who restored a backup."""
        site = self.sites[name]
        state = site.store.log(site.log)
        if state.size and may_write(members(site.store), site.author.public):
            close_log(site.store, site.author, state, time_us=site.now_us)

    # -- what carriers do ---------------------------------------------------------------------

    @rule(giver=names, taker=names, most=st.sampled_from([1, 2, 65_536]))
    def carry(self, giver: str, taker: str, most: int) -> None:
        if giver != taker:
            for one in list(lacked(self.sites[giver].store, self.sites[taker].store, most=most)):
                self.deliver(taker, one)

    @rule(giver=names, taker=names, most=st.sampled_from([1, 65_536]))
    def leave(self, giver: str, taker: str, most: int) -> None:
        if giver != taker and len(self.on_the_way) < 20:
            ranges = lacked(self.sites[giver].store, self.sites[taker].store, most=most)
            self.on_the_way += [(taker, one) for one in ranges]

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.on_the_way) - 1))
        self.deliver(*self.on_the_way.pop(place))

    def deliver(self, taker: str, received: Range) -> None:
        self.reached[type(self.sites[taker].take(received)).__name__] += 1

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
        for taker, received in self.on_the_way:
            self.deliver(taker, received)
        sites = list(self.sites.values())
        settle(*sites)
        for site in sites:
            assert faults(site.store) == []
            assert counted(site.store) == counted(sites[0].store)
            assert picture(site.store) == picture(sites[0].store)
        known = members(sites[0].store)
        self.reached["runs"] += 1
        self.reached["removed"] += len(known.removed)
        self.reached["founder gone"] += keys_of("ada").author not in known
        logs = [log for site in sites for log in site.store.logs()]
        self.reached["void held"] += sum(log.counted < log.size for log in logs)
        sizes = [[log.size for log in site.store.logs() if log.size] for site in sites]
        self.reached["void held by some"] += any(sum(one) != sum(sizes[0]) for one in sizes)
        self.reached["closed"] += sum(log.close is not None for log in sites[0].store.logs())


@pytest.mark.filterwarnings("error")
def test_all_nodes_agree_on_who_belongs_and_on_what_counts() -> None:
    Admins.reached = Counter()
    run_state_machine_as_test(
        Admins,
        settings=settings(
            max_examples=15,
            stateful_step_count=16,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    reached = Admins.reached
    assert reached["runs"] >= 15, reached
    for what in ("removed", "void held", "void held by some", "closed", "Merged"):
        assert reached[what] >= 5, (what, reached)
    for what in ("Void", "fought back", "refused", "founder gone"):
        assert reached[what] >= 1, (what, reached)
