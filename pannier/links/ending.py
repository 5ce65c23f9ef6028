"""When a link is at its end, by what passed and when. Pure."""

from dataclasses import dataclass

from transports.link.stats import LinkStats

QUIET_US = 3_000_000
"""So long a side that is through waits until the other one is known to have heard that,"""

PATIENCE_US = 60_000_000
"""so long for the other side to come, or to say that it is through when nothing passes any more,"""

STALLED_US = 7_200_000_000
"""so long for anything to pass while there is something left: who may send in a share of each hour
says nothing for almost an hour,"""

SILENT_US = 20_000_000
"""so long for anything at all of a side that has come by another wire since: what it got by the
first one it would have acknowledged by then,"""

RETURN_US = 30_000_000
"""and so long for it to come back, be it to hear that nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When a link ends by itself.

    Attributes:
        when_quiet: Once both sides have nothing left.
        when_over: With its first session, as a connection does.
        when_alone: After so many microseconds without a first session; None: it waits for ever.
        when_silent: When nothing comes of the other side, and it has something to acknowledge.
    """

    when_quiet: bool = False
    when_over: bool = False
    when_alone: int | None = None
    when_silent: bool = False


class Course:
    """How a link went so far, as far as its end depends on that. Times never go back.

    Attributes:
        had_session: Whether there ever was one.
        was_idle: Whether neither side had anything left to do when there was one last.
        was_known: Whether the other side knew that, or left then.
        was_stalled: Whether nothing passed at the end of the last one, for as long as such a link
            waits for the other side to say that it has nothing left.
    """

    def __init__(self) -> None:
        """Wait for a session."""
        self.had_session = False
        self.was_idle = self.was_known = self.was_stalled = False
        self._is_there = False
        self._quiet_us = QUIET_US
        self._now_us = 0
        self._busy_us: int | None = None
        self._passed_us: int | None = None
        self._heard_us: int | None = None
        self._heard_count = 0
        self._alone_us: int | None = None
        self._last: tuple[int, ...] = ()

    def begin(self) -> None:
        """Take note that a session began."""
        self._is_there = self.had_session = True
        self.was_idle = self.was_known = self.was_stalled = False
        self._busy_us = self._passed_us = self._heard_us = None

    def end(self, *, is_through: bool, is_known: bool) -> None:
        """Take note that it ended.

        Args:
            is_through: Whether neither side had anything left to do.
            is_known: Whether the other side knew that, or has left.
        """
        self.was_idle, self.was_known = is_through, is_known
        self.was_stalled = not is_through and self._is_stalled
        self._is_there, self._alone_us = False, None

    def stir(self) -> None:
        """Take note that something came, which is to be looked at before it can be over."""
        self.was_idle, self._busy_us = False, None

    def note(self, now_us: int, stats: LinkStats, *, is_settled: bool) -> None:
        """Take note of how it is now.

        Args:
            now_us: The time.
            stats: What the link has counted.
            is_settled: Whether its node has nothing to look up or import.
        """
        self._now_us = now_us
        self._quiet_us = max(QUIET_US, 4 * stats.srtt_us)
        if self._is_there:
            self.was_idle, self.was_known = stats.is_through, stats.rest_is_known
        elif self._alone_us is None:
            self._alone_us = now_us
        is_heard = stats.counts.frames_in != self._heard_count
        if self._heard_us is None or is_heard or not (stats.to_send or stats.waiting):
            self._heard_us, self._heard_count = now_us, stats.counts.frames_in
        left = stats.waiting, stats.to_send, stats.to_come
        now = (stats.counts.payload_in, stats.counts.payload_out, *left)
        if self._passed_us is None or now != self._last:
            self._last, self._passed_us = now, now_us
        if self._busy_us is None or self._passed_us == now_us or any(left) or not is_settled:
            self._busy_us = now_us

    def is_over(self, ending: Ending) -> bool:
        """Return whether a link that is to end so is at its end."""
        if ending.when_quiet and self.had_session and self._is_quiet():
            return True
        if self._is_there:
            return ending.when_silent and self._since_us(self._heard_us) >= SILENT_US
        alone_us = self._since_us(self._alone_us)
        if self.had_session:
            return ending.when_over or (ending.when_quiet and alone_us >= RETURN_US)
        return ending.when_alone is not None and alone_us >= ending.when_alone

    def _is_quiet(self) -> bool:
        """Return whether nothing is left to pass, or seems to be."""
        if not self._is_there:
            return self.was_idle and self.was_known
        if self.was_idle:
            return self.was_known or self._since_us(self._busy_us) >= self._quiet_us
        return self._is_stalled

    @property
    def _is_stalled(self) -> bool:
        """Whether nothing has passed for too long, or has neither passed nor waited to."""
        is_still = self._since_us(self._busy_us) >= PATIENCE_US
        return is_still or self._since_us(self._passed_us) >= STALLED_US

    def _since_us(self, at_us: int | None) -> int:
        return 0 if at_us is None else self._now_us - at_us
