"""Two nodes whose work takes time and whose line loses and reorders: in the end nothing is left."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pannier.links.meeting import nothing
from pannier.links.work import Failed, Job, Lane, Then
from pannier.node import Node
from tests.pannier.links import wire as wires
from tests.pannier.links.wire import DeskInPlace, Wire
from tests.sim.world import World, assert_equal, data_queue

WORK_US = [0, 20_000, 300_000, 900_000, 2_500_000]
FLIGHT_US = [0, 0, 1_000, 10_000, 60_000]
STEP_SECONDS = 0.02


class TardyDesk(DeskInPlace):
    """Does work of each kind one after the other; what follows from it follows at any time later.

    So what was looked up is old when it counts.
    """

    rng: random.Random
    wire: Wire

    def __init__(self, node: Callable[[], Node]) -> None:
        super().__init__(node)
        self.lanes: dict[Lane, list[tuple[Job, Failed]]] = {lane: [] for lane in Lane}
        self.following: dict[Lane, tuple[int, Then]] = {}

    def submit(self, lane: Lane, job: Job, failed: Failed) -> None:
        self.lanes[lane].append((job, failed))

    def finish(self) -> None:
        now_us = self.wire.now_us
        for lane, jobs in self.lanes.items():
            due_us, then = self.following.pop(lane, (0, nothing))
            if due_us > now_us:
                self.following[lane] = due_us, then
                continue
            then()
            if jobs:
                job, _ = jobs.pop(0)
                self.following[lane] = now_us + self.rng.choice(WORK_US), job(self._node())


def step(wire: Wire, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
    """In short steps: a wire does not know when such a desk is done."""
    return any(wire.run(STEP_SECONDS, until) for _ in range(round(seconds / STEP_SECONDS)))


def are_over(wire: Wire) -> bool:
    return all(end.attending.is_done() for end in wire.ends)


def assert_comes_to_rest(folder: Path, seed: int, kind: str) -> None:
    rng = TardyDesk.rng = random.Random(seed)
    with World(folder, seed=seed) as world:
        world.found("ada", "bea")
        wire = TardyDesk.wire = Wire(world, "ada", "bea", kind)
        wire.open()
        assert step(wire, 60, lambda: are_over(wire) and world.has("bea"))
        if kind == "udp":
            share = rng.random() * 0.3
            wire.fate = lambda: rng.choices([[], [rng.choice(FLIGHT_US)]], [share, 1 - share])[0]
        for number in range(rng.randrange(2, 6)):
            world.put(rng.choice(["ada", "bea"]), f"thing {number}", number)
            step(wire, rng.random() * 3)
        wire.fate = lambda: [0]
        step(wire, 2)  # what another process puts is noticed by then
        assert step(wire, 60, lambda: are_over(wire)), [end.link.stats for end in wire.ends]
        # Nobody is told that it is over before it is.
        assert_equal(world, ("ada", "bea"))
        assert data_queue(world["ada"]) == data_queue(world["bea"]) == []
        wire.close()


@pytest.mark.parametrize(("seed", "kind"), [(34, "serial"), (58, "udp")])
def test_all_comes_to_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, kind: str
) -> None:
    monkeypatch.setattr(wires, "DeskInPlace", TardyDesk)
    assert_comes_to_rest(tmp_path, seed, kind)
