from transports.link.pace import Line, Rate
from transports.link.round_trip import RoundTrip

SECOND_US = 1_000_000


class Answers:
    """Round trips of 100 ms and what queues add to them, one after the other."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.trip = RoundTrip(SECOND_US)
        self.now_us = 0

    def go_on(self, count: int, queue_us: int = 0, share: float = 1.0) -> None:
        for _ in range(count):
            self.rate.was_full()
            for _ in range(4):
                self.now_us += 25_000
                sample = self.trip.sample(self.now_us, 100_000 + queue_us, 0)
                size = int(self.rate.bytes_per_second * 0.025 * share)
                self.rate.acked(self.now_us, size, sample, self.trip)


def test_it_grows_while_there_are_no_queues() -> None:
    rate = Rate(None, 1400, is_ordered=False)
    Answers(rate).go_on(20)
    assert rate.bytes_per_second > 500_000


def test_a_loss_alone_changes_nothing() -> None:
    rate = Rate(None, 1400, is_ordered=False)
    Answers(rate).go_on(20, share=0.5)
    assert rate.bytes_per_second > 500_000


def test_it_keeps_to_what_comes_through() -> None:
    rate = Rate(None, 1400, is_ordered=False)
    trip = RoundTrip(SECOND_US)
    for step in range(200):
        rate.was_full()
        sample = trip.sample(step * 100_000, 100_000, 0)
        rate.acked(step * 100_000, 4_000, sample, trip)
    assert 40_000 < rate.bytes_per_second <= 100_000


def test_queues_make_it_shrink() -> None:
    rate = Rate(None, 1400, is_ordered=False)
    answers = Answers(rate)
    answers.go_on(20)
    before = rate.bytes_per_second
    answers.go_on(20, 200_000)
    assert rate.bytes_per_second < before * 0.6


def test_who_sends_little_learns_nothing() -> None:
    rate, trip = Rate(None, 1400, is_ordered=False), RoundTrip(SECOND_US)
    for step in range(100):
        rate.acked(step * 100_000, 100, trip.sample(step * 100_000, 100_000, 0), trip)
    assert rate.bytes_per_second == 32_000


def test_a_given_rate_stays() -> None:
    rate = Rate(960, 1400, is_ordered=True)
    answers = Answers(rate)
    answers.go_on(10)
    answers.go_on(10, 900_000)
    assert rate.bytes_per_second == 960


def test_a_line_is_kept_busy_and_no_further_ahead_than_said() -> None:
    line = Line(Rate(1_000, 100, is_ordered=True), 20_000)
    now_us = 5 * SECOND_US
    sent = 0
    while now_us < 15 * SECOND_US:
        while line.ready_us() <= now_us:
            line.spend(now_us, 50)
            sent += 50
            assert line.free_us <= now_us + 20_000 + 50_000
        assert line.free_us >= now_us
        now_us += 1_000
    assert 10_000 <= sent <= 10_000 + 100


def test_after_a_cut_the_line_is_free() -> None:
    line = Line(Rate(1_000, 100, is_ordered=True), 20_000)
    line.spend(0, 5_000)
    line.cut(1_000)
    assert line.free_us == 1_000
