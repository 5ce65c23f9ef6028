"""farm - gateway - home: the gateway is a member of nothing, and learns no more than it must."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bundler.errors import BundleError
from bundler.fragment import Fragment
from bundler.sequence import parse_sequence
from bundler.whole import Whole
from ledger.views import things
from spool.name import FragmentName
from tests.pannier.links.test_serve import put_long
from tests.pannier.links.wire import Wire
from tests.sim.world import World, assert_equal, data_queue, tree
from transports.link.events import Wanted

SECRET = b"secret-thing"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, names=()) as world:
        for name in ("farm", "gate", "home", "zoe"):
            world.add(name)
        world.acquaint(("farm", "gate"))
        world.acquaint(("gate", "home"))
        world.acquaint(("farm", "home", "zoe"))
        world.found("farm", "home", "zoe", ledger="orchard")
        yield world


class Road:
    """Two wires that meet at the gateway, and what it sent."""

    def __init__(self, world: World, **settings: int) -> None:
        self.wires = (
            Wire(world, "farm", "gate", "serial", **settings),
            Wire(world, "gate", "home", "tcp", **settings),
        )
        for wire in self.wires:
            wire.open()
        self.asked: dict[int, list[bytes]] = {0: [], 1: []}
        for place, wire in enumerate(self.wires):
            self._listen(wire.ends[1 - place].serving.take, place, wire)

    def _listen(self, take: object, place: int, wire: Wire) -> None:
        end = wire.ends[1 - place]
        before = end.serving.take

        def heard(event: object) -> None:
            if isinstance(event, Wanted):
                self.asked[place].append(event.ware.bundle_id)
            before(event)  # type: ignore[arg-type]

        end.serving.take = heard  # type: ignore[method-assign]

    def settle(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            for wire in self.wires:
                wire.settle(600)


def test_bundles_cross_both_ways_and_nothing_goes_twice_or_back(world: World) -> None:
    road = Road(world)
    for number in range(3):
        world.put("farm", f"tree {number}", number, ledger="orchard")
        put_long_in(world, "farm", 30_000, str(number))
        road.settle(2)
    road.settle()
    world.put("home", "order", "apples", ledger="orchard")
    road.settle()
    assert_equal(world, ("farm", "home"), ledger="orchard")
    assert "order" in list(things(world.store("farm", "orchard")))
    home = world["home"].card.node_id
    assert [one for one in world["farm"].db.bundles(home) if not one.control] == []
    assert not world.has("gate", "orchard")
    # What went to each side went there once, and none of it had come from there.
    for asked in road.asked.values():
        assert asked
    before = [list(one) for one in road.asked.values()]
    for wire in road.wires:
        wire.cut()
    road.settle()
    assert list(road.asked.values()) == before


def test_each_file_is_asked_for_once_on_each_side(world: World) -> None:
    road = Road(world)
    put_long_in(world, "farm", 150_000)
    road.settle()
    carried = world["gate"].spool.carried.known()
    assert len([one for one in carried.values() if one.size_bytes > 30_000]) >= 2
    assert all(len(one.sources) == 2 for one in carried.values() if one.size_bytes > 30_000)
    size = sum(one.size_bytes for one in carried.values())
    assert road.wires[0].payload() < size * 1.1
    assert road.wires[1].payload() < size * 1.1
    assert_equal(world, ("farm", "home"), ledger="orchard")


@pytest.mark.parametrize("killed", [0, 1])
def test_a_file_to_be_carried_goes_on_where_it_was(world: World, killed: int) -> None:
    road = Road(world, rate=20_000)
    road.settle(1)
    wire = road.wires[0]
    start = -wire.payload()
    put_long_in(world, "farm", 100_000)
    assert wire.run(5, lambda: wire.payload() + start > 20_000)
    for _ in range(4):
        wire.run(0.5)
        before = wire.payload()
        wire.kill(killed)
        if killed == 1:
            road.wires[1].kill(0)
        start += before - wire.payload()
        wire.run(3, lambda: all(end.link.stats.is_established for end in wire.ends))
    road.settle()
    assert_equal(world, ("farm", "home"), ledger="orchard")
    size = sum(one.size_bytes for one in world["gate"].spool.carried.known().values())
    assert start + wire.payload() < size + 4 * 3000


def test_what_the_gateway_learns_is_what_stands_in_the_names(world: World) -> None:
    road = Road(world)
    world.put("farm", SECRET.decode(), "confidential-value", ledger="orchard")
    put_long_in(world, "farm", 100_000)
    road.settle(1)
    world.put("home", "order", "apples", ledger="orchard")
    road.settle(3)
    assert_equal(world, ("farm", "home"), ledger="orchard")
    ledger_id = world.store("farm", "orchard").ledger_id
    authors = [world[name].card.author for name in ("farm", "home", "zoe")]
    secrets = [SECRET, b"confidential", b"orchard", b"apples", b"zoe", ledger_id]
    secrets += [ledger_id.hex().encode(), *(one.hex().encode() for one in authors), *authors]
    secrets.append(world["zoe"].card.node_id.encode())
    for path, data in tree(world.home("gate").path).items():
        if not path.startswith(("cards/", "keys/")):
            assert [secret for secret in secrets if secret in path.encode() + data] == []
    files = 0
    for path, data in tree(world.home("gate").spool / "carry").items():
        name = FragmentName.from_text(Path(path).name.split(".")[0] + ".pnr")
        with suppress(BundleError):
            assert Whole.from_bytes(data).hint.hex() == name.hint
            continue
        for part in parse_sequence(data, lambda *_: True):
            assert isinstance(part, Fragment)
            assert part.bundle_id.hex() == name.bundle_id
        files += 1
    assert files > 1


def test_a_gateway_whose_quota_is_used_up_takes_no_more_and_goes_on(world: World) -> None:
    world.configure("gate", "[spool]\ncarry_bytes = 90000\n")
    road = Road(world)
    road.settle(1)
    put_long_in(world, "farm", 300_000)
    road.settle()
    known = world["gate"].spool.carried.known()
    assert sum(one.footprint_bytes for one in known.values()) <= 90_000
    assert data_queue(world["farm"])
    assert [said for said in road.wires[0].ends[1].said if "no room" in said]
    assert road.wires[0].ends[0].link.stats.is_established


def test_who_carries_nothing_gets_only_what_is_for_it(world: World) -> None:
    world.configure("gate", "[spool]\ncarry_bytes = 0\n")
    road = Road(world)
    put_long_in(world, "farm", 30_000)
    road.settle(2)
    assert world["gate"].spool.carried.known() == {}
    assert road.wires[0].payload() < 5000
    assert [end.said for wire in road.wires for end in wire.ends] == [[], [], [], []]


def put_long_in(world: World, name: str, size: int, seed: str = "") -> None:
    put_long(world, name, size, seed, ledger="orchard")
