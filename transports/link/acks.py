"""Which packets came, and when to say so (docs/link.md section 5.1). Pure.

Source: RFC 9000 section 13.2.
"""

from collections import deque

from transports.link.frame import MAX_ACK_RANGES, Ack, delay_units
from transports.link.ranges import Ranges

_PACKETS = 4
# On lines of a known rate sooner, if these are long: so less is under way, for nothing if the
# other side dies.
_LONG_PACKETS, _LONG_BYTES = 2, 512
# How many acknowledgements say of each packet that it came, at least: all of them must be lost
# before something is sent twice.
_TIMES = 4
# Where datagrams get lost, this share of what came may be spent on saying older things again.
_SHARE = 32
_KEPT = 8 * MAX_ACK_RANGES


class Received:
    """Numbers of the packets that came, and how long the newest waits to be acknowledged."""

    def __init__(self, *, is_ordered: bool, is_prompt: bool = False) -> None:
        """Begin with none.

        Args:
            is_ordered: A gap is a loss, and worth saying at once.
            is_prompt: Long packets are worth an acknowledgement sooner than others.
        """
        self._is_ordered, self._is_prompt = is_ordered, is_prompt
        self._numbers = Ranges()
        self._withheld = Ranges()
        self._said: deque[int] = deque([0] * _TIMES, maxlen=_TIMES)
        self._bytes = 0
        self._waiting = 0
        self._newest_us = 0
        self._forgotten = 0
        self.following = 0
        self.due_us: int | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether something came that was not acknowledged yet and should be."""
        return self._waiting > 0

    def is_due(self, now_us: int) -> bool:
        """Return whether to acknowledge now."""
        return self.due_us is not None and now_us >= self.due_us

    def is_new(self, number: int) -> bool:
        """Return whether *number* has not come, as far as that is remembered."""
        if number >= self.following:
            return True
        return number >= self._forgotten and not self._numbers.has(number)

    def take(self, now_us: int, number: int, size: int, wait_us: int) -> None:
        """Take note of a new packet that is to be acknowledged in *wait_us* at the latest.

        Args:
            now_us: When it came.
            number: Its number.
            size: Its size.
            wait_us: Less than 0: at the next occasion, which is none of its own.
        """
        is_gap = number > self.following
        if number >= self.following:
            self.following = number + 1
            self._newest_us = now_us
        self._numbers.add(number, number + 1)
        if len(self._numbers) > _KEPT:
            self._numbers.keep_highest(_KEPT)
            self._forgotten = self._numbers.first()[0]
        self._bytes += size
        if wait_us >= 0:
            self._waiting += 1
        if is_gap and self._is_ordered:
            # A gap says something new even below a packet that needs no acknowledgement.
            self._waiting = max(self._waiting, _PACKETS)
        if self._waiting >= _PACKETS or self._is_much:
            wait_us = 0
        if self._waiting:
            due_us = now_us + max(wait_us, 0)
            self.due_us = due_us if self.due_us is None else min(self.due_us, due_us)

    def forget(self, number: int) -> None:
        """Say nothing of packet *number*, as if it had not come; that it did is remembered."""
        self._withheld.add(number, number + 1)
        self._withheld.keep_highest(_KEPT)
        if not self._sayable:
            self._waiting, self.due_us = 0, None

    @property
    def _sayable(self) -> Ranges:
        if not self._withheld:
            return self._numbers
        sayable = Ranges(self._numbers)
        for start, end in self._withheld:
            sayable.remove(start, end)
        return sayable

    @property
    def _is_much(self) -> bool:
        is_long = self._waiting >= _LONG_PACKETS and self._bytes >= _LONG_BYTES
        return self._is_prompt and is_long

    def ack(self, now_us: int, most: int) -> Ack:
        """Return what to say, in at most *most* ranges."""
        needed = self._said[0]
        spare = 0 if self._is_ordered else self._bytes // _SHARE // 2
        ranges: list[tuple[int, int]] = []
        for start, end in self._sayable.highest(min(most, MAX_ACK_RANGES)):
            if end <= needed and len(ranges) > spare:
                break
            ranges.append((start, end))
        self._said.append(self.following)
        self._bytes = self._waiting = 0
        self.due_us = None
        return Ack(tuple(ranges), delay_units(now_us - self._newest_us))
