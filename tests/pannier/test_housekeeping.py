from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.answers import is_held
from pannier.housekeeping import keep_house
from pannier.links.rounds import Rounds
from pannier.sending import prepare
from pannier.trusted_time import day_of
from pannier.waits import Wait
from spool.delivery import Delivery
from spool.name import BundleName, FragmentName
from tests.pannier.folders import put_file, store_of
from tests.sim.world import DAY_US, World, data_queue

NUMBER = "c" * 16


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.configure("ada", "[peer.bea]\nexpiry_days = 50\n")
        world.found("ada", "bea")
        signed(world, "bea", world.clock())
        yield world


def signed(world: World, peer: str, time_us: int, by: str = "ada") -> None:
    world[by].db.hear(world[peer].card.node_id, time_us)


def later(world: World, days: int, *, heard: bool = True) -> None:
    world.clock.pass_days(days)
    if heard:
        signed(world, "bea", world.clock())
    keep_house(world["ada"])


def made(world: World) -> str:
    (bundle,) = prepare(world["ada"], world["ada"].peer_named("bea"))
    world["ada"].db.note_written(bundle.bundle_id, "stick", 1, [bundle.peer])
    return bundle.bundle_id


def test_an_expired_bundle_goes_and_its_entries_are_sent_in_another(world: World) -> None:
    number = made(world)
    later(world, 50)
    assert data_queue(world["ada"]) == [number], "the last day counts"
    later(world, 1)
    assert data_queue(world["ada"]) == []
    assert world["ada"].spool.outbox.peers() == []
    found = world["ada"].db.bundle(number)
    assert found is not None
    assert found.state == "expired"
    assert made(world) != number


def test_what_was_known_of_an_expired_bundle_is_forgotten_a_month_later(world: World) -> None:
    number = made(world)
    world["ada"].db.note_seen(NUMBER, "peer", world["ada"].time.today() + 50, "merged")
    assert Rounds(world["ada"].db, "diode").begin(number)
    later(world, 51 + 29)
    assert world["ada"].db.bundle(number) is not None
    assert world["ada"].db.seen(NUMBER) == "merged"
    later(world, 1)
    assert world["ada"].db.bundle(number) is None
    assert world["ada"].db.seen(NUMBER) is None
    assert world["ada"].db.spans(number) == []
    assert world["ada"].db.bundles_on("stick") == frozenset()
    assert Rounds(world["ada"].db, "diode").begun() == set()
    assert world["ada"].db.times_served(number, world["bea"].card.node_id) == 0


def test_what_arrived_in_part_or_waited_in_vain_goes(world: World) -> None:
    ada = world["ada"]
    day = ada.time.today() + 10
    ada.spool.inbox.receive(
        [Delivery(FragmentName(4, day, "0" * 8, NUMBER, 0), "unknown", "s", b"x")]
    )
    held = BundleName(4, day, "0" * 8, "d" * 16, 0)
    ada.spool.held.hold(held, b"sealed")
    for number in (NUMBER, "d" * 16):
        ada.db.run(
            "INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)",
            number,
            "peer",
            *Wait("ledger", bytes(16)),
        )
    later(world, 10)
    assert (ada.spool.inbox.bundles(), ada.spool.held.names()) == ([NUMBER], [held])
    later(world, 1)
    assert (ada.spool.inbox.bundles(), ada.spool.held.names()) == ([], [])
    assert ada.db.rows("SELECT * FROM waiting") == []


def test_what_was_let_go_in_a_crash_counts_as_held_no_more(world: World) -> None:
    """Otherwise no carrier brings it in again."""
    ada = world["ada"]
    ada.db.run(
        "INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)",
        NUMBER,
        "peer",
        *Wait("ledger", bytes(16)),
    )
    keep_house(ada)
    assert not is_held(ada, NUMBER)


def test_a_clock_that_jumps_ahead_drops_nothing_that_came(world: World) -> None:
    ada = world["ada"]
    held = BundleName(4, ada.time.today() + 10, "0" * 8, NUMBER, 0)
    ada.spool.held.hold(held, b"sealed")
    later(world, 5000, heard=False)
    assert ada.spool.held.names() == [held]


def test_nobody_heard_is_no_reason_to_keep_a_mules_load_for_ever(tmp_path: Path) -> None:
    with World(tmp_path, ("mule",)) as world:
        mule = world["mule"]
        name = FragmentName(4, mule.time.today() + 10, "0" * 8, NUMBER, 0)
        mule.spool.carried.take({name: b"x"}, "stick", today_days=mule.time.today())
        world.clock.pass_days(11)
        keep_house(mule)
        assert mule.spool.carried.known() == {}


# -- days -----------------------------------------------------------------------------------------


def test_a_day_is_within_what_a_header_can_say() -> None:
    assert day_of(0) == 0
    assert day_of(-1) == 0
    assert day_of((18_262 + 5) * DAY_US) == 5
    assert day_of(2**62) == 65_535


def test_what_is_made_is_as_late_as_the_latest_clock(world: World) -> None:
    ada = world["ada"]
    today = ada.time.today()
    signed(world, "bea", world.clock() + 100 * DAY_US)
    signed(world, "bea", world.clock() + 50 * DAY_US)
    assert (ada.time.today(), ada.time.past_day()) == (today + 100, today)
    world.clock.pass_days(200)
    assert (ada.time.today(), ada.time.past_day()) == (today + 200, today + 100)


def test_what_is_made_before_anybody_was_heard_never_expires(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.skew_us["ada"] = -world.clock()  # it believes in 1970
        world.found("ada", "bea")
        world.put("ada", "well", 1)
        world.exchange("ada")
        signed(world, "ada", world.clock(), by="bea")
        assert world.exchange("bea").report.entries == {("log", "ada"): 2}
        world.rounds(["ada", "bea"], 1)
        assert world["ada"].time.today() == world["bea"].time.today()
        world.put("ada", "well", 2)
        assert made(world)
        (bundle,) = (world["ada"].db.bundle(number) for number in data_queue(world["ada"]))
        assert bundle is not None
        assert bundle.expiry_days == world["bea"].time.today() + 366


def test_packs_that_are_gone_are_noticed_and_asked_for_again(world: World, tmp_path: Path) -> None:
    node = world["ada"]
    put_file(node, "photo", b"content")
    (log,) = (one for one in store_of(node).logs() if one.name.author == node.card.author)
    assert store_of(node).files_complete(log) == log.size
    (pack,) = store_of(node).blobs.folder.iterdir()
    pack.rename(tmp_path / "elsewhere")
    keep_house(node)
    assert store_of(node).files_complete(log) < log.size
    (tmp_path / "elsewhere").rename(pack)
    keep_house(node)
    assert store_of(node).files_complete(log) == log.size
