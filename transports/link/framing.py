"""Where a frame begins and ends in a stream of bytes (docs/link.md section 1).

Knows nothing of what a frame says: what comes out of a `Deframer` may be garbage, and the check at
its end tells.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from transports.link import cobs, kiss
from transports.link.frame import HELLO_FRAME_BYTES, MAX_FRAME_BYTES


class Deframer(Protocol):
    """Takes a stream apart. For one thread; what was fed before is remembered, up to a bound."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies that end in *data*; of garbage none, or some whose check fails."""
        ...


class Framing(Protocol):
    """One way to put frames into a stream. Has no state."""

    @property
    def opening(self) -> bytes:
        """What goes before the first frame, after opening or silence: it ends garbage."""
        ...

    def frame(self, body: bytes) -> bytes:
        """Return *body* as it goes into the stream."""
        ...

    def deframer(self) -> Deframer:
        """Return a deframer for a stream from its beginning."""
        ...


@dataclass(frozen=True, slots=True)
class Delimited:
    """A `Framing` of a byte pipe: pieces without the delimiter, and a delimiter between them.

    Attributes:
        delimiter: One byte, which is nowhere in a piece.
        starts_frames: Whether it stands before each frame too.
        longest_piece: Longer ones are dropped.
        encode: From a body to its piece.
        decode: From a piece to its body; None if it has none.
    """

    delimiter: bytes
    starts_frames: bool
    longest_piece: int
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes | None]

    @property
    def opening(self) -> bytes:
        """See `Framing.opening`."""
        return self.delimiter

    def frame(self, body: bytes) -> bytes:
        """See `Framing.frame`."""
        start = self.delimiter if self.starts_frames else b""
        return start + self.encode(body) + self.delimiter

    def deframer(self) -> "DelimitedDeframer":
        """See `Framing.deframer`."""
        return DelimitedDeframer(self)


class DelimitedDeframer:
    """The `Deframer` of `Delimited`: after garbage in step again at the next delimiter."""

    def __init__(self, framing: Delimited) -> None:
        """Begin with a stream of *framing*."""
        self._framing = framing
        self._begun = bytearray()
        self._is_too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        """See `Deframer.feed`. Keeps at most `Delimited.longest_piece` bytes between two calls."""
        first, *rest = data.split(self._framing.delimiter)
        self._extend(first)
        bodies: list[bytes] = []
        for piece in rest:
            self._end(bodies)
            self._extend(piece)
        return bodies

    def _extend(self, piece: bytes) -> None:
        if len(self._begun) + len(piece) > self._framing.longest_piece:
            self._is_too_long = True
            self._begun.clear()
        elif not self._is_too_long:
            self._begun += piece

    def _end(self, bodies: list[bytes]) -> None:
        if self._begun:
            body = self._framing.decode(bytes(self._begun))
            if body:
                bodies.append(body)
            self._begun.clear()
        self._is_too_long = False


@dataclass(frozen=True, slots=True)
class Datagrams:
    """The `Framing` of datagrams, each of which is a frame, and of none that is longer."""

    longest: int
    opening: bytes = b""

    def frame(self, body: bytes) -> bytes:
        """See `Framing.frame`."""
        return body

    def deframer(self) -> "Datagrams":
        """See `Framing.deframer`."""
        return self

    def feed(self, data: bytes) -> list[bytes]:
        """See `Deframer.feed`; *data* is one datagram."""
        return [data] if 0 < len(data) <= self.longest else []


def _cobs(longest: int) -> Delimited:
    return Delimited(cobs.DELIMITER, False, _cobs_bytes(longest), cobs.encode, cobs.decode)


def _cobs_xonxoff(longest: int) -> Delimited:
    return Delimited(
        cobs.DELIMITER, False, 2 * _cobs_bytes(longest), cobs.encode_escaped, cobs.decode_escaped
    )


def _kiss(longest: int) -> Delimited:
    return Delimited(kiss.DELIMITER, True, 1 + 2 * longest, kiss.encode, kiss.decode)


def _cobs_bytes(longest: int) -> int:
    return longest + 1 + longest // 254


PIPES: Final[Mapping[str, Callable[[int], Delimited]]] = {
    "cobs": _cobs,
    "cobs-xonxoff": _cobs_xonxoff,
    "kiss": _kiss,
}
"""The framings of byte pipes by name."""
DATAGRAM: Final = "datagram"


def framing_named(name: str, longest: int = MAX_FRAME_BYTES) -> Framing:
    """Return the framing called *name*, whose frames have at most *longest* bytes.

    Args:
        name: One of `PIPES`, or `DATAGRAM`.
        longest: Of frames that come in, but not less than a hello may have; what is longer is
            dropped.
    """
    longest = max(longest, HELLO_FRAME_BYTES)
    return Datagrams(longest) if name == DATAGRAM else PIPES[name](longest)
