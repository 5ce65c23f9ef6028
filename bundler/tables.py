"""Columns that follow from others beside them (docs/format.md section 5.3).

A relative humidity follows from temperature and dew point, a postcode's town from the postcode:
where one or two columns nearly always tell the cell of a third, that one is written as a table,
one cell for each of their combinations, and what differs apart.
"""

from collections.abc import Sequence
from itertools import combinations, compress, repeat
from operator import add, mul, ne
from typing import NamedTuple, Self

from bundler import items
from bundler.cell_columns import APART, Kind
from bundler.column_choice import Choice, Column, choose, encode_column, numbered
from bundler.number_columns import SAMPLE, cost_bytes, encode_numbers, window

# Columns that take less than so many bytes an entry are not worth the search.
_LEAST_COST = 0.7
# Fewer different cells hardly ever take as much.
_LEAST_CELLS = 48
_MOST_KEYS = 4


class _Table(NamedTuple):
    """A column that follows from others: what stands in its place, and what after all columns."""

    head: bytes
    parts: list[bytes]


class _Firsts(NamedTuple):
    """What a column has where a combination of others occurs first.

    Attributes:
        cells: The number of its cell, for each combination in order of first use.
        misses: For each entry whether it has another cell than the first with its combination.
    """

    cells: list[int]
    misses: list[bool]

    @classmethod
    def of(cls, keys: Sequence[Column], cells: Sequence[int], at: slice) -> Self:
        """Look at the entries *at*, whose cells have the numbers *cells*."""
        combined = keys[0].numbers[at]
        for key in keys[1:]:
            scaled = map(mul, combined, repeat(len(key.cells)))
            combined = list(map(add, scaled, key.numbers[at]))
        first = dict(zip(reversed(combined), reversed(cells), strict=True))
        misses = list(map(ne, map(first.__getitem__, combined), cells))
        return cls([first[key] for key in dict.fromkeys(combined)], misses)


def encode_columns(columns: Sequence[Column], order: Sequence[int] = ()) -> list[bytes]:
    """Return the parts that the *columns* of a template make together.

    Args:
        columns: All of as many entries.
        order: See `bundler.column_choice.choose`.

    Raises:
        MalformedError: a number among the cells is not deterministically encoded.
    """
    choices = [choose(column, order=order) for column in columns]
    tables: dict[int, _Table] = {}
    if len(columns) > 1 and len(columns[0].numbers) >= SAMPLE:
        tables = _tables(columns, choices)
    parts: list[bytes] = []
    for number, choice in enumerate(choices):
        parts += [tables[number].head] if number in tables else choice.parts()
    for number in sorted(tables):
        parts += tables[number].parts
    return parts


def _tables(columns: Sequence[Column], choices: Sequence[Choice]) -> dict[int, _Table]:
    """Return tables for those columns that get smaller by it."""
    count = len(columns[0].numbers)
    costs = {
        number: choice.cost
        for number, choice in enumerate(choices)
        if len(choice.column.cells) >= _LEAST_CELLS
    }
    used: set[int] = set()
    tables: dict[int, _Table] = {}
    for number in sorted(costs, key=costs.__getitem__, reverse=True):
        if costs[number] < count * _LEAST_COST or number in used:
            continue
        others = [one for one in range(len(columns)) if one != number and one not in tables]
        keys = _best_keys(columns, number, others)
        table = _table(columns, number, keys)
        if table is not None and cost_bytes(table.parts) < costs[number]:
            tables[number] = table
            used.update(keys)
    return tables


def _best_keys(columns: Sequence[Column], number: int, others: list[int]) -> tuple[int, ...]:
    """Return the one or two of *others* that seem to tell most of the cells of a column."""
    at = window(len(columns[number].numbers))
    others.sort(key=lambda one: len(columns[one].cells), reverse=True)
    cells = columns[number].numbers[at]
    found = {}
    for many in (1, 2):
        for keys in combinations(others[:_MOST_KEYS], many):
            firsts = _Firsts.of([columns[key] for key in keys], cells, at)
            found[keys] = len(firsts.cells) + 2 * sum(firsts.misses)
    return min(found, key=found.__getitem__)


def _table(columns: Sequence[Column], number: int, keys: Sequence[int]) -> _Table | None:
    """Return a column as a table; None if that must be larger."""
    column = columns[number]
    firsts = _Firsts.of([columns[key] for key in keys], column.numbers, slice(None))
    places = list(compress(range(len(column.numbers)), firsts.misses))
    if 2 * len(places) > len(column.numbers):
        return None
    inner = encode_column(numbered(map(column.cells.__getitem__, firsts.cells)), level=1)
    head = bytes((Kind.TABLE | (APART if places else 0), len(keys) - 1))
    head += b"".join(map(items.uint, keys))
    if not places:
        return _Table(head, inner)
    apart = numbered(column.cells[column.numbers[at]] for at in places)
    return _Table(
        head,
        [
            items.uint(len(places)),
            *encode_numbers(places),
            *encode_column(apart, level=1),
            *inner,
        ],
    )
