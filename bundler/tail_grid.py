"""The grid that the numbers of a column lie on (docs/format.md section 5.4.2).

39.02, 39.92 and 41 are steps of 0.18; 10.357019999999999 is 9 times 1.15078. What is on the grid
is a small integer, and comes back byte for byte.
"""

from collections.abc import Iterable
from math import gcd

import cbor2

from ledger.lazy_dataclass import dataclass

DIGITS = 6
MILLIONTHS: int = 10**DIGITS
_MOST = MILLIONTHS << 64
_MAJOR_NEGATIVE, _MAJOR_FLOAT = 1, 7
_FLOAT_HEADS = b"\xf9\xfa\xfb"


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers at equal distances.

    Attributes:
        base: Number 0, in millionths.
        step: From each to the next, in millionths, 1 or more.
        is_product: Whether number n is n times the float step, and not the float nearest to it.
        is_float: Whether those without a fraction are floats, too, and not integers.
    """

    base: int = 0
    step: int = MILLIONTHS
    is_product: bool = False
    is_float: bool = False

    def number(self, cell: bytes) -> int | None:
        """Return which number of the grid the CBOR item *cell* is; None if it is none."""
        millionths = millionths_of(cell)
        if millionths is None:
            return None
        number, rest = divmod(millionths - self.base, self.step)
        return number if rest == 0 and self.cell(number) == cell else None

    def cell(self, number: int) -> bytes | None:
        """Return *number* of the grid as a CBOR item; None if it is beyond 64 bits."""
        millionths = self.base + number * self.step
        if not is_possible(millionths):
            return None
        if not self.is_float and millionths % MILLIONTHS == 0:
            return cbor2.dumps(millionths // MILLIONTHS)
        value = number * (self.step / MILLIONTHS) if self.is_product else millionths / MILLIONTHS
        return cbor2.dumps(value, canonical=True)


def fit(cells: Iterable[bytes]) -> Grid:
    """Return the widest grid that holds all numbers among *cells*, or else all decimals."""
    found = {cell: millionths_of(cell) for cell in set(cells)}
    numbers = {cell: number for cell, number in found.items() if number is not None}
    is_float = any(
        cell[0] in _FLOAT_HEADS and number % MILLIONTHS == 0 for cell, number in numbers.items()
    )
    finest = Grid(0, 1, is_float=is_float)
    exact = [number for cell, number in numbers.items() if finest.cell(number) == cell]
    if len(exact) < len(numbers):
        step = gcd(*numbers.values()) or MILLIONTHS
        grid = Grid(0, step, is_product=True, is_float=is_float)
        if all(grid.number(cell) is not None for cell in numbers):
            return grid
    if not exact:
        return Grid()
    step = gcd(*(number - exact[0] for number in exact)) or MILLIONTHS
    return Grid(exact[0] % step, step, is_float=is_float)


def millionths_of(cell: bytes) -> int | None:
    """Return the CBOR number *cell* in millionths, rounded (half up); None if it is no such."""
    if cell[0] >> 5 > _MAJOR_NEGATIVE and cell[0] not in _FLOAT_HEADS:
        return None
    try:
        value = cbor2.loads(cell)
        numerator, denominator = value.as_integer_ratio()
    except (cbor2.CBORError, ValueError, OverflowError):
        return None
    millionths = (2 * numerator * MILLIONTHS + denominator) // (2 * denominator)
    return millionths if is_possible(millionths) else None


def is_possible(millionths: int) -> bool:
    """Whether a cell may be a number of so many millionths: none is of more than 64 bits."""
    return -_MOST <= millionths < _MOST


def decimal_of(cell: bytes) -> tuple[int | None, int]:
    """Return the least digits behind the point of *cell* and the number without the point.

    The first is None if *cell* is no number of at most `DIGITS` of them.
    """
    millionths = millionths_of(cell)
    if millionths is None:
        return None, 0
    for digits in range(DIGITS + 1):
        number, rest = divmod(millionths, 10 ** (DIGITS - digits))
        if rest == 0:
            return (digits, number) if decimal_cell(digits, number) == cell else (None, 0)
    return None, 0


def decimal_cell(digits: int, number: int) -> bytes | None:
    """Return *number* with *digits* behind its point as a CBOR item; None if it is too large."""
    return Grid(0, 10 ** (DIGITS - digits)).cell(number)
