from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.links.cargo import Own, OwnFile
from pannier.links.news import News, own
from pannier.links.offering import Offering, is_served
from pannier.links.serve import source_of
from pannier.node import Node
from spool.name import FragmentName
from tests.sim.world import World
from transports.link.wares import Ware


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, names=("ada", "bea", "cid")) as world:
        world.found("ada", "bea", "cid")
        yield world


def offering(world: World, *, carries: bool = False) -> Offering:
    bea = world["bea"].card.node_id
    return Offering(bea, source_of(bea), "serial", carries)


def wares(world: World, one: Offering) -> list[Ware]:
    return list(one.plan(world["ada"], frozenset()).wares)


def test_what_nobody_asked_for_is_made_anew_and_what_was_stays(world: World) -> None:
    one = offering(world)
    (first,) = wares(world, one)
    world.put("ada", "well", 1)
    (second,) = wares(world, one)
    assert first.bundle_id != second.bundle_id
    assert one.contents(world["ada"], first) is None
    data = one.contents(world["ada"], second)
    assert data is not None
    assert len(data) == second.size
    world.put("ada", "well", 2)
    after = wares(world, one)
    assert second in after
    assert len(after) == 2


def test_what_the_peer_has_is_offered_again_only_after_a_day_without_a_receipt(
    world: World,
) -> None:
    one = offering(world)
    (ware,) = wares(world, one)
    one.contents(world["ada"], ware)
    assert isinstance(ware.key, Own)
    assert world["ada"].db.bundle(ware.bundle_id.hex()).written == 1  # type: ignore[union-attr]
    one.note(world["ada"], [ware.key])
    assert world["ada"].db.bundle(ware.bundle_id.hex()).written == 1  # type: ignore[union-attr]
    assert wares(world, one) == wares(world, offering(world)) == []
    world.clock.pass_days(1.1)
    assert wares(world, one) == [ware]


def test_what_is_not_wanted_is_left_out(world: World) -> None:
    one = offering(world)
    (ware,) = wares(world, one)
    one.note_refused(world["ada"], [ware.key])
    assert one.plan(world["ada"], frozenset([ware.key])).wares == ()
    assert one.plan(world["ada"], frozenset()).wares == (ware,)


def test_only_who_carries_gets_what_is_for_others(world: World) -> None:
    assert len(wares(world, offering(world))) == 1
    one = offering(world, carries=True)
    (mine, other) = sorted(wares(world, one), key=lambda ware: ware.kind)
    cid = world["cid"].card.node_id
    assert other.hint == world["ada"].shared.hint_to(world["ada"].peers[cid], other.bundle_id)
    assert one.contents(world["ada"], mine) is not None
    assert one.contents(world["ada"], other) is not None
    one.note(world["ada"], [other.key])
    assert wares(world, one) == [mine]
    assert one._gone == {}  # it is written down, and need not be remembered
    assert wares(world, offering(world, carries=True)) == [mine]
    world.clock.pass_days(1.1)
    assert other in wares(world, one)


def for_cid(world: World, one: Offering) -> list[Ware]:
    return [ware for ware in wares(world, one) if isinstance(ware.key, OwnFile)]


def test_what_was_only_begun_does_not_count_as_sent_to_who_cannot_answer(world: World) -> None:
    world.configure("ada", "[peer.cid]\noneway = true\nrepeat = 1\n")
    one = offering(world, carries=True)
    (ware,) = for_cid(world, one)
    assert one.contents(world["ada"], ware) is not None
    assert for_cid(world, one) == for_cid(world, offering(world, carries=True)) == [ware]
    one.note(world["ada"], [ware.key])
    world.clock.pass_days(1.1)
    assert for_cid(world, one) == []


@pytest.mark.parametrize("is_member", [True, False])
def test_who_could_read_it_does_not_carry_it_to_others_of_a_group(
    world: World, is_member: bool
) -> None:
    if not is_member:
        world.add("dan")
        world.acquaint(("ada", "dan"))
    world.rounds(("ada", "bea", "cid"), 3)
    world.configure("ada", "[peer.cid]\noneway = true\nrepeat = 1\n")
    world.put("ada", "well", 1)
    world.exchange("ada")
    ada, cid = world["ada"], world["cid"].card.node_id
    (bundle,) = ada.db.group_bundles(cid)
    ada.db.leave_audience(bundle.bundle_id, world["bea"].card.node_id)
    ada.db.run("DELETE FROM served")
    other = world["bea" if is_member else "dan"].card.node_id
    one = Offering(other, source_of(other), "serial", carries=True)
    files = [ware for ware in for_cid(world, one) if ware.bundle_id.hex() == bundle.bundle_id]
    assert files
    one.note(ada, [ware.key for ware in files])
    assert ada.db.times_served(bundle.bundle_id, cid) == (0 if is_member else 1)


def test_what_is_carried_is_not_offered_where_it_came_from_nor_when_it_is_late(
    world: World,
) -> None:
    one = offering(world)
    carried = world["ada"].spool.carried
    names = [FragmentName(4, 60_000, "0" * 8, f"{number:016x}", 0) for number in range(3)]
    carried.take({names[0]: b"a"}, one.source, today_days=0)
    carried.take({names[1]: b"b"}, "stick", today_days=0)
    (ware,) = [ware for ware in wares(world, one) if ware.kind == 1]
    assert one.contents(world["ada"], ware) == b"b"
    one.note(world["ada"], [ware.key])
    assert [ware for ware in wares(world, one) if ware.kind == 1] == []
    assert carried.known()[names[1]].sources == ("stick", one.source)


def test_a_file_that_has_changed_since_is_not_given_out_as_what_was_offered(world: World) -> None:
    one = offering(world)
    name = FragmentName(4, 60_000, "0" * 8, "1" * 16, 0)
    world["ada"].spool.carried.take({name: b"short"}, "stick", today_days=0)
    (ware,) = [ware for ware in wares(world, one) if ware.kind == 1]
    world["ada"].spool.carried.take({name: b"shorter"}, "stick", today_days=0)
    assert one.contents(world["ada"], ware) is None
    (again,) = [ware for ware in wares(world, one) if ware.kind == 1]
    assert one.contents(world["ada"], again) == b"shorter"


@pytest.mark.parametrize(
    ("transports", "serves"), [("", True), ('"serial", "tcp"', True), ('"directory"', False)]
)
def test_whom_a_kind_of_link_serves(world: World, transports: str, serves: bool) -> None:
    world.configure("ada", f"[peer.bea]\ntransports = [{transports}]\n")
    node = world["ada"]
    assert is_served(node, node.peer_named("bea"), "serial") is serves
    assert is_served(node, node.peer_named("cid"), "serial")


def test_news_is_what_others_did(world: World) -> None:
    bea = world["bea"].card.node_id
    news, one = News(world["ada"], bea), offering(world)
    outside = news.outside()
    plan = one.plan(world["ada"], frozenset())
    assert news.outside() == outside
    assert own(world["ada"], bea) == plan.look
    ada = world["ada"]
    with Node.open(ada.home, ada.keys, clock=ada.clock, entropy=ada.entropy) as other:
        other.spool.carried.take(
            {FragmentName(4, 60_000, "0" * 8, "1" * 16, 0): b"x"}, "stick", today_days=0
        )
        assert news.outside() != outside
        outside = news.outside()
    world.put("ada", "well", 1)
    assert news.outside() != outside
    world["ada"].db.owe_receipt(bea, "1" * 16, "", 1)
    assert own(world["ada"], bea) != plan.look
    news.close()
