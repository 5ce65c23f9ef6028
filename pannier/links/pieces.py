"""Bytes of one thing as a link brings them: in any order, some twice. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from bundler.fragment import fragment_body, fragment_head, mac_check
from bundler.geometry import Geometry, Run
from bundler.items import byte_string
from spool.partial import Piece
from transports.link.ranges import Ranges


class Pieces:
    """What came of a sealed bundle and is in no fragment yet.

    Attributes:
        had: Which bytes came, those that `take` gave out among them.
        waiting_bytes: How many wait here.
    """

    def __init__(self, size_bytes: int) -> None:
        """Wait for the bytes of something that has *size_bytes*."""
        self.had = Ranges()
        self.waiting_bytes = 0
        self._size_bytes = size_bytes
        self._runs: dict[int, bytearray] = {}  # by where they begin
        self._ends: dict[int, int] = {}  # where each begins, by where it ends

    def add(self, offset: int, data: bytes) -> list[Piece]:
        """Take some bytes in; return those that are new."""
        end = min(offset + len(data), self._size_bytes)
        fresh = Ranges([(offset, end)])
        for known in self.had.within(offset, end):
            fresh.remove(*known)
        pieces = [Piece(start, data[start - offset : stop - offset]) for start, stop in fresh]
        for piece in pieces:
            self._join(piece)
        self.had.add(offset, end)
        return pieces

    def take(self, geometry: Geometry) -> Iterator[Piece]:
        """Give out all whole symbols, as runs that lie in one block each."""
        for start in sorted(self._runs):
            run = self._runs[start]
            first, last = _whole_symbols(geometry, start, start + len(run))
            if first < last:
                self._cut_out(start, first, last)
                for low, high in _by_block(geometry, first, last):
                    yield Piece(low, bytes(run[low - start : high - start]))

    def forget(self) -> None:
        """Forget the bytes, and not which came: they are kept elsewhere."""
        self._runs.clear()
        self._ends.clear()
        self.waiting_bytes = 0

    def rest(self) -> list[Piece]:
        """Return what waits, ascending."""
        return [Piece(start, bytes(run)) for start, run in sorted(self._runs.items())]

    def _join(self, piece: Piece) -> None:
        """Keep a piece, as one with what ends where it begins and begins where it ends."""
        start, end = piece.offset, piece.offset + len(piece.data)
        self.waiting_bytes += len(piece.data)
        before = self._ends.pop(start, None)
        if before is None:
            run, begin = bytearray(piece.data), start
        else:
            run, begin = self._runs[before], before
            run += piece.data
        after = self._runs.pop(end, None)
        if after is not None:
            run += after
            end += len(after)
        self._runs[begin], self._ends[end] = run, begin

    def _cut_out(self, start: int, first: int, last: int) -> None:
        run = self._runs.pop(start)
        del self._ends[start + len(run)]
        self.waiting_bytes -= len(run)
        for low, high in ((start, first), (last, start + len(run))):
            if low < high:
                self._join(Piece(low, bytes(run[low - start : high - start])))


class Shape(NamedTuple):
    """What fragments of a bundle say of it.

    Attributes:
        number: Its id, 8 bytes.
        geometry: Of its symbols.
        key: Of the checks of fragments.
    """

    number: bytes
    geometry: Geometry
    key: bytes


def fragment_of(shape: Shape, piece: Piece) -> bytes:
    """Return whole symbols of one block as a fragment.

    Raises:
        BundleError: they are none.
    """
    geometry = shape.geometry
    block = _block_at(geometry, piece.offset)
    first = (piece.offset - geometry.block_offset(block)) // geometry.symbol_bytes
    payload_id = Run(block, first, 1, is_source=True).payload_id
    geometry.run(payload_id, len(piece.data))
    head = fragment_head(shape.number, geometry.transfer_bytes, geometry.symbol_bytes)
    body = fragment_body(head, payload_id, piece.data)
    return body + byte_string(mac_check(shape.key)(body))


def _whole_symbols(geometry: Geometry, start: int, end: int) -> tuple[int, int]:
    """Return the whole symbols within [start, end), in bytes; the last one may be short."""
    size = geometry.symbol_bytes
    first = -(-start // size) * size
    last = end if end == geometry.transfer_bytes else end // size * size
    return first, last


def _by_block(geometry: Geometry, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        block = _block_at(geometry, start)
        is_last = block + 1 == geometry.blocks
        stop = end if is_last else min(end, geometry.block_offset(block + 1))
        yield start, stop
        start = stop


def _block_at(geometry: Geometry, offset: int) -> int:
    """Return the block that the byte at *offset* lies in."""
    low, high = 0, geometry.blocks
    while high - low > 1:
        middle = (low + high) // 2
        if geometry.block_offset(middle) <= offset:
            low = middle
        else:
            high = middle
    return low
