"""Columns of integers: differences of some order, in planes of bytes (docs/format.md section 5.3).

What lies close together in its meaning lies together as bytes, for zstd to find: the low bytes of
all numbers, then the next ones. A number that hardly changes costs next to nothing.
"""

import struct
from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from itertools import accumulate, islice, repeat
from math import gcd
from operator import sub

import zstandard

from bundler import items
from bundler.errors import MalformedError

SAMPLE = 1024
"""So many entries in a row tell which of several encodings is the smallest."""

_MAX_ORDER = 2
_MAX_WIDTH = 8
_HAS_UNIT = 1 << 6
_BYTE = 256
_INT64 = range(-(1 << 63), 1 << 63)
# Differences of differences of these are integers of 64 bits, too.
_NARROW = range(-(1 << 60), 1 << 60)
_UINT64_END = 1 << 64
# Less than that is not worth setting up a compressor to see how small it gets.
_TRIAL_LEVEL, _TRIAL_BYTES = 1, 256


def encode_numbers(numbers: Sequence[int]) -> list[bytes]:
    """Return the parts that *numbers*, each a signed integer of 64 bits, make together."""
    if len(numbers) > 1 and min(numbers) in _NARROW and max(numbers) in _NARROW:
        return encode_small_numbers(numbers)
    return _encode(numbers, 0)


def encode_small_numbers(numbers: Sequence[int]) -> list[bytes]:
    """Return the parts that *numbers* make, which are known to lie between -2^60 and 2^60."""
    return _encode(numbers, _best_order(_middle(numbers)))


def cost_bytes(parts: Iterable[bytes]) -> float:
    """Return about how many bytes *parts* take in a bundle."""
    small, large = list[bytes](), list[bytes]()
    for part in parts:
        (small if len(part) < _TRIAL_BYTES else large).append(part)
    cost = sum(len(part) * (len(set(part)) - 1).bit_length() / 8 for part in small if part)
    if large:
        compressor = zstandard.ZstdCompressor(level=_TRIAL_LEVEL, write_content_size=False)
        cost += sum(min(len(part), len(compressor.compress(part))) for part in large)
    return cost + len(small)


def take_numbers(reader: items.Reader, count: int) -> list[int]:
    """Take a column of *count* numbers.

    Raises:
        MalformedError: what comes next is none, or a number is beyond 64 bits with its sign.
    """
    head = reader.raw(1)[0]
    order, width = head & 3, head >> 2 & 15
    if order > min(_MAX_ORDER, count) or width > _MAX_WIDTH or head & ~0x7F:
        raise MalformedError(f"a column of {count} numbers with the head {head}")
    starts = [reader.int64() for _ in range(order)]
    base = reader.int64()
    unit = reader.uint() if head & _HAS_UNIT else 1
    steps: Iterable[int] = _take_planes(reader, count - order, width)
    if unit != 1:
        steps = map(unit.__mul__, steps)
    numbers = list(map(base.__add__, steps)) if base else list(steps)
    for start in reversed(starts):
        numbers = list(accumulate(numbers, initial=start))
    if numbers and not (min(numbers) in _INT64 and max(numbers) in _INT64):
        raise MalformedError("a number beyond 64 bits with its sign")
    return numbers


def differences(numbers: Sequence[int]) -> list[int]:
    """Return by how much each number but the first is greater than the one before."""
    return list(map(sub, islice(numbers, 1, None), numbers))


def window(count: int) -> slice:
    """Return which of *count* entries to look at for how all of them should be encoded."""
    first = max(0, (count - SAMPLE) // 2)
    return slice(first, first + SAMPLE)


def _middle(numbers: Sequence[int]) -> Sequence[int]:
    return numbers[window(len(numbers))]


def _best_order(sample: Sequence[int]) -> int:
    """Return how often to take differences: for as long as that makes less of them."""
    best = cost_bytes(_encode(sample, 0))
    for order in range(1, min(_MAX_ORDER, len(sample) - 1) + 1):
        cost = cost_bytes(_encode(sample, order))
        if cost >= best:
            return order - 1
        best = cost
    return min(_MAX_ORDER, len(sample) - 1)


def _encode(numbers: Sequence[int], order: int) -> list[bytes]:
    starts: list[int] = []
    for _ in range(order):
        starts.append(numbers[0])
        numbers = differences(numbers)
    different = set(numbers)
    base, unit, width = _frame(numbers, different)
    head = bytes((order | width << 2 | (_HAS_UNIT if unit != 1 else 0),))
    fields = b"".join(map(items.int64, (*starts, base)))
    if unit != 1:
        fields += items.uint(unit)
    if width == 0:
        return [head + fields]
    steps: Iterable[int] = numbers
    if base or unit != 1:
        if 4 * len(different) < len(numbers):
            step_of = {number: (number - base) // unit for number in different}
            steps = map(step_of.__getitem__, numbers)
        else:
            steps = [(number - base) // unit for number in numbers]
    return [head + fields, *_planes(steps, len(numbers), width)]


def _frame(numbers: Sequence[int], different: Collection[int]) -> tuple[int, int, int]:
    """Return (base, unit, width): each number is base + unit * an unsigned one of so many bytes."""
    if not different:
        return 0, 1, 0
    low, high = min(different), max(different)
    if high - low < _BYTE:
        # As they are where that takes no more: it spares the reader an addition.
        base = 0 if 0 <= low < high < _BYTE else low
        return base, 1, int(high > low)
    unit = reduce(gcd, map(sub, different, repeat(low)))
    span = (high - low) // unit
    if span >= _BYTE:
        # What is most frequent comes to lie amid a multiple of 256: bytes above hardly change.
        middle = sorted(_middle(numbers))[min(len(numbers), SAMPLE) // 2]
        shift = (_BYTE // 2 - (middle - low) // unit) % _BYTE
        if low - shift * unit in _INT64 and span + shift < _UINT64_END:
            low, span = low - shift * unit, span + shift
    return low, unit, (span.bit_length() + 7) // 8


def _planes(steps: Iterable[int], count: int, width: int) -> list[bytes]:
    if width == 1:
        return [bytes(steps)]
    letter, size = _letter(width)
    packed = struct.pack(f"<{count}{letter}", *steps)
    return [packed[at::size] for at in range(width)]


def _take_planes(reader: items.Reader, count: int, width: int) -> Sequence[int]:
    if width == 0:
        return [0] * count
    if width == 1:
        return reader.raw(count)
    letter, size = _letter(width)
    packed = bytearray(size * count)
    for at in range(width):
        packed[at::size] = reader.raw(count)
    return struct.unpack(f"<{count}{letter}", packed)


def _letter(width: int) -> tuple[str, int]:
    return ("H", 2) if width == 2 else ("I", 4) if width <= 4 else ("Q", 8)
