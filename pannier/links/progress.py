"""How a link goes, in a line: how fast, how much twice, what waits and for how long. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from transports.link.stats import LinkStats

_WINDOW_US = 5_000_000
_SECOND_US = 1_000_000
_LONG_SECONDS = 100 * 3600


@dataclass(frozen=True, slots=True)
class _Mark:
    at_us: int
    payload_in: int
    payload_out: int
    line_out: int


class Progress:
    """What the last seconds of a link come to."""

    def __init__(self, most: int | None, of: str = "line") -> None:
        """Begin with nothing seen.

        Args:
            most: Bytes a second that can be sent; None if unknown.
            of: What says so.
        """
        self._most, self._of = most, of
        self._marks: deque[_Mark] = deque()

    def line(self, now_us: int, stats: LinkStats) -> str:
        """Return the line at a time; times never go back. What matters most comes first."""
        counts = stats.counts
        new_out = max(counts.payload_out - stats.resent, 0)
        self._marks.append(_Mark(now_us, counts.payload_in, new_out, counts.bytes_out))
        while len(self._marks) > 2 and now_us - self._marks[0].at_us > _WINDOW_US:
            self._marks.popleft()
        if not stats.is_established:
            return "waiting for the other side"
        seconds = max(now_us - self._marks[0].at_us, 1) / _SECOND_US
        first, last = self._marks[0], self._marks[-1]
        coming = (last.payload_in - first.payload_in) / seconds
        going = (last.payload_out - first.payload_out) / seconds
        notes = []
        if self._most:
            used = (last.line_out - first.line_out) / seconds / self._most
            notes.append(f"{min(used, 1):.0%} of the {self._of}")
        if counts.payload_out:
            notes.append(f"{stats.resent / counts.payload_out:.1%} again")
        noted = f" ({', '.join(notes)})" if notes else ""
        to_go = f", {amount(stats.to_send)} to go" if stats.to_send else ""
        to_come = f", {amount(stats.to_come)} to come" if stats.to_come else ""
        left = _left(((stats.to_come, coming), (stats.to_send, going)))
        return f"{left}; out {amount(going)}/s{noted}{to_go}; in {amount(coming)}/s{to_come}"


def _left(directions: Sequence[tuple[int, float]]) -> str:
    """Return how long what is still to pass takes at the present rates."""
    waiting = [(left, rate) for left, rate in directions if left]
    if not waiting:
        return "nothing waits"
    if not all(rate > 0 for _, rate in waiting):
        return "?:?? left"
    seconds = max(left / rate for left, rate in waiting)
    return f"{duration(seconds)} left" if seconds < _LONG_SECONDS else "days left"


def amount(count: float) -> str:
    """Return so many bytes in three digits or so."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def duration(seconds: float) -> str:
    """Return a time as people say it: 42 s, 3:07, 2:05:00."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
