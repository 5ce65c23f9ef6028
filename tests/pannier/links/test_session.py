"""What a session does when its work takes time, as that of a large home does."""

from collections.abc import Callable, Iterator, Set
from pathlib import Path

import pytest

from pannier.links.meeting import nothing
from pannier.links.offering import Offering, Plan
from pannier.links.work import Failed, Job, Lane, Then
from pannier.node import Node
from tests.pannier.links import wire as wires
from tests.pannier.links.test_serve import put_long
from tests.pannier.links.wire import DeskInPlace, Wire
from tests.sim.world import World

PLAN_US = 40_000


class SlowDesk(DeskInPlace):
    """Does work of each kind one after the other; what follows from a plan follows later."""

    wire: Wire
    took_us = 0

    def __init__(self, node: Callable[[], Node]) -> None:
        super().__init__(node)
        self.waiting: dict[Lane, list[tuple[Job, Failed]]] = {lane: [] for lane in Lane}
        self.ended: dict[Lane, tuple[int, Then]] = {}

    def submit(self, lane: Lane, job: Job, failed: Failed) -> None:
        self.waiting[lane].append((job, failed))
        self.done.append(lane)

    def finish(self) -> None:
        for lane in Lane:
            while self.follows(lane) and self.waiting[lane]:
                job, _ = self.waiting[lane].pop(0)
                SlowDesk.took_us = 0
                then = job(self._node())
                self.ended[lane] = self.wire.now_us + SlowDesk.took_us, then

    def follows(self, lane: Lane) -> bool:
        """Do what follows from the last piece of work; False if that is not over yet."""
        due_us, then = self.ended.get(lane, (0, nothing))
        if due_us <= self.wire.now_us:
            self.ended.pop(lane, None)
            then()
        return due_us <= self.wire.now_us


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        yield world


def test_what_a_later_plan_replaced_is_no_reason_for_another_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Offering.plan

    def slow_plan(self: Offering, node: Node, without: Set[object]) -> Plan:
        SlowDesk.took_us = PLAN_US
        return plan(self, node, without)

    monkeypatch.setattr(Offering, "plan", slow_plan)
    monkeypatch.setattr(wires, "DeskInPlace", SlowDesk)
    put_long(world, "ada")
    wire = SlowDesk.wire = Wire(world, "ada", "bea")
    wire.open()
    # In short steps: a wire does not know when such a desk is done.
    assert any(wire.run(0.01, lambda: wire.payload() > 20_000) for _ in range(300))
    assert wire.ends[0].desk.done.count(Lane.SENDING) < 12


def test_what_was_delivered_while_a_plan_was_made_does_not_wait_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan still has it, and no receipt comes for a notice: nothing else would take it off."""
    plan, plans = Offering.plan, list[Plan]()

    def slow_plan(self: Offering, node: Node, without: Set[object]) -> Plan:
        SlowDesk.took_us = 300_000
        found = plan(self, node, without)
        if self.peer == world["ada"].card.node_id:
            plans.append(found)
        return found

    monkeypatch.setattr(Offering, "plan", slow_plan)
    monkeypatch.setattr(wires, "DeskInPlace", SlowDesk)
    wire = SlowDesk.wire = Wire(world, "ada", "bea")
    wire.open()
    bea = wire.ends[1]

    def step(until: Callable[[], bool]) -> bool:
        return any(wire.run(0.01, until) for _ in range(4_000))

    assert step(lambda: world.has("bea") and bea.is_quiet)
    world.put("ada", "well", 1)
    assert step(lambda: bool(bea.link.stats.waiting))
    assert bea.serving._session is not None
    bea.serving._session.giving.plan_again()
    before = len(plans)
    assert step(lambda: len(plans) > before and bea.is_quiet)
    late = plans[-1]
    assert late.wares
    assert bea.link.stats.waiting == 0
