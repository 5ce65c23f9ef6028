from hypothesis import given
from hypothesis import strategies as st

from tests.sim.link import ware
from transports.link.again import MOST_KEYS, Again
from transports.link.offering import Offering

SIZE = 100
RANGES = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(sorted).map(tuple)
ONE = ware(bytes(SIZE))


def cut(*sent: tuple[int, int], acked: int = 0) -> Offering:
    """Return one of which *sent* went, and the first *acked* bytes of each were acknowledged."""
    offering = Offering(1, 1, ONE)
    offering.want([(0, SIZE)])
    for start, end in sent:
        offering.waiting.remove(start, end)
        offering.flying.add(start, end)
        offering.acked(start, min(start + acked, end))
    return offering


def test_what_was_under_way_or_forgotten_goes_again() -> None:
    again = Again()
    again.end([cut((0, 40), acked=30)])
    assert again.take(ONE.key, [(30, SIZE)]) == 10
    # The other side was killed: it lacks what it had acknowledged, too.
    assert again.take(ONE.key, [(0, SIZE)]) == 30
    assert again.take(ONE.key, [(0, SIZE)]) == 0


def test_what_never_went_does_not() -> None:
    again = Again()
    again.end([cut()])
    assert again.take(ONE.key, [(0, SIZE)]) == 0
    assert again.take("another", [(0, SIZE)]) == 0


def test_what_is_done_with_is_forgotten() -> None:
    again = Again()
    again.end([cut((0, 40))])
    again.forget(ONE.key)
    assert again.take(ONE.key, [(0, SIZE)]) == 0


def test_so_many_and_no_more_are_remembered() -> None:
    again = Again()
    wares = [ware(b"%d" % number * 50) for number in range(MOST_KEYS + 5)]
    for one in wares:
        offering = Offering(1, 1, one)
        offering.want([(0, one.size)])
        offering.take(50)
        again.end([offering])
    counted = [again.take(one.key, [(0, 50)]) for one in wares]
    assert counted == [0] * 5 + [50] * MOST_KEYS


@given(st.lists(st.lists(RANGES, min_size=1, max_size=4), max_size=4), st.lists(RANGES))
def test_each_byte_counts_once_whatever_went_when(
    sessions: list[list[tuple[int, int]]], asked: list[tuple[int, int]]
) -> None:
    again, went = Again(), set[int]()
    for sent in sessions:
        again.end([cut(*sent)])
        went.update(number for start, end in sent for number in range(start, end))
    wanted = {number for start, end in asked for number in range(start, end)}
    assert again.take(ONE.key, asked) == len(went & wanted)
