"""How long an answer takes (docs/link.md section 5.3). Pure.

Source: RFC 6298 section 2; RFC 9002 section 5 (the other side's delay is taken off).
"""

_GRANULARITY_US = 1_000
# The shortest round trip of the last one to two of these is the one without queues.
_MEMORY_US = 60_000_000


class RoundTrip:
    """The smoothed round trip, how much it varies, and the shortest of late."""

    def __init__(self, initial_us: int) -> None:
        """Begin with *initial_us* as the guess, until there is a sample."""
        self.srtt_us = initial_us
        self.rttvar_us = initial_us // 2
        self.latest_us = initial_us
        self.is_measured = False
        self._shortest = (1 << 62, 1 << 62)
        self._since_us = 0

    @property
    def shortest_us(self) -> int:
        """The shortest sample of the last minute or two."""
        return min(*self._shortest, self.srtt_us)

    def sample(self, now_us: int, sample_us: int, delay_us: int) -> int:
        """Take a round trip that ended now, and how long the other side says that it waited.

        Returns:
            The round trip without that delay.
        """
        without = sample_us - delay_us
        if without < min(self._shortest) and self.is_measured:
            # More delay than there can have been: said in units of 4 ms, or not honestly.
            without = max(without, min(sample_us, *self._shortest))
        without = max(without, 0)
        if not self.is_measured:
            self.srtt_us, self.rttvar_us = without, without // 2
            self.is_measured = True
            self._since_us = now_us
        else:
            self.rttvar_us += (abs(self.srtt_us - without) - self.rttvar_us) // 4
            self.srtt_us += (without - self.srtt_us) // 8
        self.latest_us = without
        self._remember(now_us, without)
        return without

    def _remember(self, now_us: int, sample_us: int) -> None:
        newest, older = self._shortest
        if now_us - self._since_us > _MEMORY_US:
            newest, older = sample_us, newest
            self._since_us = now_us
        self._shortest = (min(newest, sample_us), older)

    def timeout_us(self, delay_us: int) -> int:
        """Return after what time without an answer to ask, *delay_us* being its longest delay."""
        return self.srtt_us + max(4 * self.rttvar_us, _GRANULARITY_US) + delay_us
