import random
from functools import partial
from typing import cast

import pytest

from tests.sim.link import Side, World, serial, ware
from transports.link.machine import Link
from transports.link.path import Path
from transports.link.round_trip import RoundTrip
from transports.link.settings import LinkSettings

LARGE = random.Random(1).randbytes(1_000_000)
DEAD_SECONDS = 0.6


class Dead:
    """What is left of a link whose process was killed."""

    def opened(self, now_us: int) -> None: ...

    def receive(self, now_us: int, data: bytes) -> list[object]:
        return []

    def events(self) -> list[object]:
        return []

    def send(self, now_us: int) -> bytes | None:
        return None

    def due(self, now_us: int) -> int | None:
        return None


def die(world: World, side: Side) -> int:
    """Kill a side and start it again; return what it had sent."""
    sent = side.link.stats.counts.payload_out
    side.link = cast("Link", Dead())
    world.run(DEAD_SECONDS)
    side.link = side.new_link()
    side.link.offer([ware(data) for key, data in side.files.items() if key not in side.delivered])
    side.link.opened(world.now_us)
    return sent


def has_got(side: Side, size: int) -> bool:
    return sum(came for _, came in side.arrivals) >= size


@pytest.mark.parametrize("seed", [1, 2])
def test_of_twenty_kills_little_is_sent_twice(seed: int) -> None:
    world, rng = serial(seed=seed), random.Random(seed)
    one, other = world.sides
    one.offer(LARGE)
    sent, killed = 0, list[Side]()
    for place in sorted(rng.randrange(20_000, 980_000) for _ in range(20)):
        assert world.run(400, partial(has_got, other, place))
        killed.append(rng.choice(world.sides))
        before = die(world, killed[-1])
        sent += before if killed[-1] is one else 0
    assert world.run(400, lambda: bool(one.delivered))
    assert list(other.got.values()) == [LARGE]
    assert killed.count(other) > 7
    assert sent + one.link.stats.counts.payload_out <= 1.03 * len(LARGE)


def test_on_a_line_little_more_is_under_way_than_a_round_trip_takes() -> None:
    path = Path(LinkSettings(rate=100_000, adapts_frames=True))
    trip = RoundTrip(1_000_000)
    for _ in range(100):
        trip.sample(0, 100_000, 0)
    wait_us = path.wait_us(trip)
    assert path.window(trip) <= 100_000 * (100_000 + wait_us + 30_000) // 1_000_000
    assert path.window(trip) >= 100_000 * (100_000 + wait_us) // 1_000_000


def test_a_slow_line_is_kept_busy_all_the_same() -> None:
    path = Path(LinkSettings(rate=100, frame_bytes=64))
    trip = RoundTrip(1_000)
    assert path.window(trip) >= 2048


def test_a_session_that_broke_makes_frames_shorter_and_the_line_stays_as_it_is() -> None:
    path = Path(LinkSettings(rate=10_000, adapts_frames=True))
    path.line.spend(0, 1000)
    room, free_us = path.room, path.line.free_us
    path.broke(3000)
    assert path.room < room
    assert path.line.free_us == free_us
