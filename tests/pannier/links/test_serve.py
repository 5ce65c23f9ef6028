"""Nodes and wires: bundles cross both ways, once, whatever happens on the way."""

import base64
from collections.abc import Iterable, Iterator
from hashlib import shake_256
from pathlib import Path
from typing import Any

import pytest

from bundler.geometry import Geometry
from ledger.append import Draft
from ledger.data import payload_from_value
from ledger.errors import DamagedError
from ledger.views import things
from pannier.errors import BusyError, UsageError
from pannier.exchange import exchange_medium
from pannier.home import add_peer
from pannier.ledgers import put
from pannier.links import offering, taking_in
from pannier.links.answering import Answer, answer
from pannier.links.pieces import Shape, fragment_of
from pannier.links.work import Lane
from pannier.lock import exclusive
from pannier.node import Node
from pannier.overview import overview
from pannier.queued import sealed_bundle
from spool.delivery import Delivery
from spool.errors import StorageError
from spool.partial import Piece
from tests.pannier.folders import add, write
from tests.pannier.links.wire import USUAL, End, Wire
from tests.sim.world import World, assert_equal, data_queue
from transports.link.events import Noted


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        yield world


def noise(size: int, seed: str = "") -> str:
    """Text that no code makes shorter than its share of bits."""
    return base64.b85encode(shake_256(seed.encode()).digest(size * 4 // 5)).decode()


def put_long(
    world: World, name: str, size: int = 60_000, seed: str = "", ledger: str = "log"
) -> None:
    world.put(name, f"noise{seed}", {"text": noise(size, seed)}, ledger)


def meet(world: World, wire: Wire) -> None:
    """What two nodes say first is not what is looked at."""
    wire.open()
    wire.settle()
    assert_equal(world, ("ada", "bea"))


def assert_done(world: World, *wires: Wire) -> None:
    """Nothing waits any more at either end, nor does anything go on and on."""
    assert data_queue(world["ada"]) == data_queue(world["bea"]) == []
    for wire in wires:
        sent = [wire.payload(place) for place in (0, 1)]
        wire.run(30)
        assert [wire.payload(place) for place in (0, 1)] == sent


def test_bundles_cross_both_ways_receipts_come_back_and_then_it_is_quiet(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    wire.open()
    world.put("ada", "well", 1)
    wire.settle()
    world.put("bea", "pump", 2)
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert_done(world, wire)
    assert [end.said for end in wire.ends] == [[], []]


def test_what_another_process_puts_is_on_its_way_within_two_seconds(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    other = Node.open(
        world.home("ada"), world["ada"].keys, clock=world.clock, entropy=world["ada"].entropy
    )
    with other:
        (store,) = other.ledgers()
        put(other, store, [Draft("late", payload_from_value(1), world.clock())])
    before = wire.payload()
    assert wire.run(2.0, lambda: wire.payload() > before)
    wire.settle()
    assert_equal(world, ("ada", "bea"))


def test_a_home_that_nothing_happens_in_is_looked_at_and_left_alone(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    for end in wire.ends:
        end.desk.done.clear()
    wire.run(30)
    assert [end.desk.done for end in wire.ends] == [[], []]


@pytest.mark.parametrize("event", ["cut", "kill 0", "kill 1"])
def test_a_transfer_goes_on_where_it_was(world: World, event: str) -> None:
    wire = Wire(world, "ada", "bea", rate=20_000)
    meet(world, wire)
    sent, events = -wire.payload(), 0
    put_long(world, "ada")
    assert wire.run(3, lambda: wire.payload() > -sent)
    size = max(one.size_bytes for one in world["ada"].db.queued_bundles())
    while data_queue(world["ada"]) and events < 8:
        wire.run(0.35, lambda: not data_queue(world["ada"]))
        before = wire.payload()
        if event == "cut":
            wire.cut()
        else:
            wire.kill(int(event[-1]))
        sent += before - wire.payload()
        events += 1
        wire.run(2.0, lambda: all(end.link.stats.is_established for end in wire.ends))
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert size > 40_000
    assert events > 2
    assert sent + wire.payload() <= size + events * 3000
    assert_done(world, wire)


def came_by_stick(world: World, part: slice) -> int:
    """Let symbols of the bundle that ada has for bea lie in bea's inbox; return how many bytes."""
    (bundle,) = [one for one in world["ada"].db.queued_bundles() if not one.control]
    bea = world["bea"].card.node_id
    (name,) = [one for one in world["ada"].spool.outbox.queued(bea) if one.priority == 4]
    sealed = bytes(sealed_bundle(world["ada"], bea, name))
    key = world["ada"].shared.fragment_key_to(bea)
    geometry = Geometry.of(bundle.size_bytes, name.symbol_bytes)
    start, end, _ = (one * name.symbol_bytes for one in part.indices(geometry.symbols))
    shape = Shape(bytes.fromhex(bundle.bundle_id), geometry, key)
    data = fragment_of(shape, Piece(start, sealed[start:end]))
    ada = world["ada"].card.node_id
    world["bea"].spool.inbox.receive([Delivery(name.fragment(0), ada, "5" * 16, data)])
    return min(end, len(sealed)) - start


@pytest.mark.parametrize("part", [slice(0, 40), slice(20, 45)])
def test_half_by_stick_and_half_by_link_add_up(world: World, part: slice) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    put_long(world, "ada", 120_000)
    world.exchange("ada")  # from now on the bundle stays as it is
    (bundle,) = world["ada"].db.queued_bundles()
    by_stick, before = came_by_stick(world, part), wire.payload()
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert by_stick > 30_000
    assert wire.payload() - before <= bundle.size_bytes - by_stick + 1000
    assert_done(world, wire)


def test_what_comes_by_stick_meanwhile_is_not_asked_for_any_more(world: World) -> None:
    wire = Wire(world, "ada", "bea", rate=10_000)
    meet(world, wire)
    put_long(world, "ada", 120_000)
    before = wire.payload()
    assert wire.run(3, lambda: wire.payload() > before + 2000)
    (bundle,) = world["ada"].db.queued_bundles()
    by_stick = came_by_stick(world, slice(30, 70))
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert by_stick > 50_000
    assert wire.payload() - before <= bundle.size_bytes - by_stick + 5000
    assert_done(world, wire)


def test_what_a_stick_makes_whole_meanwhile_comes_no_further(world: World) -> None:
    wire = Wire(world, "ada", "bea", rate=10_000)
    meet(world, wire)
    put_long(world, "ada", 120_000)
    before = wire.payload()
    assert wire.run(3, lambda: wire.payload() > before + 2000)
    exchange_medium(world["ada"], world.stick())
    exchange_medium(world["bea"], world.stick())
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert wire.payload() - before < 50_000
    assert_done(world, wire)


def test_a_spoiled_join_asks_again(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    put_long(world, "ada")
    world.exchange("ada")  # it stays as it is
    before = wire.payload()
    (bundle,) = world["ada"].db.queued_bundles()
    name = next(one for one in world["ada"].spool.outbox.queued(wire.ends[1].node_id))
    geometry = Geometry.of(bundle.size_bytes, name.symbol_bytes)
    shape = Shape(bytes.fromhex(bundle.bundle_id), geometry, bytes(32))
    bad = fragment_of(shape, Piece(0, bytes(10 * name.symbol_bytes)))
    node, peer = world["bea"], wire.ends[0].node_id
    node.spool.inbox.receive([Delivery(name.fragment(0), peer, "5" * 16, bad)])
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert len(world["bea"].spool.quarantine.list()) == 1
    assert wire.payload() - before > bundle.size_bytes
    assert_done(world, wire)


def test_a_person_looks_at_it_first_where_that_is_asked_for(world: World) -> None:
    world.configure("bea", '[medium."*"]\nimport = "review"\n')
    wire = Wire(world, "ada", "bea")
    wire.open()
    world.put("ada", "well", 1)
    wire.settle()
    assert not world.has("bea")
    assert overview(world["bea"]).review == 1
    (bundle,) = data_queue(world["ada"])
    sent = wire.payload()
    wire.cut()
    wire.settle()
    assert data_queue(world["ada"]) == [bundle]
    assert wire.payload() == sent


def test_a_peer_that_is_served_by_sticks_only_hears_nothing(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    world.configure("bea", '[peer.ada]\ntransports = ["directory", "tcp"]\n')
    with pytest.raises(UsageError, match="ada is not served"):
        wire.ends[1].kill()
    wire.ends[1].listen()
    wire.open()
    wire.run(60)
    assert wire.ends[1].link.stats.counts.bytes_in > 0
    assert wire.ends[0].link.stats.counts.bytes_in == 0
    world.configure("bea", '[peer.ada]\ntransports = ["serial"]\n')
    wire.kill(1)
    wire.settle()
    assert_equal(world, ("ada", "bea"))


def test_what_must_not_travel_in_clear_does_not_and_that_is_said_once(world: World) -> None:
    for name, peer in (("ada", "bea"), ("bea", "ada")):
        world.configure(name, f"[peer.{peer}]\nclear = true\n")
    wire = Wire(world, "ada", "bea")
    wire.open()
    wire.settle()
    world.put("ada", "well", 1)
    wire.settle()
    assert not world.has("bea")
    assert len(wire.ends[0].said) == 1
    assert "confidential" in wire.ends[0].said[0]


def test_status_names_the_link_that_a_bundle_went_by(world: World) -> None:
    world.configure("bea", '[medium."*"]\nimport = "review"\n')
    wire = Wire(world, "ada", "bea")
    wire.open()
    wire.settle()
    (peer,) = overview(world["ada"]).peers
    assert [label for label, _ in peer.media] == ["link to bea"]


def test_long_files_come_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offering, "CONTENT_BYTES", 3 << 20)
    wire = Wire(world, "ada", "bea", rate=2_000_000, frame_bytes=8000)
    meet(world, wire)
    content = shake_256(b"film").digest(8 << 20)
    add(world["ada"], write(world.folder / "film", content))
    before, most = wire.payload(), 0

    def is_whole() -> bool:
        nonlocal most
        waiting = [one for one in world["ada"].db.queued_bundles() if not one.control]
        most = max(most, sum(one.size_bytes for one in waiting))
        return False

    wire.run(20, is_whole)
    assert 1 << 20 < most <= 6 << 20
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert overview(world["bea"]).ledgers[0].lacking_chunks == 0
    assert len(content) < wire.payload() - before < len(content) * 1.02
    assert_done(world, wire)


def test_post_quantum_nodes_meet(tmp_path: Path) -> None:
    with World(tmp_path, names=("pqada", "bea")) as world:
        world.found("pqada", "bea")
        wire = Wire(world, "pqada", "bea", frame_bytes=222)
        wire.open()
        wire.settle()
        assert_equal(world, ("pqada", "bea"))


def test_a_stranger_gets_silence(tmp_path: Path) -> None:
    with World(tmp_path, names=("ada", "bea")) as world:
        world.add("eve")
        card = world["bea"].card
        add_peer(world.home("eve"), "bea", card, own=world["eve"].card.author)
        world.reopen("eve")
        wire = Wire(world, "ada", "bea")
        wire.ends = End(world, "eve", "bea", USUAL), wire.ends[1]
        wire.open()
        wire.run(60)
        assert wire.ends[1].link.stats.counts.bytes_in > 100
        assert len(wire.ends[1].said) == 1
        assert "not expected" in wire.ends[1].said[0]
        assert not wire.ends[1].link.stats.is_established


def test_of_two_links_to_one_node_one_offers(world: World) -> None:
    first, second = Wire(world, "ada", "bea"), Wire(world, "ada", "bea", kind="tcp")
    meet(world, first)
    second.open()
    second.run(5)
    world.put("ada", "well", 1)
    second.run(10)
    assert second.payload() == 0
    assert len(second.ends[0].said) == 1
    assert "served by another link already" in second.ends[0].said[0]
    first.settle()
    assert_equal(world, ("ada", "bea"))
    first.close()
    world.put("ada", "well", 2)
    second.settle()
    assert_equal(world, ("ada", "bea"))


def test_a_link_is_not_through_while_another_one_has_the_rest(world: World) -> None:
    """Its wire may be dead, and then nothing comes by it any more."""
    dead, second = Wire(world, "ada", "bea"), Wire(world, "ada", "bea", kind="tcp")
    meet(world, dead)
    put_long(world, "ada")
    dead.run(1)
    second.open()
    second.run(30)
    assert second.payload() == 0
    assert all(end.link.stats.is_established for end in second.ends)
    assert not any(end.link.stats.is_through for end in second.ends)
    dead.close()
    second.settle()
    assert_equal(world, ("ada", "bea"))
    assert all(end.link.stats.is_through for end in second.ends)


def test_a_link_is_through_when_another_one_has_brought_all(world: World) -> None:
    first, second = Wire(world, "ada", "bea"), Wire(world, "ada", "bea", kind="tcp")
    meet(world, first)
    world.put("ada", "well", 1)
    first.settle()
    second.open()
    second.settle()
    assert second.payload() == 0
    assert all(end.is_quiet for end in second.ends)
    first.close()


def test_a_busy_home_is_tried_again(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    with exclusive(world.home("ada").locks / "send", "preparing bundles"):
        wire.open()
        wire.run(3)
        assert wire.payload() == 0
    wire.settle()
    assert_equal(world, ("ada", "bea"))
    assert wire.ends[0].said == []


def test_a_peer_that_has_ever_more_to_complain_of_fills_no_log(world: World) -> None:
    (end, _) = Wire(world, "ada", "bea").ends
    end.serving.attend(0)
    for number in range(10_000):
        end.serving.take(Noted(f"problem {number}"))
    assert 100 <= len(end.said) <= 1_000
    end.serving.attend(2 * 3_600_000_000)
    end.serving.take(Noted("something else, later"))
    assert end.said[-1] == "something else, later"


def test_what_is_wanted_many_times_before_it_is_read_is_read_once(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    put_long(world, "ada")
    wire.open()
    end = wire.ends[0]
    assert wire.run(
        20, lambda: end.serving._session is not None and bool(end.serving._session.giving._wares)
    )
    session = end.serving._session
    assert session is not None
    wanted = max(session.giving._wares, key=lambda one: one.size)
    end.desk.finish()
    end.desk.done.clear()
    for _ in range(100):
        session.giving.bringing.wanted(5, wanted)
        session.giving.bringing.step()
    assert end.desk.done == [Lane.SENDING]
    end.desk.finish()
    session.giving.bringing.wanted(5, wanted)
    session.giving.bringing.step()
    assert end.desk.done == [Lane.SENDING] * 2


@pytest.mark.parametrize(("said", "days"), [(None, 0.0), ((), 1.1)])
def test_what_was_refused_or_falsely_said_to_be_there_is_offered_again(
    world: World, monkeypatch: pytest.MonkeyPatch, said: tuple[()] | None, days: float
) -> None:
    monkeypatch.setattr("pannier.links.giving._REVIEW_US", 20_000_000)
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    full = wire.ends[1].serving._session
    assert full is not None
    offered = full.taking.offered
    monkeypatch.setattr(
        full.taking, "offered", lambda handle, _: full.taking._link.ask(handle, said)
    )
    put_long(world, "ada")
    wire.run(50)
    world.clock.pass_days(days)
    assert not any("noise" in thing for thing in things(world.store("bea")))
    monkeypatch.setattr(full.taking, "offered", offered)
    wire.run(60)
    assert_equal(world, ("ada", "bea"))


def test_nobody_takes_it_for_over_while_an_offer_cannot_be_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    failed = 0

    def failing(*given: Any, **named: Any) -> Answer:
        nonlocal failed
        if wire.now_us < since_us + 20_000_000:
            failed += 1
            raise DamagedError("disk I/O error")
        return answer(*given, **named)

    since_us = wire.now_us
    monkeypatch.setattr(taking_in, "answer", failing)
    put_long(world, "ada")
    assert not wire.run(20, lambda: failed > 0 and any(one.is_quiet for one in wire.ends))
    assert 3 <= failed <= 10
    assert wire.run(40, lambda: all(one.attending.is_done() for one in wire.ends))
    assert_equal(world, ("ada", "bea"))
    assert wire.ends[1].said.count("disk I/O error") == 1


def test_what_was_taken_is_noted_however_busy_the_home_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    session = wire.ends[0].serving._session
    assert session is not None
    tries: list[list[object]] = []
    note = offering.Offering.note

    def noted(self: offering.Offering, node: Node, keys: Iterable[object]) -> None:
        tries.append(list(keys))
        if len(tries) < 4:
            raise BusyError("busy")
        note(self, node, keys)

    monkeypatch.setattr(offering.Offering, "note", noted)
    session.giving.delivered("a thing")
    assert not session.is_settled
    assert wire.run(10, lambda: session.is_settled)
    assert tries == [["a thing"]] * 4


def test_what_can_never_be_read_is_not_offered_on_and_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    tries: list[int] = []

    def refuse(*_: object) -> bytes:
        tries.append(wire.now_us)
        raise StorageError("disk I/O error")

    monkeypatch.setattr(offering, "sealed_bundle", refuse)
    put_long(world, "ada")
    wire.run(50)
    assert 2 <= len(tries) <= 6
    assert not any(one.is_quiet for one in wire.ends)
    monkeypatch.setattr(offering, "sealed_bundle", sealed_bundle)
    wire.run(40)
    assert_equal(world, ("ada", "bea"))


def test_what_finds_no_room_is_refused_and_said_once(world: World) -> None:
    wire = Wire(world, "ada", "bea")
    meet(world, wire)
    wire.close()
    world.configure("bea", "[spool]\npeer_bytes = 20000\n")
    wire.kill(1)
    put_long(world, "ada")
    wire.settle()
    assert not any("noise" in thing for thing in things(world.store("bea")))
    assert [said for said in wire.ends[1].said if "no room" in said]
    sent = wire.payload()
    world.put("ada", "well", 1)
    wire.settle()
    assert overview(world["bea"]).held == 1
    assert wire.payload() - sent < 1000
