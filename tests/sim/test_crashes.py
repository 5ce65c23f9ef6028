"""A process that dies between two steps: the next run goes on, nothing is lost or twice.

Of a long scene some of the steps, evenly spread; `make crash` kills a real process at every system
call that changes a file. A step is a call that changes a file, a ledger or ``node.db``. The process
dies right before one: what follows in its own program does not happen any more, and all files stay
as they are.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from ledger.store import Store
from pannier.import_report import Outcome
from pannier.importing import import_arrived
from pannier.node import Node
from pannier.nodedb import NodeDb
from pannier.sending import prepare
from spool.delivery import Delivery
from spool.name import FragmentName
from spool.os_file_system import OsFileSystem
from tests.sim.world import World, assert_equal, data_queue, entries_of

STEPS = {
    function.__code__
    for function in (
        OsFileSystem.create,
        OsFileSystem.sync,
        OsFileSystem.rename,
        OsFileSystem.rename_new,
        OsFileSystem.remove,
        OsFileSystem.make_folder,
        NodeDb.run,
        Store.commit,
        Store.run,
        Store.create.__func__,  # type: ignore[attr-defined]
        NodeDb.transaction.__wrapped__,  # type: ignore[attr-defined]
        Store.transaction.__wrapped__,  # type: ignore[attr-defined]
    )
}
NAMES = ("ada", "bea")


class KilledError(BaseException):
    """The process is no more."""


class Countdown:
    """Kills the process before a step; counts how many there are."""

    def __init__(self, kill_at: int) -> None:
        self.left = kill_at
        self.is_over = False

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code not in STEPS:
            return
        self.left -= 1
        if self.left < 0:
            self.is_over = True
            raise KilledError(frame.f_code.co_qualname)

    @contextmanager
    def running(self) -> Iterator[None]:
        sys.setprofile(self)
        try:
            yield
        except KilledError:
            pass
        finally:
            sys.setprofile(None)


def queues_agree(node: Node) -> bool:
    """Whether ``node.db`` and the spool name the same bundles as queued."""
    return all(
        {one.name for one in node.db.bundles(peer)}
        == {name.to_text() for name in node.spool.outbox.queued(peer)}
        for peer in node.peers
    )


def joining(world: World) -> None:
    """bea meets a ledger that is new to her; ada waits for a receipt."""
    world.found("ada", "bea")
    world.put("ada", "well", 1)
    world.exchange("ada")


def waiting(world: World) -> None:
    """bea holds a bundle that waits for the one that comes now, and has written herself."""
    waiting_on_the_way(world)
    world.exchange("bea", "both")
    world.put("bea", "well", 3)
    shutil.copytree(world.stick("late"), world.stick(), dirs_exist_ok=True)


def receipts(world: World) -> None:
    """ada's bundle is confirmed on the stick, while bea got a newer one from elsewhere."""
    joining(world)
    world.exchange("bea")
    world.put("bea", "pump", 1)
    world.exchange("bea")
    world.put("ada", "well", 2)


def restored(world: World) -> None:
    """bea finds her own lost entries, and a fork of what she wrote since."""
    joining(world)
    world.rounds(NAMES, 2)
    copy = world.back_up("bea")
    world.put("bea", "pump", 1)
    world.rounds(NAMES[::-1], 2)
    world.restore("bea", copy)
    world.put("bea", "pump", 2)
    world.exchange("bea")
    world.exchange("ada")


SCENES: dict[str, tuple[Callable[[World], None], str, int]] = {
    "joining": (joining, "bea", 5),
    "waiting": (waiting, "bea", 5),
    "receipts": (receipts, "ada", 5),
    "restored": (restored, "bea", 7),
}
"""How it begins, who exchanges, and at each how many-th step that node is killed."""


@pytest.mark.parametrize("scene", SCENES)
def test_an_exchange_may_be_killed_before_a_step(tmp_path: Path, scene: str) -> None:
    set_scene, name, stride = SCENES[scene]
    with World(tmp_path / "scene") as world:
        set_scene(world)
        expected = settle(world)
    kills = 0
    while True:
        with again(tmp_path, set_scene) as world:
            countdown = Countdown(kills)
            with countdown.running():
                world.exchange(name)
            world.reopen(name)
            assert settle(world) == expected, f"after a kill before step {kills}"
        if not countdown.is_over:
            break
        kills += stride
    assert kills > 40


@contextmanager
def again(tmp_path: Path, set_scene: Callable[[World], None]) -> Iterator[World]:
    """The scene once more, made once and then copied."""
    made, used = tmp_path / "made", tmp_path / "used"
    if not made.exists():
        with World(made) as world:
            set_scene(world)
            (made / "now").write_text(str(world.clock.now_us))
    shutil.rmtree(used, ignore_errors=True)
    shutil.copytree(made, used)
    with World(used, ()) as world:
        world.clock.now_us = int((made / "now").read_text())
        for name in NAMES:
            world.take_over(name)
        yield world


def settle(world: World) -> set[tuple[object, ...]]:
    """Exchange until all is said; return which entries there are."""
    for _ in range(6):
        done = [world.exchange(name) for name in NAMES]
        if not any(one.written or one.removed or one.report.outcomes for one in done):
            break
    assert_equal(world, NAMES)
    for name in NAMES:
        node = world[name]
        assert queues_agree(node)
        assert data_queue(node) == []
        assert node.spool.inbox.bundles() == []
        assert node.spool.held.names() == []
        assert node.spool.quarantine.list() == []
        assert node.db.rows("SELECT * FROM waiting") == []
    return {
        (entry.thing, entry.payload)
        for log in world.store("ada").logs()
        for entry in world.store("ada").entries(log, 0, log.size)
        if entry.action < 2
    }


def test_preparing_may_be_killed_before_any_step(tmp_path: Path) -> None:
    kills = 0
    while True:
        with again(tmp_path, receipts) as world:
            ada = world["ada"]
            bea = ada.peer_named("bea")
            countdown = Countdown(kills)
            with countdown.running():
                prepare(ada, bea)
            world.reopen("ada")
            made = prepare(world["ada"], bea)
            assert queues_agree(world["ada"])
            spans = [span for one in made for _, _, span in world["ada"].db.spans(one.bundle_id)]
            assert len(spans) == len(set(spans)) > 0
            settle(world)
        if not countdown.is_over:
            break
        kills += 1
    assert kills > 10


@pytest.mark.parametrize("is_whole", [True, False], ids=["merged", "held"])
def test_what_no_medium_has_any_more_is_in_the_spool_until_it_is_safe(
    tmp_path: Path, is_whole: bool
) -> None:
    """All that is left of a bundle is in the inbox: a kill before any step keeps it."""
    kills = 0
    while True:
        with again(tmp_path, joining if is_whole else waiting_on_the_way) as world:
            world.exchange("bea", "empty")
            take_all(world, "stick" if is_whole else "both")
            countdown = Countdown(kills)
            with countdown.running():
                import_arrived(world["bea"])
            world.reopen("bea")
            report = import_arrived(world["bea"])
            bea = world["bea"]
            assert report.count(Outcome.REFUSED) == report.count(Outcome.INCOMPLETE) == 0
            if is_whole:
                assert len(list(entries_of(world.store("bea")))) == 2
                ada = world["ada"].card.node_id
                assert bea.db.peer(ada).have is not None, "ada says it but once"
                assert len(bea.db.receipts(ada)) == 1
            else:
                assert len(bea.spool.held.names()) == 1
                assert len(bea.db.rows("SELECT * FROM waiting")) == 1
            assert bea.spool.inbox.bundles() == []
        if not countdown.is_over:
            break
        kills += 1
    assert kills > 20


def waiting_on_the_way(world: World) -> None:
    """As `waiting`, before anything came."""
    world.found("ada", "bea")
    world.rounds(NAMES, 2)
    world.put("ada", "well", 1)
    world.exchange("ada", "late")
    world.put("ada", "well", 2)
    world.exchange("ada", "both")
    first = {path.name for path in world.stick("late").rglob("*.pnr")}
    for path in world.stick("both").rglob("*.pnr"):
        if path.name in first:
            path.unlink()


def take_all(world: World, stick: str) -> None:
    """Put what is on a stick into bea's inbox, and lose the stick."""
    sender = world["ada"].card.node_id
    for path in world.stick(stick).rglob("*.pnr"):
        name = FragmentName.from_text(path.name)
        world["bea"].spool.inbox.receive([Delivery(name, sender, "gone", path.read_bytes())])
    shutil.rmtree(world.stick(stick))
