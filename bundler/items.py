"""CBOR items taken off the front of bytes one by one, and the heads to write them with.

For what is too big (a ciphertext), too frequent (a fragment) or too hostile (17 columns of a
section) to be decoded as a whole: the caller says which item comes next, nothing is built but
that, and a byte string is a view into the data. What is small goes through `ledger.cbor`.

Source: RFC 8949 section 3; only deterministic heads (section 4.2.1) are accepted.
"""

from collections.abc import Sequence
from typing import NoReturn

from bundler.errors import LimitError, MalformedError

_UINT, _NEGATIVE, _BYTES, _ARRAY = 0, 1, 2, 4
_SMALLEST = (24, 1 << 8, 1 << 16, 1 << 32)
_UINT64_MAX = 2**64 - 1


def uint(value: int, major: int = _UINT) -> bytes:
    """Return the head of *major* type with *value*; of major type 0 it is the whole integer."""
    if value < 24:
        return bytes((major << 5 | value,))
    width = 1 if value < 1 << 8 else 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8
    return bytes((major << 5 | 23 + width.bit_length(),)) + value.to_bytes(width, "big")


def int64(value: int) -> bytes:
    """Return a signed integer of 64 bits as one item."""
    return uint(value) if value >= 0 else uint(-1 - value, _NEGATIVE)


def bytes_head(length: int) -> bytes:
    """Return the head of a byte string of *length* bytes."""
    return uint(length, _BYTES)


def array_head(count: int) -> bytes:
    """Return the head of an array of *count* items."""
    return uint(count, _ARRAY)


def byte_string(data: bytes) -> bytes:
    """Return *data* as one CBOR byte string."""
    return bytes_head(len(data)) + data


class Reader:
    """The items of *data*, each taken once, in order.

    Attributes:
        at: How many bytes have been taken.
    """

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        """Read *data* from offset *at* on."""
        self._data = memoryview(data)
        self.at = at

    def uint(self, maximum: int = _UINT64_MAX) -> int:
        """Take an unsigned integer of 0..*maximum*.

        Raises:
            MalformedError: something else comes next.
            LimitError: it is greater.
        """
        value = self._head(_UINT)
        if value > maximum:
            raise LimitError(f"the number {value}, at most {maximum} is allowed")
        return value

    def int64(self) -> int:
        """Take a signed 64-bit integer.

        Raises:
            MalformedError: something else comes next.
        """
        is_negative = self.at < len(self._data) and self._data[self.at] >> 5 == _NEGATIVE
        value = self._head(_NEGATIVE if is_negative else _UINT)
        if value >= 1 << 63:
            raise MalformedError("an integer beyond 64 bits with its sign")
        return -1 - value if is_negative else value

    def array(self, maximum: int) -> int:
        """Take the head of an array and return its length, 0..*maximum*.

        Raises:
            MalformedError: something else comes next.
            LimitError: it is longer.
        """
        count = self._head(_ARRAY)
        if count > maximum:
            raise LimitError(f"an array of {count} items, at most {maximum} are allowed")
        return count

    def array_of(self, *counts: int) -> int:
        """Take the head of an array that has one of *counts* items, and return which.

        Raises:
            MalformedError: something else comes next.
        """
        count = self._head(_ARRAY)
        if count not in counts:
            raise MalformedError(f"an array of {count} items where {_either(counts)} belong")
        return count

    def view(self, maximum: int) -> memoryview:
        """Take a byte string of 0..*maximum* bytes, not copied.

        Raises:
            MalformedError: something else comes next, or it ends too early.
            LimitError: it is longer.
        """
        length = self._head(_BYTES)
        if length > maximum:
            raise LimitError(f"a byte string of {length} bytes, at most {maximum} are allowed")
        view = self._data[self.at : self.at + length]
        if len(view) < length:
            self._fail_early()
        self.at += length
        return view

    def bytes_of(self, length: int) -> bytes:
        """Take a byte string of exactly *length* bytes.

        Raises:
            MalformedError: something else comes next.
        """
        found = self._head(_BYTES)
        if found != length:
            raise MalformedError(f"a byte string of {found} bytes where {length} belong")
        return self.raw(length)

    def raw(self, length: int) -> bytes:
        """Take exactly *length* bytes, whatever they are: the head was among those expected.

        Raises:
            MalformedError: there are fewer.
        """
        data = bytes(self._data[self.at : self.at + length])
        if len(data) < length:
            self._fail_early()
        self.at += length
        return data

    def expect(self, data: bytes, what: str) -> None:
        """Take exactly *data*.

        Raises:
            MalformedError: something else comes next; the message says it is not *what*.
        """
        if self._data[self.at : self.at + len(data)] != data:
            raise MalformedError(f"not {what}")
        self.at += len(data)

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            MalformedError: something is.
        """
        if not self.is_at_end():
            raise MalformedError(f"{len(self._data) - self.at} bytes too many at the end")

    def is_at_end(self) -> bool:
        """Return whether nothing is left."""
        return self.at >= len(self._data)

    def _head(self, major: int) -> int:
        if self.at >= len(self._data):
            self._fail_early()
        first = self._data[self.at]
        if first >> 5 != major:
            raise MalformedError(f"an item of type {first >> 5} where {major} belongs")
        low = first & 31
        if low < 24:
            self.at += 1
            return low
        if low > 27:
            raise MalformedError("an item of indefinite or reserved length")
        end = self.at + 1 + (1 << low - 24)
        if end > len(self._data):
            self._fail_early()
        value = int.from_bytes(self._data[self.at + 1 : end], "big")
        if value < _SMALLEST[low - 24]:
            raise MalformedError("an integer or a length that is not in its shortest form")
        self.at = end
        return value

    def _fail_early(self) -> NoReturn:
        raise MalformedError(f"ends too early, after {len(self._data)} bytes")


def _either(counts: Sequence[int]) -> str:
    return " or ".join(map(str, counts))
