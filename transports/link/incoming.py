"""What the other side offers, and what is asked of it (docs/link.md section 5.6). Pure.

What has to be said is a state, not a series of messages: an answer that got lost is not sent again
as it was, but as it would be now.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from transports.link import frame_cbor
from transports.link.events import Arrived, Event, Offered, Withdrawn
from transports.link.frame import Data
from transports.link.offers import MAX_LACK_RANGES, WHOLE_HANDLE, Lack, Offer
from transports.link.ranges import Ranges
from transports.link.wares import Ware, offered

# Wholes that are refused, and of which that is still to be said; the other side has no more under
# way.
MOST_DECLINED = 128
# All that is missing is in so many ranges at most: a peer that sends every other byte has us
# remember no more.
MOST_RANGES = 1 << 16
# With fewer told ranges than this left, and more that are untold, the answer is said again.
_FEW = MAX_LACK_RANGES // 2
_LOW = 0x10000
# The encoded bytes of one range at most, and of what is around them.
_RANGE_BYTES, _AROUND_BYTES = 10, 12
_PATIENCE_US, _LONGEST_PATIENCE_US = 10_000_000, 600_000_000


@dataclass(slots=True)
class Inbound:
    """One thing that the other side offers.

    Attributes:
        handle: As the caller knows it.
        wire_handle: As frames call it.
        number: Of the packet that offered it first; what has a lower one is about something else.
        newest: Of the packet that offered it last, which is the one to answer.
        ware: What it is.
        missing: What was asked for and did not come; None: refused, or not answered yet.
        told_to: Where the ranges end that the other side was told of.
        is_answered: Whether the caller said anything about it.
        version: Counts the answers that were sent.
    """

    handle: int
    wire_handle: int
    number: int
    newest: int
    ware: Ware
    missing: Ranges | None = None
    told_to: int = 0
    is_answered: bool = False
    version: int = 0

    def ranges(self, most: int) -> tuple[tuple[int, int], ...] | None:
        """Return what to ask for, in at most *most* ranges."""
        return None if self.missing is None else tuple(self.missing)[:most]


@dataclass(slots=True)
class LackLoad:
    """The `Load` of a LACK frame: which answers it brings, as of which version; what it refuses."""

    incoming: "Incoming"
    answers: tuple[tuple[Inbound, int], ...]
    declined: tuple[int, ...]

    def acked(self) -> None:
        """See `Load.acked`."""

    def lost(self) -> None:
        """See `Load.lost`."""
        for inbound, version in self.answers:
            if inbound.version == version:
                self.incoming.tell(inbound)
        for number in self.declined:
            self.incoming.decline(number)


@dataclass(slots=True)
class Incoming:
    """At most one inbound ware for each handle on the wire."""

    events: deque[Event]
    _next_handle: int = 0
    _by_wire: dict[int, Inbound] = field(default_factory=dict)
    _by_handle: dict[int, Inbound] = field(default_factory=dict)
    _untold: dict[int, Inbound] = field(default_factory=dict)
    _taken_back: dict[int, int] = field(default_factory=dict)
    _declined: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_DECLINED))
    _patience_us: int = _PATIENCE_US
    _heard_us: int = 0

    def end(self) -> None:
        """The session is over: forget all of it, but not which handles were used."""
        self._by_wire.clear()
        self._by_handle.clear()
        self._untold.clear()
        self._taken_back.clear()
        self._declined.clear()
        self._patience_us = _PATIENCE_US

    @property
    def to_come(self) -> int:
        """How many bytes were asked for and did not come yet."""
        return sum(one.missing.total for one in self._by_wire.values() if one.missing is not None)

    def take_offers(self, number: int, offers: Sequence[Offer]) -> None:
        """Take note of what packet *number* offers."""
        for offer in offers:
            if number < self._taken_back.get(offer.handle, 0):
                continue  # overtaken: it would be asked for for ever
            known = self._by_wire.get(offer.handle)
            ware = offered(offer)
            if known is None or (number > known.number and known.ware != ware):
                if known is not None:
                    self._forget(known)
                self._next_handle += 1
                inbound = Inbound(self._next_handle, offer.handle, number, number, ware)
                self._by_wire[offer.handle] = self._by_handle[inbound.handle] = inbound
                self.events.append(Offered(inbound.handle, ware))
            elif number > known.newest and known.ware == ware:
                # The other side may have taken it back meanwhile, and wait for another answer.
                known.newest = number
                self.tell(known)

    def withdraw(self, number: int, wire_handles: Iterable[int]) -> None:
        """Take note of what packet *number* takes back."""
        for wire_handle in wire_handles:
            self._taken_back[wire_handle] = max(number, self._taken_back.get(wire_handle, 0))
            known = self._by_wire.get(wire_handle)
            if known is not None and number > known.number:
                self._forget(known)

    def _forget(self, inbound: Inbound) -> None:
        del self._by_wire[inbound.wire_handle], self._by_handle[inbound.handle]
        self._untold.pop(inbound.handle, None)
        inbound.version += 1
        self.events.append(Withdrawn(inbound.handle))

    def is_known(self, wire_handle: int) -> bool:
        """Return whether anything was offered under *wire_handle*."""
        return wire_handle in self._by_wire

    def take_data(self, now_us: int, frame: Data) -> int:
        """Take bytes of something that was offered.

        Returns:
            How many of them were asked for.
        """
        inbound = self._by_wire.get(frame.handle)
        if inbound is None or frame.number < inbound.number or not inbound.missing:
            return 0
        end = frame.offset + len(frame.data)
        if end > inbound.ware.size or self._is_crumb(inbound.missing, frame.offset, end):
            return 0
        before = inbound.missing.total
        inbound.missing.remove(frame.offset, end)
        came = before - inbound.missing.total
        if not came:
            return 0
        self._heard_us, self._patience_us = now_us, _PATIENCE_US
        self.events.append(Arrived(inbound.handle, frame.offset, frame.data))
        if inbound.missing and self._is_running_out(inbound):
            self.tell(inbound)
        return came

    def _is_crumb(self, missing: Ranges, start: int, end: int) -> bool:
        """Return whether [start, end) would make one range more where there are too many."""
        if missing.within(start - 1, end + 1) != [(start - 1, end + 1)]:
            return False
        return sum(len(one.missing or ()) for one in self._by_wire.values()) >= MOST_RANGES

    @staticmethod
    def _is_running_out(inbound: Inbound) -> bool:
        missing = inbound.missing
        if missing is None or missing.last()[1] <= inbound.told_to:
            return False
        return len(missing.within(0, inbound.told_to)) < _FEW

    def ask(self, handle: int, ranges: Sequence[tuple[int, int]] | None) -> None:
        """Answer an offer; one that was taken back meanwhile needs none.

        Raises:
            ValueError: a range is empty or goes beyond the size.
        """
        inbound = self._by_handle.get(handle)
        if inbound is None:
            return
        for start, end in ranges or ():
            if not 0 <= start < end <= inbound.ware.size:
                raise ValueError(f"no range [{start}, {end}) in {inbound.ware.size} bytes")
        inbound.missing = None if ranges is None else Ranges(ranges)
        inbound.is_answered = True
        self._patience_us = _PATIENCE_US
        self.tell(inbound)

    def tell(self, inbound: Inbound) -> None:
        """Say the answer (again), if it is still one that counts."""
        if inbound.is_answered and self._by_handle.get(inbound.handle) is inbound:
            self._untold[inbound.handle] = inbound

    @property
    def has_answers(self) -> bool:
        """Whether there is something to say."""
        return bool(self._untold or self._declined)

    @property
    def has_declined(self) -> bool:
        """Whether something whole was refused, which is to be said before more is acknowledged."""
        return bool(self._declined)

    def decline(self, number: int) -> None:
        """Say (again) that what packet *number* brought whole is not wanted."""
        self._declined.append(number)

    def answers(self, now_us: int, room: int) -> tuple[bytes, LackLoad]:
        """Return the body of a LACK frame, of *room* bytes at most, and what it brings."""
        items: list[bytes] = []
        told: list[tuple[Inbound, int]] = []
        declined: list[int] = []
        size = 1
        while self._declined and size + _AROUND_BYTES < room:
            declined.append(self._declined.popleft())
            items.append(Lack(WHOLE_HANDLE, declined[-1] % _LOW, None).to_bytes())
            size += len(items[-1])
        for inbound in list(self._untold.values()):
            count = min(MAX_LACK_RANGES, max((room - size - _AROUND_BYTES) // _RANGE_BYTES, 1))
            ranges = inbound.ranges(count)
            item = Lack(inbound.wire_handle, inbound.newest % _LOW, ranges).to_bytes()
            if items and size + len(item) > room:
                break
            del self._untold[inbound.handle]
            inbound.told_to = ranges[-1][1] if ranges else 0
            inbound.version += 1
            items.append(item)
            told.append((inbound, inbound.version))
            size += len(item)
        self._heard_us = now_us
        return frame_cbor.array(items), LackLoad(self, tuple(told), tuple(declined))

    @property
    def due_us(self) -> int | None:
        """When to ask again for what does not come; None if nothing is to come."""
        if not any(one.missing for one in self._by_wire.values()):
            return None
        return self._heard_us + self._patience_us

    def check(self, now_us: int) -> None:
        """Ask again for what does not come, ever more rarely."""
        if now_us < self._heard_us + self._patience_us:
            return
        if self.due_us is not None:
            self._patience_us = min(2 * self._patience_us, _LONGEST_PATIENCE_US)
            self._heard_us = now_us
            for inbound in self._by_wire.values():
                if inbound.missing:
                    self.tell(inbound)
