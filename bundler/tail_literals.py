"""What no model expects: numbers, strings and cells in full (docs/format.md section 5.4.4)."""

from collections.abc import Mapping

from bundler import items
from bundler.errors import MalformedError
from bundler.range_coder import Coder
from bundler.tail_grid import DIGITS, Grid, decimal_cell, decimal_of
from bundler.tail_text import Text

# How a cell is written; _DECIMAL + digits behind the point.
_GRID, _TEXT, _STRING, _RAW, _WORDS, _DECIMAL = range(6)
_KINDS = _DECIMAL + DIGITS + 1
_MAJOR_STRING, _MAJOR_TEXT = 2, 3
_MODELLED_BYTES = 1 << 12
_MOST_SIZE = 96
_CHUNK_BITS = 32
_STEP = 24
_BYTE = 256
_PRINTABLE = bytes(range(0x20, 0x7F))
_MOSTLY = 3
_EVEN = dict.fromkeys(range(_KINDS), 1)
_SIZES = {size: max(8 >> size // 12, 1) for size in range(_MOST_SIZE + 1)}


class Choice:
    """One of a few numbers, by how often each came."""

    __slots__ = ("_shares",)

    def __init__(self, shares: Mapping[int, int]) -> None:
        """Start with *shares* of the numbers from 0 on."""
        self._shares = dict(shares)

    def learn(self, number: int) -> None:
        """Count that *number* came."""
        self._shares[number] += _STEP

    def code(self, coder: Coder, wanted: int) -> int:
        """Code *wanted*."""
        found = coder.choose(self._shares, wanted)
        self.learn(found)
        return found


class Numbers:
    """Numbers of any size, the sizes by how often each came."""

    __slots__ = ("_sizes",)

    def __init__(self) -> None:
        """Start with small sizes likelier."""
        self._sizes = Choice(_SIZES)

    def learn(self, number: int) -> None:
        """Count that *number*, of either sign, came."""
        self._sizes.learn(_folded(number).bit_length())

    def code(self, coder: Coder, wanted: int) -> int:
        """Code *wanted*, of either sign."""
        number = self.code_unsigned(coder, _folded(wanted))
        return -(number + 1) // 2 if number & 1 else number // 2

    def code_unsigned(self, coder: Coder, wanted: int) -> int:
        """Code *wanted*, 0 or more."""
        left = self._sizes.code(coder, wanted.bit_length()) - 1
        number = int(left >= 0)
        while left > 0:
            bits = min(left, _CHUNK_BITS)
            left -= bits
            number = number << bits | coder.number(1 << bits, wanted >> left & (1 << bits) - 1)
        return number


class CellLiterals:
    """How the cells of one column are written in full, learnt from those that were."""

    __slots__ = ("kinds", "steps")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.kinds = Choice(_EVEN)
        self.steps = Numbers()

    def learn(self, cell: bytes, step: int | None) -> None:
        """Count that *cell* came anew: on the grid, *step* from where it was, or off it."""
        if step is None:
            self.kinds.learn(_kind_of(cell, None))
        else:
            self.kinds.learn(_GRID)
            self.steps.learn(step)


class Literals:
    """What all columns share to write cells in full.

    What is wanted is empty in a decoder: no cell is.
    """

    __slots__ = ("_decimals", "_lengths", "_most_bytes", "_read", "_text")

    def __init__(self, most_bytes: int) -> None:
        """Start with nothing seen; no string is longer than *most_bytes*."""
        self._lengths = Numbers()
        self._decimals = Numbers()
        self._most_bytes = most_bytes
        self._read: list[bytes] = []
        self._text: Text | None = None

    def read(self, text: bytes) -> None:
        """Remember *text* for when the first text is coded."""
        self._read.append(text)

    def cell(
        self, coder: Coder, column: CellLiterals, grid: Grid, reference: int, wanted: bytes
    ) -> bytes:
        """Code the bytes *wanted*, most likely a CBOR item; a number from *reference* on.

        Raises:
            MalformedError: only a decoder: nothing is coded so.
        """
        kind = column.kinds.code(coder, _kind_of(wanted, grid) if wanted else 0)
        if kind == _GRID:
            number = (grid.number(wanted) or 0) - reference if wanted else 0
            return _possible(grid.cell(reference + column.steps.code(coder, number)))
        if kind >= _DECIMAL:
            number = decimal_of(wanted)[1] if wanted else 0
            return _possible(decimal_cell(kind - _DECIMAL, self._decimals.code(coder, number)))
        if kind in (_RAW, _WORDS):
            cell = self._string(coder, wanted, is_text=kind == _WORDS)
            return _possible(cell or None)
        content = self._string(coder, wanted[_head_bytes(wanted) :], is_text=kind == _TEXT)
        return items.uint(len(content), _MAJOR_TEXT if kind == _TEXT else _MAJOR_STRING) + content

    def _string(self, coder: Coder, wanted: bytes, *, is_text: bool) -> bytes:
        length = self._lengths.code_unsigned(coder, len(wanted))
        if length > self._most_bytes:
            raise MalformedError(f"a string of {length} bytes, at most {self._most_bytes} may be")
        wanted = wanted or bytes(length)
        if is_text and length <= _MODELLED_BYTES:
            return self._text_model().code(coder, wanted)
        return bytes(coder.number(_BYTE, byte) for byte in wanted)

    def _text_model(self) -> Text:
        if self._text is None:
            self._text = Text()
            for text in self._read:
                self._text.read(text)
        return self._text


def _folded(number: int) -> int:
    """Return the number of *number* in 0, -1, 1, -2, 2..."""
    return -2 * number - 1 if number < 0 else 2 * number


def _kind_of(cell: bytes, grid: Grid | None) -> int:
    """Return how *cell* is written in full; without a grid it is on none."""
    if grid is not None and grid.number(cell) is not None:
        return _GRID
    digits, _ = decimal_of(cell)
    if digits is not None:
        return _DECIMAL + digits
    major, head = cell[0] >> 5, _head_bytes(cell)
    is_whole = items.uint(max(len(cell) - head, 0), major) == cell[:head]
    if is_whole and major == _MAJOR_TEXT:
        return _TEXT
    if _MOSTLY * len(cell.translate(None, _PRINTABLE)) < len(cell):
        return _WORDS
    return _STRING if is_whole and major == _MAJOR_STRING else _RAW


def _head_bytes(cell: bytes) -> int:
    """Return the length of the head of a string."""
    low = cell[0] & 31 if cell else 0
    return 1 + (1 << low - 24) if 24 <= low <= 27 else 1


def _possible(cell: bytes | None) -> bytes:
    if cell is None:
        raise MalformedError("a number of more than 64 bits, or nothing at all")
    return cell
