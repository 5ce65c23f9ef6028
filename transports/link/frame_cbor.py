"""The CBOR in frames: unsigned numbers, byte strings, null and arrays of them (docs/link.md 2.3).

A subset of what docs/format.md section 1 allows, read without a library: a frame is short, its
shapes are few. A value has one encoding, and no other is accepted.

Source: RFC 8949 sections 3 and 4.2.1.
"""

from collections.abc import Sequence

from transports.link.errors import MalformedFrameError

_UINT, _BYTES, _ARRAY = 0, 2, 4
_NULL = 0xF6
_MAX_DEPTH = 4
_UINT64_MAX = 2**64 - 1


def encode(value: object) -> bytes:
    """Return the one encoding of *value*: an int of 0..2^64-1, bytes, None, or a list or tuple.

    Raises:
        TypeError: it is something else.
    """
    if value is None:
        return bytes((_NULL,))
    if isinstance(value, int):
        return _head(_UINT, value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, (list, tuple)):
        return array([encode(item) for item in value])
    raise TypeError(f"frames have no value of type {type(value).__name__}")


def array(items: Sequence[bytes]) -> bytes:
    """Return the array of *items*, which are encoded already."""
    return _head(_ARRAY, len(items)) + b"".join(items)


def decode(data: bytes) -> object:
    """Return the value of which *data* is the one encoding.

    Memory and time are a small multiple of *data*.

    Raises:
        MalformedFrameError: it is not such an encoding, or arrays are nested deeper than 4 levels.
    """
    value, end = _take(data, 0, _MAX_DEPTH)
    if end != len(data):
        raise MalformedFrameError(f"{len(data) - end} bytes after the end of the CBOR of a frame")
    return value


def _take(data: bytes, at: int, depth: int) -> tuple[object, int]:
    if data[at : at + 1] == bytes((_NULL,)):
        return None, at + 1
    major, argument, at = _take_head(data, at)
    if major == _UINT:
        return argument, at
    if argument > len(data) - at:  # an item has one byte at least
        raise MalformedFrameError("the CBOR of a frame is cut off")
    if major == _BYTES:
        return data[at : at + argument], at + argument
    if major != _ARRAY or not depth:
        raise MalformedFrameError(f"CBOR of major type {major}, or nested too deep, in a frame")
    items: list[object] = []
    for _ in range(argument):
        item, at = _take(data, at, depth - 1)
        items.append(item)
    return items, at


def _take_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return major type and argument of the item at *at*, and where its head ends."""
    if at >= len(data):
        raise MalformedFrameError("the CBOR of a frame is cut off")
    major, detail = divmod(data[at], 32)
    if detail < 24:
        return major, detail, at + 1
    end = at + 1 + (1 << (detail - 24))
    argument = int.from_bytes(data[at + 1 : end], "big")
    if detail > 27 or end > len(data) or data[at:end] != _head(major, argument):
        raise MalformedFrameError("CBOR in a frame that is cut off or not in its shortest form")
    return major, argument, end


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    size = next(size for size in range(4) if argument < 1 << (8 << size))
    return bytes((major << 5 | 24 + size,)) + argument.to_bytes(1 << size, "big")


def as_array(value: object, *lengths: int) -> Sequence[object]:
    """Return *value* as an array, of one of *lengths* items if any are given.

    Raises:
        MalformedFrameError: it is something else.
    """
    if not isinstance(value, list) or (lengths and len(value) not in lengths):
        raise MalformedFrameError(f"expected an array of {lengths or 'any'} items in a frame")
    return value


def as_uint(value: object, maximum: int = _UINT64_MAX, minimum: int = 0) -> int:
    """Return *value* as an integer of *minimum*..*maximum*.

    Raises:
        MalformedFrameError: it is something else.
    """
    if not isinstance(value, int) or not minimum <= value <= maximum:
        raise MalformedFrameError(f"expected an integer of {minimum} to {maximum} in a frame")
    return value


def as_bytes(value: object, length: int) -> bytes:
    """Return *value* as a byte string of *length* bytes.

    Raises:
        MalformedFrameError: it is something else.
    """
    if not isinstance(value, bytes) or len(value) != length:
        raise MalformedFrameError(f"expected {length} bytes in a frame")
    return value
