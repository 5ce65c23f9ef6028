from hypothesis import given
from hypothesis import strategies as st

from tests.sim.link import ware
from transports.link.offering import Offering

SIZE = 60
DATA = bytes(range(SIZE))
STEP = st.tuples(st.sampled_from(["send", "ack", "lose", "late"]), st.integers(0, 99))


@given(st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE))), st.lists(STEP))
def test_every_wanted_byte_is_waiting_flying_or_there(
    asked: list[tuple[int, int]], steps: list[tuple[str, int]]
) -> None:
    offering = Offering(1, 1, ware(DATA))
    offering.data = DATA
    offering.want([pair for pair in asked if pair[0] < pair[1]])
    wanted = {n for start, end in asked for n in range(start, end)}
    flying: list[tuple[int, int]] = []
    lost: list[tuple[int, int]] = []
    there: set[int] = set()
    for step, number in steps:
        if step == "send" and offering.is_ready:
            start, data = offering.take(1 + number % 20)
            assert data == DATA[start : start + len(data)]
            assert set(range(start, start + len(data))) <= wanted - there
            flying.append((start, start + len(data)))
        elif step == "ack" and flying:
            one = flying.pop(number % len(flying))
            offering.acked(*one)
            there |= set(range(*one))
        elif step == "lose" and flying:
            lost.append(flying.pop(number % len(flying)))
            offering.lost(*lost[-1])
        elif step == "late" and lost:
            one = lost.pop(number % len(lost))
            offering.acked(*one)
            there |= set(range(*one))
        under_way = {n for pair in flying for n in range(*pair)}
        waiting = {n for pair in offering.waiting for n in range(*pair)}
        assert waiting | under_way | there >= wanted
        assert not waiting & there
        assert {n for pair in offering.wanted for n in range(*pair)} == wanted - there


def test_what_is_under_way_is_not_sent_again_when_it_is_asked_for() -> None:
    offering = Offering(1, 1, ware(DATA))
    offering.data = DATA
    offering.want([(0, SIZE)])
    offering.take(20)
    offering.want([(10, SIZE)])
    assert list(offering.waiting) == [(20, SIZE)]
    assert offering.lost(0, 20) == 10
    assert list(offering.waiting) == [(10, SIZE)]
