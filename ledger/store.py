"""One ledger in one SQLite file: the only module of this room that does I/O.

The store keeps and finds; it decides nothing, and verifies only that the file is one of ours.
`ledger.append` and `ledger.merge` check everything before they call `Store.commit`, which only
compares the log's size and inserts one batch in one short transaction.

Several processes may hold the same file open: readers never wait, writers wait for each other for
at most `BUSY_SECONDS`.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ledger import cbor
from ledger.entry import FOLLOW_LEAF_BYTES, Action, Entry, leaf_bytes
from ledger.errors import (
    BusyError,
    DamagedError,
    MalformedError,
    RefusedError,
    StaleError,
)
from ledger.genesis import Genesis, LedgerId
from ledger.log import Close, LogName, LogState, LogStatus
from ledger.merkle import EMPTY_FRONTIER, Extension, Frontier, NodeReader, leaf_hash, tiled_reader
from ledger.note import Checkpoint
from ledger.records import (
    SqlValue,
    checkpoint_from_row,
    dropped_from_row,
    dropped_to_row,
    entry_from_row,
    follows_from_row,
    log_from_row,
    read_back,
)
from ledger.schema import APPLICATION_ID, NUMBER_BITS, TABLES, VERSION
from ledger.seeds import Seed, cover_to_cbor

BUSY_SECONDS = 30.0
# Rows with payloads that are in memory at once while a log is cut back: at most 64 MiB.
_STEP = 64
_Row = tuple[int, int, int, int, int, bytes | None, bytes, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Verified entries about to be committed to one log.

    Attributes:
        state: The log as it was when the batch was made.
        entries: What is new; the first has the number ``state.size``.
        extension: The tree grown by them.
        checkpoint: Signed over exactly that tree.
        cover: Seeds that the log has from now on.
    """

    state: LogState
    entries: Sequence[Entry]
    extension: Extension
    checkpoint: Checkpoint
    cover: tuple[Seed, ...]


class Store:
    """An open ledger file. Close it, or use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, genesis: Genesis) -> None:
        """Use `create` or `open` instead."""
        self.path = path
        self.genesis = genesis
        self.ledger_id: LedgerId = genesis.ledger_id
        self._db = connection
        self._things: dict[str, int] = {}
        self._kinds: dict[str, int] = {}

    @classmethod
    def create(cls, folder: Path, genesis: Genesis) -> Self:
        """Make the file of a new ledger in *folder*; one that exists is opened instead.

        Raises:
            DamagedError: the disk said no.
        """
        path = folder / f"{genesis.ledger_id.hex()}.db"
        if not path.exists():
            draft = path.with_suffix(f".{genesis.nonce.hex()}.new")
            draft.unlink(missing_ok=True)
            with _storage_errors(path):
                with closing(_connect(draft)) as db:
                    db.executescript(f"BEGIN;{TABLES}")
                    db.execute("INSERT INTO meta VALUES ('genesis', ?)", (genesis.to_bytes(),))
                    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    db.execute(f"PRAGMA user_version = {VERSION}")
                    db.execute("COMMIT")
                put_in_place(draft, path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ledger file.

        Raises:
            RefusedError: it is of a version that only a newer pannier reads.
            DamagedError: it is not a ledger file, or not as we wrote it.
        """
        if not path.is_file():
            raise DamagedError(f"{path} is not there")
        with _storage_errors(path), ExitStack() as undo:
            db = undo.enter_context(closing(_connect(path)))
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise DamagedError(f"{path} is not a ledger file")
            if version != VERSION:
                raise RefusedError(
                    f"{path} has format version {version}; this pannier reads version {VERSION}: "
                    "use a newer pannier"
                )
            found = db.execute("SELECT value FROM meta WHERE key = 'genesis'").fetchone()
            with read_back():
                store = cls(path, db, Genesis.from_bytes(cbor.as_bytes(*found or (None,))))
            undo.pop_all()
        return store

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- queries ------------------------------------------------------------------------------

    def rows(self, sql: str, *values: SqlValue) -> list[tuple[SqlValue, ...]]:
        """Return all rows of a query.

        Raises:
            MalformedError: one of *values* is beyond 64 bits, or text that is not valid Unicode.
            DamagedError: the file cannot be read.
        """
        with _storage_errors(self.path):
            try:
                return self._db.execute(sql, values).fetchall()
            except (OverflowError, UnicodeEncodeError) as error:
                raise MalformedError(f"nothing in a ledger is called so: {error}") from error

    def logs(self) -> list[LogState]:
        """Return every log of which at least one entry is, or was, here."""
        return [log_from_row(row) for row in self.rows(f"{_SELECT_LOG} ORDER BY id")]

    def log(self, name: LogName) -> LogState:
        """Return the state of one log; that of an empty one if it is not here."""
        found = self.rows(f"{_SELECT_LOG} WHERE author = ? AND incarnation = ?", *name)
        if found:
            return log_from_row(found[0])
        return LogState(row=None, name=name, frontier=EMPTY_FRONTIER, cover=())

    def entries(self, log: LogState, first: int, end: int) -> list[Entry]:
        """Return the entries *first* up to (not including) *end* of *log*, in order."""
        found = self.rows(
            f"SELECT {_LEAF}, payload {_FROM_ENTRY} "
            "WHERE entry.id >= ? AND entry.id < ? ORDER BY entry.id",
            _entry_id(log, first),
            _entry_id(log, end),
        )
        return [entry_from_row(row) for row in found]

    def numbers(self, log: LogState, first: int, end: int) -> list[int]:
        """Return the numbers from *first* up to *end* of which there is an entry, in order."""
        found = self.rows(
            f"SELECT entry.id & 4294967295 {_FROM_ENTRY} "
            "WHERE entry.id >= ? AND entry.id < ? ORDER BY entry.id",
            _entry_id(log, first),
            _entry_id(log, end),
        )
        return [cbor.as_uint(row[0]) for row in found]

    def costs(self, log: LogState, first: int, end: int) -> list[int]:
        """Return at least what each entry *first* up to *end* counts between two checkpoints."""
        found = self.rows(
            "SELECT 64 + length(CAST(thing.name AS BLOB)) + length(CAST(kind.name AS BLOB)) "
            "+ coalesce(length(follows), 0) + coalesce(length(payload), 0) "
            f"{_FROM_ENTRY} WHERE entry.id >= ? AND entry.id < ? ORDER BY entry.id",
            _entry_id(log, first),
            _entry_id(log, end),
        )
        return [cbor.as_uint(row[0]) for row in found]

    def leaves(self, log: LogState, first: int, end: int) -> list[bytes]:
        """Return the leaf hashes of the entries *first* up to *end*; their payloads stay unread."""
        found = self.rows(
            f"SELECT {_LEAF}, NULL {_FROM_ENTRY} "
            "WHERE entry.id >= ? AND entry.id < ? ORDER BY entry.id",
            _entry_id(log, first),
            _entry_id(log, end),
        )
        return [leaf_hash(leaf_bytes(entry_from_row(row))) for row in found]

    def nodes(self, log: LogState) -> NodeReader:
        """Return a reader of the tree of *log*, for proofs."""

        def stored(level: int, position: int) -> bytes | None:
            found = self.rows(
                "SELECT hash FROM node WHERE log = ? AND level = ? AND position = ?",
                log.row,
                level,
                position,
            )
            with read_back():
                return cbor.as_bytes(found[0][0]) if found else None

        return tiled_reader(stored, lambda first, end: self.leaves(log, first, end))

    def checkpoints(self, log: LogState, first: int, end: int) -> list[Checkpoint]:
        """Return the checkpoints with a size above *first* and up to *end*, ascending."""
        found = self.rows(
            "SELECT size, root, signature FROM checkpoint "
            "WHERE log = ? AND size > ? AND size <= ? ORDER BY size",
            log.row,
            first,
            end,
        )
        return [checkpoint_from_row(row) for row in found]

    def last_checkpoint(self, log: LogState) -> Checkpoint | None:
        """Return the checkpoint of the greatest size, or None if nothing was ever signed."""
        found = self.rows(
            "SELECT size, root, signature FROM checkpoint WHERE log = ? ORDER BY size DESC LIMIT 1",
            log.row,
        )
        return checkpoint_from_row(found[0]) if found else None

    def evidence(self, what: str) -> list[tuple[LogState, bytes]]:
        """Return what is kept as proof of the kind *what* (``fork``, ``dropped``).

        Raises:
            DamagedError: the file cannot be read.
        """
        found = self.rows("SELECT log, data FROM evidence WHERE what = ? ORDER BY id", what)
        states = {state.row: state for state in self.logs()}
        with read_back():
            return [(states[cbor.as_uint(row)], cbor.as_bytes(data)) for row, data in found]

    def newest_evidence(self) -> int:
        """Return the number of the proof that was kept last; 0 if there is none."""
        with read_back():
            return cbor.as_uint(self.rows("SELECT coalesce(max(id), 0) FROM evidence")[0][0])

    def dropped(self, after: int) -> Iterator[tuple[LogName, int, Entry]]:
        """Yield (log, number, entry) of what fell off logs since the proof numbered *after*.

        Raises:
            DamagedError: the file cannot be read.
        """
        while found := self.rows(
            "SELECT evidence.id, author, incarnation, data FROM evidence "
            "JOIN log ON log.id = evidence.log "
            "WHERE evidence.id > ? AND what = 'dropped' ORDER BY evidence.id LIMIT ?",
            after,
            _STEP,
        ):
            for number, author, incarnation, data in found:
                with read_back():
                    log = LogName(cbor.as_bytes(author), cbor.as_bytes(incarnation))
                    after = cbor.as_uint(number)
                yield log, *dropped_from_row(data)

    # -- changes ------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock; everything done inside is durable together or not at all.

        A transaction inside another is part of the outer one.

        Raises:
            BusyError: another process held the lock for `BUSY_SECONDS`.
            DamagedError: the disk said no; nothing was changed.
        """
        if self._db.in_transaction:
            yield
            return
        with _storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._things.clear()
                self._kinds.clear()
                self._db.rollback()
                raise

    def run(self, sql: str, *values: SqlValue) -> None:
        """Change something; only inside `transaction`."""
        self._db.execute(sql, values)

    def commit(self, batch: Batch, after: Callable[[LogState], None] | None = None) -> LogState:
        """Append a verified batch to its log, durably, and return the log's new state.

        Args:
            batch: Checked by the caller against ``batch.state``.
            after: Called inside the same transaction, once the entries are there.

        Raises:
            StaleError: the log is no longer as in ``batch.state``: read it again, check again.
            BusyError: another process held the lock for too long.
            DamagedError: the disk said no; nothing was changed.
        """
        with self.transaction():
            now = self.log(batch.state.name)
            was = batch.state
            if (now.frontier, now.status, now.close) != (was.frontier, was.status, was.close):
                raise StaleError(f"log {now.name} grew meanwhile")
            row = self._write_log(batch)
            ids = self._write_entries(row, batch)
            self._write_views(row, batch, ids)
            state = self.log(batch.state.name)
            if after is not None:
                after(state)
        return state

    def keep_evidence(self, log: LogState, what: str, data: bytes) -> None:
        """Keep *data* as proof; the same twice is kept once; only inside `transaction`."""
        self.run(
            "INSERT OR IGNORE INTO evidence (log, what, data) VALUES (?, ?, ?)", log.row, what, data
        )

    def replace_evidence(self, log: LogState, what: str, data: bytes) -> None:
        """Keep *data* as the only proof of its kind for *log*; only inside `transaction`."""
        self.run("DELETE FROM evidence WHERE log = ? AND what = ?", log.row, what)
        self.keep_evidence(log, what, data)

    def truncate(self, log: LogState, frontier: Frontier) -> None:
        """Cut *log* back to *frontier*, keeping what falls off as evidence ``dropped``.

        Only inside `transaction`. The views of the things concerned are made anew. Of a log cut
        back to nothing the seeds go too: another branch may have others.
        """
        first = frontier.size
        for start in range(first, log.size, _STEP):
            entries = self.entries(log, start, min(start + _STEP, log.size))
            for number, entry in enumerate(entries, start):
                self.keep_evidence(log, "dropped", dropped_to_row(number, entry))
        bounds = (_entry_id(log, first), _entry_id(log, log.size))
        things = self.rows("SELECT DISTINCT thing FROM entry WHERE id >= ? AND id < ?", *bounds)
        self.run("DELETE FROM entry WHERE id >= ? AND id < ?", *bounds)
        self.run("DELETE FROM checkpoint WHERE log = ? AND size > ?", log.row, first)
        self.run("DELETE FROM node WHERE log = ? AND ((position + 1) << level) > ?", log.row, first)
        self.run(
            "UPDATE log SET size = ?, frontier = ?, cover = ? WHERE id = ?",
            first,
            frontier.to_bytes(),
            cbor.encode(cover_to_cbor(log.cover if first else ())),
            log.row,
        )
        for (thing,) in things:
            self._rebuild_views(thing)

    def add_checkpoint(self, log: LogState, checkpoint: Checkpoint) -> None:
        """Keep a verified checkpoint of entries that are here; only inside `transaction`."""
        self.run(
            "INSERT OR IGNORE INTO checkpoint VALUES (?, ?, ?, ?)",
            log.row,
            checkpoint.size,
            checkpoint.root,
            checkpoint.signature,
        )

    def set_status(
        self,
        log: LogState,
        status: LogStatus,
        *,
        close: Close | None = None,
        fork_index: int | None = None,
    ) -> None:
        """Change what may happen to *log*; only inside `transaction`."""
        self.run(
            "UPDATE log SET status = ?, close_size = ?, close_root = ?, fork_index = ? "
            "WHERE id = ?",
            int(status),
            close.size if close else None,
            close.root if close else None,
            fork_index,
            log.row,
        )

    def ensure_log(self, name: LogName) -> LogState:
        """Return the log *name*, made empty if it was not here; only inside `transaction`."""
        self.run(
            "INSERT OR IGNORE INTO log (author, incarnation, size, frontier, cover) "
            "VALUES (?, ?, 0, ?, ?)",
            name.author,
            name.incarnation,
            EMPTY_FRONTIER.to_bytes(),
            cbor.encode([]),
        )
        return self.log(name)

    def meta(self, key: str) -> bytes | None:
        """Return a small value kept beside the logs, or None."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", key)
        with read_back():
            return cbor.as_bytes(found[0][0]) if found else None

    def set_meta(self, key: str, value: bytes) -> None:
        """Keep a small value beside the logs; only inside `transaction`."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the file to *path*, while others may go on writing.

        Raises:
            DamagedError: the disk said no.
        """
        with _storage_errors(path):
            target = sqlite3.connect(path, isolation_level=None)
            try:
                self._db.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
            finally:
                target.close()

    # -- the parts of a commit ----------------------------------------------------------------

    def _write_log(self, batch: Batch) -> int:
        state = self.ensure_log(batch.state.name)
        extension = batch.extension
        self.run(
            "UPDATE log SET size = ?, frontier = ?, cover = ? WHERE id = ?",
            extension.frontier.size,
            extension.frontier.to_bytes(),
            cbor.encode(cover_to_cbor(batch.cover)),
            state.row,
        )
        self.add_checkpoint(state, batch.checkpoint)
        self._db.executemany(
            "INSERT INTO node VALUES (?, ?, ?, ?)",
            ((state.row, node.level, node.position, node.hash) for node in extension.nodes),
        )
        assert state.row is not None  # noqa: S101 -- ensure_log has made it
        return state.row

    def _write_entries(self, row: int, batch: Batch) -> list[int]:
        things = self._ids("thing", self._things, {entry.thing for entry in batch.entries})
        kinds = self._ids("kind", self._kinds, {entry.kind for entry in batch.entries})
        first = row << NUMBER_BITS | batch.state.size
        thing_ids = [things[entry.thing] for entry in batch.entries]
        self._db.executemany(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    first + offset,
                    thing_ids[offset],
                    kinds[entry.kind],
                    entry.action,
                    entry.time_us,
                    cbor.encode(entry.follows) if entry.follows else None,
                    entry.digest,
                    entry.payload,
                )
                for offset, entry in enumerate(batch.entries)
            ],
        )
        return thing_ids

    def _write_views(self, row: int, batch: Batch, thing_ids: Sequence[int]) -> None:
        shown = [
            (thing, offset)
            for offset, (thing, entry) in enumerate(zip(thing_ids, batch.entries, strict=True))
            if entry.action <= Action.DELETE
        ]
        self._db.executemany(
            "INSERT OR REPLACE INTO latest VALUES (?, ?, ?)",
            [(thing, row, batch.state.size + offset) for thing, offset in dict(shown).items()],
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO follow VALUES (?, ?, ?, ?, ?)",
            [
                (thing, *follow)
                for thing, offset in shown
                for follow in batch.entries[offset].follows
            ],
        )

    def _rebuild_views(self, thing: SqlValue) -> None:
        self.run("DELETE FROM latest WHERE thing = ?", thing)
        self.run("DELETE FROM follow WHERE thing = ?", thing)
        self.run(
            "INSERT INTO latest SELECT thing, id >> ?, max(id & ?) FROM entry "
            "WHERE thing = ? AND action <= ? GROUP BY id >> ?",
            NUMBER_BITS,
            (1 << NUMBER_BITS) - 1,
            thing,
            int(Action.DELETE),
            NUMBER_BITS,
        )
        found = self.rows(
            "SELECT follows FROM entry WHERE thing = ? AND action <= ? AND follows NOT NULL",
            thing,
            int(Action.DELETE),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO follow VALUES (?, ?, ?, ?, ?)",
            [(thing, *follow) for (data,) in found for follow in follows_from_row(data)],
        )

    def _ids(self, table: str, known: dict[str, int], names: set[str]) -> dict[str, int]:
        unknown = [name for name in names if name not in known]
        self._db.executemany(
            f"INSERT OR IGNORE INTO {table} (name) VALUES (?)",  # noqa: S608 -- our own names
            [(name,) for name in sorted(unknown)],
        )
        if len(known) > 200_000:
            known.clear()
            unknown = list(names)
        for name in unknown:
            found = self._db.execute(f"SELECT id FROM {table} WHERE name = ?", (name,))  # noqa: S608
            known[name] = found.fetchone()[0]
        return known


_LEAF = "thing.name, kind.name, action, time, follows, digest"
_FROM_ENTRY = "FROM entry JOIN thing ON thing.id = entry.thing JOIN kind ON kind.id = entry.kind"
_SELECT_LOG = (
    "SELECT id, author, incarnation, frontier, cover, status, close_size, close_root, fork_index "
    "FROM log"
)


def put_in_place(draft: Path, path: Path) -> None:
    """Give a finished ledger file its name; durable on return.

    Raises:
        OSError: the disk said no.
    """
    draft.rename(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def short_leaf(leaf: bytes) -> bytes:
    """Return the part of a leaf hash by which other entries name it."""
    return leaf[:FOLLOW_LEAF_BYTES]


def _entry_id(log: LogState, number: int) -> int:
    return ((log.row or 0) << NUMBER_BITS) + number


def _connect(path: Path) -> sqlite3.Connection:
    with ExitStack() as undo:
        db = undo.enter_context(
            closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS))
        )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -16384")
        undo.pop_all()
    return db


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say into our errors."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BusyError(
                f"{path.name} is busy: another pannier is writing; try again"
            ) from error
        raise DamagedError(f"{path}: {error}") from error
    except (sqlite3.DatabaseError, OSError, UnicodeDecodeError) as error:
        # SQLite quotes a damaged schema in its messages, and Python cannot decode those.
        raise DamagedError(f"{path}: {error}") from error
