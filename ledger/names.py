"""The tables ``thing`` and ``kind`` of a ledger file: names by number (docs/format.md 9.2).

Part of the store: what is asked in passing, a batch of entries at a time.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Literal

from ledger import cbor
from ledger.records import Query, Row, SqlValue, read_back
from ledger.rest import Rest

Table = Literal["thing", "kind"]
# Of names whose numbers are remembered: some 10 MB.
_MAX_KNOWN = 65_536
# Values in one question; SQLite took 999 before version 3.32.
_STEP = 500


class Names:
    """The names of one ledger file."""

    def __init__(self, rest: Rest, query: Query, connection: sqlite3.Connection) -> None:
        """Read with *query* and write with *connection* names that are sealed by *rest*."""
        self._rest = rest
        self._query = query
        self._db = connection
        self._known: dict[Table, dict[str, int]] = {"thing": {}, "kind": {}}

    def numbers(self, table: Table, names: Collection[str]) -> Mapping[str, int]:
        """Return the number of each of *names*; only inside a transaction: new ones get theirs."""
        known = self._known[table]
        if len(known) > _MAX_KNOWN:
            known.clear()
        unknown = {self._rest.seal_name(name): name for name in sorted(set(names) - known.keys())}
        for some in _steps(list(unknown)):
            for number, sealed in self._query(
                f"SELECT id, name FROM {table} WHERE name IN ({_marks(some)})",  # noqa: S608 -- our own names
                *some,
            ):
                with read_back():
                    known[unknown.pop(sealed)] = cbor.as_uint(number)  # type: ignore[arg-type]
        if unknown:
            ((last,),) = self._query(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608
            new = dict(zip(unknown.values(), count(cbor.as_uint(last) + 1), strict=False))
            rows = zip(new.values(), unknown, strict=True)
            self._db.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)  # noqa: S608
            known.update(new)
        return known

    def of_numbers(self, table: Table, numbers: Collection[SqlValue]) -> Mapping[SqlValue, str]:
        """Return the names that have *numbers*; of a number that is not there, none.

        Raises:
            AlteredError: a hidden name does not open.
            DamagedError: the file cannot be read.
        """
        return {
            number: self._rest.open_name(name)
            for some in _steps(list(numbers))
            for number, name in self._query(
                f"SELECT id, name FROM {table} WHERE id IN ({_marks(some)})",  # noqa: S608
                *some,
            )
        }

    def of_others(self, things: Collection[str], row: int) -> set[str]:
        """Return those of *things* that other logs than that of *row* say something about.

        Raises:
            DamagedError: the file cannot be read.
        """
        sealed = {self._rest.seal_name(name): name for name in things}
        return {
            sealed[name]  # type: ignore[index]
            for some in _steps(list(sealed))
            for (name,) in self._query(
                f"SELECT name FROM thing WHERE name IN ({_marks(some)}) AND EXISTS "  # noqa: S608
                "(SELECT 1 FROM latest WHERE latest.thing = thing.id AND latest.log != ?)",
                *some,
                row,
            )
        }

    def forget(self) -> None:
        """Remember no number, as after a rollback."""
        for known in self._known.values():
            known.clear()


def _steps(values: Sequence[SqlValue]) -> Iterator[Row]:
    remaining = iter(values)
    while some := tuple(islice(remaining, _STEP)):
        yield some


def _marks(values: Row) -> str:
    return ", ".join("?" * len(values))
