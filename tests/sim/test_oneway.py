"""A peer that can never answer: told all it lacks, as often as is configured, and then no more."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.views import things
from pannier.exchange import Exchanged, exchange_medium
from pannier.links.carousel import Carousel, Terms
from pannier.links.offering import Offering
from pannier.node import Node
from pannier.oneway import pack, unpack
from pannier.out_bundle import OutBundle
from pannier.overview import overview
from pannier.sending import prepare
from tests.pannier.groups import copy_group
from tests.sim.world import World, assert_equal, data_queue, facts, fragments

REPEAT = 3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.configure("ada", f"[peer.bea]\noneway = true\nrepeat = {REPEAT}\nexpiry_days = 100\n")
        world.found("ada", "bea")
        yield world


def leave(world: World, stick: str) -> Exchanged:
    return world.exchange("ada", stick)


def waiting(world: World) -> list[str]:
    """The bundles of ada whose bytes are still there."""
    bea = world["bea"].card.node_id
    return [name.bundle_id for name in world["ada"].spool.outbox.queued(bea)]


def test_a_bundle_goes_onto_so_many_media_and_no_further(world: World) -> None:
    world.put("ada", "well", 1)
    for number in range(REPEAT):
        assert sum(leave(world, f"stick {number}").written.values()) == 1
    for number in range(REPEAT, REPEAT + 3):
        done = leave(world, f"stick {number}")
        assert (done.written, done.waiting, done.problems) == ({}, {}, [])
        assert fragments(world.stick(f"stick {number}")) == []
    sticks = [fragments(world.stick(f"stick {number}")) for number in range(REPEAT)]
    assert len({path.read_bytes() for files in sticks for path in files}) == 1


def test_each_of_the_media_is_enough(world: World) -> None:
    world.put("ada", "well", 1)
    for number in range(REPEAT):
        leave(world, f"stick {number}")
    world.exchange("bea", f"stick {REPEAT - 1}")
    assert facts(world.store("bea")) == facts(world.store("ada"))


def test_only_what_is_new_follows(world: World) -> None:
    world.put("ada", "well", 1)
    leave(world, "first")
    world.put("ada", "well", 2)
    leave(world, "second")
    spans = [
        (span.first, span.end)
        for number in data_queue(world["ada"])
        for _, _, span in world["ada"].db.spans(number)
    ]
    assert spans == [(0, 2), (2, 3)]
    for number in range(REPEAT):
        leave(world, f"more {number}")
    assert [one.written for one in _rows(world, "queued")] == [REPEAT, REPEAT]
    assert leave(world, "last").written == {}


def _rows(world: World, state: str) -> list[OutBundle]:
    return world["ada"].db.bundles(world["bea"].card.node_id, state)


def test_the_bytes_are_kept_until_they_expire(world: World) -> None:
    world.put("ada", "well", 1)
    for number in range(REPEAT + 1):
        leave(world, f"stick {number}")
    kept = waiting(world)
    world.clock.pass_days(90)
    leave(world, "later")
    assert waiting(world) == kept != []
    world.clock.pass_days(20)
    assert leave(world, "too late").written == {}
    assert waiting(world) == []
    assert [one.bundle_id for one in _rows(world, "sent")] == kept


def test_what_was_sent_often_enough_is_never_sent_again(world: World) -> None:
    world.put("ada", "well", 1)
    for number in range(REPEAT):
        leave(world, f"stick {number}")
    for year in range(3):
        world.clock.pass_days(400)
        world["ada"].db.hear(world["bea"].card.node_id, world.clock())
        assert leave(world, f"year {year}").written == {}
        assert _rows(world, "sent"), "what is known of the peer is not forgotten"
    world.put("ada", "well", 2)
    leave(world, "news")
    (queued,) = data_queue(world["ada"])
    assert [tuple(span) for _, _, span in world["ada"].db.spans(queued)] == [(2, 3)]


def test_what_expired_before_it_was_sent_often_enough_is_made_anew(world: World) -> None:
    world.put("ada", "well", 1)
    leave(world, "only")
    world.clock.pass_days(101)
    assert sum(leave(world, "again").written.values()) == 1
    assert len(_rows(world, "expired")) == 1
    world.exchange("bea", "again")
    assert facts(world.store("bea")) == facts(world.store("ada"))


def test_the_same_medium_is_not_filled_twice_but_counts_again_once_emptied(world: World) -> None:
    world.put("ada", "well", 1)
    leave(world, "one")
    assert leave(world, "one").written == {}
    assert [one.written for one in _rows(world, "queued")] == [1]
    for path in fragments(world.stick("one")):
        path.unlink()
    assert sum(leave(world, "one").written.values()) == 1
    assert [one.written for one in _rows(world, "queued")] == [2]


def test_packs_count_as_media_do(world: World, tmp_path: Path) -> None:
    world.put("ada", "well", 1)
    ada = world["ada"]
    bea = ada.peer_named("bea")
    packed = [
        pack(ada, bea, tmp_path / f"radio {number}", mtu=200, repair_percent=20).bundles
        for number in range(REPEAT + 2)
    ]
    assert packed == [1, 1, 1, 0, 0]
    assert leave(world, "stick").written == {}
    report, left = unpack(world["bea"], [tmp_path / "radio 2"])
    assert (report.reasons, left["damaged"]) == ({}, 0)
    assert facts(world.store("bea")) == facts(world.store("ada"))


def test_packs_of_several_times_add_up(world: World, tmp_path: Path) -> None:
    """The same bundle each time: what one broadcast lost the next one brings."""
    world.put_many("ada", 60)
    ada = world["ada"]
    for number in range(2):
        pack(ada, ada.peer_named("bea"), tmp_path / f"{number}", mtu=200, repair_percent=0)
    for number in range(2):
        for index, path in enumerate(sorted((tmp_path / f"{number}").iterdir())):
            if index % 2 == number:
                path.unlink()
    unpack(world["bea"], [tmp_path / "0"])
    assert not world.has("bea")
    unpack(world["bea"], [tmp_path / "1"])
    assert facts(world.store("bea")) == facts(world.store("ada"))


def test_it_is_told_nothing_that_asks_for_an_answer(world: World) -> None:
    for number in range(5):
        assert leave(world, f"stick {number}").problems == []
    world.put("ada", "well", 1)
    prepare(world["ada"], world["ada"].peer_named("bea"))
    assert not any(one.control for one in _rows(world, "queued"))


def test_a_peer_that_answers_after_all_is_believed(world: World) -> None:
    world.put("ada", "well", 1)
    leave(world, "stick")
    world.exchange("bea", "stick")
    world.exchange("ada", "stick")
    assert data_queue(world["ada"]) == []


def test_a_peer_that_becomes_one_that_answers_gets_what_it_lacks(world: World) -> None:
    world.put("ada", "well", 1)
    for number in range(REPEAT):
        leave(world, f"lost {number}")
    world.clock.pass_days(200)
    leave(world, "lost")
    world.configure("ada", "")
    assert sum(leave(world, "stick").written.values()) == 1
    world.exchange("bea", "stick")
    assert facts(world.store("bea")) == facts(world.store("ada"))


# -- one of several -------------------------------------------------------------------------------

NAMES = ("ada", "bea", "cyd")
EXPIRY_DAYS = 100


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three members who know that all of them hold the epoch; bea has no way to cyd."""
    folder = tmp_path_factory.mktemp("met")
    with World(folder, NAMES) as world:
        world.found("ada", "bea", "cyd")
        world.rounds(NAMES, 3)
        world.configure("bea", '[peer.cyd]\ntransports = ["udp"]\n')
    return folder


def diode(met: Path, folder: Path, *, repeat: int, one_way: tuple[str, ...] = ("cyd",)) -> World:
    """Who is *one_way* does not answer ada any more; there is an entry that all others lack."""
    world = copy_group(met, folder, NAMES)
    peers = (
        f"[peer.{name}]\nexpiry_days = {EXPIRY_DAYS}\nrepeat = {repeat}\n"
        f"oneway = {str(name in one_way).lower()}\n"
        for name in ("bea", "cyd")
    )
    world.configure("ada", "".join(peers))
    world.put("ada", "well", 1)
    return world


def group_bundle(world: World) -> OutBundle:
    (found,) = (
        bundle
        for (number,) in world["ada"].db.rows("SELECT id FROM bundle WHERE NOT control")
        if (bundle := world["ada"].db.bundle(str(number))) is not None
        and bundle.peer not in world["ada"].peers
    )
    return found


def run_the_job(world: World, folder: str) -> None:
    """Take all that lies in a folder of ada's through the diode, and nothing back."""
    copy = world.folder / "media" / f"{folder} behind the diode"
    shutil.copytree(world.stick(folder), copy)
    world.exchange("cyd", copy)


@pytest.mark.parametrize("repeat", [1, REPEAT])
def test_what_all_others_of_a_group_have_stays_for_who_cannot_answer(
    met: Path, tmp_path: Path, repeat: int
) -> None:
    with diode(met, tmp_path, repeat=repeat) as world:
        for number in range(repeat):
            leave(world, f"folder {number}")
        bundle = group_bundle(world)
        world.exchange("bea", "folder 0")
        for number in range(repeat):
            leave(world, f"folder {number}")
        cyd = world["cyd"].card.node_id
        assert world["ada"].db.audience(bundle.bundle_id) == [cyd], "bea has said that it has it"
        run_the_job(world, f"folder {repeat - 1}")
        assert_equal(world, NAMES)
        assert leave(world, "further").written == {}, "it went out often enough"
        world.clock.pass_days(EXPIRY_DAYS + 1)
        world["ada"].db.hear(world["bea"].card.node_id, world.clock())
        leave(world, "folder 0")
        assert group_bundle(world).state == "sent"
        assert cyd not in leave(world, "later").written
        assert not any(bundle.bundle_id in path.name for path in fragments(world.stick("folder 0")))


def by_stick(world: World, times: int) -> None:
    for number in range(times):
        world.clock.now_us += 60_000_000
        ada = world["ada"]
        exchange_medium(ada, world.stick(f"for bea {number}"), peers=[ada.peer_named("bea")])
    world.exchange("bea", "for bea 0")
    world.exchange("ada", "for bea 0")


def by_pack(world: World, times: int) -> None:
    ada = world["ada"]
    for number in range(times):
        into = world.folder / f"packed {number}"
        pack(ada, ada.peer_named("bea"), into, mtu=None, repair_percent=None)


def by_link(world: World, times: int) -> None:
    ada, bea = world["ada"], world["ada"].peer_named("bea")
    for number in range(times):
        one = Offering(bea.node_id, f"link{number}", "serial", carries=True)
        for ware in one.plan(ada, frozenset()).wares:
            assert one.contents(ada, ware)
            one.note(ada, [ware.key])


def by_one_way_link(world: World, times: int) -> None:
    ada = world["ada"]
    for number in range(times):
        terms = Terms(frame_bytes=2000, rounds=1)
        one = Carousel(ada, [ada.peer_named("bea")], terms, medium=f"link{number}")
        while one.supply(0):
            pass
        one.close()


@pytest.mark.parametrize("carry", [by_stick, by_pack, by_link, by_one_way_link])
def test_what_serves_others_of_a_group_does_not_count(
    met: Path, tmp_path: Path, carry: Callable[[World, int], None]
) -> None:
    with diode(met, tmp_path, repeat=2) as world:
        cyd = world["cyd"].card.node_id
        assert leave(world, "lost").written[cyd] == 1
        carry(world, 3)
        assert group_bundle(world).written > 2, "it went for bea as well"
        assert waits_for(world["ada"], "cyd") == 1
        assert leave(world, "folder").written[cyd] == 1
        assert waits_for(world["ada"], "cyd") == 0
        run_the_job(world, "folder")
        assert set(things(world.store("cyd"))) == set(things(world.store("ada")))


def waits_for(node: Node, name: str) -> int:
    """How many bundles `pannier status` says are still to go out to somebody."""
    (found,) = (peer for peer in overview(node).peers if peer.name == name)
    return found.bundles


def test_only_who_was_sent_it_too_seldom_gets_it_again_when_it_expires(
    met: Path, tmp_path: Path
) -> None:
    with diode(met, tmp_path, repeat=2, one_way=("bea", "cyd")) as world:
        leave(world, "first")
        bundle = group_bundle(world)
        ada = world["ada"]
        exchange_medium(ada, world.stick("for bea"), peers=[ada.peer_named("bea")])
        world.clock.pass_days(EXPIRY_DAYS + 1)
        assert set(leave(world, "again").written) == {world["cyd"].card.node_id}
        assert group_bundle(world).bundle_id == bundle.bundle_id
        assert group_bundle(world).state == "sent"
        run_the_job(world, "again")
        assert set(things(world.store("cyd"))) == set(things(world.store("ada")))
