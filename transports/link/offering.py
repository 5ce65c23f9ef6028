"""One ware that is offered or sent, and which of its bytes are where (docs/link.md section 5.6)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from transports.link.ranges import Ranges
from transports.link.wares import Ware


@dataclass(slots=True, eq=False)
class Offering:
    """A ware with a handle.

    Attributes:
        handle: As the caller knows it.
        wire_handle: As frames call it; None: it goes whole, in one frame and without an offer.
        ware: What it is.
        numbers: Of the packets that offered it first and last; None: it was not offered yet.
        answered: Number of the other side's packet that brought its answer; -1: none.
        wanted: Bytes that the other side wants and is not known to have.
        waiting: Those of them that are to be sent.
        flying: Bytes under way.
        came: How many bytes the other side got, each as often as it did.
        data: All its bytes, while some are wanted; None: not supplied.
        is_requested: Whether the caller was asked for them.
        is_gone: Whether it has lost its handle: nothing that happens to it counts any more.
    """

    handle: int
    wire_handle: int | None
    ware: Ware
    numbers: tuple[int, int] | None = None
    answered: int = -1
    wanted: Ranges = field(default_factory=Ranges)
    waiting: Ranges = field(default_factory=Ranges)
    flying: Ranges = field(default_factory=Ranges)
    came: int = 0
    data: bytes | None = None
    is_requested: bool = False
    is_gone: bool = False

    @property
    def rank(self) -> tuple[int, int, int]:
        """What is sent first: the most urgent, of these what is done soonest."""
        return self.ware.priority, self.wanted.total, self.handle

    @property
    def is_ready(self) -> bool:
        """Whether there is something to send at once."""
        return self.data is not None and bool(self.waiting)

    def want(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Send *ranges* and nothing else; what is under way already is not sent again."""
        self.wanted = Ranges(ranges)
        self.waiting = Ranges(ranges)
        for start, end in self.flying:
            self.waiting.remove(start, end)

    def take(self, room: int) -> tuple[int, bytes]:
        """Return offset and data of what to send next, at most *room* bytes."""
        start, end = self.waiting.first()
        end = min(end, start + room)
        self.waiting.remove(start, end)
        self.flying.add(start, end)
        return start, (self.data or b"")[start:end]

    def went(self) -> Ranges:
        """Return what was sent of it, if anything was; with what was there before."""
        if not (self.came or self.flying):
            return Ranges()
        went = Ranges([(0, self.ware.size)])
        for start, end in self.waiting:
            went.remove(start, end)
        return went

    def acked(self, start: int, end: int) -> None:
        """The other side has [start, end)."""
        self.came += end - start
        self.flying.remove(start, end)
        self.wanted.remove(start, end)
        self.waiting.remove(start, end)

    def lost(self, start: int, end: int) -> int:
        """[start, end) did not come: return how much of it is still wanted and goes again."""
        self.flying.remove(start, end)
        again = self.wanted.within(start, end)
        for low, high in again:
            self.waiting.add(low, high)
        return sum(high - low for low, high in again)
