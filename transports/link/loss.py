"""Which packets are under way, which came, which were lost (docs/link.md section 5.2). Pure.

Nothing is ever sent again under its old number, so an acknowledgement says which sending it means.

Source: RFC 9002 sections 2 and 6.1; that time alone decides where packets overtake each other,
RFC 8985 section 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from transports.link.round_trip import RoundTrip

_REMEMBERED = 512
# Of the low 16 bits of numbers half must be unmistakable.
_MOST = 1 << 14
# On quick lines so late a packet is waited for, once one came that late, however short the trip.
_LATE_US = 50_000


class Load(Protocol):
    """What a packet brings. `lost` may be followed by `acked`, if it was only late."""

    def acked(self) -> None:
        """Take note that it came."""
        ...

    def lost(self) -> None:
        """See that it goes again, if it is still of use."""
        ...


@dataclass(slots=True)
class Sent:
    """One packet under way.

    Attributes:
        number: Its number in full.
        at_us: When it was sent.
        size: With framing.
        load: What it brings; None for what need not go again.
    """

    number: int
    at_us: int
    size: int
    load: Load | None


class InFlight:
    """Packets that were sent and neither acknowledged nor given up."""

    def __init__(self, *, is_ordered: bool) -> None:
        """Begin with none; *is_ordered*: none overtakes another."""
        self._is_ordered = is_ordered
        self._packets: dict[int, Sent] = {}
        self._lost: dict[int, Sent] = {}
        self._patience_us = 0
        self.size = 0
        self.largest_acked = -1
        self.due_us: int | None = None

    def __bool__(self) -> bool:
        """Return whether anything is under way."""
        return bool(self._packets)

    @property
    def is_full(self) -> bool:
        """Whether no more may be under way, lest numbers be mistaken for others."""
        return len(self._packets) >= _MOST

    def add(self, sent: Sent) -> None:
        """Take note of a packet; numbers ascend."""
        self._packets[sent.number] = sent
        self.size += sent.size

    def take(self, now_us: int, ranges: Sequence[tuple[int, int]]) -> list[Sent]:
        """Return those that *ranges*, the highest first, acknowledge for the first time."""
        came: list[Sent] = []
        self.largest_acked = max(self.largest_acked, ranges[0][1] - 1)
        for start, end in ranges:
            for number in self._among(self._packets, start, end):
                sent = self._packets.pop(number)
                self.size -= sent.size
                came.append(sent)
            if self._lost:
                came += self._found_again(now_us, start, end)
        return came

    def _found_again(self, now_us: int, start: int, end: int) -> list[Sent]:
        found = [self._lost.pop(number) for number in list(self._among(self._lost, start, end))]
        for sent in found:
            self._patience_us = max(self._patience_us, now_us - sent.at_us)
        return found

    @staticmethod
    def _among(packets: dict[int, Sent], start: int, end: int) -> Iterator[int]:
        if not packets:
            return iter(())
        start = max(start, next(iter(packets)))
        if end - start > len(packets):
            return iter([number for number in packets if start <= number < end])
        return iter([number for number in range(start, end) if number in packets])

    def give_up(self, now_us: int, trip: RoundTrip) -> list[Sent]:
        """Return those that are lost by now, and set `due_us`, when to look again."""
        self.due_us = None
        lost: list[Sent] = []
        patience_us = 0 if self._is_ordered else self._longest_us(trip)
        for sent in self._packets.values():
            if sent.number >= self.largest_acked:
                break
            if sent.at_us + patience_us > now_us:
                self.due_us = sent.at_us + patience_us
                break
            lost.append(sent)
        for sent in lost:
            del self._packets[sent.number]
            self.size -= sent.size
            self._lost[sent.number] = sent
        while len(self._lost) > _REMEMBERED:
            del self._lost[next(iter(self._lost))]
        return lost

    def _longest_us(self, trip: RoundTrip) -> int:
        usual_us = max(trip.srtt_us, trip.latest_us)
        # Never so long that a stray packet of a bad day makes recovery slow for good.
        most_us = max(3 * usual_us, _LATE_US)
        seen_us = min(self._patience_us + self._patience_us // 8, most_us)
        return max(usual_us + usual_us // 8 + 1_000, seen_us)
