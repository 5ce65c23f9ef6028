from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.link.airtime import (
    HOUR_US,
    NEVER_US,
    SECOND_US,
    Air,
    DutyCycle,
    Limit,
    RateLimit,
    Spent,
)

HALOW = Air(share=Fraction("2.8") / 100, bytes_per_second=18_750)


@dataclass(frozen=True, slots=True)
class Frame:
    start_us: int
    size: int
    airtime_us: int = 0

    @property
    def end_us(self) -> int:
        return self.start_us + self.airtime_us


def sent_in(limit: Limit, seconds: int, size: int, *, start_us: int = 0) -> list[Frame]:
    """Return what somebody sends who sends whenever it is allowed, until *seconds* are over."""
    now, frames = start_us, list[Frame]()
    while (now := limit.ready_us(now, size)) < start_us + seconds * SECOND_US:
        limit.spend(now, size)
        frames.append(Frame(now, size))
    return frames


def most_on_air_us(frames: list[Frame], window_us: int) -> int:
    """Return the most airtime of frames that any window has a part of.

    It is greatest in one that ends as a frame begins.
    """
    return max(
        sum(
            one.airtime_us
            for one in frames
            if one.start_us <= last.start_us and one.end_us > last.start_us - window_us
        )
        for last in frames
    )


@pytest.mark.parametrize("size", [12, 222, 1400, 5000])
def test_a_rate_is_kept_within_two_percent_over_a_minute(size: int) -> None:
    sent = sum(frame.size for frame in sent_in(RateLimit(4000), 60, size))
    assert 0.98 * 240_000 <= sent <= 1.02 * 240_000 + size


@given(
    rate=st.integers(1, 50_000),
    burst=st.integers(1, 20_000),
    steps=st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 3000)), min_size=2),
)
def test_any_stretch_has_at_most_its_due(
    rate: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    limit, now, frames = RateLimit(rate, burst), 0, list[Frame]()
    for pause, size in steps:
        now = limit.ready_us(now + pause, size)
        limit.spend(now, size)
        frames.append(Frame(now, size))
    for first in range(len(frames)):
        total = 0
        for last in frames[first:]:
            total += last.size
            lasted = last.start_us - frames[first].start_us
            assert (total - max(burst, last.size)) * SECOND_US <= rate * lasted


def test_a_pause_is_not_made_up_for_beyond_a_burst() -> None:
    limit = RateLimit(4000, 1000)
    limit.spend(0, 1000)
    assert sum(frame.size for frame in sent_in(limit, 1, 100, start_us=HOUR_US)) <= 1000 + 4000


def test_a_frame_larger_than_a_burst_waits_for_a_full_bucket() -> None:
    limit = RateLimit(1000, 100)
    limit.spend(0, 100)
    assert limit.ready_us(0, 5000) == 100_000
    limit.spend(100_000, 5000)
    assert limit.ready_us(100_000, 100) == 5_100_000


def test_asking_changes_nothing() -> None:
    for limit in (RateLimit(1000, 100), DutyCycle(HALOW)):
        limit.spend(0, 100)
        assert limit.ready_us(5, 90) == limit.ready_us(5, 90)


@given(data=st.data())
def test_no_window_has_more_than_its_share(data: st.DataObject) -> None:
    air = Air(
        share=Fraction(data.draw(st.integers(1, 400)), 1000),
        bytes_per_second=data.draw(st.integers(100, 100_000)),
        frame_us=data.draw(st.integers(0, 20_000)),
        window_us=data.draw(st.integers(1_000_000, 20_000_000)),
    )
    pauses = st.one_of(st.integers(0, 1000), st.integers(0, air.window_us))
    limit, now, frames = DutyCycle(air), 0, list[Frame]()
    for pause, size in data.draw(st.lists(st.tuples(pauses, st.integers(1, 1500)), max_size=60)):
        at = limit.ready_us(now + pause, size)
        if at == NEVER_US:
            assert air.airtime_us(size) > air.budget_us
            continue
        now = at
        limit.spend(now, size)
        frames.append(Frame(now, size, air.airtime_us(size)))
    if frames:
        assert most_on_air_us(frames, air.window_us) <= air.share * air.window_us


@pytest.mark.parametrize("size", [10, 200, 3000])
@pytest.mark.parametrize("pause_us", [0, 700, 9_000])
def test_nobody_who_always_sends_gets_more_than_the_share(size: int, pause_us: int) -> None:
    """Frames from a tenth of what counts as one to ten times as long; at first with pauses."""
    air = Air(share=Fraction(1, 50), bytes_per_second=100_000, window_us=2_160_000)
    limit, now, frames = DutyCycle(air), 0, list[Frame]()
    while now < 3 * air.window_us and len(frames) < 1500:
        now = limit.ready_us(now, size)
        limit.spend(now, size)
        frames.append(Frame(now, size, air.airtime_us(size)))
        now += air.airtime_us(size) + (pause_us if now < air.window_us // 2 else 0)
    assert most_on_air_us(frames, air.window_us) <= air.budget_us
    assert sum(frame.airtime_us for frame in frames) > air.budget_us


def test_an_hour_is_used_up_but_for_a_slot() -> None:
    air = Air(share=Fraction(1, 100), bytes_per_second=1000)
    frames = sent_in(DutyCycle(air), 4 * 3600, 200)
    spent = sum(air.airtime_us(frame.size) for frame in frames)
    assert spent >= 0.98 * 4 * 36 * SECOND_US


def test_overhead_counts_for_each_frame() -> None:
    air = Air(share=Fraction(1), bytes_per_second=1000, frame_us=7)
    assert air.airtime_us(3) == 3007
    assert Air(share=Fraction(1), bytes_per_second=3).airtime_us(1) == 333_334


@given(
    rests=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=30),
    frames_between=st.integers(1, 20),
)
def test_a_restart_forgets_nothing(rests: list[int], frames_between: int) -> None:
    """What was known when it stopped is known when it goes on, however often that is."""
    air = Air(share=Fraction(1, 10), bytes_per_second=1000, window_us=5_000_000)
    limit, now, frames = DutyCycle(air), 0, list[Frame]()
    for rest in rests:
        for _ in range(frames_between):
            now = limit.ready_us(now, 50)
            limit.spend(now, 50)
            frames.append(Frame(now, 50, air.airtime_us(50)))
        spent = limit.snapshot(now)
        now += rest
        aged = [Spent(one.since_us + rest, one.age_us + rest, one.airtime_us) for one in spent]
        limit = DutyCycle(air, aged, now)
    assert most_on_air_us(frames, air.window_us) <= air.budget_us


def test_restarts_do_not_make_old_airtime_young() -> None:
    air = Air(share=Fraction(1, 10), bytes_per_second=1000, window_us=10_000_000)
    limit = DutyCycle(air)
    limit.spend(0, 1000)
    ready = limit.ready_us(0, 1)
    for now in range(0, 9_000_000, 1000):
        limit = DutyCycle(air, limit.snapshot(now), now)
    assert limit.ready_us(9_000_000, 1) == ready


def test_memory_is_bounded() -> None:
    air = Air(share=Fraction(1), bytes_per_second=1_000_000, window_us=SECOND_US)
    limit, now, most = DutyCycle(air), 0, 0
    for _ in range(15_000):
        now = limit.ready_us(now, 100)
        limit.spend(now, 100)
        now += 100
        if now % 10_000 == 0:
            most = max(most, len(limit.snapshot(now)))
    assert 500 <= most <= 1440


def test_what_is_longer_than_the_budget_is_never_sent() -> None:
    air = Air(share=Fraction(1, 1000), bytes_per_second=10)
    assert DutyCycle(air).ready_us(0, 36) == 0
    assert DutyCycle(air).ready_us(0, 37) == NEVER_US


def test_frames_go_in_order_of_time() -> None:
    frames = sent_in(RateLimit(100, 10), 5, 10)
    assert all(one.start_us < other.start_us for one, other in pairwise(frames[1:]))
