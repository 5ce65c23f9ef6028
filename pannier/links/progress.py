"""How a link goes, in a line: how fast, how much twice, what waits and for how long. Pure."""

from collections import deque
from dataclasses import dataclass

from transports.link.stats import LinkStats

_WINDOW_US = 5_000_000
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class _Mark:
    at_us: int
    payload_in: int
    payload_out: int
    line_out: int


class Progress:
    """What the last seconds of a link come to."""

    def __init__(self, line_rate: int | None) -> None:
        """Begin with nothing seen.

        Args:
            line_rate: Bytes a second that the line can carry; None if unknown.
        """
        self._line_rate = line_rate
        self._marks: deque[_Mark] = deque()

    def line(self, now_us: int, stats: LinkStats) -> str:
        """Return the line at a time; times never go back."""
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
        parts = [f"in {amount(coming)}/s", f"out {amount(going)}/s"]
        if self._line_rate:
            used = (last.line_out - first.line_out) / seconds / self._line_rate
            parts[-1] += f" ({min(used, 1):.0%} of the line)"
        if stats.resent:
            parts.append(f"sent again {stats.resent / max(counts.payload_out, 1):.1%}")
        return ", ".join([*parts, *_waiting(stats, coming, going)])


def _waiting(stats: LinkStats, coming: float, going: float) -> list[str]:
    """Return what is still to pass, and how long it takes at the present rates."""
    if not stats.to_send and not stats.to_come:
        return ["nothing waits"]
    parts = []
    for left, word in ((stats.to_come, "to come"), (stats.to_send, "to go")):
        if left:
            parts.append(f"{amount(left)} {word}")
    lasts = max(
        (left / rate if rate else float("inf"))
        for left, rate in ((stats.to_come, coming), (stats.to_send, going))
        if left
    )
    if lasts < 100 * 3600:
        parts.append(f"{duration(lasts)} left")
    return parts


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
