"""Rows of a damaged ledger file, put where they can be asked for (docs/format.md section 9.2).

Nothing here is believed: of each row there may be several versions, some old, some damaged.
`ledger.repair` proves what it keeps.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, Self

from ledger.errors import DamagedError, LedgerError
from ledger.log import LogName
from ledger.merkle import Frontier
from ledger.note import Checkpoint
from ledger.records import SqlValue, checkpoint_from_row
from ledger.rest import NAME_EXTRA_BYTES
from ledger.schema import NUMBER_BITS, TABLES
from ledger.sqlite_pages import Record, Value, children, records
from ledger.store import COVER_COPY
from ledger.store_images import Images

_SCRATCH = """
CREATE TABLE meta (key, value, PRIMARY KEY (key, value)) WITHOUT ROWID;
CREATE TABLE log (id, author, incarnation, PRIMARY KEY (id, author, incarnation)) WITHOUT ROWID;
CREATE TABLE state (log, frontier, cover, PRIMARY KEY (log, frontier, cover)) WITHOUT ROWID;
CREATE TABLE checkpoint (
    log, size, root, signature, mldsa44, UNIQUE (log, size, root, signature, mldsa44)
);
CREATE TABLE node (log, level, position, hash, UNIQUE (log, level, position, hash));
CREATE TABLE thing (number, name, PRIMARY KEY (number, name)) WITHOUT ROWID;
CREATE TABLE kind (number, name, PRIMARY KEY (number, name)) WITHOUT ROWID;
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, thing, kind, action, time, follows, digest, payload
);
CREATE TABLE other (
    id INTEGER PRIMARY KEY, thing, kind, action, time, follows, digest, payload
);
CREATE TABLE evidence (log, what, data, UNIQUE (log, what, data));
CREATE TABLE pack (id, name, PRIMARY KEY (id, name)) WITHOUT ROWID;
CREATE TABLE blob (name, pack, offset, length, size, UNIQUE (name, pack, offset, length, size));
"""
_ENTRY = "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
_INSERT_ENTRY = f"INSERT OR IGNORE INTO entry {_ENTRY}"
_INSERT_OTHER = (
    "INSERT OR IGNORE INTO other SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM entry WHERE id = ?1 "
    "AND (thing, kind, action, time, follows, digest, payload) IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8)"
)
_TEXT_OR_BLOB = (str, bytes)
_OPTIONAL_BLOB = (bytes, type(None))
_OPTIONAL_INT = (int, type(None))
_Types = tuple[type | tuple[type, ...], ...]
_LOG: _Types = (type(None), bytes, bytes, int, bytes, bytes, int)
_ENTRY_TYPES: _Types = (type(None), int, int, int, int, _OPTIONAL_BLOB, bytes, _OPTIONAL_BLOB)
_ROWS_AT_ONCE = 4096
_MASK = (1 << NUMBER_BITS) - 1

NameTable = Literal["thing", "kind"]

EntryRow = tuple[SqlValue, ...]
"""id, thing, kind, action, time, follows, digest, payload."""


class Salvage:
    """What was found in a damaged file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `of` instead."""
        self.path = path
        self._db = connection

    @classmethod
    @contextmanager
    def of(cls, path: Path, scratch: Path) -> Iterator[Self]:
        """Read all of the damaged file *path*, and its log; what is found lies in *scratch*.

        Args:
            path: Nobody writes to it meanwhile; it may be cut off, or anything.
            scratch: A file that is not there yet. The caller removes it.

        Raises:
            DamagedError: the disk said no.
        """
        try:
            with closing(sqlite3.connect(scratch, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = OFF")
                db.execute("PRAGMA synchronous = OFF")
                db.executescript(f"{_SCRATCH}BEGIN;")
                with Images(path) as images:
                    _Sorter(db, images).sort()
                yield cls(path, db)
        except (sqlite3.Error, OSError) as error:
            raise DamagedError(f"{path} cannot be salvaged: {error}") from error

    def meta(self, key: str) -> list[bytes]:
        """Return all values found under *key*."""
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,))
        return [bytes(value) for (value,) in found]

    def geneses(self) -> list[bytes]:
        """Return what is like the genesis of a ledger; the file has it on several pages."""
        found = self._db.execute("SELECT DISTINCT data FROM evidence WHERE what = 'genesis'")
        return [*self.meta("genesis"), *(bytes(data) for (data,) in found)]

    def has_hidden_names(self) -> bool:
        """Return whether names are sealed: all of a file are, or none but by damage."""
        found = self._db.execute("SELECT sum(typeof(name) = 'blob') * 2 > count(*) FROM thing")
        return bool(found.fetchone()[0])

    def logs(self) -> list[tuple[int, LogName]]:
        """Return number and name of each log, of some perhaps several, in the order they came."""
        found = self._db.execute("SELECT id, author, incarnation FROM log ORDER BY id")
        return [(row, LogName(author, incarnation)) for row, author, incarnation in found]

    def unnamed_logs(self) -> list[int]:
        """Return the numbers of logs of which entries are there, and no name."""
        found = self._db.execute(
            "SELECT DISTINCT log FROM checkpoint WHERE log NOT IN (SELECT id FROM log) ORDER BY 1"
        )
        return [row for (row,) in found]

    def covers(self, row: int) -> list[bytes]:
        """Return the sealed seeds found of a log."""
        found = self._db.execute(
            "SELECT cover FROM state WHERE log = ?1 "
            "UNION SELECT data FROM evidence WHERE log = ?1 AND what = ?2",
            (row, COVER_COPY),
        )
        return [bytes(cover) for (cover,) in found]

    def frontiers(self, row: int) -> list[Frontier]:
        """Return the ends of the tree found of a log, the largest first."""
        found = []
        for (data,) in self._db.execute(
            "SELECT DISTINCT frontier FROM state WHERE log = ?", (row,)
        ):
            try:
                found.append(Frontier.from_bytes(data))
            except LedgerError:
                continue
        return sorted(found, key=lambda one: one.size, reverse=True)

    def checkpoints(self, row: int, first: int, end: int) -> list[Checkpoint]:
        """Return what is like a checkpoint with a size above *first* and up to *end*, ascending."""
        rows = self._db.execute(
            "SELECT size, root, signature, mldsa44 FROM checkpoint "
            "WHERE log = ? AND size > ? AND size <= ? ORDER BY size",
            (row, first, end),
        )
        return list(_readable(rows))

    def newest_checkpoints(self, row: int) -> Iterator[Checkpoint]:
        """Yield what is like a checkpoint of a log, the largest first."""
        yield from _readable(
            self._db.execute(
                "SELECT size, root, signature, mldsa44 FROM checkpoint "
                "WHERE log = ? ORDER BY size DESC",
                (row,),
            )
        )

    def nodes(self, row: int, level: int, position: int) -> list[bytes]:
        """Return the hashes found of one node of a tree."""
        found = self._db.execute(
            "SELECT hash FROM node WHERE log = ? AND level = ? AND position = ?",
            (row, level, position),
        )
        return [bytes(value) for (value,) in found]

    def entries(self, row: int, first: int, end: int) -> Iterator[tuple[int, list[EntryRow]]]:
        """Yield number and versions of the entries *first* up to *end* that are there."""
        bounds = (row << NUMBER_BITS) + first, (row << NUMBER_BITS) + end
        others: dict[SqlValue, EntryRow] = {}
        for other in self._db.execute("SELECT * FROM other WHERE id >= ? AND id < ?", bounds):
            others[other[0]] = other
        for found in self._db.execute(
            "SELECT * FROM entry WHERE id >= ? AND id < ? ORDER BY id", bounds
        ):
            more = [others[found[0]]] if found[0] in others else []
            yield found[0] & _MASK, [found, *more]

    def first_with(self, row: int, first: int, end: int, actions: Iterable[int]) -> int:
        """Return the number of the first entry from *first* on with one of *actions*, or *end*."""
        wanted = ", ".join(map(str, map(int, actions)))
        found = self._db.execute(
            f"SELECT min(id) FROM entry WHERE id >= ? AND id < ? AND action IN ({wanted})",  # noqa: S608
            ((row << NUMBER_BITS) + first, (row << NUMBER_BITS) + end),
        ).fetchone()[0]
        return end if found is None else found & _MASK

    def names(self, table: NameTable, number: SqlValue) -> list[str | bytes]:
        """Return the names found of a thing or kind, as they stand in the file."""
        found = self._db.execute(f"SELECT name FROM {table} WHERE number = ?", (number,))  # noqa: S608
        return [name for (name,) in found]

    def evidence(self, what: str) -> list[tuple[LogName, bytes]]:
        """Return what was kept as proof of the kind *what*."""
        found = self._db.execute(
            "SELECT author, incarnation, data FROM evidence JOIN log ON log.id = evidence.log "
            "WHERE what = ?",
            (what,),
        )
        return [(LogName(author, incarnation), data) for author, incarnation, data in found]

    def chunks(self) -> Iterator[tuple[bytes, tuple[bytes, int, int, int]]]:
        """Yield pack, then name, offset, length and size of each chunk of contents of files."""
        for pack, *span in self._db.execute(
            "SELECT pack.name, blob.name, offset, length, size FROM blob "
            "JOIN pack ON pack.id = blob.pack ORDER BY pack.name"
        ):
            yield pack, (span[0], span[1], span[2], span[3])


def _readable(rows: Iterable[Sequence[SqlValue]]) -> Iterator[Checkpoint]:
    for row in rows:
        try:
            yield checkpoint_from_row(row)
        except LedgerError:
            continue


class _Sorter:
    """Tells by its shape what a row is, and puts it where it belongs."""

    def __init__(self, db: sqlite3.Connection, images: Images) -> None:
        self._db = db
        self._images = images
        self._kinds = self._pages_of("kind")
        self._entries: list[Sequence[Value]] = []

    def sort(self) -> None:
        for number, page in self._images.all():
            names = "kind" if number in self._kinds else "thing"
            for record in records(page, number, self._images.page):
                self._take(record, names)
        self._flush()

    def _take(self, record: Record, names: str) -> None:
        rowid, values = record
        shapes = _TABLE_SHAPES if rowid is not None else _INDEX_SHAPES
        for types, put in shapes.get(len(values), ()):
            if all(isinstance(one, kind) for one, kind in zip(values, types, strict=False)):
                if types is _ENTRY_TYPES:
                    self._take_entry((rowid, *values[1:]))
                else:
                    put(self._db, rowid, values, names)

    def _take_entry(self, row: Sequence[Value]) -> None:
        self._entries.append(row)
        if len(self._entries) >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._db.executemany(_INSERT_ENTRY, self._entries)
        self._db.executemany(_INSERT_OTHER, self._entries)
        self._entries.clear()

    def _pages_of(self, table: str) -> set[int]:
        """Return the pages that lead from where a table and its index begin in every file of ours.

        SQLite never moves the first page of a table, and ours are made in one order.
        """
        with closing(sqlite3.connect(":memory:")) as made:
            made.executescript(TABLES)
            roots = made.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,))
            waiting = [root for (root,) in roots]
        found: set[int] = set()
        while waiting:
            number = waiting.pop()
            page = self._images.page(number)
            if number not in found and page is not None:
                found.add(number)
                waiting += children(page, number)
        return found


_Put = Callable[[sqlite3.Connection, int | None, Sequence[Value], str], object]


def _insert(table: str, *columns: int) -> _Put:
    """Return what keeps some columns of a row, after its number if it has one; -1 stands for it."""
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"  # noqa: S608 -- our own words

    def put(db: sqlite3.Connection, rowid: int | None, values: Sequence[Value], _: str) -> None:
        db.execute(sql, [rowid if at < 0 else values[at] for at in columns])

    return put


def _put_log(
    db: sqlite3.Connection, rowid: int | None, values: Sequence[Value], names: str
) -> None:
    _insert("log", -1, 1, 2)(db, rowid, values, names)
    _insert("state", -1, 4, 5)(db, rowid, values, names)


def _put_name(
    db: sqlite3.Connection, rowid: int | None, values: Sequence[Value], names: str
) -> None:
    number, name = (rowid, values[1]) if rowid is not None else (values[1], values[0])
    if isinstance(name, bytes) and len(name) < NAME_EXTRA_BYTES:
        return  # rows of packs and of what lacks have the shape of hidden names
    db.execute(f"INSERT OR IGNORE INTO {names} VALUES (?, ?)", (number, name))  # noqa: S608


def _put_pack(db: sqlite3.Connection, rowid: int | None, values: Sequence[Value], _: str) -> None:
    pair = (rowid, values[1]) if rowid is not None else (values[1], values[0])
    db.execute("INSERT OR IGNORE INTO pack VALUES (?, ?)", pair)


_TABLE_SHAPES: dict[int, list[tuple[_Types, _Put]]] = {
    2: [((type(None), _TEXT_OR_BLOB), _put_name), ((type(None), bytes), _put_pack)],
    4: [((type(None), int, str, bytes), _insert("evidence", 1, 2, 3))],
    8: [(_ENTRY_TYPES, _put_name)],
    11: [(_LOG, _put_log)],
}
_INDEX_SHAPES: dict[int, list[tuple[_Types, _Put]]] = {
    2: [
        ((str, bytes), _insert("meta", 0, 1)),
        ((_TEXT_OR_BLOB, int), _put_name),
        ((bytes, int), _put_pack),
    ],
    3: [((bytes, bytes, int), _insert("log", 2, 0, 1))],
    4: [
        ((int, int, int, bytes), _insert("node", 0, 1, 2, 3)),
        ((int, str, bytes, int), _insert("evidence", 0, 1, 2)),
    ],
    5: [
        ((int, int, bytes, bytes, _OPTIONAL_BLOB), _insert("checkpoint", 0, 1, 2, 3, 4)),
        ((bytes, int, int, int, int), _insert("blob", 0, 1, 2, 3, 4)),
    ],
}
