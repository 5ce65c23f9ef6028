"""Which wares have their bytes in memory, and which goes next (docs/link.md section 5.6). Pure."""

from collections import deque
from dataclasses import dataclass, field

from transports.link.events import Event, Wanted
from transports.link.offering import Offering

MOST_SUPPLIED = 4
"""How many wares of any size may be in memory; small ones may be more."""
_SMALL_BYTES = 1 << 20


@dataclass(slots=True)
class Supply:
    """Offerings whose bytes are wanted. Those whose turn it is are asked for and kept."""

    events: deque[Event]
    _wanted: dict[int, Offering] = field(default_factory=dict)
    _requested: dict[int, Offering] = field(default_factory=dict)
    _bytes: int = 0
    _next: Offering | None = None

    def end(self) -> None:
        """Forget everything."""
        for offering in self._requested.values():
            offering.data = None
        self._wanted.clear()
        self._requested.clear()
        self._bytes = 0
        self._next = None

    @property
    def to_send(self) -> int:
        """How many bytes are wanted and not known to have come."""
        return sum(one.wanted.total for one in self._wanted.values()) + sum(
            one.wanted.total for one in self._requested.values()
        )

    def update(self, offering: Offering) -> None:
        """Take note that what is wanted of *offering* changed."""
        self._next = None
        is_wanted = bool(offering.wanted) and not offering.is_gone
        if not is_wanted:
            self._wanted.pop(offering.handle, None)
            self._release(offering)
        elif not offering.is_requested:
            self._wanted[offering.handle] = offering
        if self._wanted:
            self._request()

    def changed(self) -> None:
        """Take note that something is to be sent again."""
        self._next = None

    def supply(self, handle: int, data: bytes) -> None:
        """Keep the bytes that were asked for; those of another handle are not needed any more.

        Raises:
            ValueError: they are not as many as was offered.
        """
        offering = self._requested.get(handle)
        if offering is None:
            return
        if len(data) != offering.ware.size:
            raise ValueError(f"{len(data)} bytes for a ware of {offering.ware.size}")
        offering.data = data
        self._next = None

    def next(self) -> Offering | None:
        """Return what should be sent now; None: there is nothing."""
        if self._next is None or not self._next.waiting:
            ready = [one for one in self._requested.values() if one.is_ready]
            self._next = min(ready, key=lambda one: one.rank, default=None)
        return self._next

    def _request(self) -> None:
        for offering in sorted(self._wanted.values(), key=lambda one: one.rank):
            if not self._has_room(offering) and not self._evict(offering):
                return
            del self._wanted[offering.handle]
            self._requested[offering.handle] = offering
            self._bytes += offering.ware.size
            offering.is_requested = True
            self.events.append(Wanted(offering.handle, offering.ware))

    def _has_room(self, offering: Offering) -> bool:
        if len(self._requested) < MOST_SUPPLIED:
            return True
        return self._bytes + offering.ware.size <= _SMALL_BYTES

    def _evict(self, offering: Offering) -> bool:
        """Make room for *offering*, at the cost of what would come last; not of its equals."""
        last = max(self._requested.values(), key=lambda one: one.rank)
        if last.rank[:2] <= offering.rank[:2]:
            return False
        self._release(last)
        self._wanted[last.handle] = last
        return True

    def _release(self, offering: Offering) -> None:
        if self._requested.pop(offering.handle, None) is not None:
            self._bytes -= offering.ware.size
        offering.data = None
        offering.is_requested = False
