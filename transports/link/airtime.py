"""How much may be sent when: bytes a second, and the share of the time that a radio may send. Pure.

A limit is asked before anything is sent and told after. Numbers are integers throughout: what is
allowed over a year is not a byte more or less than what the settings say.

Specification: docs/link.md section 9.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

NEVER_US = 1 << 62
"""Later than any time: what is answered for more than a limit ever allows at once."""

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
# Spent airtime is kept by slots, so many a window: memory is bounded, and at most one of them is
# waited longer than need be.
_SLOTS = 720


class Limit(Protocol):
    """What says when something may be sent. Times never go back from one call to the next."""

    def ready_us(self, now_us: int, size: int) -> int:
        """Return when *size* bytes may be sent, *now_us* at the earliest. Changes nothing."""
        ...

    def spend(self, now_us: int, size: int) -> None:
        """Take note that *size* bytes, one frame with all around it, are sent now."""
        ...


class RateLimit:
    """A token bucket: so many bytes a second, in bursts of at most so many.

    Whatever is sent when it may be, any stretch of t seconds has at most ``rate * t + burst``
    bytes of it. A frame larger than a burst waits for a full bucket, and for what it has overdrawn
    the next one waits.
    """

    def __init__(self, bytes_per_second: int, burst_bytes: int | None = None) -> None:
        """Begin with a full bucket.

        Args:
            bytes_per_second: At least 1.
            burst_bytes: At least 1; None for what passes in half a second, so that a minute has
                less than one percent more than its due.
        """
        self._rate = bytes_per_second
        self._burst = max(bytes_per_second // 2, 1) if burst_bytes is None else burst_bytes
        # When the bucket is full again, in millionths of a byte: a second has `rate` million.
        self._full_at = 0

    def ready_us(self, now_us: int, size: int) -> int:
        """Return when *size* bytes may be sent, *now_us* at the earliest."""
        spare = max(self._burst - size, 0) * SECOND_US
        return max(now_us, -(-(self._full_at - spare) // self._rate))

    def spend(self, now_us: int, size: int) -> None:
        """Take *size* bytes out of the bucket."""
        self._full_at = max(self._full_at, now_us * self._rate) + size * SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """What a radio may do, and how long a frame takes it.

    Attributes:
        share: Of any window, 0 < share <= 1: exactly, so that 2.8 % are 7/250.
        bytes_per_second: On the air, coding and all; at least 1.
        frame_us: What every frame takes besides its bytes: preamble, header, switching.
        window_us: The length of time that *share* is a share of.
    """

    share: Fraction
    bytes_per_second: int
    frame_us: int = 0
    window_us: int = HOUR_US

    @property
    def budget_us(self) -> int:
        """How long it may send in any window."""
        return int(self.share * self.window_us)

    def airtime_us(self, size: int) -> int:
        """Return how long a frame of *size* bytes is on the air, rounded up."""
        return self.frame_us + -(-size * SECOND_US // self.bytes_per_second)


class Spent(NamedTuple):
    """Airtime that was spent, seen from a later moment.

    Attributes:
        since_us: How long ago the first of it ended.
        age_us: How long ago the last of it ended; less than 0 while it is on the air.
        airtime_us: How much it was.
    """

    since_us: int
    age_us: int
    airtime_us: int


@dataclass(slots=True)
class _Slot:
    """Airtime that counts until the last of it has left the window."""

    first_us: int
    end_us: int
    airtime_us: int


class DutyCycle:
    """A share of any window, wherever that begins.

    A frame counts as long as any of it is in the window. Frames that end close to each other count
    as one that ends with the last of them: never for less.
    """

    def __init__(self, air: Air, spent: Iterable[Spent] = (), now_us: int = 0) -> None:
        """Go on from what `snapshot` said was *spent*, aged to *now_us*, oldest first."""
        self.air = air
        self._slot_us = air.window_us // _SLOTS
        self._slots = deque(
            _Slot(now_us - one.since_us, now_us - one.age_us, one.airtime_us) for one in spent
        )
        self._sum_us = sum(one.airtime_us for one in self._slots)

    def ready_us(self, now_us: int, size: int) -> int:
        """Return when a frame of *size* bytes may be sent; `NEVER_US` if that is never."""
        return self.ready_for_us(now_us, self.air.airtime_us(size))

    def ready_for_us(self, now_us: int, airtime_us: int) -> int:
        """Return when *airtime_us* may be spent; `NEVER_US` if that is more than a window has."""
        if airtime_us > self.air.budget_us:
            return NEVER_US
        over_us = self._sum_us + airtime_us - self.air.budget_us
        at_us = now_us
        for slot in self._slots:
            if over_us <= 0:
                break
            at_us = max(at_us, slot.end_us + self.air.window_us)
            over_us -= slot.airtime_us
        return at_us

    def spend(self, now_us: int, size: int) -> None:
        """Count a frame of *size* bytes that begins now."""
        self.spend_airtime(now_us, self.air.airtime_us(size))

    def spend_airtime(self, now_us: int, airtime_us: int) -> None:
        """Count *airtime_us* that begins now."""
        while self._slots and self._slots[0].end_us <= now_us - self.air.window_us:
            self._sum_us -= self._slots.popleft().airtime_us
        end_us = now_us + airtime_us
        last = self._slots[-1] if self._slots else None
        if last is not None and end_us - last.first_us <= self._slot_us:
            last.end_us = max(last.end_us, end_us)
            last.airtime_us += airtime_us
        else:
            self._slots.append(_Slot(end_us, end_us, airtime_us))
        self._sum_us += airtime_us

    def spent_us(self, now_us: int) -> int:
        """Return how much of the window that ends now was spent, as it is counted."""
        return sum(one.airtime_us for one in self.snapshot(now_us))

    def snapshot(self, now_us: int) -> tuple[Spent, ...]:
        """Return what counts still, oldest first, at most some 1440 items."""
        start_us = now_us - self.air.window_us
        return tuple(
            Spent(now_us - one.first_us, now_us - one.end_us, one.airtime_us)
            for one in self._slots
            if one.end_us > start_us
        )
