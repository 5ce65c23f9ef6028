"""What passed a simulated serial line, by the trace that ``tests.sim.linesim --trace`` writes."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.sim.linesim import Trace
from transports.link.errors import LinkError
from transports.link.offers import Offer, read_offers
from transports.link.ranges import Ranges

_DELIMITER, _FULL_RUN = b"\0", 0xFF
# docs/link.md section 2. Around data: first byte, number, offset and MAC.
_HELLO, _OFFER, _DATA_BIT, _AROUND_BYTES = b"\x10", b"\x12", 0x80, 10
_NOTHING = 0, 0, b""
_CONTROL_HEAD_BYTES, _LONG_MAC_BYTES = 3, 8


@dataclass(slots=True)
class Way:
    """One direction of a line.

    Attributes:
        stream: All bytes that entered it.
        left: How many had come out of it, and when.
    """

    stream: bytearray = field(default_factory=bytearray)
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

    def sent(self) -> tuple[int, int]:
        """Return how many bytes of bundles entered, and how many of them again."""
        offered: dict[int, bytes] = {}
        known: dict[bytes, Ranges] = {}
        total = 0
        for _, _, piece in self.frames():
            if _is_data(piece):
                frame = _unstuffed(piece)
                start = int.from_bytes(frame[3:6], "big")
                size = max(len(frame) - _AROUND_BYTES, 0)
                total += size
                key = offered.get(frame[0] & 0x7F, b"")
                known.setdefault(key, Ranges()).add(start, start + size)
            elif piece[1:2] == _OFFER:
                offered |= {one.handle: one.bundle_id for one in _offers(piece)}
        return total, total - sum(one.total for one in known.values())

    def whole_data(self) -> tuple[int, int]:
        """Return the same as `sent` of whole frames alone: how many bytes came, and again.

        A frame that was broken off may look whole: one byte in a hundred ends a run of COBS. But
        after a break the line begins with a delimiter and a hello, and no end of a frame is there
        before them.
        """
        frames = list(self.frames())
        whole = Way(bytearray())
        for (_, end, piece), (begin, _, following) in pairwise((*frames, _NOTHING)):
            if end <= len(self.stream) and not (begin == end and following[1:2] == _HELLO):
                whole.stream += piece + _DELIMITER
        return whole.sent()

    def left_at(self, position: int) -> float:
        """Return when the byte at *position* had come out, in seconds."""
        return self.left[bisect_left(self.left, (position + 1, 0.0))][1]


def _unstuffed(piece: bytes) -> bytes:
    """Return the frame that COBS made *piece* of; or as much of it as there is."""
    frame = b""
    while piece:
        frame += piece[1 : piece[0]] + b"\0" * (piece[0] != _FULL_RUN and len(piece) > piece[0])
        piece = piece[piece[0] :]
    return frame


def _offers(piece: bytes) -> tuple[Offer, ...]:
    """Return what an OFFER frame offers; nothing if it was broken off."""
    try:
        return read_offers(_unstuffed(piece)[_CONTROL_HEAD_BYTES:-_LONG_MAC_BYTES])
    except LinkError:
        return ()


def _is_data(piece: bytes) -> bool:
    return piece[0] > 1 and len(piece) > _AROUND_BYTES and bool(piece[1] & _DATA_BIT)


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
    return *ways, ups
