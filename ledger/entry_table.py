"""The table ``entry`` of a ledger file, many rows at a time (docs/format.md 9.2).

Part of the store. Names stand in other tables, which are looked at once a call and not joined; and
a statement inserts many rows, since what SQLite does around each costs as much as the row. What all
rows of a call have alike is handed to each statement once.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from operator import getitem

from ledger import cbor
from ledger.entries import Entries
from ledger.names import Names
from ledger.records import Query, entries_from_rows
from ledger.rest import Rest

_ROWS = 64
_INSERT_ONE = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = (
    "SELECT thing, kind, action, time, follows, digest, {} FROM entry "
    "WHERE id >= ? AND id < ? ORDER BY id"
)


class EntryTable:
    """The entries of one ledger file."""

    def __init__(
        self, rest: Rest, names: Names, query: Query, connection: sqlite3.Connection
    ) -> None:
        """Read with *query* and write with *connection* payloads that are sealed by *rest*."""
        self._rest = rest
        self._names = names
        self._query = query
        self._db = connection

    def insert(self, first_id: int, entries: Entries) -> list[int]:
        """Insert *entries*, whose ids ascend from *first_id*; only inside a transaction.

        Returns:
            The number of the thing of each.
        """
        thing_numbers = self._names.numbers("thing", set(entries.things))
        kind_numbers = self._names.numbers("kind", set(entries.kinds))
        thing_ids = list(map(thing_numbers.__getitem__, entries.things))
        columns: list[Sequence[object]] = [
            thing_ids,
            list(map(kind_numbers.__getitem__, entries.kinds)),
            entries.actions,
            entries.times_us,
            [cbor.encode(follows) if follows else None for follows in entries.follows],
            entries.digests,
        ]
        whole = entries.count // _ROWS * _ROWS
        alike = tuple(column.count(column[0]) == len(column) for column in columns if whole)
        for at in range(0, whole, _ROWS):
            cuts = (slice(1) if one else slice(at, at + _ROWS) for one in alike)
            values = chain.from_iterable(map(getitem, columns, cuts))
            sealed = self._sealed(entries, at, at + _ROWS)
            self._db.execute(_insert_many(alike), (first_id + at, *values, *sealed))
        ids = range(first_id + whole, first_id + entries.count)
        left = [column[whole:] for column in columns]
        sealed = self._sealed(entries, whole, entries.count)
        self._db.executemany(_INSERT_ONE, zip(ids, *left, sealed, strict=True))
        return thing_ids

    def _sealed(self, entries: Entries, first: int, end: int) -> Iterator[bytes | None]:
        return self._rest.seal_payloads(entries.digests[first:end], entries.payloads[first:end])

    def between(self, low: int, high: int, *, with_payloads: bool = True) -> Entries:
        """Return the entries with ids from *low* up to *high*, in order.

        One whose thing or kind has no name is passed over.

        Raises:
            AlteredError: a payload, or a hidden name, does not open.
            DamagedError: the file cannot be read.
        """
        rows = self._query(_SELECT.format("payload" if with_payloads else "NULL"), low, high)
        things = self._names.of_numbers("thing", {row[0] for row in rows})
        kinds = self._names.of_numbers("kind", {row[1] for row in rows})
        return entries_from_rows(rows, things, kinds, self._rest)


@cache
def _insert_many(alike: tuple[bool, ...]) -> str:
    """Return the statement for `_ROWS` rows: the first id is its first value, then come columns.

    Args:
        alike: Of each column but id and payload, whether its one value is for all rows.
    """
    columns: list[Sequence[int]] = []
    number = 2
    for one in (*alike, False):
        columns.append([number] * _ROWS if one else range(number, number + _ROWS))
        number += len(set(columns[-1]))
    rows = enumerate(zip(*columns, strict=True))
    values = (f"(?1 + {row}, {', '.join(map('?{}'.format, numbers))})" for row, numbers in rows)
    return f"INSERT INTO entry VALUES {', '.join(values)}"  # noqa: S608 -- numbers alone
