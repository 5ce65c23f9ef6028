"""Clocks lie, and so does one of the members: nothing expires early, and all expires at last."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.sealed import SealedFull, parse_sealed
from ledger.append import own_log
from pannier.housekeeping import keep_house
from pannier.node import Node
from pannier.nodedb import NodeDb
from pannier.sending import prepare
from pannier.trusted_time import Uptime, count_running, day_of, has_lain, witnessed_us
from pannier.waits import Wait
from spool.delivery import Delivery
from spool.name import BundleName, FragmentName
from tests.sim.world import DAY_US, START_US, World, assert_equal

YEAR_US = 365 * DAY_US
Y1970, Y2038, Y2100 = 0, 68 * YEAR_US, 130 * YEAR_US
HOUR_US = 3_600_000_000
LIFETIME_DAYS = 20


# -- what peers say -------------------------------------------------------------------------------

times = st.integers(-(2**63), 2**63 - 1)


@given(st.dictionaries(st.text(max_size=3), st.integers(-(2**63), 1000), min_size=1), times)
def test_one_liar_makes_no_time_pass_but_for_itself(heard: dict[str, int], lie: int) -> None:
    with_lie = {**heard, "liar": lie}
    for speakers in range(2, 5):
        agreed = witnessed_us(with_lie, None, speakers=speakers)
        assert agreed is not None
        assert agreed <= 1000
        for about in heard:
            assert (witnessed_us(with_lie, about, speakers=speakers) or 0) <= 1000
    assert (witnessed_us(with_lie, "liar", speakers=2) or 0) >= lie


@given(st.dictionaries(st.sampled_from("abcdef"), times), st.sampled_from("abcdefg"))
def test_two_who_agree_are_believed_and_the_sender_is(heard: dict[str, int], about: str) -> None:
    ordered = sorted(heard.values())
    found = witnessed_us(heard, about, speakers=6)
    expected = ordered[-2:-1] + ([heard[about]] if about in heard else [])
    assert found == (max(expected) if expected else None)


def test_who_has_one_peer_must_make_do_with_one_voice() -> None:
    assert witnessed_us({"only": 7}, None, speakers=1) == 7
    assert witnessed_us({"only": 7}, None, speakers=2) is None
    assert witnessed_us({}, None, speakers=1) is None
    assert witnessed_us({"gone": 7}, None, speakers=0) is None


# -- counted running time -------------------------------------------------------------------------


@dataclass
class Machine:
    """A computer that may be switched off, and whose steady clock then begins anew."""

    knows_its_boot: bool
    name: str
    boots: int = 0
    offset_us: int = 0
    processes: list[int] = field(default_factory=list)

    def boot(self, now_us: int, ran_us: int) -> None:
        self.boots += 1
        self.offset_us = ran_us - now_us
        self.processes = []

    def uptime(self, started_us: int, now_us: int) -> Uptime:
        boot = f"{self.name} {self.boots}" if self.knows_its_boot else ""
        return Uptime(boot, started_us + self.offset_us, now_us + self.offset_us)


@settings(max_examples=40)
@given(
    st.lists(st.booleans(), min_size=1, max_size=2),
    st.lists(
        st.one_of(
            st.tuples(st.just("pass"), st.integers(0, 50)),
            st.tuples(st.just("boot"), st.integers(0, 1000)),
            st.tuples(st.just("start"), st.just(0)),
            st.tuples(st.just("count"), st.integers(0, 3)),
            st.tuples(st.just("move"), st.integers(0, 1)),
        ),
        max_size=40,
    ),
)
def test_no_more_is_counted_than_passed(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[bool], acts: list[tuple[str, int]]
) -> None:
    """Whatever boots, whichever computer the home is put into, and with any processes at once."""
    machines = [Machine(knows, str(number)) for number, knows in enumerate(kinds)]
    here, now_us = machines[0], START_US
    first_us = None
    db = NodeDb.open(tmp_path_factory.mktemp("home") / "node.db")
    for act, number in acts:
        if act == "pass":
            now_us += number * HOUR_US
        elif act == "boot":
            here.boot(now_us, number * HOUR_US)
        elif act == "start":
            first_us = now_us if first_us is None else first_us
            here.processes.append(now_us)
        elif act == "move":
            here.processes = []
            here = machines[number % len(machines)]
        elif here.processes:
            started_us = here.processes[number % len(here.processes)]
            counted_us = count_running(db, here.uptime(started_us, now_us))
            assert first_us is not None
            assert 0 <= counted_us <= now_us - first_us
    db.close()


def test_what_two_processes_lived_at_once_counts_once(tmp_path: Path) -> None:
    db = NodeDb.open(tmp_path / "node.db")
    for started, now, counted in ((0, 4, 4), (5, 6, 5), (0, 10, 9), (2, 11, 10)):
        uptime = Uptime("", started * HOUR_US, now * HOUR_US)
        assert count_running(db, uptime) == counted * HOUR_US


@pytest.mark.parametrize("boot", ["", "b"])
def test_a_process_that_stays_counts_all_of_its_life(tmp_path: Path, boot: str) -> None:
    db = NodeDb.open(tmp_path / "node.db")
    for minute in range(0, 1201, 3):
        counted_us = count_running(db, Uptime(boot, 0, minute * 60_000_000))
    assert counted_us == 20 * HOUR_US


def test_between_short_processes_of_one_boot_all_counts(tmp_path: Path) -> None:
    db = NodeDb.open(tmp_path / "node.db")
    for hour in range(101):
        counted_us = count_running(db, Uptime("b", hour * HOUR_US, hour * HOUR_US + 5))
    assert counted_us == 100 * HOUR_US + 5
    assert count_running(db, Uptime("c", 7, HOUR_US + 7)) == counted_us + HOUR_US


def test_short_pieces_are_not_written(tmp_path: Path) -> None:
    """A daemon that looks every few seconds must not wear out a card."""
    db = NodeDb.open(tmp_path / "node.db")
    for seconds in range(0, 599, 30):
        assert count_running(db, Uptime("", 0, seconds * 1_000_000)) == 0
    assert db.meta("running") is None
    assert count_running(db, Uptime("", 0, 600_000_000)) == 600_000_000


def test_the_whole_life_is_over_after_its_last_microsecond() -> None:
    assert not has_lain(20 * DAY_US + 5, 5, 20)
    assert has_lain(20 * DAY_US + 6, 5, 20)
    assert not has_lain(0, 5, 20)


# -- a node among clocks that lie -----------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with _world(tmp_path) as world:
        yield world


def _world(folder: Path) -> World:
    """bea is looked at; ada and dan are honest, cyd is not."""
    world = World(folder, ("ada", "bea", "cyd", "dan"))
    lifetimes = "".join(
        f"[peer.{name}]\nexpiry_days = {LIFETIME_DAYS}\n" for name in ("ada", "cyd", "dan")
    )
    world.configure("bea", lifetimes)
    world.found("bea", "ada", "cyd", "dan")
    return world


def say(world: World, name: str, time_us: int) -> None:
    world["bea"].db.hear(world[name].card.node_id, time_us)


def real_day(world: World) -> int:
    return day_of(world.clock())


def set_clock(world: World, time_us: int) -> None:
    """Let bea's clock show a time now, and run on from there."""
    world.skew_us["bea"] = time_us - world.clock()


def fill(world: World, sender: str, mark: int) -> dict[str, str]:
    """Let something of *sender* lie in each of bea's queues; return bundle ids by queue."""
    bea, peer = world["bea"], world[sender].card.node_id
    last_day = real_day(world) + LIFETIME_DAYS
    ids = {queue: f"{mark:08x}{number:08x}" for number, queue in enumerate(("in", "held", "carry"))}
    arrived = FragmentName(4, last_day, "0" * 8, ids["in"], 0)
    bea.spool.inbox.receive([Delivery(arrived, peer, "5" * 16, b"x")])
    bea.spool.held.hold(BundleName(4, last_day, "0" * 8, ids["held"], 0), b"sealed")
    wait = Wait("ledger", bytes(16))
    bea.db.run("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)", ids["held"], peer, *wait)
    carried = FragmentName(4, last_day, "0" * 8, ids["carry"], 0)
    bea.spool.carried.take({carried: b"x"}, "5" * 16, today_days=0)
    return ids


def lying(bea: Node) -> dict[str, set[str]]:
    """Which bundles lie in which queue."""
    return {
        "in": set(bea.spool.inbox.bundles()),
        "held": {name.bundle_id for name in bea.spool.held.names()},
        "carry": {name.bundle_id for name in bea.spool.carried.known()},
        "out": {one.bundle_id for one in bea.db.queued_bundles()},
    }


def hand_out(world: World, recipient: str) -> str:
    """A bundle of bea's for *recipient* that stands on a stick."""
    world.put("bea", "well", 1)
    bea = world["bea"]
    made = prepare(bea, bea.peer_named(recipient))
    bea.db.note_written(made[-1].bundle_id, "stick", 1, [made[-1].peer])
    return made[-1].bundle_id


readings = st.sampled_from([Y1970, Y2038, Y2100, -(2**50)]) | st.integers(
    START_US - 3 * YEAR_US, START_US + 9 * YEAR_US
)
steps = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 12)),
    st.tuples(st.just("set"), readings),
    st.tuples(st.just("right"), st.just(0)),
    st.tuples(st.just("lie"), st.sampled_from([Y2100, Y1970, 2**63 - 1, -(2**63)])),
    st.tuples(st.just("hear"), st.sampled_from([0, 1])),
)


@settings(max_examples=15)
@given(st.lists(steps, min_size=4, max_size=20))
def test_nothing_expires_before_its_time(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]]
) -> None:
    """By honest clocks; whatever bea's own shows, and whatever one member signs."""
    with _world(tmp_path_factory.mktemp("world")) as world:
        for name in ("ada", "cyd", "dan"):
            say(world, name, world.clock())
        wanted = [(real_day(world), "out", hand_out(world, "ada"))]
        wanted += [(real_day(world), *item) for item in fill(world, "ada", 1).items()]
        for act, number in acts:
            if act == "pass":
                world.clock.pass_days(number)
            elif act == "set":
                set_clock(world, number)
            elif act == "right":
                set_clock(world, world.clock())
            elif act == "lie":
                say(world, "cyd", number)
            else:
                say(world, ("ada", "dan")[number], world.clock())
            keep_house(world["bea"])
            found = lying(world["bea"])
            for made_day, queue, bundle in wanted:
                if real_day(world) <= made_day + LIFETIME_DAYS:
                    assert bundle in found[queue], f"{queue} after {act} {number}"


@pytest.mark.parametrize("wrong_us", [Y1970, Y2038])
def test_what_is_made_by_a_wrong_clock_lives_as_long_as_it_should(
    world: World, wrong_us: int
) -> None:
    """Once a peer was heard, its word is what a clock in the past is measured by."""
    say(world, "ada", world.clock())
    set_clock(world, wrong_us)
    bundle = world["bea"].db.bundle(hand_out(world, "ada"))
    assert bundle is not None
    assert bundle.expiry_days >= real_day(world) + LIFETIME_DAYS


def test_what_is_made_for_one_never_heard_does_not_expire_by_the_word_of_one_other(
    world: World,
) -> None:
    """A clock in the past, and but one peer that could tell the time: its word is not enough."""
    say(world, "ada", world.clock())
    set_clock(world, Y1970)
    bundle = world["bea"].db.bundle(hand_out(world, "cyd"))
    assert bundle is not None
    assert bundle.expiry_days >= real_day(world) + LIFETIME_DAYS


def test_a_member_who_signs_2100_does_not_make_others_bundles_last_till_then(world: World) -> None:
    for name, time_us in (("ada", world.clock()), ("cyd", Y2100), ("dan", world.clock())):
        say(world, name, time_us)
    bundle = world["bea"].db.bundle(hand_out(world, "ada"))
    assert bundle is not None
    assert bundle.expiry_days == real_day(world) + LIFETIME_DAYS


def test_all_expires_once_its_day_is_past_by_both(world: World) -> None:
    say(world, "ada", world.clock())
    fill(world, "ada", 1)
    hand_out(world, "ada")
    world.clock.pass_days(LIFETIME_DAYS + 1)
    keep_house(world["bea"])
    assert all(lying(world["bea"]).values()), "its own clock alone"
    say(world, "ada", world.clock())
    keep_house(world["bea"])
    assert {queue for queue, ids in lying(world["bea"]).items() if ids} == {"carry"}
    say(world, "dan", world.clock())
    keep_house(world["bea"])
    assert not any(lying(world["bea"]).values()), "of unknown origin: two must say so"


def test_a_liar_and_a_wrong_clock_end_only_what_the_liar_sent(world: World) -> None:
    for name in ("ada", "dan"):
        say(world, name, world.clock())
    ours, its = fill(world, "ada", 1), fill(world, "cyd", 2)
    say(world, "cyd", Y2100)
    keep_house(world["bea"])
    found = lying(world["bea"])
    assert all(one[queue] in found[queue] for one in (ours, its) for queue in one)
    set_clock(world, Y2038)
    keep_house(world["bea"])
    found = lying(world["bea"])
    assert all(ours[queue] in found[queue] for queue in ours)
    assert its["held"] not in found["held"]
    assert its["carry"] in found["carry"], "nobody knows who sent it"


def test_no_clock_that_jumps_makes_a_bundle_anew(world: World) -> None:
    say(world, "ada", world.clock())
    bea, number = world["bea"], hand_out(world, "ada")
    set_clock(world, Y2038)
    prepare(bea, bea.peer_named("ada"))
    found = bea.db.bundle(number)
    assert found is not None
    assert found.state == "queued"


@pytest.mark.parametrize("reading_us", [Y1970, -YEAR_US])
def test_a_node_whose_clock_died_expires_by_counted_running_time(
    world: World, reading_us: int
) -> None:
    bea, ran_us = world["bea"], 0
    bea.uptime = lambda: Uptime("b", 0, ran_us)
    set_clock(world, reading_us)
    fill(world, "ada", 1)
    hand_out(world, "ada")
    for day in range(LIFETIME_DAYS + 1):
        ran_us = day * DAY_US
        set_clock(world, reading_us)
        keep_house(bea)
        assert all(lying(bea).values()), day
    fill(world, "ada", 2)
    ran_us += HOUR_US
    keep_house(bea)
    found = lying(bea)
    assert (len(found["in"]), len(found["held"]), len(found["out"])) == (1, 1, 0)
    assert len(found["carry"]) == 2, "of unknown origin: a year"
    for _ in range(2):
        ran_us += 367 * DAY_US
        keep_house(bea)
    keep_house(bea)
    assert not any(lying(bea).values())
    assert bea.db.rows("SELECT * FROM lying") == []


def test_a_node_whose_clock_stands_in_1970_reaches_a_peer_after_more_than_a_year(
    tmp_path: Path,
) -> None:
    """What it makes by the word of a year ago has expired there; by its own clock it never does."""
    with World(tmp_path, ("ada", "bea", "cyd", "dan")) as world:
        world.found("bea", "ada", "cyd", "dan")
        world.skew_us["ada"] = Y1970 - world.clock()
        world.rounds(["ada", "bea"], 3)
        world.clock.pass_days(400)
        world.rounds(["bea", "cyd", "dan"], 2, "another stick")
        world.put("ada", "well", 1)
        world.rounds(["ada", "bea"], 3)
        assert_equal(world, ["ada", "bea"])


def test_a_peer_who_signs_2100_has_what_goes_to_it_made_anew_once(world: World) -> None:
    """It may have dropped that by its clock. What goes to others stays as it is."""
    bea = world["bea"]
    for name in ("ada", "cyd", "dan"):
        say(world, name, world.clock())
    to_other, dropped = hand_out(world, "ada"), hand_out(world, "cyd")
    say(world, "cyd", Y2100)
    anew = hand_out(world, "cyd")
    for name in ("ada", "cyd"):
        prepare(bea, bea.peer_named(name))
    assert {to_other, anew} <= lying(bea)["out"]
    assert dropped not in lying(bea)["out"]


# -- nothing is used twice ------------------------------------------------------------------------


def _made(world: World, before: set[str]) -> Iterator[tuple[tuple[bytes, int], bytes]]:
    """(incarnation, counter) and nonce, or first stanza, of what bea made and had not *before*."""
    bea = world["bea"]
    for one in bea.db.queued_bundles():
        if one.bundle_id not in before:
            name = BundleName.from_text(one.name)
            sealed = parse_sealed(bea.spool.outbox.read(one.peer, name))
            once = sealed.stanzas[0] if isinstance(sealed, SealedFull) else sealed.outside()
            yield (bea.counting.incarnation(), one.counter), once


@pytest.mark.parametrize("back_to_us", [Y1970, START_US - YEAR_US, Y2038])
def test_a_backup_restored_again_and_again_repeats_nothing(world: World, back_to_us: int) -> None:
    """Each life is told by the same stick that it is not the first; of none the others hear."""
    world.rounds(["bea", "ada"], 2)
    copy = world.back_up("bea")
    world.put("bea", "well", 1)
    world.rounds(["bea", "ada"], 1)
    stamps: list[tuple[bytes, int]] = []
    once: list[bytes] = []
    logs: list[bytes] = []
    for life in range(4):
        world.restore("bea", copy)
        before = {one.bundle_id for one in world["bea"].db.queued_bundles()}
        set_clock(world, back_to_us)
        shutil.copytree(world.stick(), world.stick(f"stick {life}"), dirs_exist_ok=True)
        notes = world.exchange("bea", f"stick {life}").report.notes
        assert any("restored from an older copy" in note for note in notes)
        world.put("bea", "well", life)
        prepare(world["bea"], world["bea"].peer_named("ada"))
        for stamp, drawn in _made(world, before):
            stamps.append(stamp)
            once.append(drawn)
        logs.append(own_log(world.store("bea"), world["bea"].author).name.incarnation)
    assert len(stamps) >= 4
    assert len(set(stamps)) == len(stamps)
    assert len(set(once)) == len(once)
    assert len(set(logs)) == len(logs) == 4


@pytest.mark.parametrize("clock_us", [Y1970, Y2038, 2**63 - 1, -(2**63)])
def test_incarnations_only_grow_whatever_the_clock_says(world: World, clock_us: int) -> None:
    bea = world["bea"]
    drawn = [bea.counting.incarnation()]
    for _ in range(5):
        set_clock(world, clock_us)
        bea.counting.renew(above=drawn[-1])
        drawn.append(bea.counting.incarnation())
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == 6 or drawn[-1] == b"\xff" * 8


def test_the_last_incarnation_is_the_end(world: World) -> None:
    bea = world["bea"]
    bea.counting.renew(above=b"\xff" * 7 + b"\x00")
    bea.counting.renew(above=b"\xff" * 8)
    assert bea.counting.incarnation() == b"\xff" * 8
