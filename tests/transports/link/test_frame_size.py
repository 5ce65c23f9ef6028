import math
import random

import pytest

from transports.link.frame_size import FrameSize


def fitted(ber: float, count: int = 4000) -> FrameSize:
    size, rng = FrameSize(32, 2048, 12), random.Random(1)
    for _ in range(count):
        if rng.random() < (1 - ber) ** (8 * size.best):
            size.came(size.best)
        else:
            size.lost(size.best)
    return size


@pytest.mark.parametrize("ber", [1e-6, 1e-5, 1e-4, 1e-3])
def test_it_finds_a_length_nearly_as_good_as_the_best(ber: float) -> None:
    def brought(length: float) -> float:
        return (length - 12) / length * math.exp(-8 * ber * length)

    best = max(brought(length) for length in range(32, 2049))
    assert brought(fitted(ber).best) > 0.97 * best


def test_without_errors_it_is_as_long_as_allowed() -> None:
    assert fitted(0).best == 2048


def test_it_recovers_from_a_bad_hour() -> None:
    size = fitted(1e-3)
    assert size.best < 100
    for _ in range(40_000):
        size.came(size.best)
    assert size.best == 2048


def test_a_cut_counts() -> None:
    size, other = fitted(0), fitted(0)
    for _ in range(50):
        other.came(400)
        size.came(400)
        size.lost(500, is_cut=True)
    assert size.best < other.best


def test_it_is_never_shorter_than_the_least() -> None:
    size = FrameSize(32, 2048, 12)
    for _ in range(1000):
        size.lost(32)
    assert size.best == 32
