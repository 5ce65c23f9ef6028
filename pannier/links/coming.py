"""One thing of which bytes come by a link, and where they are kept until it is whole.

Bytes of a bundle become fragments in the inbox, as if a stick had brought them, so that what comes
by all ways adds up; what is not there yet is in the journal of `spool.partial`.
"""

from dataclasses import dataclass, field

from pannier.links.answering import NO_ROOM, Refuse, Want, keep_symbols
from pannier.links.pieces import Pieces
from pannier.node import Node
from spool.errors import SpoolError
from spool.partial import Piece
from transports.link.ranges import Ranges
from transports.link.wares import Ware

# What a kill may lose, and what a power cut may: writing costs little, being sure of it more.
_WRITE_BYTES, _WRITE_US = 64 << 10, 5_000
_SETTLE_US = 1_000_000
# Symbols in the inbox are one file each time.
_KEEP_BYTES, _KEEP_MOST_BYTES = 64 << 10, 1 << 20
_KEEP_US = 5_000_000
# Bytes that are no whole symbols can only be many if the peer sends them so on purpose.
_MOST_LOOSE_BYTES = 4 << 20
_JOURNAL_BYTES = _KEEP_MOST_BYTES + _MOST_LOOSE_BYTES
_CRUMBS = Refuse("it comes in too many pieces")


@dataclass(slots=True, kw_only=True)
class Coming:
    """Something that was offered, and of which bytes are to come.

    Attributes:
        handle: As the link calls it.
        ware: What it is.
        want: What was found to be wanted.
        pieces: What came. Of a file only which bytes.
        left: What was asked for and is to come.
        spoiled: How often it came whole, and was not what it should be.
        is_looked_at: All that was asked for has come, and it is being looked at.
    """

    handle: int
    ware: Ware
    want: Want
    pieces: Pieces
    left: Ranges
    spoiled: int = 0
    is_looked_at: bool = False
    _unwritten: list[Piece] = field(default_factory=list)
    _unwritten_bytes: int = 0
    _since_us: int = 0
    _unsettled_us: int | None = None
    _kept_us: int = 0

    @classmethod
    def begin(cls, node: Node, handle: int, ware: Ware, want: Want) -> "Coming":
        """Claim room for it, and go on with what is here of it in part.

        Raises:
            SpoolError: there is no room, or the disk refused.
        """
        partials, is_file = node.spool.partials, want.shape is None
        pieces, left = Pieces(ware.size), Ranges(want.ranges)
        try:
            if want.is_spoiled:
                partials.drop(want.part)
            partials.begin(want.part, ware.size if is_file else min(ware.size, _JOURNAL_BYTES))
            here = partials.read(want.part)
        except SpoolError:
            partials.release(want.part)
            raise
        for piece in here:
            pieces.add(*piece)
        for known in pieces.had:
            left.remove(*known)
        if is_file:
            pieces.forget()
        return cls(handle=handle, ware=ware, want=want, pieces=pieces, left=left)

    @property
    def due_us(self) -> int | None:
        """When `step` has something to do; None if nothing waits."""
        dues = [self._since_us + _WRITE_US] if self._unwritten else []
        dues += [] if self._unsettled_us is None else [self._unsettled_us + _SETTLE_US]
        return min(dues, default=None)

    def arrived(self, node: Node, now_us: int, piece: Piece) -> Refuse | None:
        """Take some bytes.

        Returns:
            Why no more of it is wanted, if that is so.

        Raises:
            SpoolError: the disk refused.
        """
        fresh = self.pieces.add(*piece)
        if not self._unwritten:
            self._since_us = now_us
        if self._kept_us == 0:
            self._kept_us = now_us
        self._unwritten += fresh
        self._unwritten_bytes += sum(len(one.data) for one in fresh)
        self.left.remove(piece.offset, piece.offset + len(piece.data))
        return self.write(node, now_us) if self._unwritten_bytes >= _WRITE_BYTES else None

    def step(self, node: Node, now_us: int) -> Refuse | None:
        """Write what has waited long enough; answers and raises as `arrived`."""
        refused = None
        if self._unwritten and now_us >= self._since_us + _WRITE_US:
            refused = self.write(node, now_us)
        if self._unsettled_us is not None and now_us >= self._unsettled_us + _SETTLE_US:
            self._settle(node)
        return refused

    def write(self, node: Node, now_us: int) -> Refuse | None:
        """Put what came where a killed process finds it; answers and raises as `arrived`."""
        waiting = self.pieces.waiting_bytes
        is_due = waiting >= _KEEP_BYTES and now_us >= self._kept_us + _KEEP_US
        if self.want.shape is not None and (waiting >= _KEEP_MOST_BYTES or is_due):
            return self.keep(node, now_us)
        if self.want.shape is None:
            self.pieces.forget()
        if self._unwritten:
            node.spool.partials.append(self.want.part, self._unwritten)
            self._written()
            self._unsettled_us = now_us if self._unsettled_us is None else self._unsettled_us
        return None

    def keep(self, node: Node, now_us: int) -> Refuse | None:
        """Put whole symbols into the inbox, durably, and only the rest into the journal.

        Answers and raises as `arrived`.
        """
        want, pieces = self.want, self.pieces
        if want.shape is None or want.sender is None:
            return self.write(node, now_us)
        if not keep_symbols(node, want.part, want.shape, want.sender, pieces):
            return NO_ROOM
        if pieces.waiting_bytes > _MOST_LOOSE_BYTES:
            return _CRUMBS
        node.spool.partials.replace(want.part, pieces.rest())
        self._written()
        self._unsettled_us, self._kept_us = None, now_us
        return None

    def put_by(self, node: Node, now_us: int) -> None:
        """Keep what came, since no more comes for now.

        Raises:
            SpoolError: the disk refused.
        """
        try:
            self.keep(node, now_us)
            if self._unsettled_us is not None:
                self._settle(node)
        finally:
            node.spool.partials.release(self.want.part)

    def _written(self) -> None:
        self._unwritten.clear()
        self._unwritten_bytes = 0

    def _settle(self, node: Node) -> None:
        node.spool.partials.settle(self.want.part)
        self._unsettled_us = None
