from pannier.links.progress import Progress, amount, duration
from transports.link.stats import Counts, LinkStats

SECOND_US = 1_000_000


def stats(
    *, counts: Counts, resent: int = 0, to_send: int = 0, to_come: int = 0, is_there: bool = True
) -> LinkStats:
    return LinkStats(
        counts=counts,
        is_established=is_there,
        srtt_us=0,
        rate=1,
        frame_bytes=1,
        resent=resent,
        waiting=0,
        to_send=to_send,
        to_come=to_come,
        is_through=False,
        rest_is_known=False,
    )


def test_says_how_long_still_how_fast_how_much_of_the_line_and_how_much_again() -> None:
    progress = Progress(11_520)
    progress.line(0, stats(counts=Counts(), to_send=100_000))
    half = Counts(bytes_in=300, bytes_out=23_040, payload_in=200, payload_out=22_000)
    line = progress.line(2 * SECOND_US, stats(counts=half, resent=2000, to_send=100_000))
    assert line == (
        "10 s left; out 10.0 kB/s (100% of the line, 9.1% again), 100 kB to go; in 100 B/s"
    )
    both = progress.line(2 * SECOND_US, stats(counts=half, to_send=100_000, to_come=60_000))
    assert both.startswith("10:00 left; ")
    assert both.endswith(", 100 kB to go; in 100 B/s, 60.0 kB to come")


def test_forgets_what_is_long_ago() -> None:
    progress = Progress(None)
    for second in range(60):
        counts = Counts(payload_in=1000 * min(second, 30))
        line = progress.line(second * SECOND_US, stats(counts=counts, to_come=5000))
    assert line == "?:?? left; out 0 B/s; in 0 B/s, 5.0 kB to come"


def test_what_takes_days_is_not_counted_in_seconds() -> None:
    progress = Progress(None)
    progress.line(0, stats(counts=Counts()))
    line = progress.line(SECOND_US, stats(counts=Counts(payload_in=1), to_come=5_000_000))
    assert line.startswith("days left; ")


def test_says_when_there_is_nothing_and_nobody() -> None:
    progress = Progress(960, "rate")
    alone = stats(counts=Counts(), is_there=False)
    assert progress.line(0, alone) == "waiting for the other side"
    idle = progress.line(SECOND_US, stats(counts=Counts(bytes_out=96)))
    assert idle == "nothing waits; out 0 B/s (10% of the rate); in 0 B/s"


def test_amounts_and_times_are_short() -> None:
    shown = [amount(one) for one in (0, 999, 1000, 99_499, 99_500, 1e6, 123e6, 5e9, 1e13)]
    assert shown == [
        "0 B", "999 B", "1.0 kB", "99.5 kB", "100 kB", "1.0 MB", "123 MB", "5.0 GB", "10000.0 GB",
    ]  # fmt: skip
    assert [duration(one) for one in (0.4, 59, 60, 187, 7500)] == [
        "0 s", "59 s", "1:00", "3:07", "2:05:00",
    ]  # fmt: skip
