"""Frames to bytes (docs/link.md section 2); `transports.link.read` is the way back."""

from transports.link import varint
from transports.link.check import CRC_BYTES, LONG_MAC_BYTES, SHORT_MAC_BYTES, crc, mac
from transports.link.frame import HINT_BYTES, TAG_BYTES, Ack, HelloPart, Kind, Label

_NUMBERS = 1 << 16
_HEAD_BYTES = 1 + 2
_LABEL_BYTES = 1 + 2 + HINT_BYTES
DATA_OVERHEAD_BYTES = _HEAD_BYTES + 3 + SHORT_MAC_BYTES
"""What a DATA frame has around its data; framing comes to that."""
HELLO_OVERHEAD_BYTES = 1 + 1 + TAG_BYTES + CRC_BYTES
CONTROL_OVERHEAD_BYTES = _HEAD_BYTES + LONG_MAC_BYTES
WHOLE_OVERHEAD_BYTES = _HEAD_BYTES + _LABEL_BYTES + SHORT_MAC_BYTES
ONE_WAY_OVERHEAD_BYTES = 1 + _LABEL_BYTES + CRC_BYTES


def encode_data(key: bytes, number: int, handle: int, offset: int, data: bytes) -> bytes:
    """Return a DATA frame."""
    head = bytes((Kind.DATA | handle,)) + _low(number) + offset.to_bytes(3, "big")
    return _signed(key, number, head + data, SHORT_MAC_BYTES)


def encode_ack(key: bytes, ack: Ack) -> bytes:
    """Return an ACK frame; needs no number, since it may come twice."""
    parts = [bytes((Kind.ACK,)), _low(ack.largest), bytes((ack.delay_units,))]
    start, end = ack.ranges[0]
    parts.append(varint.encode(end - start - 1))
    for next_start, next_end in ack.ranges[1:]:
        parts.append(varint.encode(start - next_end))
        parts.append(varint.encode(next_end - next_start))
        start = next_start
    return _signed(key, ack.largest, b"".join(parts), SHORT_MAC_BYTES)


def encode_control(key: bytes, kind: Kind, number: int, body: bytes) -> bytes:
    """Return an OFFER, LACK or WITHDRAW frame around *body*, at least one byte."""
    return _signed(key, number, bytes((kind,)) + _low(number) + body, LONG_MAC_BYTES)


def encode_short(key: bytes, kind: Kind, number: int) -> bytes:
    """Return a PING or TURN frame."""
    return _signed(key, number, bytes((kind,)) + _low(number), SHORT_MAC_BYTES)


def encode_rest(key: bytes, number: int, heard: int) -> bytes:
    """Return a REST frame; *heard* is one more than the highest number that came."""
    return _signed(key, number, bytes((Kind.REST,)) + _low(number) + _low(heard), SHORT_MAC_BYTES)


def encode_bye(key: bytes, number: int, reason: int) -> bytes:
    """Return a BYE frame."""
    return _signed(
        key, number, bytes((Kind.BYE,)) + _low(number) + bytes((reason,)), LONG_MAC_BYTES
    )


def encode_whole(key: bytes, number: int, label: Label, sealed: bytes) -> bytes:
    """Return a WHOLE frame around *sealed*, at least one byte."""
    body = bytes((Kind.WHOLE,)) + _low(number) + _label_bytes(label) + sealed
    return _signed(key, number, body, SHORT_MAC_BYTES)


def encode_hello_part(part: HelloPart) -> bytes:
    """Return a HELLO frame."""
    return _with_crc(bytes((Kind.HELLO, part.index << 4 | part.last)) + part.tag + part.data)


def encode_one_way(label: Label, body: bytes) -> bytes:
    """Return a ONEWAY frame around a fragment or a whole bundle (docs/format.md section 7)."""
    return _with_crc(bytes((Kind.ONE_WAY,)) + _label_bytes(label) + body)


def _label_bytes(label: Label) -> bytes:
    return bytes((label.priority,)) + label.expiry_days.to_bytes(2, "big") + label.hint


def _low(number: int) -> bytes:
    return (number % _NUMBERS).to_bytes(2, "big")


def _signed(key: bytes, number: int, body: bytes, mac_bytes: int) -> bytes:
    return body + mac(key, number, body, mac_bytes)


def _with_crc(body: bytes) -> bytes:
    return body + crc(body)
