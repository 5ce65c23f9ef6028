"""When to ask for a sign of life (docs/link.md section 5.3). Pure.

Source: RFC 9002 section 6.2.
"""

from transports.link.settings import LinkSettings

# Every fourth wait is twice as long, up to this: a few bytes each, while something is under way.
_LONGEST_US = 2_000_000
# No answer is due sooner: that is the shortest delay of an acknowledgement.
_SHORTEST_US = 5_000


class Probing:
    """How long nothing was said or heard."""

    def __init__(self, settings: LinkSettings, now_us: int) -> None:
        """Begin with a probe: the other side is to know that this one has the session."""
        self._keepalive_us = settings.keepalive_us
        self._idle_us = settings.idle_us
        self._asked_us = now_us
        self._heard_us = now_us
        self._count = 0
        self.is_needed = True

    def asked(self, now_us: int) -> None:
        """Something that is acknowledged was sent."""
        self._asked_us = now_us
        self.is_needed = False

    def is_early(self, now_us: int) -> bool:
        """Return whether too little time passed since something was sent for anything to be due."""
        return now_us - self._asked_us < _SHORTEST_US

    def heard(self, now_us: int) -> None:
        """Something came that only the other side can have sent."""
        self._heard_us = now_us

    def answered(self) -> None:
        """Something was acknowledged."""
        self._count = 0

    def due_us(self, timeout_us: int | None) -> int:
        """Return when to ask; *timeout_us* is how long an answer takes, None if none is due."""
        if self.is_needed:
            return 0
        if timeout_us is None:
            return max(self._heard_us, self._asked_us) + self._keepalive_us
        wait_us = min(timeout_us << min(self._count // 4, 16), max(_LONGEST_US, 4 * timeout_us))
        return self._asked_us + wait_us

    def check(self, now_us: int, timeout_us: int | None) -> None:
        """See whether to ask now."""
        if not self.is_needed and now_us >= self.due_us(timeout_us):
            self._count += timeout_us is not None
            self.is_needed = True

    @property
    def over_us(self) -> int:
        """When the other side counts as gone."""
        return self._heard_us + self._idle_us
