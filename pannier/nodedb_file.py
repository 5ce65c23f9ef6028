"""The file ``node.db`` itself: its tables, and reading and changing it (docs/format.md 9.3)."""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

from bundler.notices import MAX_ASK_BITS
from ledger.storage_errors import is_of_disk, names_disk, reason
from ledger.store_file import IMPLAUSIBLE_VERSION
from pannier.errors import BusyError, DamagedFileError, PannierError

VERSION = 1
_BUSY_SECONDS = 30.0
_COUNT_BITS = 63
MEND_NODE_DB = ": `pannier verify --repair` sets it aside, and it is made anew"
"""What to do about a file that is damaged."""

_ID = re.compile("[0-9a-f]{16}")
_ID_IN_SQL = "[0-9a-f]" * 16

Value = int | str | bytes | None
"""What a column holds."""

_ADDED = """
CREATE TABLE IF NOT EXISTS rounds (
    bundle TEXT, medium TEXT, block INTEGER, sent INTEGER NOT NULL,
    PRIMARY KEY (bundle, medium, block)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin (
    place BLOB PRIMARY KEY, heads BLOB NOT NULL, fresh INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS served (
    bundle TEXT, peer TEXT, times INTEGER NOT NULL, PRIMARY KEY (bundle, peer)
) WITHOUT ROWID;
"""
"""What a file of version 1 need not have: whoever opens it adds it; older panniers let it be."""

# Nobody reads `sent` of `symbols` any more, which older ones need: `rounds` has it for each link.
_TABLES = f"""{_ADDED}
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE peer (
    id TEXT PRIMARY KEY,
    incarnation BLOB,
    counter INTEGER NOT NULL DEFAULT -1,
    have_counter INTEGER,
    have_whole INTEGER,
    have_keys BLOB,
    have_seen BLOB,
    have_base INTEGER,
    have_ask BLOB,
    told BLOB,
    told_in TEXT,
    told_time INTEGER NOT NULL DEFAULT 0,
    heard INTEGER
) WITHOUT ROWID;
CREATE TABLE held (
    peer TEXT, ledger BLOB, author BLOB, incarnation BLOB, size INTEGER NOT NULL,
    root BLOB NOT NULL, lacking INTEGER, PRIMARY KEY (peer, ledger, author, incarnation)
) WITHOUT ROWID;
CREATE TABLE told (
    peer TEXT, ledger BLOB, author BLOB, incarnation BLOB, mark BLOB NOT NULL,
    counter INTEGER NOT NULL, PRIMARY KEY (peer, ledger, author, incarnation)
) WITHOUT ROWID;
CREATE TABLE pairwise (
    peer TEXT, id BLOB, sealed BLOB NOT NULL, mine INTEGER NOT NULL, PRIMARY KEY (peer, id)
) WITHOUT ROWID;
CREATE TABLE bundle (
    id TEXT PRIMARY KEY,
    peer TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    control INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    written INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    expiry INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    key BLOB
) WITHOUT ROWID;
CREATE INDEX bundle_peer ON bundle (peer, state);
CREATE TABLE span (
    bundle TEXT, ledger BLOB, author BLOB, incarnation BLOB, first INTEGER, end INTEGER,
    PRIMARY KEY (bundle, ledger, author, incarnation, first)
) WITHOUT ROWID;
CREATE TABLE content (bundle TEXT, name BLOB, PRIMARY KEY (bundle, name)) WITHOUT ROWID;
CREATE INDEX content_name ON content (name);
CREATE TABLE symbols (
    bundle TEXT, block INTEGER, next INTEGER NOT NULL, sent INTEGER NOT NULL,
    PRIMARY KEY (bundle, block)
) WITHOUT ROWID;
CREATE TABLE redeemed (
    bundle TEXT, block INTEGER, first INTEGER, end INTEGER NOT NULL,
    PRIMARY KEY (bundle, block, first)
) WITHOUT ROWID;
CREATE TABLE airtime (
    link TEXT PRIMARY KEY, boot TEXT NOT NULL, uptime INTEGER NOT NULL, clock INTEGER NOT NULL,
    spent BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE audience (peer TEXT, bundle TEXT, PRIMARY KEY (peer, bundle)) WITHOUT ROWID;
CREATE INDEX audience_bundle ON audience (bundle);
CREATE TABLE due (
    peer TEXT, bundle TEXT, reason TEXT NOT NULL, counter INTEGER NOT NULL, told TEXT,
    PRIMARY KEY (peer, bundle)
) WITHOUT ROWID;
CREATE TABLE seen (
    bundle TEXT PRIMARY KEY, peer TEXT NOT NULL, expiry INTEGER NOT NULL, outcome TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE waiting (
    bundle TEXT, peer TEXT, kind TEXT, ledger BLOB, author BLOB, incarnation BLOB, number INTEGER,
    PRIMARY KEY (bundle, kind, ledger, author, incarnation, number)
) WITHOUT ROWID;
CREATE TABLE witness (
    peer TEXT PRIMARY KEY, bundle TEXT NOT NULL, time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE compact (bundle TEXT PRIMARY KEY, incarnation BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE tail_floor (
    peer TEXT, ledger BLOB, author BLOB, incarnation BLOB, number INTEGER NOT NULL,
    PRIMARY KEY (peer, ledger, author, incarnation)
) WITHOUT ROWID;
CREATE TABLE lying (bundle TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE decision (
    content BLOB PRIMARY KEY,
    bundle TEXT NOT NULL,
    sender TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    time INTEGER NOT NULL,
    summary TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE medium (
    id TEXT PRIMARY KEY, label TEXT NOT NULL, path TEXT NOT NULL, last INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE on_medium (
    medium TEXT, bundle TEXT, time INTEGER NOT NULL, PRIMARY KEY (medium, bundle)
) WITHOUT ROWID;
"""


# Of values of the right type, what those that read them (`as_size`, `as_id`, `have_rows`) refuse:
# else `verify --repair`, which they name, would leave the file as it is.
_BOUNDS = (
    ("held", "size", "size >= 0"),
    ("held", "lacking", "lacking >= 0"),
    ("peer", "have_ask", f"hex(substr(have_ask, 1, 1)) <= '{MAX_ASK_BITS:02X}'"),
    ("bundle", "id", f"id GLOB '{_ID_IN_SQL}'"),
    ("bundle", "peer", f"peer GLOB '{_ID_IN_SQL}'"),
    ("due", "bundle", f"bundle GLOB '{_ID_IN_SQL}'"),
    ("waiting", "bundle", f"bundle GLOB '{_ID_IN_SQL}'"),
    ("waiting", "peer", f"peer GLOB '{_ID_IN_SQL}'"),
)


class NodeDbFile:
    """An open file with the tables; what stands in them is for `pannier.nodedb.NodeDb` to say."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use `open` instead."""
        self._db = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open ``node.db``, making it if it is not there.

        Raises:
            DamagedFileError: it is not as it was written.
            PannierError: it cannot be read, or only by a newer pannier.
        """
        with _errors(), ExitStack() as undo:
            db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
            undo.callback(db.close)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            self = cls(db)
            if self._version() == 0:
                self._make_tables()
            if not VERSION <= as_int(self._version()) < IMPLAUSIBLE_VERSION:
                raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
            if self._version() != VERSION:
                raise PannierError(f"{path} was written by a newer pannier: update this one")
            for statement in _ADDED.split(";"):
                self.run(statement)
            undo.pop_all()
        return self

    def _version(self) -> Value:
        return self.rows("PRAGMA user_version")[0][0]

    def _make_tables(self) -> None:
        with self.transaction():
            if self._version() == 0:  # another process may have made them meanwhile
                for statement in _TABLES.split(";"):
                    self.run(statement)
                self.run(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock; what is done inside is durable together or not at all."""
        if self._db.in_transaction:
            yield
            return
        with _errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    def rows(self, sql: str, *values: Value) -> list[tuple[Value, ...]]:
        """Return all rows of a query."""
        with _errors():
            return self._db.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Value) -> int:
        """Change something; return how many rows it changed."""
        with _errors():
            return self._db.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Change something once for each of *rows*; only inside `transaction`."""
        with _errors():
            self._db.executemany(sql, rows)

    def faults(self) -> list[str]:
        """Return what in the file is not as it was written, as far as that can be seen.

        Raises:
            PannierError: the disk does not let it be read.
        """
        try:
            found = [str(line) for (line,) in self.rows("PRAGMA integrity_check(10)")]
            if names_disk(found):
                raise PannierError("node.db: disk I/O error")
            return [f"node.db is damaged: {line}" for line in found if line != "ok"] or [
                *self._where(
                    "is of another type",
                    (
                        (table, column, f"typeof({column}) IN ('{kind}', 'null')")
                        for table, column, kind in _columns()
                    ),
                ),
                *self._where("is out of bounds", _BOUNDS),
            ]
        except DamagedFileError as error:
            return [str(error)]

    def _where(self, fault: str, rules: Iterable[tuple[str, str, str]]) -> Iterator[str]:
        """Yield the *fault* of each column in some row of which its rule does not hold."""
        for table, column, rule in rules:
            sql = f"SELECT 1 FROM {table} WHERE NOT ({rule}) LIMIT 1"  # noqa: S608 -- our own names
            if self.rows(sql):
                yield f"node.db is damaged: {column} of {table} {fault}"

    # -- the node itself ----------------------------------------------------------------------

    def meta(self, key: str) -> bytes | None:
        """Return a small value, or None."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", key)
        return bytes(as_blob(found[0][0])) if found else None

    def set_meta(self, key: str, value: bytes) -> None:
        """Keep a small value."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)


def _columns() -> list[tuple[str, str, str]]:
    """Return table, name and type of each column that there should be."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript(_TABLES)
        return made.execute(
            "SELECT m.name, c.name, lower(c.type) FROM sqlite_master AS m, "
            "pragma_table_info(m.name) AS c WHERE m.type = 'table'"
        ).fetchall()


def as_int(value: Value) -> int:
    """Return *value*, which must be an integer.

    Raises:
        DamagedFileError: it is none: the file is damaged.
    """
    if not isinstance(value, int):
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return value


def as_size(value: Value) -> int:
    """Return *value*, which must be an integer of 0 or more.

    Raises:
        DamagedFileError: it is none: the file is damaged.
    """
    size = as_int(value)
    if size < 0:
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return size


def as_id(value: Value) -> str:
    """Return *value*, which must be the id of a node, group or bundle: 16 hex digits.

    Raises:
        DamagedFileError: it is none: the file is damaged.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return value


def as_blob(value: Value) -> bytes:
    """Return *value*, which must be bytes.

    Raises:
        DamagedFileError: it is none: the file is damaged.
    """
    if not isinstance(value, bytes):
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return value


def as_count(value: bytes | None) -> int:
    """Return the number that *value* is, of up to 63 bits; 0 if there is none.

    Raises:
        DamagedFileError: it is greater: the file is damaged.
    """
    count = int.from_bytes(value or b"", "big")
    if count >> _COUNT_BITS:
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return count


def as_optional(value: Value) -> bytes | None:
    """Return *value*, which must be bytes or nothing.

    Raises:
        DamagedFileError: it is neither: the file is damaged.
    """
    return None if value is None else as_blob(value)


def name_text(name: str) -> str:
    """Return the *name* of a link or a folder as a column takes it: what UTF-8 has not escaped."""
    return name.encode(errors="backslashreplace").decode()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BusyError("another pannier is at work in this home; try again") from error
        if is_of_disk(error):
            why = reason(error)
            raise PannierError(f"node.db: {why}") from why
        raise DamagedFileError(f"node.db is damaged ({error}){MEND_NODE_DB}") from error
    except sqlite3.DatabaseError as error:
        raise DamagedFileError(f"node.db is damaged ({error}){MEND_NODE_DB}") from error
