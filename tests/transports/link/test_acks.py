import random

from hypothesis import given
from hypothesis import strategies as st

from transports.link.acks import Received

WAIT_US = 50_000


def received(numbers: list[int], *, is_ordered: bool = True, wait_us: int = WAIT_US) -> Received:
    result = Received(is_ordered=is_ordered)
    for number in numbers:
        if result.is_new(number):
            result.take(0, number, 1000, wait_us)
    return result


def test_one_waits_for_more_but_not_for_ever() -> None:
    one = received([0])
    assert (one.is_due(WAIT_US - 1), one.is_due(WAIT_US)) == (False, True)


def test_the_fourth_is_acknowledged_at_once() -> None:
    assert not received([0, 1, 2]).is_due(0)
    assert received([0, 1, 2, 3]).is_due(0)


def test_a_gap_is_said_at_once_where_nothing_overtakes() -> None:
    assert received([0, 2]).is_due(0)
    assert not received([0, 2], is_ordered=False).is_due(0)


def test_what_needs_no_acknowledgement_gets_none() -> None:
    turn = received([0, 1, 2, 3, 4], wait_us=-1)
    assert turn.due_us is None
    assert not turn.is_waiting
    assert received([0, 2], wait_us=-1).is_due(0)


def test_it_says_what_came_and_how_long_ago() -> None:
    some = received([0, 1, 2, 5, 6, 9])
    ack = some.ack(100_000, 32)
    assert ack.ranges == ((9, 10), (5, 7), (0, 3))
    assert ack.delay_us == 100_000
    assert (some.is_waiting, some.due_us) == (False, None)


@given(st.lists(st.integers(0, 40), max_size=60))
def test_a_number_is_new_once(numbers: list[int]) -> None:
    taken, seen = Received(is_ordered=False), set[int]()
    for number in numbers:
        assert taken.is_new(number) == (number not in seen)
        if number not in seen:
            taken.take(0, number, 10, WAIT_US)
            seen.add(number)
    if seen:
        said = {n for start, end in taken.ack(0, 32).ranges for n in range(start, end)}
        assert said == seen
        assert taken.following == max(seen) + 1


def test_what_is_forgotten_is_not_new_and_memory_is_bounded() -> None:
    far = received(list(range(0, 100_000, 2)))
    assert not far.is_new(1)
    assert far.is_new(99_999)
    assert len(far._numbers) <= 256


def test_each_packet_is_in_four_acknowledgements_at_least() -> None:
    rng = random.Random(1)
    got, times = Received(is_ordered=True), dict[int, int]()
    for number in range(2000):
        if rng.random() < 0.3:
            continue
        got.take(0, number, 100, WAIT_US)
        times[number] = 0
        if got.is_due(0):
            ack = got.ack(0, 32)
            for start, end in ack.ranges:
                for one in range(start, end):
                    times[one] += 1
    assert min(count for number, count in times.items() if number < 1900) >= 4


def test_ranges_are_as_many_as_fit() -> None:
    assert len(received(list(range(0, 100, 2))).ack(0, 5).ranges) == 5


def test_on_a_line_the_second_long_one_is_acknowledged_at_once() -> None:
    for size, is_prompt, is_due in ((512, True, True), (512, False, False), (200, True, False)):
        some = Received(is_ordered=True, is_prompt=is_prompt)
        for number in range(2):
            some.take(0, number, size, WAIT_US)
        assert some.is_due(0) == is_due
