"""What there is to send, from the list to the last byte (docs/link.md section 5.6). Pure."""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from transports.link import frame_cbor
from transports.link.again import Again
from transports.link.encode import WHOLE_OVERHEAD_BYTES
from transports.link.events import Delivered, Event, Noted, Refused
from transports.link.frame import MAX_HANDLE
from transports.link.offering import Offering
from transports.link.offers import WHOLE_HANDLE, Lack
from transports.link.supply import Supply
from transports.link.wares import SEALED, Ware

_LOW = 0x10000
_WHOLES = 128
# The longest bundle that goes without an offer: it is sent for nothing if it is there already.
_WHOLE_BYTES = 1024
# So many packets that brought something whole are remembered, the latest.
_MOST_WENT = 1024
# So often something goes to one who says each time that it came, and asks for it again.
_TIMES = 8
_AGAIN = "the other side asks for the same again and again; it gets it no more in this session"


def _urgency(ware: Ware) -> int:
    return ware.priority


@dataclass(slots=True)
class DataLoad:
    """The `Load` of a DATA frame: which bytes of what."""

    outgoing: "Outgoing"
    offering: Offering
    start: int
    end: int

    def acked(self) -> None:
        """See `Load.acked`."""
        self.offering.acked(self.start, self.end)
        if not self.offering.wanted:
            self.outgoing.supply.update(self.offering)

    def lost(self) -> None:
        """See `Load.lost`."""
        self.outgoing.resent += self.offering.lost(self.start, self.end)
        self.outgoing.supply.changed()


@dataclass(slots=True)
class WholeLoad(DataLoad):
    """The `Load` of a WHOLE frame: all bytes of something, and that is the delivery."""

    def acked(self) -> None:
        """See `Load.acked`."""
        DataLoad.acked(self)
        self.outgoing.settle(self.offering, Delivered(self.offering.ware.key))


@dataclass(slots=True)
class OfferLoad:
    """The `Load` of an OFFER frame."""

    outgoing: "Outgoing"
    number: int
    offerings: tuple[Offering, ...]

    def acked(self) -> None:
        """See `Load.acked`."""

    def lost(self) -> None:
        """See `Load.lost`."""
        for offering in self.offerings:
            if offering.numbers is not None and offering.numbers[1] == self.number:
                self.outgoing.tell(offering)


@dataclass(slots=True)
class WithdrawLoad:
    """The `Load` of a WITHDRAW frame."""

    outgoing: "Outgoing"
    wire_handles: tuple[int, ...]

    def acked(self) -> None:
        """See `Load.acked`."""

    def lost(self) -> None:
        """See `Load.lost`."""
        for wire_handle in self.wire_handles:
            self.outgoing.take_back(wire_handle)


@dataclass(slots=True)
class Handles:
    """Handles that are free, the one longest unused first, and what has the others.

    Attributes:
        free: Handles on the wire.
        by_wire: What has one, by it.
        by_key: All that was begun, by the caller's name for it.
        by_packet: What went whole, by the low 16 bits of the packet's number.
        last: The last handle as the caller knows it.
    """

    free: deque[int] = field(default_factory=lambda: deque(range(MAX_HANDLE + 1)))
    by_wire: dict[int, Offering] = field(default_factory=dict)
    by_key: dict[Hashable, Offering] = field(default_factory=dict)
    by_packet: dict[int, Offering] = field(default_factory=dict)
    last: int = 0

    @property
    def whole_count(self) -> int:
        """How many go whole, without a handle on the wire."""
        return len(self.by_key) - len(self.by_wire)

    def give(self, ware: Ware, *, is_whole: bool) -> Offering:
        """Return an offering for *ware*; there must be a free handle, unless it goes whole."""
        self.last += 1
        offering = Offering(self.last, None if is_whole else self.free.popleft(), ware)
        self.by_key[ware.key] = offering
        if offering.wire_handle is not None:
            self.by_wire[offering.wire_handle] = offering
        return offering

    def take(self, offering: Offering) -> None:
        """Take the handle from *offering*."""
        offering.is_gone = True
        del self.by_key[offering.ware.key]
        if offering.wire_handle is not None:
            del self.by_wire[offering.wire_handle]
            self.free.append(offering.wire_handle)

    def clear(self) -> None:
        """Take all handles."""
        for offering in list(self.by_key.values()):
            self.take(offering)
        self.by_packet.clear()


class Outgoing:
    """The caller's wares: some settled, some with a handle, the others waiting for one.

    Attributes:
        events: Where what happens is told.
        supply: What is wanted of them.
        resent: How many bytes were lost and went again, or will.
    """

    def __init__(self, events: deque[Event]) -> None:
        """Begin with no wares and no session; what happens is added to *events*."""
        self.events = events
        self.supply = Supply(events)
        self.resent = 0
        self._again = Again()
        self._handles = Handles()
        self._small: deque[Ware] = deque()
        self._large: deque[Ware] = deque()
        self._settled: set[Hashable] = set()
        self._refused: set[Hashable] = set()
        self._untold: dict[int, Offering] = {}
        self._withdrawn: dict[int, None] = {}
        self._whole_bytes: int | None = None

    def begin(self, frame_bytes: int) -> None:
        """A session began, with frames of at most *frame_bytes*."""
        self._whole_bytes = frame_bytes - WHOLE_OVERHEAD_BYTES
        self._sort([*self._small, *self._large])
        self._fill()

    def end(self) -> None:
        """The session is over: nothing is offered or wanted any more."""
        again = [one.ware for one in self._handles.by_key.values()]
        self._again.end(self._handles.by_key.values())
        self._handles.clear()
        self.supply.end()
        self._untold.clear()
        self._withdrawn.clear()
        self._refused.clear()
        self._whole_bytes = None
        self._sort([*again, *self._small, *self._large])

    def replace(self, wares: Sequence[Ware]) -> None:
        """Offer *wares*, and nothing else; what is offered already stays as it is."""
        by_key = {ware.key: ware for ware in wares}
        self._settled &= by_key.keys()
        self._refused &= by_key.keys()
        for key, offering in list(self._handles.by_key.items()):
            if by_key.get(key) != offering.ware:
                self._drop(offering)
        known = self._handles.by_key.keys() | self._settled | self._refused
        self._sort(ware for key, ware in by_key.items() if key not in known)
        self._fill()

    @property
    def waiting(self) -> int:
        """How many wares are neither delivered nor refused."""
        return len(self._handles.by_key) + len(self._small) + len(self._large)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes these have."""
        offered = (one.ware for one in self._handles.by_key.values())
        return sum(ware.size for ware in (*offered, *self._small, *self._large))

    def _drop(self, offering: Offering) -> None:
        self._handles.take(offering)
        self._untold.pop(offering.handle, None)
        self.supply.update(offering)
        if offering.numbers is not None and offering.wire_handle is not None:
            self._withdrawn[offering.wire_handle] = None

    def _sort(self, wares: Iterable[Ware]) -> None:
        """Let *wares* wait, the most urgent first."""
        whole_bytes = min(self._whole_bytes or 0, _WHOLE_BYTES)
        queue = sorted(wares, key=_urgency)
        self._small = deque(one for one in queue if one.kind == SEALED and one.size <= whole_bytes)
        self._large = deque(one for one in queue if one.kind != SEALED or one.size > whole_bytes)

    def _fill(self) -> None:
        """Give handles to what waits, as far as there are any."""
        if self._whole_bytes is None:
            return
        while self._small and self._handles.whole_count < _WHOLES:
            offering = self._handles.give(self._small.popleft(), is_whole=True)
            whole = [(0, offering.ware.size)]
            self.resent += self._again.take(offering.ware.key, whole)
            offering.want(whole)
            self.supply.update(offering)
        while self._large and (self._handles.free or self._displace(self._large[0].priority)):
            offering = self._handles.give(self._large.popleft(), is_whole=False)
            self._untold[offering.handle] = offering

    def _displace(self, priority: int) -> bool:
        """Take the handle of something that is less urgent than *priority*, if there is any."""
        last = max(self._handles.by_wire.values(), key=lambda one: one.ware.priority)
        if last.ware.priority <= priority:
            return False
        self._drop(last)
        self._sort([*self._small, *self._large, last.ware])
        return True

    def settle(self, offering: Offering, event: Delivered | Refused) -> None:
        """Take note that *offering* is done with, one way or the other."""
        if offering.is_gone:
            return
        self._handles.take(offering)
        self._untold.pop(offering.handle, None)
        self.supply.update(offering)
        settled = self._settled if isinstance(event, Delivered) else self._refused
        settled.add(offering.ware.key)
        self._again.forget(offering.ware.key)
        self.events.append(event)
        self._fill()

    def take_lack(self, number: int, lack: Lack) -> bool:
        """Take the answer that the other side's packet *number* brings.

        Returns:
            Whether it can be one to something that was ever offered.
        """
        if lack.handle == WHOLE_HANDLE:
            return self._take_declined(lack.offer_low)
        offering = self._handles.by_wire.get(lack.handle)
        if offering is None or offering.numbers is None:
            return lack.handle in self._handles.free and self._handles.last > 0
        first, last = offering.numbers
        # Of an older ware with this handle, or overtaken by a newer answer.
        is_older = (lack.offer_low - first) % _LOW > last - first
        if is_older or number < offering.answered:
            return True
        offering.answered = number
        if lack.ranges is None:
            self.settle(offering, Refused(offering.ware.key))
        elif not lack.ranges:
            self.settle(offering, Delivered(offering.ware.key))
        else:
            return self._want(offering, lack.ranges)
        return True

    def went_whole(self, number: int, offering: Offering) -> None:
        """Take note that packet *number* brings all of *offering*."""
        went = self._handles.by_packet
        went[number % _LOW] = offering
        if len(went) > _MOST_WENT:
            del went[next(iter(went))]

    def _take_declined(self, low: int) -> bool:
        """Offer no more what the packet with the number *low* brought; False if that is unknown."""
        offering = self._handles.by_packet.get(low)
        if offering is not None:
            self.settle(offering, Refused(offering.ware.key))
        return offering is not None

    def _want(self, offering: Offering, ranges: Sequence[tuple[int, int]]) -> bool:
        """Send *ranges*; return False if there are none such."""
        if ranges[-1][1] > offering.ware.size:
            return False
        if offering.came >= _TIMES * offering.ware.size:
            self.events.append(Noted(_AGAIN))
            self.settle(offering, Refused(offering.ware.key))
            self.take_back(offering.wire_handle or 0)
            return True
        self.resent += self._again.take(offering.ware.key, ranges)
        offering.want(ranges)
        self.supply.update(offering)
        return True

    def tell(self, offering: Offering) -> None:
        """Offer it (again), if that still makes sense."""
        if not offering.is_gone:
            self._untold[offering.handle] = offering

    def take_back(self, wire_handle: int) -> None:
        """Say (again) that nothing is offered under *wire_handle*, if that is so."""
        offering = self._handles.by_wire.get(wire_handle)
        if offering is None or offering.numbers is None:
            self._withdrawn[wire_handle] = None

    @property
    def has_offers(self) -> bool:
        """Whether there is something to offer."""
        return bool(self._untold)

    @property
    def has_withdrawals(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._withdrawn)

    def offers(self, number: int, room: int) -> tuple[bytes, OfferLoad]:
        """Return the body of the OFFER frame *number*, of *room* bytes if possible."""
        items: list[bytes] = []
        told: list[Offering] = []
        size = 2
        for offering in sorted(self._untold.values(), key=lambda one: one.rank):
            item = offering.ware.offer(offering.wire_handle or 0).to_bytes()
            if items and size + len(item) > room:
                break
            del self._untold[offering.handle]
            # Given again before anybody was told that what had it is gone.
            self._withdrawn.pop(offering.wire_handle or 0, None)
            first = number if offering.numbers is None else offering.numbers[0]
            offering.numbers = (first, number)
            items.append(item)
            told.append(offering)
            size += len(item)
        return frame_cbor.array(items), OfferLoad(self, number, tuple(told))

    def withdrawals(self) -> tuple[bytes, WithdrawLoad]:
        """Return the body of a WITHDRAW frame."""
        handles = tuple(self._withdrawn)[:16]
        for handle in handles:
            del self._withdrawn[handle]
        return frame_cbor.encode(handles), WithdrawLoad(self, handles)
