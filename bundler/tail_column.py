"""A column of cells: what the next one may be by those before it (docs/format.md section 5.4.2)."""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from bundler.errors import MalformedError
from bundler.range_coder import Coder
from bundler.tail_grid import Grid, fit, millionths_of
from bundler.tail_literals import CellLiterals, Literals
from bundler.tail_mixture import ESCAPE, Context, Mixture, Symbol, adapt, code

_MODELS = 6
_REFITTED_CELLS = 128
_REFITS = 8
_FORGET_BITS = 3


class Estimate(NamedTuple):
    """What a number may be by others in its row.

    Attributes:
        millionths: The number.
        is_seen: Whether it came with the same others before.
    """

    millionths: int
    is_seen: bool


class _Group:
    """Where the cells of one group of rows stand.

    Attributes:
        before: The last symbol.
        number: The last number.
        step: How far it was from the one before; None if the last cell is no number.
        drift: Above 0 if numbers are nearer to where the last step leads than to where they were.
    """

    __slots__ = ("before", "drift", "number", "step")

    def __init__(self, number: int) -> None:
        self.before: Symbol = None
        self.number = number
        self.step: int | None = None
        self.drift = 0


class Column:
    """The cells at one path of the payloads, or of one field of the entries.

    Each row belongs to groups, say those of one thing: as many in each row of a column. A cell is
    looked at beside the one before it in the same group.
    """

    __slots__ = (
        "_grid", "_groups", "_has_numbers", "_has_values", "_latest", "_literals", "_mixture",
        "_refits", "_rows", "_symbols",
    )  # fmt: skip

    def __init__(self, *, has_values: bool = True) -> None:
        """Start with no cells.

        Args:
            has_values: Whether a cell may come again, and not only a difference.
        """
        self._has_values = has_values
        self._literals = CellLiterals()
        self._rows: list[tuple[Sequence[Hashable], bytes]] = []
        self._refits = 0
        self._start(Grid())

    def fit(self, cells: Iterable[bytes]) -> None:
        """Choose the grid of *cells*, all that will be learnt before any is coded."""
        self._start(fit(cells))

    def learn(
        self,
        names: Sequence[Hashable],
        cell: bytes,
        estimate: Estimate | None = None,
        *,
        adapts: bool = False,
    ) -> None:
        """Count *cell* as the next of the groups *names*.

        Args:
            names: Of the groups.
            cell: A CBOR item, or any other bytes but none.
            estimate: What it may be.
            adapts: Whether to believe those models more that expected it.
        """
        groups = self._groups_of(names)
        contexts = self._contexts(groups, estimate)
        symbol = self._symbols.get(cell)
        if symbol is None:
            symbol = self._symbol(cell)
            if self._rows:
                likely = self._likely(groups, estimate)
                self._literals.learn(cell, symbol - likely if isinstance(symbol, int) else None)
        if adapts:
            adapt(self._mixture.look(contexts), symbol)
        self._mixture.learn(contexts, symbol)
        self._advance(groups, symbol)
        if len(self._rows) <= _REFITTED_CELLS:
            self._rows.append((names, cell))

    def code(
        self,
        coder: Coder,
        literals: Literals,
        names: Sequence[Hashable],
        wanted: bytes,
        estimate: Estimate | None = None,
    ) -> bytes:
        """Code *wanted* (in a decoder: empty) as the next of the groups *names*, and count it.

        Raises:
            MalformedError: only a decoder: nothing is coded so.
        """
        groups = self._groups_of(names)
        contexts = self._contexts(groups, estimate)
        look = self._mixture.look(contexts)
        symbol = code(coder, look, self._symbol(wanted) if wanted else ESCAPE)
        if symbol is ESCAPE:
            likely = self._likely(groups, estimate)
            cell = literals.cell(coder, self._literals, self._grid, likely, wanted)
            symbol = self._symbol(cell)
        else:
            cell = self._cell(symbol)
        adapt(look, symbol)
        self._mixture.learn(contexts, symbol)
        self._advance(groups, symbol)
        if len(self._rows) <= _REFITTED_CELLS:
            self._rows.append((names, cell))
        if isinstance(symbol, bytes):
            self._refit(cell)
        return cell

    def _start(self, grid: Grid) -> None:
        self._grid = grid
        self._symbols: dict[bytes, Symbol] = {}
        self._mixture = Mixture(_MODELS)
        self._groups: dict[Hashable, _Group] = {}
        self._latest = 0
        self._has_numbers = False

    def _groups_of(self, names: Sequence[Hashable]) -> list[_Group]:
        groups = []
        for name in names:
            group = self._groups.get(name)
            if group is None:
                group = self._groups[name] = _Group(self._latest)
            groups.append(group)
        return groups

    def _contexts(self, groups: Sequence[_Group], estimate: Estimate | None) -> list[Context]:
        """Return what the models look at: all, and for each group its last cell and step."""
        contexts: list[Context] = [(None, None)] if self._has_values else []
        for group in groups:
            if self._has_values:
                contexts.append((group.before, None))
            if self._has_numbers:
                contexts += ((group.step is None, group.number), (group.step, group.number))
        if estimate is not None and self._has_numbers:
            contexts.append((estimate.is_seen, self._nearest(estimate)))
        return contexts

    def _likely(self, groups: Sequence[_Group], estimate: Estimate | None) -> int:
        """Return what a number is likely to be near to."""
        if estimate is not None:
            return self._nearest(estimate)
        group = groups[-1]
        return group.number + (group.step or 0) if group.drift > 0 else group.number

    def _nearest(self, estimate: Estimate) -> int:
        rounded = estimate.millionths - self._grid.base + self._grid.step // 2
        return rounded // self._grid.step

    def _advance(self, groups: Sequence[_Group], symbol: Symbol) -> None:
        if not isinstance(symbol, int):
            for group in groups:
                group.before, group.step = symbol, None
            return
        for group in groups:
            step = symbol - group.number
            if not self._has_values:
                gain = abs(step).bit_length() - abs(step - (group.step or 0)).bit_length()
                group.drift += gain - (group.drift >> _FORGET_BITS)
            group.before, group.number, group.step = symbol, symbol, step
        self._latest = symbol
        self._has_numbers = True

    def _refit(self, cell: bytes) -> None:
        """Choose the grid again for a number that is off it, as long as that is cheap."""
        is_cheap = len(self._rows) <= _REFITTED_CELLS and self._refits < _REFITS
        if is_cheap and millionths_of(cell) is not None:
            self._refits += 1
            self._start(fit(cell for _, cell in self._rows))
            for names, before in self._rows:
                groups = self._groups_of(names)
                self._mixture.learn(self._contexts(groups, None), self._symbol(before))
                self._advance(groups, self._symbol(before))

    def _symbol(self, cell: bytes) -> Symbol:
        symbol = self._symbols.get(cell)
        if symbol is None:
            symbol = self._grid.number(cell)
            symbol = self._symbols[cell] = cell if symbol is None else symbol
        return symbol

    def _cell(self, symbol: Symbol) -> bytes:
        cell = self._grid.cell(symbol) if isinstance(symbol, int) else symbol
        if cell is None:
            raise MalformedError("a number of more than 64 bits")
        return cell
