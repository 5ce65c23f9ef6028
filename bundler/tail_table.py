"""All columns of a log's entries, learnt and coded row by row (docs/format.md section 5.4.1)."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Protocol

from bundler.errors import MalformedError
from bundler.range_coder import Coder
from bundler.tail_column import Column, Estimate
from bundler.tail_literals import Literals
from bundler.tail_relation import Relation, find_relations
from bundler.tail_rows import DIGEST_BYTES, LEAF_BYTES, Row, row_of
from bundler.tail_shape import Form, Path
from ledger.entry import Entry

MAX_CONTEXT_BYTES = 1 << 19
"""Payloads of a context together; of a longer one the latest entries count."""

_ADAPTED_ROWS, _RELATED_ROWS = 16, 96
_READ_BYTES = 1 << 10
_FIRST_RELATIONS = 16
_MOST_RELATED_COLUMNS = 64
_MOST_COLUMNS = 1024
_BYTE = 256
_MAJOR_TEXT = 3

_Groups = Sequence[Hashable]
_ALL = (b"",)


class _Step(Protocol):
    """What is done with each cell of a row."""

    def cell(
        self, column: Column, groups: _Groups, wanted: bytes, estimate: Estimate | None = None
    ) -> bytes:
        """Take *wanted* as the next cell of *column*, and return it."""

    def fixed(self, wanted: bytes, length: int) -> bytes:
        """Take the *length* bytes *wanted*, which nothing tells, and return them."""


class _Learn:
    """Learns rows of the context."""

    __slots__ = ("_adapts",)

    def __init__(self, *, adapts: bool) -> None:
        self._adapts = adapts

    def cell(
        self, column: Column, groups: _Groups, wanted: bytes, estimate: Estimate | None = None
    ) -> bytes:
        column.learn(groups, wanted, estimate, adapts=self._adapts)
        return wanted

    def fixed(self, wanted: bytes, length: int) -> bytes:
        return wanted


class _Code:
    """Codes rows."""

    __slots__ = ("_coder", "_left", "_literals")

    def __init__(self, coder: Coder, literals: Literals, most_bytes: int) -> None:
        self._coder, self._literals, self._left = coder, literals, most_bytes

    def cell(
        self, column: Column, groups: _Groups, wanted: bytes, estimate: Estimate | None = None
    ) -> bytes:
        cell = column.code(self._coder, self._literals, groups, wanted, estimate)
        self._left -= len(cell)
        if self._left < 0:
            raise MalformedError("more bytes than may be modelled")
        return cell

    def fixed(self, wanted: bytes, length: int) -> bytes:
        return bytes(self._coder.number(_BYTE, byte) for byte in wanted or bytes(length))


class _Layout:
    """The columns of payloads of one form, the cells that came, and what follows from what."""

    __slots__ = ("_due", "_rows", "columns", "relations")

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.relations: dict[int, Relation] = {}
        self._rows: list[Sequence[bytes]] = []
        self._due = _FIRST_RELATIONS

    def relate(self) -> None:
        """Look for relations each time that the rows have doubled."""
        if len(self._rows) >= self._due and len(self.columns) <= _MOST_RELATED_COLUMNS:
            self._due = 2 * len(self._rows)
            self.relations = find_relations(self._rows)

    def add(self, cells: Sequence[bytes]) -> None:
        """Remember the row *cells*."""
        self._rows.append(cells)
        for relation in self.relations.values():
            relation.learn(cells)


class Table:
    """What is known of a log's entries, and what the next may be."""

    __slots__ = (
        "_columns", "_form", "_forms", "_is_relating", "_layouts", "_literals", "_log",
        "_most_bytes", "_number", "_thing", "_time",
    )  # fmt: skip

    def __init__(self, context: Sequence[Entry], most_bytes: int) -> None:
        """Learn from *context*; no string that is coded is longer than *most_bytes*."""
        self._thing, self._form, self._log, self._number = (Column() for _ in range(4))
        self._time = Column(has_values=False)
        self._columns: dict[Path, Column] = {}
        self._forms: dict[bytes, Form] = {}
        self._layouts: dict[tuple[Path, ...], _Layout] = {}
        self._literals = Literals(most_bytes)
        self._most_bytes = most_bytes
        self._is_relating = True
        rows = self._rows(_latest(context))
        self._fit(rows)
        for left in range(len(rows), 0, -1):
            self._is_relating = left <= _RELATED_ROWS
            self._take(_Learn(adapts=left <= _ADAPTED_ROWS), rows[-left])

    def code(self, coder: Coder, wanted: Row) -> tuple[Row, Form]:
        """Code the row *wanted* (in a decoder: `NO_ROW`) as the next, and return it.

        Raises:
            MalformedError: only a decoder: nothing is coded so.
        """
        return self._take(_Code(coder, self._literals, self._most_bytes), wanted)

    def _rows(self, entries: Sequence[Entry]) -> list[Row]:
        rows: list[Row] = []
        likely = None
        for entry in entries:
            rows.append(row_of(entry, likely))
            likely = self._form_of(rows[-1].form)
        return rows

    def _fit(self, rows: Sequence[Row]) -> None:
        """Choose the grids for all of *rows*, and remember the latest texts."""
        cells: defaultdict[Column, list[bytes]] = defaultdict(list)
        for row in rows:
            columns = self._layout(self._form_of(row.form)).columns
            for column, cell in zip(columns, row.cells, strict=True):
                cells[column].append(cell)
        for column, known in cells.items():
            column.fit(known)
        self._time.fit(row.time for row in rows)
        texts = dict.fromkeys(
            cell for row in reversed(rows) for cell in row.cells if cell[0] >> 5 == _MAJOR_TEXT
        )
        self._literals.read(b"".join(texts)[:_READ_BYTES])

    def _take(self, step: _Step, wanted: Row) -> tuple[Row, Form]:
        """Take *wanted* cell by cell, each in the knowledge of those before it."""
        thing = step.cell(self._thing, _ALL, wanted.thing)
        form_cell = step.cell(self._form, (thing,), wanted.form)
        form = self._form_of(form_cell)
        time = step.cell(self._time, (thing, b""), wanted.time)
        follows = []
        for at in range(form.follow_count):
            log, number, leaf = wanted.follows[at] if wanted.follows else (b"", b"", b"")
            log = step.cell(self._log, _ALL, log)
            number = step.cell(self._number, (log,), number)
            follows.append((log, number, step.fixed(leaf, LEAF_BYTES)))
        cells = self._take_payload(step, thing, form, wanted.cells)
        digest = b"" if form.skeleton else step.fixed(wanted.digest, DIGEST_BYTES)
        return Row(thing, form_cell, time, follows, cells, digest), form

    def _take_payload(
        self, step: _Step, thing: bytes, form: Form, wanted: Sequence[bytes]
    ) -> Sequence[bytes]:
        layout = self._layout(form)
        if self._is_relating:
            layout.relate()
        cells: list[bytes] = []
        groups = (thing,)
        for at, column in enumerate(layout.columns):
            relation = layout.relations.get(at)
            estimate = None if relation is None else relation.estimate(cells)
            cells.append(step.cell(column, groups, wanted[at] if wanted else b"", estimate))
        layout.add(cells)
        return cells

    def _layout(self, form: Form) -> _Layout:
        layout = self._layouts.get(form.paths)
        if layout is None:
            columns = [self._column(path) for path in form.paths]
            layout = self._layouts[form.paths] = _Layout(columns)
        return layout

    def _column(self, path: Path) -> Column:
        """Return the column of *path*: the first of them have one each."""
        if path not in self._columns and len(self._columns) >= _MOST_COLUMNS:
            path = ()
        return self._columns.setdefault(path, Column())

    def _form_of(self, data: bytes) -> Form:
        form = self._forms.get(data)
        if form is None:
            form = self._forms[data] = Form.from_bytes(data)
        return form


def _latest(context: Sequence[Entry]) -> Sequence[Entry]:
    """Return the last of *context* whose payloads are not too big together."""
    left = MAX_CONTEXT_BYTES
    for at in range(len(context) - 1, -1, -1):
        left -= len(context[at].payload or b"")
        if left < 0:
            return context[at + 1 :]
    return context
