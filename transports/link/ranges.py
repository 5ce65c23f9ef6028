"""Sets of whole numbers as intervals: which bytes are wanted, which packets came. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """Numbers as disjoint intervals [start, end), ascending, none adjacent to the next.

    Each call costs what is in it of intervals that begin or end there, and a search among all.
    """

    __slots__ = ("_ends", "_starts", "total")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """Hold all numbers of *ranges*, in any order; empty ones count as nothing."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the intervals, ascending."""
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        """Return how many intervals there are."""
        return len(self._starts)

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"

    def add(self, start: int, end: int) -> None:
        """Add [start, end)."""
        if start >= end:
            return
        # Adjacent ones become one: an interval that ends at `start` is taken in as well.
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            self.total -= sum(self._ends[first:last]) - sum(self._starts[first:last])
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        self.total += end - start

    def remove(self, start: int, end: int) -> None:
        """Take [start, end) out, as far as it is there."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        if start >= end or first >= last:
            return
        low, high = self._starts[first], self._ends[last - 1]
        if start <= low and last - first == 1 and end < high:  # the usual case, from the front
            self.total -= end - low
            self._starts[first] = end
            return
        self.total -= sum(self._ends[first:last]) - sum(self._starts[first:last])
        kept = [part for part in ((low, start), (end, high)) if part[0] < part[1]]
        self._starts[first:last] = [part[0] for part in kept]
        self._ends[first:last] = [part[1] for part in kept]
        self.total += sum(part[1] - part[0] for part in kept)

    def within(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return what of [start, end) is there, ascending."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        return [
            (max(low, start), min(high, end))
            for low, high in zip(self._starts[first:last], self._ends[first:last], strict=True)
        ]

    def has(self, number: int) -> bool:
        """Return whether *number* is there."""
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number < self._ends[index]

    def first(self) -> tuple[int, int]:
        """Return the lowest interval; there must be one."""
        return self._starts[0], self._ends[0]

    def last(self) -> tuple[int, int]:
        """Return the highest interval; there must be one."""
        return self._starts[-1], self._ends[-1]

    def highest(self, count: int) -> list[tuple[int, int]]:
        """Return the *count* highest intervals, the highest first."""
        pairs = zip(self._starts[-count:], self._ends[-count:], strict=True)
        return list(pairs)[::-1]

    def keep_highest(self, count: int) -> None:
        """Forget all intervals but the *count* highest."""
        if len(self._starts) > count:
            self.remove(self._starts[0], self._ends[-count - 1])
