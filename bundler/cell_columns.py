"""Reading columns of cells (docs/format.md section 5.3); `bundler.column_choice` writes them.

Whatever the bytes are, each cell that comes out is one deterministic item, and no more than that
is made of a few bytes than the caller asked for.
"""

from collections.abc import Hashable, Iterable, Sequence
from enum import IntEnum
from itertools import accumulate, compress, pairwise
from typing import NamedTuple, TypeVar

from bundler import items
from bundler.cells import MAX_SCALE, are_items, decimal_cells, float_cells, string_cells
from bundler.errors import LimitError, MalformedError
from bundler.number_columns import take_numbers

MAX_LEVEL = 4
"""How deep columns lie in columns: the dictionary of the exceptions of a dictionary, and so on."""

T = TypeVar("T")

APART, GROUPED = 1 << 3, 1 << 4
WITH_INTEGERS = 1 << 5


class Kind(IntEnum):
    """How the cells of a column are given, but for those that are given apart."""

    CONSTANT = 0
    DICTIONARY = 1
    DECIMALS = 2
    FLOATS = 3
    BYTES = 4
    TEXTS = 5
    ITEMS = 6
    TABLE = 7


class Reader(items.Reader):
    """Reads columns; of cells that are given as they are, it looks at so many bytes and no more."""

    __slots__ = ("_limit_bytes", "_looked_at_bytes")

    def __init__(self, data: bytes, limit_bytes: int) -> None:
        """Read *data*."""
        super().__init__(data)
        self._limit_bytes = limit_bytes
        self._looked_at_bytes = 0

    def check(self, cells: Iterable[bytes], depth: int) -> None:
        """Check cells that lie so many levels deep.

        Raises:
            MalformedError: one of them is not one deterministic item, or too deep.
            LimitError: they are too many bytes, together with those before.
        """
        different = list(set(cells))
        self._looked_at_bytes += sum(map(len, different))
        if self._looked_at_bytes > self._limit_bytes:
            raise LimitError(f"cells of over {self._limit_bytes} bytes in a section")
        if not are_items(different, depth):
            raise MalformedError("a cell that is not one deterministic item, or too deep")


class _Table(NamedTuple):
    """A column that follows from others, to be read when those have been."""

    column: int
    head: int
    keys: Sequence[int]


def take_columns(
    reader: Reader, depths: Sequence[int], count: int, order: Sequence[int]
) -> list[list[bytes]]:
    """Take the columns of a template, of *count* cells each.

    Args:
        reader: At the first of them.
        depths: How many levels deep the cells of each column lie.
        count: 1 or more.
        order: The numbers 0..*count* - 1 in which a column that is grouped has its cells; empty if
            that is how they are.

    Raises:
        MalformedError: what comes next is not these columns.
        LimitError: a length is beyond what can be, or cells are too many bytes together.
    """
    columns: list[list[bytes]] = []
    tables: list[_Table] = []
    for number, depth in enumerate(depths):
        head = _take_head(reader)
        if head & 7 == Kind.TABLE:
            several = 1 + reader.uint(1)
            keys = [reader.uint(len(depths) - 1) for _ in range(several)]
            tables.append(_Table(number, head, keys))
            columns.append([])
        else:
            columns.append(_take_column(reader, head, count, depth, 0))
            if head & GROUPED and order:
                columns[-1] = _ungrouped(columns[-1], order)
    for table in tables:
        columns[table.column] = _take_table(reader, table, columns, depths[table.column])
    return columns


def _take_head(reader: Reader) -> int:
    head = reader.raw(1)[0]
    known = 7 | APART | GROUPED | (WITH_INTEGERS if head & 7 == Kind.DECIMALS else 0)
    if head & ~known:
        raise MalformedError(f"a column with the head {head}")
    return head


def _take_inner(reader: Reader, count: int, depth: int, level: int) -> list[bytes]:
    head = _take_head(reader)
    if head & 7 == Kind.TABLE or head & GROUPED or level > MAX_LEVEL:
        raise MalformedError(f"a column with the head {head} within others")
    return _take_column(reader, head, count, depth, level)


def _take_column(reader: Reader, head: int, count: int, depth: int, level: int) -> list[bytes]:
    if not head & APART:
        return _take_cells(reader, head, count, depth, level)
    positions, apart = _take_apart(reader, count, depth, level)
    rest = _take_cells(reader, head, count - len(positions), depth, level)
    return _inserted(rest, positions, apart)


def _take_apart(
    reader: Reader, count: int, depth: int, level: int
) -> tuple[list[int], list[bytes]]:
    """Take the cells that a column has besides those of its kind, and where they belong."""
    many = reader.uint(count)
    positions = take_numbers(reader, many)
    if not 0 < many < count or not 0 <= positions[0] <= positions[-1] < count:
        raise MalformedError(f"{many} of {count} cells apart")
    if any(after <= before for before, after in pairwise(positions)):
        raise MalformedError("places of cells that do not ascend")
    return positions, _take_inner(reader, many, depth, level + 1)


def _take_cells(reader: Reader, head: int, count: int, depth: int, level: int) -> list[bytes]:
    """Take *count* cells, all given in the way that *head* says."""
    match Kind(head & 7):
        case Kind.CONSTANT:
            cell = reader.raw(reader.uint())
            reader.check([cell], depth)
            return [cell] * count
        case Kind.DICTIONARY:
            many = reader.uint(count)
            cells = _take_inner(reader, many, depth, level + 1)
            return _picked(cells, take_numbers(reader, count))
        case Kind.DECIMALS:
            scale = reader.uint(MAX_SCALE)
            numbers = take_numbers(reader, count)
            return decimal_cells(numbers, scale, with_integers=bool(head & WITH_INTEGERS))
        case Kind.FLOATS:
            return float_cells(take_numbers(reader, count))
        case Kind.ITEMS:
            cells = take_strings(reader, count)
            reader.check(cells, depth)
            return cells
        case kind:
            return string_cells(take_strings(reader, count), is_text=kind == Kind.TEXTS)


def take_strings(reader: items.Reader, count: int) -> list[bytes]:
    """Take *count* byte strings: a column of their lengths, then all of them joined.

    Raises:
        MalformedError: the lengths are none.
    """
    lengths = take_numbers(reader, count)
    if count and min(lengths) < 0:
        raise MalformedError("a string of less than no bytes")
    ends = list(accumulate(lengths, initial=0))
    joined = reader.raw(ends[-1])
    return [joined[start:end] for start, end in pairwise(ends)]


def _take_table(
    reader: Reader, table: _Table, columns: Sequence[list[bytes]], depth: int
) -> list[bytes]:
    """Take a column whose cells follow from those of one or two others beside them."""
    if table.head & GROUPED or not all(columns[key] for key in table.keys):
        raise MalformedError("a column that follows from one that is not there yet")
    # Not joined: each of very many combinations may be of long cells.
    keys: list[Hashable] = list(zip(*(columns[key] for key in table.keys), strict=True))
    positions: list[int] = []
    apart: list[bytes] = []
    if table.head & APART:
        positions, apart = _take_apart(reader, len(keys), depth, 0)
        keys = without(keys, positions)
    known = dict.fromkeys(keys)
    cells = dict(zip(known, _take_inner(reader, len(known), depth, 1), strict=True))
    return _inserted(list(map(cells.__getitem__, keys)), positions, apart)


def without(values: Sequence[T], positions: Iterable[int]) -> list[T]:
    """Return *values* but for those at *positions*."""
    kept = bytearray(b"\1") * len(values)
    for position in positions:
        kept[position] = 0
    return list(compress(values, kept))


def _picked(cells: Sequence[bytes], numbers: Sequence[int]) -> list[bytes]:
    if not cells or min(numbers) < 0 or max(numbers) >= len(cells):
        raise MalformedError(f"a cell beyond a dictionary of {len(cells)}")
    return list(map(cells.__getitem__, numbers))


def _inserted(cells: list[bytes], positions: Sequence[int], apart: Sequence[bytes]) -> list[bytes]:
    """Return *cells* with those *apart* in between, so that they come to lie at *positions*."""
    if not positions:
        return cells
    whole: list[bytes] = []
    begin = 0
    for number, (position, cell) in enumerate(zip(positions, apart, strict=True)):
        end = position - number
        whole += cells[begin:end]
        whole.append(cell)
        begin = end
    return whole + cells[begin:]


def _ungrouped(cells: Sequence[bytes], order: Sequence[int]) -> list[bytes]:
    ungrouped = list(cells)
    for number, cell in zip(order, cells, strict=True):
        ungrouped[number] = cell
    return ungrouped
