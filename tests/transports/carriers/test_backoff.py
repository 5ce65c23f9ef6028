import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.carriers.backoff import FIRST_SECONDS, LONGEST_SECONDS, Backoff


def waits(byte: bytes, count: int, **options: float) -> list[float]:
    backoff = Backoff(lambda size: byte * size, **options)
    return [backoff.next_seconds() for _ in range(count)]


def test_doubles_to_five_minutes_without_end() -> None:
    assert waits(b"\xff", 11) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert waits(b"\0", 11) == [one / 2 for one in waits(b"\xff", 11)]


def test_of_what_is_near_is_short() -> None:
    assert waits(b"\xff", 4, longest_seconds=2.0) == [1, 2, 2, 2]


def test_begins_anew_after_success() -> None:
    backoff = Backoff(lambda size: b"\xff" * size)
    assert [backoff.next_seconds() for _ in range(3)] == [1, 2, 4]
    backoff.reset()
    assert backoff.next_seconds() == FIRST_SECONDS


@given(st.lists(st.binary(min_size=2, max_size=2), max_size=20))
def test_is_never_longer_than_said_and_spreads(draws: list[bytes]) -> None:
    source = iter(draws)
    backoff = Backoff(lambda _: next(source))
    due = FIRST_SECONDS
    for draw in draws:
        seconds = backoff.next_seconds()
        assert due / 2 <= seconds <= due <= LONGEST_SECONDS
        assert seconds == pytest.approx(due * (0.5 + int.from_bytes(draw, "big") / 131_070))
        due = min(2 * due, LONGEST_SECONDS)
