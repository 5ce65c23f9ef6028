"""What is harmed: each operation from a state in which it has much to do, and how it goes on."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pannier.sending import prepare
from tests.cli.computers import exchange
from tests.cli.test_link import free_port
from tests.proving.crash_checks import STICK, State, entries_in, names_in, now_us, settle
from tests.proving.crash_keeping import KEEPING
from tests.proving.crash_scene import (
    NAMES,
    Operation,
    Scene,
    share_and_settle,
    shared,
    strangers,
    written,
)
from tests.proving.crash_strace import Ended
from tests.sim.test_crashes import queues_agree
from tests.sim.world import DAY_US, World

# -- putting ----------------------------------------------------------------------------------

_LINES = b"".join(
    json.dumps({"thing": f"line/{number}", "data": number}).encode() + b"\n" for number in range(3)
)


def _put_again(found: State, clean: State, ended: Ended) -> None:
    """Both runs put the same: of what the first one said all is there, and at most one more."""
    said = Counter(line.split()[0] for line in ended.out.splitlines() if " is in " in line)
    missing = clean.entries - found.entries
    lost = Counter({thing: count for (_, thing, _), count in missing.items()})
    assert not found.entries - clean.entries, f"from nowhere: {found.entries - clean.entries}"
    assert not lost & said, f"lost: {lost & said}"
    assert all(count == 1 for count in lost.values()), f"lost: {lost}"


# -- moving -----------------------------------------------------------------------------------


def _on_stick(scene: Scene) -> None:
    written(scene)
    exchange(scene.stick, scene.farm)


def _packed(scene: Scene) -> None:
    written(scene)
    scene.farm.types(*_pack_words(scene))


def _pack_words(scene: Scene) -> list[str]:
    return ["pack", "home", "--into", str(scene.out), "--mtu", "1400", "--repair", "20%"]


def _unpack_and_settle(scene: Scene) -> State:
    """What was packed is all that home needs of farm."""
    scene.home.types("unpack", str(scene.out))
    with scene.home.node() as home, scene.farm.node() as farm:
        assert not entries_in(farm) - entries_in(home), "not all was packed"
    return settle(scene.folder, NAMES)


def _exchange_words(scene: Scene) -> list[str]:
    return ["exchange", str(scene.stick)]


def _served(scene: Scene) -> None:
    _on_stick(scene)
    path = json.dumps(str(scene.stick))
    scene.home.configure(f'[transport.drop]\nkind = "directory"\npath = {path}\n')


def _run_once(scene: Scene, operation: Operation) -> None:
    scene.home.types("run", "--once")


@contextmanager
def _farm_listens(scene: Scene) -> Iterator[None]:
    port = (scene.folder / "port").read_text()
    words = ["--home", str(scene.farm.home), "link", "tcp", "--listen", port]
    process = scene.launcher.start(words)
    process.go()
    process.wait_for("Stop with Ctrl-C")
    try:
        yield
    finally:
        process.stop()


def _linked(scene: Scene) -> None:
    written(scene)
    (scene.folder / "port").write_text(str(free_port()))


def _link_words(scene: Scene) -> list[str]:
    port = (scene.folder / "port").read_text()
    return ["link", "tcp", f"127.0.0.1:{port}", "farm", "--once"]


# -- merging, forgetting ----------------------------------------------------------------------


def _torn(scene: Scene) -> None:
    """home was restored from a backup and wrote on: what it had lost, and a fork, come to it."""
    with World(scene.folder, NAMES) as world:
        world.clock.now_us = now_us() - DAY_US
        world.found("farm", "home")
        scene.stick.mkdir()
        world.rounds(NAMES, 2, scene.stick)
        copy = world.back_up("home")
        world.put("home", "pump", 1)
        world.rounds(NAMES[::-1], 2, scene.stick)
        world.restore("home", copy)
        world.put("home", "pump", 2)
        world.exchange("home", scene.stick)
        world.put("farm", "pump", 3)
        world.exchange("farm", scene.stick)
    shutil.rmtree(copy)


def _overdue(scene: Scene) -> None:
    """What farm has queued, and what waits at home, is long past its time."""
    with World(scene.folder, NAMES) as world:
        for name, other in (NAMES, NAMES[::-1]):
            world.configure(name, f"[peer.{other}]\nexpiry_days = 20\n")
        world.clock.now_us = now_us() - 60 * DAY_US
        world.found("farm", "home")
        scene.stick.mkdir()
        world.rounds(NAMES, 2, scene.stick)
        for number in range(2):
            world.put("farm", "well", number)
            prepare(world["farm"], world["farm"].peer_named("home"))
        world["farm"].db.hear(world["home"].card.node_id, now_us())


# -- reviewing --------------------------------------------------------------------------------


def _asked(scene: Scene) -> None:
    written(scene)
    scene.home.configure("[peer.farm]\nimport = 'review'\n")
    exchange(scene.stick, scene.farm, scene.home)


def _waiting(scene: Scene) -> list[str]:
    listed = scene.home.asks("review", "list")
    assert isinstance(listed, list)
    return [one["bundle"] for one in listed]


def _review(verdict: str) -> Callable[[Scene], list[str]]:
    return lambda scene: ["review", verdict, *_waiting(scene)]


def _decide_again(scene: Scene, operation: Operation) -> None:
    """Decide what waits still; where nothing does, any exchange goes on."""
    if _waiting(scene):
        scene.home.types(*operation.words(scene))
    exchange(scene.stick, scene.home)


def _without_review(scene: Scene) -> State:
    scene.home.configure("")
    return settle(scene.folder, NAMES)


def _refused(scene: Scene) -> State:
    """home keeps it out for good, and says so; the same in another bundle it is asked about."""
    exchange(scene.stick, *[scene.farm, scene.home] * 3)
    decided = scene.home.asks("review", "list", "--decided")
    assert isinstance(decided, list)
    assert [one["verdict"] for one in decided] == ["refused"] * 2, "decided otherwise, or twice"
    with scene.home.node() as home, scene.farm.node() as farm:
        assert queues_agree(home)
        assert queues_agree(farm)
        return State(entries_in(home), names_in(scene.folder))


OPERATIONS = {
    one.name: one
    for one in (
        Operation(
            name="put, the first one",
            victim="farm",
            prepare=strangers,
            words=lambda _: ["put", "well", "1"],
            finish=share_and_settle,
            check=_put_again,
        ),
        Operation(
            name="put, line by line",
            victim="farm",
            prepare=shared,
            words=lambda _: ["put", "--ndjson", "-", "--each"],
            stdin=_LINES,
            check=_put_again,
        ),
        Operation(
            name="pack",
            victim="farm",
            prepare=written,
            words=_pack_words,
            finish=_unpack_and_settle,
        ),
        Operation(
            name="unpack",
            victim="home",
            prepare=_packed,
            words=lambda scene: ["unpack", str(scene.out)],
        ),
        Operation(name="exchange, writing", victim="farm", prepare=written, words=_exchange_words),
        Operation(
            name="exchange, reading", victim="home", prepare=_on_stick, words=_exchange_words
        ),
        Operation(
            name="link, receiving",
            victim="home",
            prepare=_linked,
            words=_link_words,
            companion=_farm_listens,
            is_waiting=lambda said: "nothing waits" in said or "disk" in said,
        ),
        Operation(name="merge of a fork", victim="home", prepare=_torn, words=_exchange_words),
        Operation(name="expiry", victim="farm", prepare=_overdue, words=_exchange_words),
        Operation(
            name="review accept",
            victim="home",
            prepare=_asked,
            words=_review("accept"),
            again=_decide_again,
            finish=_without_review,
        ),
        Operation(
            name="review refuse",
            victim="home",
            prepare=_asked,
            words=_review("refuse"),
            again=_decide_again,
            finish=_refused,
        ),
        Operation(
            name="run",
            victim="home",
            prepare=_served,
            words=lambda _: ["run"],
            is_over=lambda out: f"/{STICK}: " in out,
            again=_run_once,
        ),
        *KEEPING,
    )
}
