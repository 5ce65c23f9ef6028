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
        to_send=to_send,
        to_come=to_come,
    )


def test_says_how_fast_how_much_again_and_how_long_still() -> None:
    progress = Progress(line_rate=11_520)
    progress.line(0, stats(counts=Counts(), to_send=100_000))
    half = Counts(bytes_in=300, bytes_out=23_040, payload_in=200, payload_out=22_000)
    line = progress.line(2 * SECOND_US, stats(counts=half, resent=2000, to_send=100_000))
    assert line == (
        "in 100 B/s, out 10.0 kB/s (100% of the line), sent again 9.1%, 100 kB to go, 10 s left"
    )


def test_forgets_what_is_long_ago() -> None:
    progress = Progress(line_rate=None)
    for second in range(60):
        counts = Counts(payload_in=1000 * min(second, 30))
        line = progress.line(second * SECOND_US, stats(counts=counts, to_come=5000))
    assert line == "in 0 B/s, out 0 B/s, 5.0 kB to come"


def test_says_when_there_is_nothing_and_nobody() -> None:
    progress = Progress(line_rate=960)
    alone = stats(counts=Counts(), is_there=False)
    assert progress.line(0, alone) == "waiting for the other side"
    idle = progress.line(SECOND_US, stats(counts=Counts(bytes_out=96)))
    assert idle == "in 0 B/s, out 0 B/s (10% of the line), nothing waits"


def test_amounts_and_times_are_short() -> None:
    shown = [amount(one) for one in (0, 999, 1000, 99_499, 99_500, 1e6, 123e6, 5e9, 1e13)]
    assert shown == [
        "0 B", "999 B", "1.0 kB", "99.5 kB", "100 kB", "1.0 MB", "123 MB", "5.0 GB", "10000.0 GB",
    ]  # fmt: skip
    assert [duration(one) for one in (0.4, 59, 60, 187, 7500)] == [
        "0 s", "59 s", "1:00", "3:07", "2:05:00",
    ]  # fmt: skip
