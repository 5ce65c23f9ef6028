import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.errors import PannierError
from pannier.links.work import Lane, Then, Workers
from pannier.node import Node
from tests.sim.world import World


class Desk(Workers):
    """Workers of a home, and how often they called."""

    def __init__(self, world: World) -> None:
        self.calls = threading.Semaphore(0)
        ada = world["ada"]
        super().__init__(
            lambda: Node.open(ada.home, ada.keys, clock=world.clock, entropy=ada.entropy),
            self.calls.release,
        )

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.calls.acquire(timeout=20)
        self.finish()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with World(tmp_path) as world:
        desk = Desk(world)
        yield desk
        desk.close()


def fail(error: Exception) -> None:
    raise AssertionError(error)


def test_work_has_a_node_and_what_follows_is_done_where_it_is_asked_for(desk: Desk) -> None:
    threads: list[tuple[str, int]] = []

    def job(node: Node) -> Then:
        assert node.db.bundles("0" * 16) == []
        threads.append(("job", threading.get_ident()))
        return lambda: threads.append(("then", threading.get_ident()))

    desk.submit(Lane.SENDING, job, fail)
    desk.wait(1)
    assert threads[0][1] != threading.get_ident()
    assert threads[1] == ("then", threading.get_ident())


def test_one_lane_waits_for_no_other_and_keeps_its_order(desk: Desk) -> None:
    gate, seen = threading.Event(), list[str]()

    def slow(_: Node) -> Then:
        assert gate.wait(20)
        return lambda: seen.append("slow")

    desk.submit(Lane.IMPORTING, slow, fail)
    desk.submit(Lane.IMPORTING, lambda _: lambda: seen.append("after it"), fail)
    desk.submit(Lane.SENDING, lambda _: lambda: seen.append("quick"), fail)
    desk.wait(1)
    assert seen == ["quick"]
    gate.set()
    desk.wait(2)
    assert seen == ["quick", "slow", "after it"]


def test_what_goes_wrong_is_told_and_what_is_a_bug_is_not_hidden(desk: Desk) -> None:
    errors: list[Exception] = []

    def broken(_: Node) -> Then:
        raise PannierError("no")

    def bug(_: Node) -> Then:
        raise ZeroDivisionError

    desk.submit(Lane.ANSWERING, broken, errors.append)
    desk.wait(1)
    assert [str(error) for error in errors] == ["no"]
    desk.submit(Lane.ANSWERING, bug, errors.append)
    with pytest.raises(ZeroDivisionError):
        desk.wait(1)


def test_what_was_handed_in_is_done_before_the_end(desk: Desk) -> None:
    gate, begun, done = threading.Event(), threading.Event(), list[str]()

    def slow(_: Node) -> Then:
        begun.set()
        assert gate.wait(20)
        done.append("slow")
        return lambda: done.append("what follows")

    def note(_: Node) -> Then:
        done.append("note")
        return lambda: done.append("what follows")

    desk.submit(Lane.SENDING, slow, fail)
    desk.submit(Lane.SENDING, note, fail)
    assert begun.wait(20)
    threading.Timer(0.05, gate.set).start()
    desk.close()
    assert done == ["slow", "note"]
