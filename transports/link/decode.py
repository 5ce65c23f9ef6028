"""A captured stream, frame by frame, for people and programs (docs/link.md sections 1, 2 and 4).

Shows what anybody can see who listens on the wire, and with the key of the direction whether MACs
fit. Believes nothing and stops at nothing: what is no frame is shown as garbage.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final

from transports.link.errors import ForgedFrameError, LinkError, MalformedFrameError
from transports.link.frame import (
    Control,
    Frame,
    Kind,
    Label,
)
from transports.link.framing import Delimited
from transports.link.offers import Offer, read_lacks, read_offers, read_withdrawn
from transports.link.read import fits, is_of_session, kind_of, parse, read_open, split_number

GARBAGE: Final = "garbage"
FITS, FAILS, UNCHECKED = "fits", "fails", "unchecked"
_SHOWN_BYTES = 16
_CONTENTS = ("data", "sealed", "body")
# Where the numbers in full are not known, ranges are read as if many packets had been before.
_MANY, _LOW = 1 << 32, 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What is between two delimiters of a stream.

    Attributes:
        offset: Where it begins in the stream.
        stream_bytes: How long it is there, without the delimiter.
        frame_bytes: How long the frame in it is; 0: there is none.
        kind: Name of the kind of frame, or `GARBAGE`.
        check: `FITS` or `FAILS`: its CRC, or its MAC where the key is known; `UNCHECKED`: a MAC
            whose key is not.
        says: Fields of the frame; of garbage why it is that, and how it begins.
    """

    offset: int
    stream_bytes: int
    frame_bytes: int
    kind: str
    check: str
    says: Mapping[str, object]

    def to_line(self) -> str:
        """Return it as a line for people."""
        said = "  ".join(f"{name} {_text(value)}" for name, value in self.says.items())
        sizes = f"{self.stream_bytes:5}"
        return f"{self.offset:9} {sizes} {self.kind:8} {self.check:9} {said}".rstrip()


def decode(
    stream: Iterable[bytes], framing: Delimited, key: bytes | None = None
) -> Iterator[Decoded]:
    """Yield what is in *stream*, in order; empty pieces are left out.

    Args:
        stream: One direction, in chunks of any size; no more is kept than the longest frame.
        framing: What it was sent with.
        key: Of the direction, 32 bytes. Without it numbers are shown by their low 16 bits.
    """
    decoder = _Decoder(framing, key)
    for offset, piece, end in _pieces(stream, framing):
        yield decoder.decoded(offset, piece, end)


_ENDED, _TOO_LONG, _CUT = "", "longer than a frame", "no delimiter after it"


def _pieces(stream: Iterable[bytes], framing: Delimited) -> Iterator[tuple[int, bytes, str]]:
    """Yield pieces with where they begin, and how they end."""
    offset, begun = 0, b""
    for chunk in stream:
        *ended, begun = (begun + chunk).split(framing.delimiter)
        for piece in ended:
            if piece:
                yield offset, piece, _ENDED
            offset += len(piece) + len(framing.delimiter)
        if len(begun) > framing.longest_piece:
            yield offset, begun, _TOO_LONG
            offset, begun = offset + len(begun), b""
    if begun:
        yield offset, begun, _CUT


class _Decoder:
    """Reads frames of one direction, and remembers the numbers that came."""

    def __init__(self, framing: Delimited, key: bytes | None) -> None:
        self._framing = framing
        self._key = key
        self._next_number = 0
        self._next_largest = 0

    def decoded(self, offset: int, piece: bytes, end: str) -> Decoded:
        body = None if end else self._framing.decode(piece)
        try:
            if not body:
                raise MalformedFrameError(end or "not in this framing")
            kind, check, says = kind_of(body), *self._read(body)
        except LinkError as error:
            body = body or b""
            start = (body or piece)[:_SHOWN_BYTES].hex()
            name, check, says = GARBAGE, FAILS, {"why": str(error), "begins": start}
        else:
            name = kind.name
        return Decoded(
            offset=offset,
            stream_bytes=len(piece),
            frame_bytes=len(body),
            kind=name,
            check=check,
            says=says,
        )

    def _read(self, body: bytes) -> tuple[str, dict[str, object]]:
        """Return whether the check of *body* fits, and what it says.

        Raises:
            LinkError: it is no frame, or it is one whose CRC does not fit.
        """
        kind = kind_of(body)
        if not is_of_session(kind):
            return FITS, _said(read_open(body))
        is_ack = kind is Kind.ACK
        following = self._next_largest if is_ack else self._next_number
        number, start = split_number(body, kind, following if self._key else _MANY)
        if self._key is None:
            return UNCHECKED, _low(_said(parse(kind, number, start)))
        if not fits(body, self._key, number, start):
            raise ForgedFrameError("its MAC does not fit")
        if is_ack:
            self._next_largest = max(self._next_largest, number + 1)
        else:
            self._next_number = max(self._next_number, number + 1)
        return FITS, _said(parse(kind, number, start))


def _said(frame: Frame) -> dict[str, object]:
    if isinstance(frame, Control):
        return {"number": frame.number, **_named(frame.kind, frame.body)}
    says: dict[str, object] = {}
    for field in fields(frame):
        value = getattr(frame, field.name)
        if isinstance(value, Label):
            says |= _label(value)
        elif field.name in _CONTENTS:
            says[f"{field.name}_bytes"] = len(value)
        elif field.name != "kind":
            says[field.name] = value
    return says


def _low(says: dict[str, object]) -> dict[str, object]:
    """Return *says* with numbers of packets by their low 16 bits."""
    if isinstance(number := says.get("number"), int):
        says["number"] = number % _LOW
    if isinstance(ranges := says.get("ranges"), tuple):
        says["ranges"] = tuple((start % _LOW, start % _LOW + end - start) for start, end in ranges)
    return says


def _named(kind: Kind, body: bytes) -> dict[str, object]:
    """Return what the CBOR of a frame names."""
    if kind is Kind.OFFER:
        return {"offers": [_offer(offer) for offer in read_offers(body)]}
    if kind is Kind.LACK:
        return {
            "lacks": [
                {
                    "handle": lack.handle,
                    "offer": lack.offer_low,
                    "ranges": lack.ranges,
                }
                for lack in read_lacks(body)
            ]
        }
    return {"handles": list(read_withdrawn(body))}


def _offer(offer: Offer) -> dict[str, object]:
    found = {field.name: getattr(offer, field.name) for field in fields(offer)}
    return {"handle": found.pop("handle"), **_label(found.pop("label")), **found}


def _label(label: Label) -> dict[str, object]:
    return {
        "priority": label.priority,
        "expiry_days": label.expiry_days,
        "hint": label.hint,
    }


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bytes():
            return value.hex()
        case Mapping():
            return "(" + " ".join(f"{name} {_text(one)}" for name, one in value.items()) + ")"
        case (int(start), int(end)) if isinstance(value, tuple):
            return f"{start}-{end}"
        case list() | tuple():
            return " ".join(map(_text, value)) or "all here"
        case _:
            return str(value)
