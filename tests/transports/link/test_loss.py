from dataclasses import dataclass, field

from transports.link.loss import InFlight, Sent
from transports.link.round_trip import RoundTrip


@dataclass
class Seen:
    """A `Load` that remembers what happened to it."""

    said: list[str] = field(default_factory=list)

    def acked(self) -> None:
        self.said.append("acked")

    def lost(self) -> None:
        self.said.append("lost")


def trip(us: int = 100_000) -> RoundTrip:
    result = RoundTrip(1_000_000)
    result.sample(0, us, 0)
    return result


def flight(count: int, *, is_ordered: bool, step_us: int = 1_000) -> InFlight:
    result = InFlight(is_ordered=is_ordered)
    for number in range(count):
        result.add(Sent(number, number * step_us, 10, Seen()))
    return result


def numbers(packets: list[Sent]) -> list[int]:
    return [sent.number for sent in packets]


def test_each_packet_comes_once() -> None:
    sent = flight(10, is_ordered=True)
    assert numbers(sent.take(0, [(5, 8), (1, 3)])) == [5, 6, 7, 1, 2]
    assert sent.take(0, [(5, 8), (1, 3)]) == []
    assert sent.size == 50


def test_where_nothing_overtakes_what_is_older_is_lost() -> None:
    sent = flight(10, is_ordered=True)
    sent.take(10_000, [(5, 8)])
    assert numbers(sent.give_up(10_000, trip())) == [0, 1, 2, 3, 4]
    assert sent.size == 20
    assert sent.due_us is None


def test_datagrams_get_their_time() -> None:
    sent = flight(10, is_ordered=False, step_us=10_000)
    sent.take(100_000, [(5, 8)])
    assert sent.give_up(100_000, trip()) == []
    assert sent.due_us is not None
    assert 112_000 < sent.due_us < 120_000
    assert numbers(sent.give_up(sent.due_us + 10_000, trip())) == [0, 1]
    assert numbers(sent.give_up(10_000_000, trip())) == [2, 3, 4]


def test_what_was_late_makes_patient() -> None:
    sent = flight(10, is_ordered=False)
    sent.take(100_000, [(9, 10)])
    assert len(sent.give_up(150_000, trip())) == 9
    assert numbers(sent.take(200_000, [(3, 4)])) == [3]
    sent.add(Sent(10, 300_000, 10, Seen()))
    sent.add(Sent(11, 300_000, 10, Seen()))
    sent.take(400_000, [(11, 12)])
    assert sent.give_up(490_000, trip()) == []
    assert numbers(sent.give_up(560_000, trip())) == [10]


def test_patience_ends() -> None:
    sent = flight(2, is_ordered=False)
    sent.take(100_000, [(1, 2)])
    assert len(sent.give_up(150_000, trip())) == 1
    sent.take(1_000_000_000, [(0, 1)])
    sent.add(Sent(2, 2_000_000_000, 10, None))
    sent.add(Sent(3, 2_000_000_000, 10, None))
    sent.take(2_000_100_000, [(3, 4)])
    assert numbers(sent.give_up(2_000_400_000, trip())) == [2]


def test_an_acknowledgement_of_everything_ever_sent_costs_what_is_under_way() -> None:
    sent = InFlight(is_ordered=True)
    sent.add(Sent(1 << 40, 0, 10, None))
    assert numbers(sent.take(0, [(0, (1 << 40) + 1)])) == [1 << 40]


def test_so_many_and_no_more_are_under_way() -> None:
    assert not flight((1 << 14) - 1, is_ordered=True).is_full
    assert flight(1 << 14, is_ordered=True).is_full


def test_what_was_late_makes_patient_however_short_the_trip() -> None:
    sent, short = flight(2, is_ordered=False, step_us=0), trip(300)
    sent.take(1_000, [(1, 2)])
    assert numbers(sent.give_up(3_000, short)) == [0]
    sent.take(20_000, [(0, 1)])
    for number in (2, 3):
        sent.add(Sent(number, 20_000, 10, Seen()))
    sent.take(21_000, [(3, 4)])
    assert sent.give_up(40_000, short) == []
    assert numbers(sent.give_up(43_000, short)) == [2]
