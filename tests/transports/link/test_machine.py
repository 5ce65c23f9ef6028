"""Links against each other in virtual time: what they carry, and what it costs."""

import random
from collections.abc import Callable
from fractions import Fraction

import pytest

from tests.sim.link import A, B, Side, World, datagrams, radio, serial, small, ware
from tests.sim.wire import SECOND_US, Ills, SerialWay
from transports.link import events
from transports.link.airtime import HOUR_US, Air, DutyCycle, RateLimit
from transports.link.decode import decode
from transports.link.framing import PIPES
from transports.link.settings import LinkSettings

LARGE = random.Random(1).randbytes(1_000_000)
OTHER = random.Random(2).randbytes(1_000_000)


def are_done(*sides: Side) -> Callable[[], bool]:
    """Return whether all that *sides* have has been delivered."""
    return lambda: all(set(side.files) <= set(side.delivered) for side in sides)


def share(side: Side, baud: int = 115_200) -> float:
    """Return payload bytes as a share of what the line could carry from the first to the last."""
    (first_us, first), *_, (last_us, _) = side.arrivals
    seconds = (last_us - first_us) / SECOND_US + 10 * first / baud
    return sum(size for _, size in side.arrivals) * 10 / (baud * seconds)


@pytest.mark.parametrize("latency_ms", [0, 20, 500])
@pytest.mark.parametrize(("ber", "least"), [(0, 0.98), (1e-6, 0.955), (1e-5, 0.885), (1e-4, 0.72)])
def test_a_serial_line_is_full_of_payload_in_both_directions(
    ber: float, least: float, latency_ms: int
) -> None:
    world = serial(ber=ber, latency_us=latency_ms * 1000, seed=latency_ms)
    size = 1_000_000 if ber < 1e-5 else 300_000
    one, other = world.sides
    one.offer(LARGE[:size])
    other.offer(OTHER[:size])
    assert world.run(400, are_done(one, other))
    assert list(other.got.values()) == [LARGE[:size]]
    assert list(one.got.values()) == [OTHER[:size]]
    assert min(share(one), share(other)) >= least
    assert one.doubled + other.doubled <= size // 100


def test_a_cut_loses_what_was_under_way_and_no_more() -> None:
    world = serial()
    world.cut_every = 20_000
    one, other = world.sides
    one.offer(LARGE)
    assert world.run(400, are_done(one))
    assert world.cuts > 50
    assert list(other.got.values()) == [LARGE]
    sent = one.link.stats.counts.payload_out
    assert sent <= 1.03 * len(LARGE)
    assert one.link.stats.resent == sent - len(LARGE) > 0


ILLS = {
    "1 %": Ills(loss=0.01),
    "5 %": Ills(loss=0.05),
    "20 %": Ills(loss=0.2),
    "50 %": Ills(loss=0.5),
    "bursts": Ills(to_bad=0.01, to_good=0.1),
    "reordered": Ills(reorder=0.1, jitter_us=10_000),
    "duplicated": Ills(duplicate=0.1),
    "corrupted": Ills(corrupt=0.1),
    "narrow": Ills(rate=20_000),
    "narrow and lossy": Ills(rate=20_000, loss=0.1),
    "all of it": Ills(
        loss=0.05, corrupt=0.02, reorder=0.1, duplicate=0.05, to_bad=0.01, to_good=0.2
    ),
}


@pytest.mark.parametrize("ills", ILLS.values(), ids=ILLS)
@pytest.mark.parametrize("seed", [1, 2])
def test_datagrams_cost_what_gets_lost_and_little_more(ills: Ills, seed: int) -> None:
    world = datagrams(ills, seed=seed)
    one, other = world.sides
    one.offer(LARGE)
    assert world.run(400, are_done(one))
    assert list(other.got.values()) == [LARGE]
    there, back = world.ways
    came = there.bytes_in - there.lost_bytes
    assert came <= 1.06 * len(LARGE)
    assert back.bytes_in <= 0.06 * len(LARGE)


def test_an_unknown_rate_is_found() -> None:
    world = datagrams(Ills(rate=20_000))
    world.sides[0].offer(LARGE[:500_000])
    assert world.run(400, are_done(world.sides[0]))
    assert world.now_us < 40 * SECOND_US  # 25 s are the least
    wide = datagrams(Ills())
    wide.sides[0].offer(LARGE)
    assert wide.run(5, are_done(wide.sides[0]))


def test_the_more_urgent_overtakes_at_the_next_frame() -> None:
    world = serial()
    one, other = world.sides
    one.offer(LARGE)
    world.run(20)
    assert other.arrivals
    wares = [ware(LARGE), ware(b"news" * 10, priority=0)]
    one.offer_wares(wares, [LARGE, b"news" * 10])
    start_us = world.now_us
    assert world.run(10, lambda: b"news" * 10 in other.got.values())
    # Offer, answer and data each wait for a frame of 2048 bytes at most, and what is ahead of it.
    assert world.now_us - start_us < 4 * 220_000


def test_no_frame_of_what_is_less_urgent_goes_before_what_is_wanted() -> None:
    world = serial()
    one, other = world.sides
    one.offer(LARGE)
    world.run(20)
    urgent = [b"%d" % number * 3000 for number in range(3)]
    wares = [ware(LARGE), *(ware(data, priority=0) for data in urgent)]
    one.offer_wares(wares, [LARGE, *urgent])
    before = len(one.said(events.Wanted))
    world.written = []
    assert world.run(20, lambda: set(urgent) <= set(other.got.values()))
    (since_us, _), *more = one.said(events.Wanted)[before:]
    assert [at_us for at_us, _ in more] == [since_us] * 2  # all in one answer
    sent = [
        (at_us, frame.says["handle"])
        for at_us, sender, data in world.written
        for frame in decode([data], PIPES["cobs"](2048))
        if sender == 0 and frame.kind == "DATA"
    ]
    large = {handle for at_us, handle in sent if at_us < since_us}
    after = [handle not in large for at_us, handle in sent if at_us > since_us]
    assert len(large) == 1
    # Two frames for each, and then the rest of what is large.
    assert after[:6] == [True] * 6
    assert not any(after[6:])


def test_what_is_small_is_not_stuck_behind_what_is_large() -> None:
    world = serial()
    one, other = world.sides
    first = [ware(LARGE[n:]) for n in range(5)]
    one.offer_wares(first, [LARGE[n:] for n in range(5)])
    world.run(20)
    little = OTHER[:3000]
    one.offer_wares([*first, ware(little)], [*(LARGE[n:] for n in range(5)), little])
    assert world.run(2, lambda: little in other.got.values())


def test_hundreds_of_wares_share_the_handles() -> None:
    world = serial()
    one, other = world.sides
    rng = random.Random(3)
    one.offer(*(rng.randbytes(rng.randrange(1, 900)) for _ in range(300)))
    assert world.run(100, are_done(one))
    assert set(other.got.values()) == set(one.files.values())
    assert one.link.stats.counts.payload_out == sum(map(len, one.files.values()))


@pytest.mark.parametrize("ills", [Ills(), Ills(loss=0.3, reorder=0.3, duplicate=0.3)])
def test_handles_are_used_again_without_confusion(ills: Ills) -> None:
    world = datagrams(ills, seed=5)
    one, other = world.sides
    rng = random.Random(3)
    datas = [rng.randbytes(rng.randrange(1, 3000)) for _ in range(400)]
    # What is offered changes all the time; what was taken off the list comes back later.
    for step in range(0, 400, 25):
        some = rng.sample(datas[: step + 25], 20)
        one.offer_wares([ware(data) for data in some], some)
        world.run(0.5)
    one.offer(*datas)
    assert world.run(600, are_done(one))
    assert set(other.got.values()) == set(datas)


def test_a_small_bundle_goes_whole_and_without_an_offer() -> None:
    world = datagrams(Ills(loss=0.3), seed=2)
    one, other = world.sides
    datas = [bytes([n]) * 200 for n in range(150)]
    one.offer_wares([small(data) for data in datas], datas)
    assert world.run(200, are_done(one))
    assert set(other.wholes) == set(datas)
    assert not other.said(events.Offered)
    assert sorted(one.delivered) == sorted(one.files)  # type: ignore[type-var]


def test_what_is_not_wanted_any_more_is_withdrawn() -> None:
    world = serial()
    one, other = world.sides
    one.offer(LARGE, OTHER)
    world.run(10)
    one.offer_wares([ware(OTHER)], [OTHER])
    world.run(1)
    assert len(other.said(events.Withdrawn)) == 1
    assert world.run(200, lambda: bool(other.got))
    assert list(other.got.values()) == [OTHER]
    assert one.link.stats.counts.payload_out < 1_200_000


class Spoiling(Side):
    """Throws away what it got the first time, as if the parts did not fit together."""

    has_spoilt = False

    def arrived(self, now_us: int, event: events.Arrived) -> None:
        super().arrived(now_us, event)
        ware = self.handles[event.handle]
        if ware.bundle_id in self.got and not self.has_spoilt:
            self.has_spoilt = True
            del self.got[ware.bundle_id], self.parts[ware.bundle_id]
            self.ask(event.handle, ware)


@pytest.mark.parametrize("is_serial", [True, False])
def test_the_same_thing_can_be_asked_for_again(is_serial: bool) -> None:
    world = serial() if is_serial else datagrams(Ills(loss=0.1))
    one, other = world.sides
    other = Spoiling(other.name, other.peer, other.settings)
    world.sides = (one, other)
    one.offer(LARGE[:50_000])
    assert world.run(100, are_done(one))
    assert other.has_spoilt
    assert one.link.stats.counts.payload_out >= 100_000


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("is_serial", [True, False])
def test_a_side_that_begins_anew_asks_for_what_it_lacks(
    which: tuple[int, ...], is_serial: bool
) -> None:
    world = serial() if is_serial else datagrams(Ills(rate=12_000))
    one, other = world.sides
    one.offer(LARGE[:300_000])
    other.offer(OTHER[:300_000])
    for _ in range(5):
        world.run(3)
        for index in which:
            world.sides[index].restart(world.now_us)
    assert world.run(300, are_done(one, other))
    assert list(other.got.values()) == [LARGE[:300_000]]
    assert list(one.got.values()) == [OTHER[:300_000]]
    assert one.doubled + other.doubled <= 6_000


def test_frames_of_an_older_session_are_dropped() -> None:
    world = serial()
    world.written = []
    one, other = world.sides
    one.offer(LARGE[:50_000])
    assert world.run(100, are_done(one))
    old = [(index, data) for _, index, data in world.written]
    one.restart(world.now_us)
    world.run(5)
    assert one.link.stats.is_established
    before, log = other.link.stats.counts, len(other.log)
    for index, data in old:
        world.write(index, data)
    world.run(30)
    counts = other.link.stats.counts
    assert counts.dropped - before.dropped >= sum(index == 0 for index, _ in old) - 5
    assert not [event for _, event in other.log[log:] if not isinstance(event, events.Noted)]
    assert one.link.stats.is_established
    assert other.link.stats.is_established


def test_frames_of_the_same_session_count_once() -> None:
    world = serial()
    world.written = []
    one, other = world.sides
    datas = [LARGE[:20_000], b"whole"]
    one.offer_wares([ware(datas[0]), small(datas[1])], datas)
    assert world.run(100, are_done(one))
    for _, index, data in list(world.written):
        world.write(index, data)
    world.run(30)
    assert other.doubled == 0
    assert other.wholes == [b"whole"]
    assert len(other.said(events.Offered)) == 1
    assert one.link.stats.is_established
    assert other.notes() == one.notes() == []


def test_a_replay_is_no_sign_of_life() -> None:
    world = datagrams(Ills())
    world.written = []
    one, other = world.sides
    one.offer(LARGE[:50_000])
    assert world.run(30, are_done(one))
    world.run(5)
    for side, index in ((one, 1), (other, 0)):
        before = side.link.vouched_count, side.link.due(world.now_us)
        for _, sender, data in world.written:
            if sender == index:
                assert side.link.receive(world.now_us, data) == []
        assert (side.link.vouched_count, side.link.due(world.now_us)) == before


def test_an_idle_link_costs_next_to_nothing() -> None:
    for world in (serial(), datagrams(Ills()), radio()):
        one, other = world.sides
        one.offer(b"something" * 100)
        assert world.run(60, are_done(one))
        world.run(10)
        world.written = []
        world.run(3600)
        assert sum(len(data) for _, _, data in world.written) <= 20 * 60
        assert world.written
        assert one.link.stats.is_established
        assert other.link.stats.is_established
        # And it is still alive.
        other.offer(b"later" * 100)
        assert world.run(10, are_done(other))


def test_a_silent_peer_is_noticed_and_found_again() -> None:
    world = datagrams(Ills())
    one, other = world.sides
    world.run(10)
    lost = [Ills(loss=1), Ills(loss=1)]
    for way, ills in zip(world.ways, lost, strict=True):
        way.ills = ills  # type: ignore[attr-defined]
    world.run(1000)
    assert isinstance(one.said(events.Ended)[0][1], events.Ended)
    for way in world.ways:
        way.ills = Ills()  # type: ignore[attr-defined]
    one.offer(b"after all" * 100)
    assert world.run(200, are_done(one))
    assert other.got


def test_a_rate_limit_is_kept_and_used() -> None:
    world = datagrams(Ills())
    one, other = world.sides
    limited = Side(one.name, one.peer, one.settings, limits=[RateLimit(4_000)])
    world.sides = (limited, other)
    limited.offer(LARGE)
    world.written = []
    world.run(100)
    for start in range(10, 40):
        minute = [
            len(data)
            for at_us, index, data in world.written
            if index == 0 and start <= at_us / SECOND_US < start + 60
        ]
        assert 0.98 * 240_000 <= sum(minute) <= 1.02 * 240_000


def test_no_hour_has_more_than_its_share_whoever_restarts() -> None:
    """Bytes on the wire, those of hellos, answers and what goes again too."""
    air = Air(share=Fraction(7, 250), bytes_per_second=4_000)
    world = datagrams(Ills(loss=0.1))
    one, other = world.sides
    limit = DutyCycle(air)
    world.sides = (Side(one.name, one.peer, one.settings, limits=[limit]), other)
    one = world.sides[0]
    one.offer(LARGE)
    world.written = []
    for _ in range(5):
        world.run(2_000)
        spent = limit.snapshot(world.now_us)
        limit = DutyCycle(air, spent, world.now_us)
        one.limits = [limit]
        one.restart(world.now_us)
    sent = [
        (at_us, air.airtime_us(len(data))) for at_us, sender, data in world.written if not sender
    ]
    hours = [
        sum(airtime_us for at_us, airtime_us in sent[first:] if at_us < start_us + HOUR_US)
        for first, (start_us, _) in enumerate(sent)
    ]
    assert max(hours) <= air.budget_us
    assert max(hours) > 0.97 * air.budget_us
    assert sum(airtime_us for _, airtime_us in sent) > 2 * air.budget_us


@pytest.mark.parametrize("seed", range(3))
def test_radios_take_turns(seed: int) -> None:
    world = radio(seed=seed)
    one, other = world.sides
    one.offer(LARGE[:30_000])
    other.offer(OTHER[:20_000])
    assert world.run(200, are_done(one, other))
    assert list(other.got.values()) == [LARGE[:30_000]]
    assert list(one.got.values()) == [OTHER[:20_000]]
    assert world.now_us < 50 * SECOND_US / 0.75
    assert one.doubled + other.doubled < 1_000


def test_one_side_that_takes_turns_is_enough() -> None:
    world = radio()
    one, other = world.sides
    settings = LinkSettings(framing="kiss", frame_bytes=255, is_ordered=False)
    world.sides = (one, Side(other.name, other.peer, settings))
    world.sides[1].offer(OTHER[:10_000])
    assert world.run(200, are_done(world.sides[1]))
    assert list(one.got.values()) == [OTHER[:10_000]]
    assert one.doubled == 0


def test_radios_recover_from_lost_turns() -> None:
    world = radio(seed=9)
    one, other = world.sides
    one.offer(LARGE[:10_000])
    other.offer(OTHER[:10_000])
    rng = random.Random(4)
    for way in world.ways:
        write = way.write

        def spoil(now_us: int, data: bytes, write: Callable[[int, bytes], None] = write) -> None:
            write(now_us, bytes(len(data)) if rng.random() < 0.2 else data)

        way.write = spoil  # type: ignore[method-assign]
    assert world.run(600, are_done(one, other))
    assert list(other.got.values()) == [LARGE[:10_000]]


def test_goodbye_ends_the_session_on_both_sides() -> None:
    world = serial()
    one, other = world.sides
    world.run(5)
    one.link.leave()
    world.run(2)
    assert one.said(events.Ended)
    assert [event for _, event in other.said(events.Ended)] == [
        events.Ended("the other side ended it")
    ]
    assert one.link.send(world.now_us) is None
    assert one.link.due(world.now_us) is None


def test_a_closed_link_says_nothing() -> None:
    world = serial()
    one, _ = world.sides
    assert one.link.send(0) is None
    assert one.link.due(0) is None
    assert one.link.receive(0, b"\0anything\0") == []


def test_garbage_sets_nothing_off() -> None:
    world = serial()
    one, other = world.sides
    world.run(5)
    rng = random.Random(6)
    log = len(other.log)
    for _ in range(300):
        for event in other.link.receive(world.now_us, rng.randbytes(rng.randrange(1, 3000))):
            other.handle(world.now_us, event)
    assert len(other.log) == log
    one.offer(LARGE[:10_000])
    assert world.run(30, are_done(one))


def test_all_of_it_is_the_same_every_time() -> None:
    def once() -> list[tuple[int, int, bytes]]:
        world: World = datagrams(Ills(loss=0.2, reorder=0.1), seed=7)
        world.written = []
        world.sides[0].offer(LARGE[:100_000])
        assert world.run(60, are_done(world.sides[0]))
        return world.written

    assert once() == once()


def tcp() -> World:
    """A pipe whose rate nobody has said, and that brings all of it or breaks."""
    settings = LinkSettings(frame_bytes=16_384)
    sides = (Side(A, B, settings), Side(B, A, settings))
    return World(sides, (SerialWay(10_000_000, 0, 5_000), SerialWay(10_000_000, 0, 5_000)))


def test_a_pipe_that_stalls_gets_nothing_twice() -> None:
    world = tcp()
    one, other = world.sides
    one.offer(LARGE)
    world.run(0.3)
    assert 0 < one.link.stats.counts.payload_out < len(LARGE)
    for way in world.ways:
        assert isinstance(way, SerialWay)
        way.stall(world.now_us, 30 * SECOND_US)
    assert world.run(60, are_done(one))
    assert world.now_us > 30 * SECOND_US
    assert one.link.stats.counts.payload_out == len(LARGE)
    assert other.doubled == 0


def test_a_pipe_that_breaks_goes_on_where_it_was() -> None:
    world = tcp()
    world.cut_every = 50_000
    one, other = world.sides
    one.offer(LARGE)
    assert world.run(100, are_done(one))
    assert world.cuts >= 19
    assert other.doubled == 0
    assert list(other.got.values()) == [LARGE]


def test_a_small_way_with_large_frames_is_found_too() -> None:
    world = tcp()
    world.ways = (SerialWay(200_000, 0, 5_000), SerialWay(200_000, 0, 5_000))
    one, _ = world.sides
    one.offer(LARGE[:400_000])
    assert world.run(30, are_done(one))  # 20 s are the least
    assert one.link.stats.counts.payload_out == 400_000


class Full(Side):
    """Takes no small bundle, for some time."""

    is_full = True

    def handle(self, now_us: int, event: events.Event) -> None:
        if isinstance(event, events.WholeArrived) and self.is_full:
            self.link.decline(event.number)
        else:
            super().handle(now_us, event)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ills", [None, Ills(), Ills(loss=0.2, reorder=0.3, duplicate=0.3)])
def test_a_small_bundle_that_is_not_taken_is_not_delivered(ills: Ills | None, seed: int) -> None:
    world = serial(seed=seed) if ills is None else datagrams(ills, seed=seed)
    one, other = world.sides
    other = Full(other.name, other.peer, other.settings, seed=seed)
    world.sides, world.written = (one, other), []
    datas = [bytes([each]) * 200 for each in range(20)]
    one.offer_wares([small(data) for data in datas], datas)
    other.offer(LARGE[:20_000])
    assert world.run(60, lambda: len(one.said(events.Refused)) == 20)
    world.run(10)
    assert one.delivered == []
    assert (one.link.stats.waiting, one.link.stats.to_send) == (0, 0)
    if ills is None or ills == Ills():
        assert one.link.stats.counts.payload_out == 4_000
        # None of them counts as new when somebody repeats it.
        vouched = other.link.vouched_count
        for _, index, data in list(world.written):
            if index == 0:
                assert other.link.receive(world.now_us, data) == []
        assert other.link.vouched_count == vouched
    other.is_full = False
    one.offer_wares([], [])
    one.offer_wares([small(data) for data in datas], datas)
    assert world.run(60, are_done(one))
    assert set(other.wholes) == set(datas)


def test_what_came_before_a_reset_is_not_sent_again_though_nobody_acknowledged_it() -> None:
    """As TCP does: bytes that arrived are read before the end is seen."""
    known = LinkSettings(frame_bytes=2_000)
    ways = tuple(SerialWay(1_000_000, latency_us=30_000) for _ in range(2))
    world = World((Side(A, B, known), Side(B, A, known)), (ways[0], ways[1]))
    one, other = world.sides
    one.offer(LARGE[:200_000])
    world.down_us = 10_000
    while not world.run(0.8, are_done(one)):
        for data in ways[0].read(1 << 60):
            for event in other.link.receive(world.now_us, data):
                other.handle(world.now_us, event)
        world.cut()
    assert world.cuts == 2
    assert list(other.got.values()) == [LARGE[:200_000]]
    assert other.doubled == 0
    assert one.link.stats.counts.payload_out == 200_000
