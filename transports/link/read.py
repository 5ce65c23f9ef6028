"""Frames from bytes (docs/link.md section 2): the check first, then what it says.

Source: packet numbers, RFC 9000 section 12.3 and appendix A.3; ranges of acknowledgements, section
19.3.1 there.
"""

import hmac

from transports.link import varint
from transports.link.check import CRC_BYTES, MAC_BYTES, crc, mac
from transports.link.errors import ForgedFrameError, MalformedFrameError
from transports.link.frame import (
    CONTROLS,
    MAX_ACK_RANGES,
    MAX_HANDLE,
    MAX_PRIORITY,
    SHORTS,
    Ack,
    Bye,
    Control,
    Data,
    Frame,
    HelloPart,
    Kind,
    Label,
    OneWay,
    Rest,
    Short,
    Whole,
)

_NUMBERS = 1 << 16
# What is before the check, of the smallest frame of each kind.
_SMALLEST_BODY = {
    Kind.DATA: 7,
    Kind.ACK: 5,
    Kind.OFFER: 4,
    Kind.LACK: 4,
    Kind.WITHDRAW: 4,
    Kind.PING: 3,
    Kind.TURN: 3,
    Kind.BYE: 4,
    Kind.REST: 5,
    Kind.WHOLE: 11,
    Kind.HELLO: 5,
    Kind.ONE_WAY: 9,
}


def kind_of(frame: bytes) -> Kind:
    """Return the kind that the first byte of *frame* says.

    Raises:
        MalformedFrameError: there is no such kind, or no byte.
    """
    if not frame:
        raise MalformedFrameError("an empty frame")
    if frame[0] >= Kind.DATA:
        return Kind.DATA
    try:
        return Kind(frame[0])
    except ValueError as error:
        raise MalformedFrameError(f"no frame begins with {frame[0]:#04x}") from error


def is_of_session(kind: Kind) -> bool:
    """Return whether frames of *kind* end in a MAC, so that they need a session."""
    return kind in MAC_BYTES


def read(frame: bytes, key: bytes, next_number: int, next_largest: int) -> Frame:
    """Return what *frame*, of an established session, says.

    Args:
        frame: Any bytes.
        key: `LinkKeys.receiving`.
        next_number: One more than the highest packet number that came so far.
        next_largest: One more than the highest own number that was acknowledged so far.

    Raises:
        MalformedFrameError: it is no frame, or one that belongs to no session (`read_open`).
        ForgedFrameError: its MAC does not fit.
    """
    kind = kind_of(frame)
    if kind not in MAC_BYTES:
        raise MalformedFrameError(f"a {kind.name} frame belongs to no session")
    number, body = split_number(frame, kind, next_largest if kind is Kind.ACK else next_number)
    if not fits(frame, key, number, body):
        raise ForgedFrameError(f"the MAC of a {kind.name} frame does not fit: damaged or forged")
    return parse(kind, number, body)


def read_open(frame: bytes) -> HelloPart | OneWay:
    """Return what a HELLO or ONEWAY frame says: anybody can have made it.

    Raises:
        MalformedFrameError: it is neither of them.
        ForgedFrameError: its CRC does not fit: it was damaged.
    """
    kind = kind_of(frame)
    if kind in MAC_BYTES:
        raise MalformedFrameError(f"a {kind.name} frame needs a session")
    body = frame[:-CRC_BYTES]
    if len(body) < _SMALLEST_BODY[kind]:
        raise MalformedFrameError(f"a {kind.name} frame of {len(frame)} bytes")
    if crc(body) != frame[-CRC_BYTES:]:
        raise ForgedFrameError(f"the CRC of a {kind.name} frame does not fit: it was damaged")
    if kind is Kind.ONE_WAY:
        return OneWay(_label(body[1:8]), body[8:])
    index, last = divmod(body[1], 16)
    if index > last:
        raise MalformedFrameError(f"part {index} of a hello whose last is {last}")
    return HelloPart(index, last, body[2:4], body[4:])


def fits(frame: bytes, key: bytes, number: int, body: bytes) -> bool:
    """Return whether *frame*, packet *number*, ends in the MAC of *body*, its beginning."""
    given = frame[len(body) :]
    return hmac.compare_digest(mac(key, number, body, len(given)), given)


def split_number(frame: bytes, kind: Kind, following: int) -> tuple[int, bytes]:
    """Return the packet number in full of a frame of a session, and what is before its MAC.

    Raises:
        MalformedFrameError: it is too short.
    """
    body = frame[: -MAC_BYTES[kind]]
    if len(body) < _SMALLEST_BODY[kind]:
        raise MalformedFrameError(f"a {kind.name} frame of {len(frame)} bytes")
    return full_number(int.from_bytes(body[1:3], "big"), following), body


def full_number(low: int, following: int) -> int:
    """Return the number with the low 16 bits *low* that is nearest to *following*.

    Source: RFC 9000 appendix A.3.
    """
    number = (following & -_NUMBERS) | low
    if number <= following - _NUMBERS // 2:
        return number + _NUMBERS
    if number > following + _NUMBERS // 2 and number >= _NUMBERS:
        return number - _NUMBERS
    return number


def parse(kind: Kind, number: int, body: bytes) -> Frame:
    """Return what the *body* of a frame of a session says, whose MAC this does not look at.

    Raises:
        MalformedFrameError: it does not follow the format.
    """
    if kind is Kind.DATA:
        return Data(number, body[0] & MAX_HANDLE, int.from_bytes(body[3:6], "big"), body[6:])
    if kind is Kind.ACK:
        return Ack(_ack_ranges(number, body[4:]), body[3])
    if kind in CONTROLS:
        return Control(kind, number, body[3:])
    if kind is Kind.WHOLE:
        return Whole(number, _label(body[3:10]), body[10:])
    return _parse_short(kind, number, body)


def _parse_short(kind: Kind, number: int, body: bytes) -> Short | Rest | Bye:
    if kind in SHORTS and len(body) == 3:
        return Short(kind, number)
    if kind is Kind.REST and len(body) == 5:
        return Rest(number, int.from_bytes(body[3:], "big"))
    if kind is Kind.BYE and len(body) == 4:
        return Bye(number, body[3])
    raise MalformedFrameError(f"a {kind.name} frame with {len(body)} bytes before its MAC")


def _ack_ranges(largest: int, data: bytes) -> tuple[tuple[int, int], ...]:
    numbers = varint.decode_all(data, 2 * MAX_ACK_RANGES - 1)
    if len(numbers) % 2 == 0 or 0 in numbers[1:]:
        raise MalformedFrameError("an acknowledgement with half a range, or an empty one")
    start = largest - numbers[0]
    ranges = [(start, largest + 1)]
    for gap, length in zip(numbers[1::2], numbers[2::2], strict=True):
        end = start - gap
        start = end - length
        ranges.append((start, end))
    if start < 0:
        raise MalformedFrameError("an acknowledgement of packets before the first")
    return tuple(ranges)


def _label(data: bytes) -> Label:
    if data[0] > MAX_PRIORITY:
        raise MalformedFrameError(f"priority {data[0]}, at most {MAX_PRIORITY} there is")
    return Label(data[0], int.from_bytes(data[1:3], "big"), data[3:7])
