"""A column that follows from two others (docs/format.md section 5.4.5).

If c is a product of something of a and something of b, then c(a, b) is
c(a, b') c(a', b) / c(a', b'); if it is a sum, likewise with plus and minus. So three rows that
came before tell the fourth, whatever the somethings are.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from operator import eq

from bundler.tail_column import Estimate
from bundler.tail_grid import is_possible, millionths_of

WINDOW = 256
"""Rows, the latest, in which relations are looked for."""

_MOST_COLUMNS = 8
_MOST_TRIED, _MOST_FOUND = 64, 9
_JUDGED = 24
_MISS = 4
_LEAST_SCORE = 2
_ERROR_BITS = 4
_MOST_ERROR = 1 << 32

Row = Sequence[bytes]


class Relation:
    """How one column follows from two others of the same row."""

    __slots__ = ("_by_first", "_by_second", "_errors", "_first", "_second", "_target")

    def __init__(self, target: int, first: int, second: int) -> None:
        """Start with no rows; the arguments are positions in a row."""
        self._target, self._first, self._second = target, first, second
        self._by_first: dict[bytes, dict[bytes, int]] = {}
        self._by_second: dict[bytes, dict[bytes, int]] = {}
        self._errors = [0, 0]  # of products and of sums

    def estimate(self, row: Row) -> Estimate | None:
        """Return what the target of *row* may be, by what stands before it."""
        first, second = row[self._first], row[self._second]
        seen = self._by_first.get(first, {}).get(second)
        if seen is not None:
            return Estimate(seen, is_seen=True)
        found = self._found(first, second)
        if found is None:
            return None
        told = found[self._errors[0] > self._errors[1]]
        return Estimate(told, is_seen=False) if is_possible(told) else None

    def learn(self, row: Row) -> None:
        """Remember *row*, and whether products or sums told it better."""
        number = millionths_of(row[self._target])
        if number is not None:
            for form, found in enumerate(self._found(row[self._first], row[self._second]) or ()):
                error = min(abs(found - number), _MOST_ERROR)
                self._errors[form] += error - (self._errors[form] >> _ERROR_BITS)
        self.remember(row)

    def remember(self, row: Row) -> None:
        """Remember *row*."""
        number = millionths_of(row[self._target])
        if number is None:
            return
        first, second = row[self._first], row[self._second]
        for numbers, one, other in (
            (self._by_first, first, second), (self._by_second, second, first),
        ):  # fmt: skip
            by_other = numbers.setdefault(one, {})
            # The latest is the last of the dict.
            by_other.pop(other, None)
            by_other[other] = number

    def _found(self, first: bytes, second: bytes) -> tuple[int, int] | None:
        """Return the medians of what products and what sums tell."""
        corners = list(self._corners(first, second))
        if not corners:
            return None
        products = sorted((2 * a * b + c) // (2 * c) for a, b, c in corners)
        sums = sorted(a + b - c for a, b, c in corners)
        return products[len(corners) // 2], sums[len(corners) // 2]

    def _corners(self, first: bytes, second: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield c(a, b'), c(a', b), c(a', b'), the latest first."""
        beside, above = self._by_first.get(first, {}), self._by_second.get(second, {})
        tried = found = 0
        for other_second in reversed(beside):
            for other_first in reversed(above):
                tried += 1
                corner = self._by_first[other_first].get(other_second)
                if corner:
                    found += 1
                    yield beside[other_second], above[other_first], corner
                if tried == _MOST_TRIED or found == _MOST_FOUND:
                    return


def find_relations(rows: Sequence[Row]) -> dict[int, Relation]:
    """Return the relations that hold in *rows*, by the position of their target."""
    columns = list(zip(*rows[-WINDOW:], strict=True))
    counts = [len(set(column)) for column in columns]
    relations = {}
    for target, column in enumerate(columns):
        if 4 * counts[target] < len(column) or millionths_of(column[-1]) is None:
            continue
        sources = [at for at in range(target) if 3 < counts[at] < len(column) * 3 // 4]
        sources = sorted(sources, key=counts.__getitem__)[-_MOST_COLUMNS:]
        scores = {pair: _score(columns, *pair, target) for pair in combinations(sources, 2)}
        best = max(scores, key=scores.__getitem__, default=None)
        if best is not None and scores[best] >= _LEAST_SCORE:
            relation = relations[target] = Relation(target, *best)
            for row in rows[:-_JUDGED]:
                relation.remember(row)
            for row in rows[-_JUDGED:]:
                relation.learn(row)
    return relations


def _score(columns: Sequence[Row], first: int, second: int, target: int) -> int:
    """Return how much more often the two columns tell the third than not, where they repeat."""
    pairs = list(zip(columns[first], columns[second], strict=True))
    table = dict(zip(pairs, columns[target], strict=True))
    hits: int = sum(map(eq, map(table.__getitem__, pairs), columns[target]))
    return (hits - len(table)) - _MISS * (len(pairs) - hits)
