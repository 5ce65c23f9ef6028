from pathlib import Path
from threading import Thread

import pytest

from pannier.counting import Counting
from pannier.importing import MAX_COUNTER
from tests.cli.computers import new_computer
from tests.sim.world import START_US, World


def test_an_incarnation_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes at a new home count their bundles as one node, whoever comes first."""
    farm = new_computer(tmp_path, "farm")
    with farm.node() as one, farm.node() as other:
        meta, drawn = one.db.meta, list[bytes]()

        def meanwhile(key: str) -> bytes | None:
            monkeypatch.undo()
            found = meta(key)
            drawn.append(other.counting.incarnation())
            return found

        monkeypatch.setattr(one.db, "meta", meanwhile)
        assert one.counting.incarnation() == other.counting.incarnation() == drawn[0]


def test_no_stamp_comes_twice_though_another_process_counts_anew_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm = new_computer(tmp_path, "farm")
    with farm.node() as node:
        drawn, counter = [node.counting.stamp()], Counting._next_counter

        def renew() -> None:
            with farm.node() as other:
                other.counting.renew(above=other.counting.incarnation())

        another = Thread(target=renew)

        def meanwhile(counting: Counting) -> int:
            another.start()
            another.join(0.3)  # it has to wait for its turn
            return counter(counting)

        with monkeypatch.context() as patched:
            patched.setattr(Counting, "_next_counter", meanwhile)
            drawn.append(node.counting.stamp())
        another.join()
        drawn.append(node.counting.stamp())
    assert len({(one.incarnation, one.counter) for one in drawn}) == len(drawn)


def test_a_restored_home_stamps_nothing_as_it_did_before_even_if_nobody_has_told_it(
    tmp_path: Path,
) -> None:
    with World(tmp_path) as world:
        before = world["ada"].counting.incarnation()
        copy = world.back_up("ada")
        drawn = []
        for _ in range(3):
            world.clock.now_us += 10_000_000
            drawn += [world["ada"].counting.stamp().counter for _ in range(5)]
            world.restore("ada", copy)
        assert world["ada"].counting.incarnation() == before
        assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("clock_us", [0, -(2**63), 2**63 - 1])
def test_counters_only_grow_whatever_the_clock_says(tmp_path: Path, clock_us: int) -> None:
    with World(tmp_path) as world:
        drawn = [world["ada"].counting.stamp().counter]
        for now_us in (clock_us, START_US):
            world.clock.now_us = now_us
            drawn += [world["ada"].counting.stamp().counter for _ in range(2)]
        assert drawn == sorted(set(drawn))
        assert max(drawn) < MAX_COUNTER
