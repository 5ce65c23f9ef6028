"""Writing columns of cells, each in the smallest of several ways (docs/format.md section 5.3).

Numbers lie as integers, names as numbers of a dictionary, and what does not fit beside. A few
thousand entries in a row are encoded in each way that may do, and the smallest is taken for all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import count
from operator import attrgetter

from bundler import items
from bundler.cell_columns import APART, GROUPED, MAX_LEVEL, WITH_INTEGERS, Kind
from bundler.cells import (
    BYTES,
    TEXT,
    content_of,
    decimal_cells,
    decimals,
    float_bits,
    float_cells,
    is_number,
    is_string,
    scale_of,
    valid_numbers,
)
from bundler.number_columns import cost_bytes, encode_numbers, encode_small_numbers, window
from ledger.lazy_dataclass import dataclass

# A dictionary takes its own space: not where most cells are in it once.
_LEAST_REPEATS = 1.5
# Where each cell comes so often there is nothing better.
_MOST_REPEATS = 8
# About how much smaller a dictionary gets than its cells are.
_DICTIONARY_RATIO = 6
# So many cells that are no numbers may lie apart, where the others are.
_MOST_APART = 4
_RARE = 64
_MANY_FLOATS = 256


@dataclass(frozen=True)
class Column:
    """A column of cells.

    Attributes:
        cells: The different ones, each one valid item.
        numbers: Which of them each entry has.
    """

    cells: Sequence[bytes]
    numbers: Sequence[int]

    @cached_property
    def values(self) -> list[int | float | None]:
        """The number that each of the different cells is; None of other cells."""
        places = [at for at, cell in enumerate(self.cells) if is_number(cell)]
        values: list[int | float | None] = [None] * len(self.cells)
        for at, value in zip(places, valid_numbers([self.cells[at] for at in places]), strict=True):
            values[at] = value
        return values


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write a column.

    Attributes:
        head: The kind of its cells, with flags.
        known: For each of the different cells what stands for it; None if it must lie apart.
        encode: Makes parts of what stands for the entries.
        before: What stands before that.
        dictionary: The different cells, if that begins with them.
    """

    head: int
    known: Sequence[object]
    encode: Callable[..., list[bytes]]
    before: bytes = b""
    dictionary: Sequence[bytes] = ()

    def parts(self, column: Column, level: int, flags: int = 0) -> list[bytes]:
        """Return *column* in this way."""
        before = [self.before]
        if self.dictionary:
            cells = Column(self.dictionary, range(len(self.dictionary)))
            before += encode_column(cells, level=level + 1)
        apart, rest = self.split(column, level)
        head = self.head | flags | (APART if apart else 0)
        return [bytes((head,)), *apart, *before, *rest]

    def split(self, column: Column, level: int) -> tuple[list[bytes], list[bytes]]:
        """Return the parts of what lies apart, and of what stands for the other entries."""
        found = list(map(self.known.__getitem__, column.numbers))
        if None not in found:
            return [], self.encode(found)
        places = _places_of_none(found)
        apart = numbered(column.cells[column.numbers[at]] for at in places)
        return (
            [
                items.uint(len(places)),
                *encode_numbers(places),
                *encode_column(apart, level=level + 1),
            ],
            self.encode([one for one in found if one is not None]),
        )

    def cost(self, column: Column, level: int) -> float:
        """Return about how many bytes *column* takes in this way."""
        sample = Column(column.cells, column.numbers[window(len(column.numbers))])
        apart, rest = self.split(sample, level)
        cost = (cost_bytes(apart) + cost_bytes(rest)) * len(column.numbers) / len(sample.numbers)
        return cost + sum(map(len, self.dictionary)) / _DICTIONARY_RATIO


def numbered(cells: Iterable[bytes]) -> Column:
    """Return the column with these cells."""
    numbers: defaultdict[bytes, int] = defaultdict(count().__next__)
    return Column(numbers=list(map(numbers.__getitem__, cells)), cells=list(numbers))


@dataclass(frozen=True)
class Choice:
    """One way to write one column, which may have been put into another order for it."""

    form: _Form
    column: Column
    level: int
    flags: int = 0

    @cached_property
    def cost(self) -> float:
        """About how many bytes it takes."""
        return self.form.cost(self.column, self.level)

    def parts(self) -> list[bytes]:
        """Return the column, written so."""
        return self.form.parts(self.column, self.level, self.flags)


def choose(column: Column, *, level: int = 0, order: Sequence[int] = ()) -> Choice:
    """Return the smallest way to write *column*.

    Args:
        column: Of one cell at least.
        level: In how many columns it lies.
        order: Numbers of all its entries in another order that may make less of it.

    Raises:
        MalformedError: a number among the cells is not deterministically encoded.
    """
    ways = [Choice(form, column, level) for form in _forms(column, level)]
    if order and len(column.cells) > 1:
        by_thing = Column(column.cells, list(map(column.numbers.__getitem__, order)))
        ways += [Choice(way.form, by_thing, level, GROUPED) for way in ways]
    return ways[0] if len(ways) == 1 else min(ways, key=attrgetter("cost"))


def encode_column(column: Column, *, level: int = 0) -> list[bytes]:
    """Return the parts that *column*, which lies in so many others, makes in the smallest way.

    Raises:
        MalformedError: a number among the cells is not deterministically encoded.
    """
    return choose(column, level=level).parts()


def _forms(column: Column, level: int) -> Iterator[_Form]:
    """Yield the ways in which *column* might be written."""
    many, different = len(column.numbers), len(column.cells)
    numeric = different - column.values.count(None)
    if different == 1:
        before = items.uint(len(column.cells[0])) + column.cells[0]
        yield _Form(Kind.CONSTANT, [b""], _no_parts, before=before)
        return
    if level == MAX_LEVEL:
        yield _Form(Kind.ITEMS, column.cells, encode_strings)
        return
    is_repeating = many >= different * _LEAST_REPEATS
    if is_repeating:
        yield from _dictionaries(column, numeric)
    if many >= different * _MOST_REPEATS:
        return
    if 2 * numeric >= different:
        form = _number_form(column)
        # A few floats in a dictionary are better found where they were before, as they are.
        is_few = form.head == Kind.FLOATS and level > 0 and different < _MANY_FLOATS
        # Integers from 2^63 on are no signed ones, and not all cells may lie apart.
        is_none = form.known.count(None) == different
        yield _Form(Kind.ITEMS, column.cells, encode_strings) if is_few or is_none else form
    else:
        strings = sum(map(is_string, column.cells))
        if 2 * strings >= different:
            yield _string_form(column)
    if not is_repeating and numeric < different:
        yield _Form(Kind.ITEMS, column.cells, encode_strings)


def _dictionaries(column: Column, numeric: int) -> Iterator[_Form]:
    """Yield the ways to write *column* as numbers of the different cells in their order."""
    values, cells = column.values, column.cells
    others = [at for at, value in enumerate(values) if value is None]
    numbers = sorted(((value, at) for at, value in enumerate(values) if value is not None))
    order = [at for _, at in numbers]
    can_part = numeric >= 2 and 0 < len(others) <= _MOST_APART
    if can_part:
        yield _dictionary(column, order)
    # What is hardly ever there had better not lie between the numbers.
    if not can_part or sum(map(column.numbers.count, others)) > len(column.numbers) // _RARE:
        yield _dictionary(column, sorted(others, key=cells.__getitem__) + order)


def _dictionary(column: Column, order: Sequence[int]) -> _Form:
    known: list[int | None] = [None] * len(column.cells)
    for rank, at in enumerate(order):
        known[at] = rank
    return _Form(
        Kind.DICTIONARY,
        known,
        encode_small_numbers,
        before=items.uint(len(order)),
        dictionary=[column.cells[at] for at in order],
    )


def _number_form(column: Column) -> _Form:
    """Return the way to write *column* as decimals or as floats, whichever does for more cells."""
    places = [at for at, value in enumerate(column.values) if value is not None]
    values = [value for value in column.values if value is not None]
    integers = sum(type(value) is int for value in values)
    wholes = sum(type(value) is float and value.is_integer() for value in values)
    with_integers = integers > 0 and integers >= wholes
    scale = scale_of(values)
    numbers = decimals(values, scale)
    made = decimal_cells(numbers, scale, with_integers=with_integers)
    known = _proven(column, places, numbers, made)
    head, before = Kind.DECIMALS | with_integers * WITH_INTEGERS, items.uint(scale)
    if known.count(None) > len(known) // 8:
        bits = float_bits(values)
        as_floats = _proven(column, places, bits, float_cells(bits))
        if as_floats.count(None) < known.count(None):
            known, head, before = as_floats, Kind.FLOATS, b""
    return _Form(head, known, encode_numbers, before=before)


def _proven(
    column: Column, places: Sequence[int], numbers: Sequence[int], made: Sequence[bytes]
) -> list[int | None]:
    """Return the number for each of the different cells that it gives back, byte for byte."""
    known: list[int | None] = [None] * len(column.cells)
    for at, number, cell in zip(places, numbers, made, strict=True):
        if column.cells[at] == cell:
            known[at] = number
    return known


def _string_form(column: Column) -> _Form:
    """Return the way to write *column* as texts or as byte strings, whichever are more."""
    texts = sum(cell[0] >> 5 == TEXT for cell in column.cells)
    strings = sum(map(is_string, column.cells))
    major, kind = (TEXT, Kind.TEXTS) if 2 * texts >= strings else (BYTES, Kind.BYTES)
    known = [content_of(cell) if cell[0] >> 5 == major else None for cell in column.cells]
    return _Form(kind, known, encode_strings)


def _no_parts(_found: object) -> list[bytes]:
    return []


def _places_of_none(found: Sequence[object]) -> list[int]:
    places, at = list[int](), -1
    with suppress(ValueError):
        while True:
            places.append(at := found.index(None, at + 1))
    return places


def encode_strings(strings: Sequence[bytes]) -> list[bytes]:
    """Return the parts that *strings* make together: their lengths, then all of them."""
    return [*encode_numbers(list(map(len, strings))), b"".join(strings)]
