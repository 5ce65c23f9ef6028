"""Who may send where a side that sends hears nothing (docs/link.md section 6). Pure.

There is no state to disagree about: a side may begin when it was told to, or when it has heard
nothing for long enough, which is longer for one of the two.
"""

_BURST_US = 1_000_000
_SLACK_US = 100_000
_SECOND_US = 1_000_000
_LONGEST_US = 60 * _SECOND_US


class Turns:
    """One side's view of the line."""

    def __init__(self, rate: int, frame_bytes: int, *, is_first: bool, now_us: int) -> None:
        """Begin listening.

        Args:
            rate: Bytes a second of the line.
            frame_bytes: Longest frame: some carriers hand over nothing before its end.
            is_first: Whether this side waits less than the other one.
            now_us: The time.
        """
        self._burst_bytes = max(rate * _BURST_US // _SECOND_US, frame_bytes)
        self._burst_us = self._burst_bytes * _SECOND_US // rate
        self._frame_us = frame_bytes * _SECOND_US // rate
        self._factor = 1 if is_first else 2
        self._answer_us = 2 * _SLACK_US
        self._passed_us: int | None = None
        self._unanswered = 0
        self._burst = 0
        self._since_us = self._heard_us = now_us
        self.quiet_us = now_us + (0 if is_first else self.patience_us)

    @property
    def patience_us(self) -> int:
        """After what silence this side may begin by itself."""
        once_us = self._factor * (self._frame_us + 2 * self._answer_us + _SLACK_US)
        return min(once_us << min(self._unanswered, 16), max(_LONGEST_US, once_us))

    @property
    def is_talking(self) -> bool:
        """Whether this side has begun and has not passed its turn."""
        return self._burst > 0

    @property
    def is_long(self) -> bool:
        """Whether this side has sent enough for one turn."""
        return self._burst >= self._burst_bytes

    def may_talk(self, now_us: int) -> bool:
        """Return whether this side may send now."""
        return self._burst > 0 or now_us >= self.quiet_us

    def heard(self, now_us: int) -> None:
        """Anything came from the line, be it garbage: it may be the other side, for a while."""
        if self._passed_us is not None:
            waited_us = max(now_us - self._passed_us, 0)
            self._answer_us += (min(waited_us, _SECOND_US) - self._answer_us) // 4
            self._passed_us = None
        if now_us - self._heard_us >= self.patience_us:
            self._since_us = now_us  # after silence
        self._heard_us = now_us
        longest_us = 2 * (self._burst_us + self.patience_us)
        if not self._burst and now_us - self._since_us < longest_us:
            self.quiet_us = now_us + self.patience_us

    def understood(self, now_us: int) -> None:
        """What came was new and of the other side, and no noise."""
        self._since_us = now_us

    def given(self, now_us: int) -> None:
        """The other side has passed its turn."""
        self._unanswered = 0
        self.quiet_us = now_us

    def talked(self, size: int) -> None:
        """This side sent *size* bytes."""
        self._burst += size

    def passed(self, free_us: int) -> None:
        """This side has passed its turn; the line will have sent all that at *free_us*."""
        self._burst = 0
        self._passed_us = self._since_us = free_us
        self.quiet_us = free_us + self.patience_us
        self._unanswered += 1
