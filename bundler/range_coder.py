"""A range coder: choices in as few bits as their shares of a total say (docs/format.md 5.4.6).

`RangeEncoder` and `RangeDecoder` are asked in the same words, so that a model is written once: the
encoder is told each choice, the decoder tells it. Integers only.

Source: G. N. N. Martin, Range encoding: an algorithm for removing redundancy (1979).
"""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from bundler.errors import MalformedError

MAX_TOTAL = 1 << 40
"""Most that the shares of one choice may be together: a 2^16th of the least range."""

_BYTES = 8
_WIDTH = 8 * _BYTES
_LEAST_RANGE = 1 << (_WIDTH - 8)
_MASK = (1 << _WIDTH) - 1
_FULL_BYTE = 255

T = TypeVar("T")


class Coder(Protocol):
    """What a model codes its choices with; not for two threads at once."""

    def choose(self, shares: Mapping[T, int], wanted: T) -> T:
        """Code one of the keys of *shares*, which is worth its share of their sum.

        Args:
            shares: One or more, each 1 or more, together at most `MAX_TOTAL`; in an order that both
                sides have them in.
            wanted: The choice; a decoder does not look at it.

        Returns:
            The choice.

        Raises:
            MalformedError: only a decoder: no choice is coded so.
        """

    def number(self, count: int, wanted: int) -> int:
        """Code one of *count* (1..`MAX_TOTAL`) equally likely numbers from 0 on, and return it.

        Raises:
            MalformedError: only a decoder: no choice is coded so.
        """


class RangeEncoder:
    """Takes choices, and gives the shortest bytes that tell them."""

    __slots__ = ("_data", "_low", "_range")

    def __init__(self) -> None:
        """Start with nothing chosen."""
        self._data = bytearray()
        self._low = 0
        self._range = _MASK

    def choose(self, shares: Mapping[T, int], wanted: T) -> T:
        """Code *wanted*, see `Coder`."""
        start = 0
        for choice, share in shares.items():
            if choice == wanted:
                break
            start += share
        self._narrow(start, shares[wanted], sum(shares.values()))
        return wanted

    def number(self, count: int, wanted: int) -> int:
        """Code *wanted*, see `Coder`."""
        self._narrow(wanted, 1, count)
        return wanted

    def finish(self) -> bytes:
        """Return what tells all choices to a decoder that reads zeros after its end."""
        for kept in range(_BYTES + 1):
            unit = 1 << (_WIDTH - 8 * kept)
            value = -(-self._low // unit) * unit
            if value < self._low + self._range:
                break
        data = bytearray(self._data)
        if value > _MASK:
            _carry(data)
        data += (value & _MASK).to_bytes(_BYTES, "big")
        return bytes(data.rstrip(b"\0"))

    def _narrow(self, start: int, share: int, total: int) -> None:
        unit = self._range // total
        self._low += unit * start
        self._range = unit * share
        if self._low > _MASK:
            self._low &= _MASK
            _carry(self._data)
        while self._range < _LEAST_RANGE:
            self._data.append(self._low >> (_WIDTH - 8))
            self._low = self._low << 8 & _MASK
            self._range <<= 8


class RangeDecoder:
    """Tells the choices that an encoder took."""

    __slots__ = ("_at", "_data", "_range", "_value")

    def __init__(self, data: bytes) -> None:
        """Read *data*, all of it, and zeros after its end."""
        self._data = data
        self._at = _BYTES
        self._range = _MASK
        self._value = int.from_bytes(data[:_BYTES].ljust(_BYTES, b"\0"), "big")

    def choose(self, shares: Mapping[T, int], wanted: T) -> T:
        """Return the next choice, see `Coder`."""
        unit, found = self._find(sum(shares.values()))
        start = 0
        for choice, share in shares.items():
            if found < start + share:
                self._narrow(unit * start, unit * share)
                return choice
            start += share
        raise AssertionError("what is below the sum of all shares lies in one of them")

    def number(self, count: int, wanted: int) -> int:
        """Return the next choice, see `Coder`."""
        unit, found = self._find(count)
        self._narrow(unit * found, unit)
        return found

    def finish(self) -> None:
        """Check that the data ends where the choices do.

        Raises:
            MalformedError: it goes on, or ends in a zero byte.
        """
        if len(self._data) > self._at or self._data[-1:] == b"\0":
            raise MalformedError("bytes too many at the end of what is modelled")

    def _find(self, total: int) -> tuple[int, int]:
        unit = self._range // total
        found = self._value // unit
        if found >= total:
            raise MalformedError("not what a range coder writes")
        return unit, found

    def _narrow(self, start: int, width: int) -> None:
        self._value -= start
        while width < _LEAST_RANGE:
            byte = self._data[self._at] if self._at < len(self._data) else 0
            self._value = self._value << 8 | byte
            self._at += 1
            width <<= 8
        self._range = width


def _carry(data: bytearray) -> None:
    """Add one to the number that *data* is; it is below the greatest."""
    at = len(data) - 1
    while data[at] == _FULL_BYTE:
        data[at] = 0
        at -= 1
    data[at] += 1
