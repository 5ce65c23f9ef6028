"""A ledger file as SQLite keeps it: making, opening, transactions, copies (docs/format.md 9.2).

With `ledger.store`, which is the file as a ledger, the only I/O of this room.

Several processes may hold the same file open: readers never wait, writers wait for each other for
at most `BUSY_SECONDS`.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self, TypeVar, cast

from ledger import cbor
from ledger.errors import (
    BusyError,
    DamagedError,
    MalformedError,
    OtherKeysError,
    RefusedError,
)
from ledger.genesis import Genesis, LedgerId
from ledger.names import Names
from ledger.records import SqlValue, read_back
from ledger.rest import FileKey, Rest, RestKey
from ledger.schema import APPLICATION_ID, TABLES, VERSION
from ledger.storage_errors import MEND, found_in, naming_its_file, storage_errors
from ledger.store_place import put_in_place

BUSY_SECONDS = 30.0
_DRAFT = ".new"
IMPLAUSIBLE_VERSION = 256
"""From here on the number of a version is what a disk made of it."""

_T = TypeVar("_T")


class StoreFile:
    """An open ledger file. Close it, or use it as a context manager."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, genesis: Genesis, rest: Rest
    ) -> None:
        """Use `create` or `open` instead."""
        self.path = path
        self.genesis = genesis
        self.ledger_id: LedgerId = genesis.ledger_id
        self.rest = rest
        self._db = connection
        self.names = Names(rest, self.rows, connection)
        # What was worked out from facts, as of which change of this connection or another.
        self._derived: dict[object, tuple[object, object]] = {}
        self._change_count = 0
        # What was found to be damaged; nothing is written to such a file any more.
        self._damage: list[str] = []
        self._to_do: list[Callable[[], None]] = []

    @classmethod
    def create(cls, folder: Path, genesis: Genesis, key: RestKey) -> Self:
        """Make the file of a new ledger in *folder*; one that exists is opened instead.

        Args:
            folder: Where.
            genesis: Of which ledger.
            key: What lies in the file is sealed under it.

        Raises:
            RefusedError: one exists, under another key.
            DamagedError: the disk said no.
        """
        path = folder / f"{genesis.ledger_id.hex()}.db"
        if not path.exists():
            draft = path.with_suffix(f".{genesis.nonce.hex()}{_DRAFT}")
            rest = Rest(key.of_ledger(genesis.ledger_id))
            with storage_errors(path), _held(draft):
                with closing(sqlite3.connect(draft, isolation_level=None)) as db:
                    db.executescript(f"BEGIN;{TABLES}")
                    said = genesis.to_bytes()
                    db.execute("INSERT INTO meta VALUES ('genesis', ?)", (said,))
                    # Once more on other pages: without it nothing of a damaged file means anything.
                    db.execute(
                        "INSERT INTO evidence (log, what, data) VALUES (0, 'genesis', ?)", (said,)
                    )
                    db.execute("INSERT INTO meta VALUES ('check', ?)", (rest.check,))
                    if key.hides_names:
                        db.execute("INSERT INTO meta VALUES ('names', x'01')")
                    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    db.execute(f"PRAGMA user_version = {VERSION}")
                    db.execute("COMMIT")
                _put_unless_there(draft, path)
        return cls.open(path, key)

    @classmethod
    def open(cls, path: Path, key: RestKey | FileKey, *, is_read_only: bool = False) -> Self:
        """Open a ledger file.

        Args:
            path: Of the file.
            key: What it is under.
            is_read_only: Whether not a byte of it changes, not even by SQLite moving what is in its
                log, which overwrites what a damaged file may be mended with.

        Raises:
            OtherKeysError: it is under another key.
            RefusedError: it is of a version that only a newer pannier reads.
            DamagedError: it is not a ledger file, or not as we wrote it.
        """
        if not path.is_file():
            raise DamagedError(f"{path} is not there")
        if not path.stat().st_size:  # SQLite would remove what lies beside it
            raise DamagedError(f"{path} is empty{MEND}")
        with storage_errors(path), ExitStack() as undo:
            db = undo.enter_context(closing(_connect_ours(path, is_read_only)))
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if not 0 < version < IMPLAUSIBLE_VERSION:
                raise DamagedError(f"{path} has no format version{MEND}")
            if version != VERSION:
                raise RefusedError(
                    f"{path} has format version {version}; this pannier reads version {VERSION}: "
                    "update pannier"
                )
            found = dict(db.execute("SELECT key, value FROM meta"))
            with read_back():
                genesis = Genesis.from_bytes(cbor.as_bytes(found.get("genesis")))
            rest = Rest(key.of_ledger(genesis.ledger_id), hides_names="names" in found)
            if found.get("check") != rest.check:
                raise OtherKeysError(
                    f"{path} is of another node, or of this one under other keys: "
                    "only the keys that wrote it open it"
                )
            store = cls(path, db, genesis, rest)
            undo.pop_all()
        return store

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def finish(self) -> None:
        """Close the file with all that was written in it and nothing beside it: it may be renamed.

        At a mere `close` SQLite tries the same, and says nothing if the disk refuses.

        Raises:
            DamagedError: the disk said no.
        """
        with storage_errors(self.path, self.genesis.name):
            self._db.execute("PRAGMA journal_mode = DELETE")
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, *values: SqlValue) -> list[tuple[SqlValue, ...]]:
        """Return all rows of a query.

        Raises:
            MalformedError: one of *values* is beyond 64 bits, or text that is not valid Unicode.
            DamagedError: the file cannot be read.
        """
        with storage_errors(self.path, self.genesis.name, self._damage):
            try:
                return self._db.execute(sql, values).fetchall()
            except (OverflowError, UnicodeEncodeError) as error:
                raise MalformedError(f"nothing in a ledger is called so: {error}") from error

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
        if self._damage:
            with found_in(self.path):
                raise DamagedError(self._damage[0])
        with storage_errors(self.path, self.genesis.name, self._damage):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._to_do.clear()
                self.names.forget()
                self.note_facts_changed()
                self._db.rollback()
                raise
        done, self._to_do = self._to_do, []
        for act in done:
            act()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do something once all that was done here is durable: at once, or after the transaction.

        Of a transaction that does not come to its end it is never done.
        """
        if self._db.in_transaction:
            self._to_do.append(act)
        else:
            act()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that is read inside be of one moment, whatever others write; write nothing there.

        What they write is kept twice until the end: this is for what takes a moment. One inside
        another is part of the outer one.

        Raises:
            DamagedError: the file cannot be read.
        """
        if self._db.in_transaction:
            yield
            return
        with storage_errors(self.path, self.genesis.name, self._damage):
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.rollback()

    @naming_its_file
    def derived(self, make: Callable[[Self], _T], also: int = 0) -> _T:
        """Return what *make* works out from the facts of the ledger, once until they change.

        Facts are grants, revocations and epochs that have a part in who is a member, or in what its
        members share. Any transaction of another process may have changed them; of our own one
        those that said so (`note_facts_changed`).

        Args:
            make: Looks at nothing else, or at what shows in *also*.
            also: It is worked out anew when this changes, too.

        Raises:
            DamagedError: the file cannot be read.
        """
        version = (self.rows("PRAGMA data_version")[0][0], self._change_count, also)
        found = self._derived.get(make)
        if found is None or found[0] != version:
            found = version, make(self)
            self._derived[make] = found
        return cast("_T", found[1])

    def note_facts_changed(self) -> None:
        """Make `derived` look again."""
        self._change_count += 1

    def run(self, sql: str, *values: SqlValue) -> None:
        """Change something; only inside `transaction`."""
        self._db.execute(sql, values)

    @naming_its_file
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
        with storage_errors(path):
            target = sqlite3.connect(path, isolation_level=None)
            try:
                self._db.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
            finally:
                target.close()


@contextmanager
def _held(draft: Path) -> Iterator[None]:
    """Make the empty file *draft* and hold it: what nobody holds any more is swept."""
    _sweep(draft.parent)
    while True:
        with draft.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not os.fstat(file.fileno()).st_nlink:
                continue  # another process swept it before it was held
            yield
            return


def _sweep(folder: Path) -> None:
    """Remove what processes that are no more left unfinished, and what SQLite had beside it."""
    for path in folder.glob(f"*{_DRAFT}*"):
        draft = path.with_name(path.name[: path.name.rindex(_DRAFT) + len(_DRAFT)])
        try:
            with draft.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            path.unlink(missing_ok=True)
        except BlockingIOError:
            continue  # somebody is writing it


def _put_unless_there(draft: Path, path: Path) -> None:
    try:
        put_in_place(draft, path)
    except FileExistsError:  # another process has put one there meanwhile
        draft.unlink()


def _check_ours(db: sqlite3.Connection, path: Path) -> None:
    """Look before SQLite is told to use a WAL, which changes the file.

    Through SQLite: to open the file beside it, and close it, lets go of all locks that this process
    has on it, in other threads too, and another process then takes the WAL away from under them.

    Source: https://www.sqlite.org/howtocorrupt.html section 2.2.
    """
    try:
        number = db.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        number = None
    if number != APPLICATION_ID:
        raise DamagedError(f"{path} is not a ledger file, or was cut off{MEND}")


def _connect(path: Path) -> sqlite3.Connection:
    with ExitStack() as undo:
        db = undo.enter_context(
            closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS))
        )
        _prepare(db)
        undo.pop_all()
    return db


def _connect_ours(path: Path, is_read_only: bool) -> sqlite3.Connection:
    where = f"{path.absolute().as_uri()}?mode={'ro' if is_read_only else 'rw'}"
    if is_read_only and path.with_name(f"{path.name}-journal").exists():
        _roll_back(path)
    with ExitStack() as undo:
        number = path.stat().st_ino
        db = undo.enter_context(
            closing(sqlite3.connect(where, isolation_level=None, timeout=BUSY_SECONDS, uri=True))
        )
        _check_ours(db, path)
        if not is_read_only:
            _prepare(db)
        if path.stat().st_ino != number:  # while this waited for a repair, which has set it aside
            raise BusyError(f"{path.name} was replaced by another pannier meanwhile; try again")
        undo.pop_all()
    return db


def _roll_back(path: Path) -> None:
    """Let SQLite undo what a process had begun that is no more; who only reads may not.

    This is how a file lies there whose first opening ended before it had a WAL: in front of that
    there is nothing in it that could be lost.
    """
    with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)) as db:
        db.execute("PRAGMA schema_version")


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -16384")
