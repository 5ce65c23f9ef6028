from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transports.link.ranges import Ranges

PAIRS = st.tuples(st.integers(0, 60), st.integers(0, 60))
STEPS = st.lists(st.tuples(st.booleans(), PAIRS), max_size=30)


@given(STEPS, PAIRS, st.integers(1, 4))
def test_they_are_a_set_of_numbers(
    steps: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int], count: int
) -> None:
    ranges, numbers = Ranges(), set[int]()
    for is_added, (start, end) in steps:
        if is_added:
            ranges.add(start, end)
            numbers |= set(range(start, end))
        else:
            ranges.remove(start, end)
            numbers -= set(range(start, end))
        assert ranges.total == len(numbers)
    pairs = list(ranges)
    assert {n for start, end in pairs for n in range(start, end)} == numbers
    # Disjoint, ascending, and none adjacent to the next.
    assert all(one[1] < other[0] for one, other in pairwise(pairs))
    assert all(start < end for start, end in pairs)
    assert all(ranges.has(n) == (n in numbers) for n in range(62))
    within = ranges.within(*asked)
    assert {n for start, end in within for n in range(start, end)} == numbers & set(range(*asked))
    assert ranges.highest(count) == pairs[::-1][:count]
    ranges.keep_highest(count)
    assert list(ranges) == pairs[-count:]
    assert ranges.total == sum(end - start for start, end in pairs[-count:])


def test_first_and_last() -> None:
    ranges = Ranges([(5, 7), (1, 2), (7, 9)])
    assert (ranges.first(), ranges.last(), len(ranges)) == ((1, 2), (5, 9), 2)
    assert repr(ranges) == "Ranges([(1, 2), (5, 9)])"
