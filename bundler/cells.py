"""Cells, the exact encodings of the values of maps, and numbers that stand for them.

A *cell* is one CBOR item as it stands in a payload (docs/format.md section 5.3): 10, 10.0 and -0.0
are three of them. Many cells that are numbers follow from integers: as decimals, m / 10^k, or by
the bits of a float. Which do is proven cell by cell, so that none comes back as another.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from math import isfinite
from operator import eq

from bundler import items
from bundler.errors import MalformedError, ledger_errors_converted
from bundler.quick_cbor import CBOR_ERRORS, dumps, loads
from ledger import cbor

BYTES, TEXT = 2, 3
"""Major types of strings."""

NUMBER = (
    rb"[\x00-\x17\x20-\x37]|\xfb.{8}|[\x18\x38].|[\x19\x39\xf9]..|[\x1a\x3a\xfa].{4}|[\x1b\x3b].{8}"
)
"""Matches the cell of a number, whose first byte says how long it is."""

MAX_SCALE = 18
"""Most decimal places: 10^18 is exact as a float, and far beyond what a float tells apart."""

_NUMBERS = re.compile(NUMBER, re.DOTALL)
_IS_NUMBER = bytes(
    first in range(0x1C) or first in range(0x20, 0x3C) or first in (0xF9, 0xFA, 0xFB)
    for first in range(256)
)
# A float tells all integers below apart.
_EXACT_END = 1 << 53
_INT64 = range(-(1 << 63), 1 << 63)
_SCALE_SAMPLE = 64
_BATCH = 1024


def is_number(cell: bytes) -> bool:
    """Return whether *cell* is an integer or a float; it has at least one byte."""
    return _IS_NUMBER[cell[0]] == 1


def is_string(cell: bytes) -> bool:
    """Return whether *cell* is a text or a byte string; it has at least one byte."""
    return cell[0] >> 5 in (BYTES, TEXT)


def content_of(cell: bytes) -> bytes:
    """Return what is in the string that *cell* is, without its head."""
    detail = cell[0] & 31
    return cell[1 if detail < 24 else 1 + (1 << detail - 24) :]


def valid_numbers(cells: Sequence[bytes]) -> list[int | float]:
    """Return the values of *cells*, each of which matches `NUMBER`.

    Raises:
        MalformedError: one is not in its shortest form, or not finite.
    """
    joined = items.array_head(len(cells)) + b"".join(cells)
    values: list[int | float] = loads(joined)
    if dumps(values) != joined or not all(map(isfinite, values)):
        raise MalformedError("a number that is not deterministically encoded")
    return values


def is_item(cell: bytes, depth: int) -> bool:
    """Return whether *cell* is one deterministic item that may stand so many levels deep."""
    try:
        with ledger_errors_converted():
            cbor.decode(b"\x81" * depth + cell, limit_bytes=depth + len(cell))
    except MalformedError:
        return False
    return True


def are_items(cells: Sequence[bytes], depth: int) -> bool:
    """Return whether `is_item` is true of each of *cells*: sooner, for they are read together."""
    batches = (cells[at : at + _BATCH] for at in range(0, len(cells), _BATCH))
    return all(
        _are_together(batch, depth) or all(is_item(cell, depth) for cell in batch)
        for batch in batches
    )


def _are_together(cells: Sequence[bytes], depth: int) -> bool:
    """Return whether *cells* are items, as far as an array of all of them shows it."""
    if depth == 0:
        return False  # the array would lie around them
    data = b"\x81" * (depth - 1) + items.array_head(len(cells)) + b"".join(cells)
    try:
        with ledger_errors_converted():
            found = cbor.decode(data, limit_bytes=len(data))
            for _ in range(depth - 1):
                (found,) = cbor.as_list(found, 1)
            return all(map(eq, map(dumps, cbor.as_list(found, len(cells))), cells))
    except MalformedError:
        return False


def strings(cells: Sequence[bytes]) -> list[str | bytes] | None:
    """Return the values of *cells* if each of them is one string, deterministically encoded."""
    try:
        values: list[str | bytes] = loads(items.array_head(len(cells)) + b"".join(cells))
    except CBOR_ERRORS:
        return None
    return values if all(map(eq, map(dumps, values), cells)) else None


def scale_of(values: Iterable[int | float]) -> int:
    """Return how many decimal places most of *values* have, as far as a few of them show."""
    places = sorted(_places(value) for value, _ in zip(values, range(_SCALE_SAMPLE), strict=False))
    return min(places[len(places) * 9 // 10], MAX_SCALE)


def _places(value: int | float) -> int:
    mantissa, _, exponent = repr(value).partition("e")
    return max(0, len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0))


def decimals(values: Iterable[int | float], scale: int) -> list[int]:
    """Return the integer that *scale* makes of each value; 0 where there is none.

    Not each value follows from its integer: whoever goes by them compares the cells.
    """
    if scale == 0:
        return [one if one in _INT64 else 0 for one in map(int, values)]
    unit = 10**scale
    return [round(one * unit) if abs(one) * unit < _EXACT_END else 0 for one in values]


def decimal_cells(numbers: Sequence[int], scale: int, *, with_integers: bool) -> list[bytes]:
    """Return the cells of *numbers* / 10^*scale*.

    Args:
        numbers: Signed integers of 64 bits.
        scale: 0..`MAX_SCALE`.
        with_integers: Whether whole numbers are integers, and not floats.
    """
    unit = 10**scale
    if scale == 0:
        return _split(numbers if with_integers else map(float, numbers), len(numbers))
    if with_integers:
        values = [one / unit if one % unit else one // unit for one in numbers]
        return _split(values, len(numbers))
    return _split(map(unit.__rtruediv__, numbers), len(numbers))


def float_cells(numbers: Sequence[int]) -> list[bytes]:
    """Return the cells of the floats whose bits, as signed integers, are *numbers*.

    Raises:
        MalformedError: one is not finite.
    """
    values = struct.unpack(f"<{len(numbers)}d", struct.pack(f"<{len(numbers)}q", *numbers))
    if not all(map(isfinite, values)):
        raise MalformedError("a float that is not finite")
    return _split(values, len(values))


def float_bits(values: Sequence[float]) -> list[int]:
    """Return the bits of *values*, as signed integers."""
    return list(struct.unpack(f"<{len(values)}q", struct.pack(f"<{len(values)}d", *values)))


def string_cells(contents: Sequence[bytes], *, is_text: bool) -> list[bytes]:
    """Return the cells of strings with these contents.

    Raises:
        MalformedError: a text is not valid UTF-8.
    """
    try:
        return list(map(dumps, (one.decode() for one in contents) if is_text else contents))
    except UnicodeDecodeError as error:
        raise MalformedError(f"a text is not valid UTF-8: {error}") from error


def _split(values: Iterable[int | float], count: int) -> list[bytes]:
    """Return the encodings of *values*, made by one call and then told apart."""
    encoded = dumps(list(values))
    return _NUMBERS.findall(encoded, len(items.array_head(count)))
