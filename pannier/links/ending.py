"""When a link is at its end, by what passed and when. Pure."""

from dataclasses import dataclass

from transports.link.stats import LinkStats

QUIET_US = 3_000_000
"""After so long in which nothing passed, and nothing is to, both sides have all they can get."""

PATIENCE_US = 60_000_000
"""So long a link that is to end by itself waits for the other side to come,"""

RETURN_US = 30_000_000
"""and so long for it to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When a link ends by itself.

    Attributes:
        when_quiet: Once both sides have nothing left.
        when_over: With its first session, as a connection does.
        when_alone: After so many microseconds without a first session; None: it waits for ever.
    """

    when_quiet: bool = False
    when_over: bool = False
    when_alone: int | None = None


class Course:
    """How a link went so far, as far as its end depends on that. Times never go back.

    Attributes:
        had_session: Whether there ever was one.
        was_idle: Whether nothing was left to pass when there was one last.
    """

    def __init__(self) -> None:
        """Wait for a session."""
        self.had_session = False
        self.was_idle = False
        self._is_there = False
        self._left = 0
        self._quiet_us = QUIET_US
        self._now_us = 0
        self._busy_us: int | None = None
        self._alone_us: int | None = None
        self._last: tuple[int, ...] = ()

    def begin(self) -> None:
        """Take note that a session began."""
        self._is_there = self.had_session = True

    def end(self, waiting: int) -> None:
        """Take note that it ended, with so many bundles that the other side did not take."""
        self.was_idle = not waiting and not self._left
        self._is_there, self._alone_us = False, None

    def note(self, now_us: int, stats: LinkStats, waiting: int, *, is_settled: bool) -> None:
        """Take note of how it is now.

        Args:
            now_us: The time.
            stats: What the link has counted.
            waiting: How many bundles the other side did not take yet.
            is_settled: Whether its node has nothing to look up or import.
        """
        self._now_us = now_us
        self._quiet_us = max(QUIET_US, 4 * stats.srtt_us)
        if self._is_there:
            self._left = stats.to_send + stats.to_come
            self.was_idle = is_settled and not waiting and not self._left
        elif self._alone_us is None:
            self._alone_us = now_us
        now = (stats.counts.payload_in, stats.counts.payload_out, waiting)
        if self._busy_us is None or now != self._last or not self.was_idle:
            self._last, self._busy_us = now, now_us

    def is_over(self, ending: Ending) -> bool:
        """Return whether a link that is to end so is at its end."""
        if ending.when_quiet and self._is_quiet():
            return True
        if self._is_there:
            return False
        alone_us = 0 if self._alone_us is None else self._now_us - self._alone_us
        if self.had_session:
            return ending.when_over or (ending.when_quiet and alone_us >= RETURN_US)
        return ending.when_alone is not None and alone_us >= ending.when_alone

    def _is_quiet(self) -> bool:
        """Return whether there was a session, and nothing is left to pass."""
        since_us = self._now_us if self._busy_us is None else self._busy_us
        is_long = self._now_us - since_us >= self._quiet_us
        return self.had_session and self.was_idle and is_long
