"""The table ``entry`` of a ledger file, many rows at a time (docs/format.md 9.2).

Part of the store. Names stand in other tables, which are looked at once a call and not joined; and
a statement inserts many rows, since what SQLite does around each costs as much as the row.
"""

import sqlite3
from itertools import chain, count, islice

from ledger import cbor
from ledger.entries import Entries
from ledger.names import Names
from ledger.records import Query, entries_from_rows
from ledger.rest import Rest

_ROWS = 64
_COLUMNS = 8
_ROW = f"({', '.join('?' * _COLUMNS)})"
_INSERT = "INSERT INTO entry VALUES "
_INSERT_MANY = _INSERT + ", ".join([_ROW] * _ROWS)
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
        rows = zip(
            count(first_id),
            thing_ids,
            map(kind_numbers.__getitem__, entries.kinds),
            entries.actions,
            entries.times_us,
            (cbor.encode(follows) if follows else None for follows in entries.follows),
            entries.digests,
            self._rest.seal_payloads(entries.digests, entries.payloads),
            strict=False,
        )
        values = chain.from_iterable(rows)
        while len(some := tuple(islice(values, _ROWS * _COLUMNS))) == _ROWS * _COLUMNS:
            self._db.execute(_INSERT_MANY, some)
        rest = (some[at : at + _COLUMNS] for at in range(0, len(some), _COLUMNS))
        self._db.executemany(_INSERT + _ROW, rest)
        return thing_ids

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
