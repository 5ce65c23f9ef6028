"""What passed a simulated serial line, by the trace that ``tests.sim.linesim --trace`` writes."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.sim.linesim import Trace

_DELIMITER, _DATA_BIT = b"\0", 0x80
# First byte, number, offset and MAC (docs/link.md section 2); COBS and delimiter.
DATA_AROUND_BYTES = 10 + 2


@dataclass(slots=True)
class Way:
    """One direction of a line.

    Attributes:
        stream: All bytes that entered it.
        entered: When, and how many there were then.
        left: The same of those that came out of it.
    """

    stream: bytearray = field(default_factory=bytearray)
    entered: list[tuple[int, float]] = field(default_factory=list)
    left: list[tuple[int, float]] = field(default_factory=list)

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield begin and end of each piece between delimiters, and the piece."""
        begin = 0
        for piece in bytes(self.stream).split(_DELIMITER):
            if piece:
                yield begin, begin + len(piece) + 1, piece
            begin += len(piece) + 1

    def data_frames(self) -> list[tuple[int, int]]:
        """Return begin and end of all DATA frames, or parts of such."""
        return [(begin, end) for begin, end, piece in self.frames() if _is_data(piece)]

    def payload_bytes(self) -> int:
        """Return how many bytes of bundles entered, once for each time they did."""
        return sum(max(end - begin - DATA_AROUND_BYTES, 0) for begin, end in self.data_frames())

    def left_at(self, position: int) -> float:
        """Return when the byte at *position* had come out, in seconds."""
        return self.left[bisect_left(self.left, (position + 1, 0.0))][1]

    def entered_at(self, position: int) -> float:
        """Return when the byte at *position* had entered, in seconds."""
        return self.entered[bisect_left(self.entered, (position + 1, 0.0))][1]


def _is_data(piece: bytes) -> bool:
    return piece[0] > 1 and len(piece) > DATA_AROUND_BYTES and bool(piece[1] & _DATA_BIT)


def read_trace(path: Path) -> tuple[Way, Way, list[float]]:
    """Return both directions, and when the line came up."""
    raw = path.read_bytes()
    ways, ups = (Way(), Way()), []
    place, came = 0, [0, 0]
    while place + Trace.RECORD.size <= len(raw):
        seconds, index, kind, size = Trace.RECORD.unpack_from(raw, place)
        place += Trace.RECORD.size
        way = ways[index]
        if kind == Trace.UP:
            ups.append(seconds)
        elif kind == Trace.OUT:
            came[index] += size
            way.left.append((came[index], seconds))
        else:
            way.stream += raw[place : place + size]
            place += size
            way.entered.append((len(way.stream), seconds))
    return *ways, ups
