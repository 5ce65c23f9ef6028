"""One ledger in one SQLite file.

The store keeps and finds; it decides nothing, and verifies only that the file is one of ours.
`ledger.append` and `ledger.merge` check everything before they call `Store.commit`, which only
compares the log's size and inserts one batch in one short transaction.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property

from ledger import cbor
from ledger.entries import Entries
from ledger.entry import FOLLOW_LEAF_BYTES, Action, Entry
from ledger.entry_table import EntryTable
from ledger.errors import (
    AlteredError,
    StaleError,
)
from ledger.facts import Fact
from ledger.file_payload import FilePayload
from ledger.lazy_dataclass import dataclass
from ledger.log import Close, LogName, LogState, LogStatus
from ledger.merkle import EMPTY_FRONTIER, Extension, Frontier, NodeReader, leaf_hashes, tiled_reader
from ledger.note import Checkpoint
from ledger.records import (
    SqlValue,
    checkpoint_from_row,
    cover_to_row,
    dropped_from_row,
    dropped_to_row,
    entry_from_row,
    log_from_row,
    read_back,
)
from ledger.rest import NAME_EXTRA_BYTES, TAG_BYTES
from ledger.schema import NUMBER_BITS
from ledger.seeds import Seed
from ledger.shown import show, show_anew, show_range_anew
from ledger.store_blobs import Blobs
from ledger.store_file import StoreFile
from ledger.store_files import Files

# Rows with payloads that are in memory at once while a log is cut back: at most 64 MiB.
_STEP = 64


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
    entries: Entries
    extension: Extension
    checkpoint: Checkpoint
    cover: tuple[Seed, ...]


class Store(StoreFile):
    """An open ledger."""

    @cached_property
    def _entries(self) -> EntryTable:
        return EntryTable(self.rest, self.names, self.rows, self._db)

    @cached_property
    def _states(self) -> dict[SqlValue, tuple[Sequence[SqlValue], LogState]]:
        """Logs as they were read last: there may be thousands, and few change."""
        return {}

    def _state(self, row: tuple[SqlValue, ...]) -> LogState:
        known = self._states.get(row[0])
        if known is None or known[0] != row:
            known = self._states[row[0]] = row, log_from_row(row, self.rest)
        return known[1]

    # -- queries ------------------------------------------------------------------------------

    def logs(self) -> list[LogState]:
        """Return every log of which at least one entry is, or was, here."""
        return [self._state(row) for row in self.rows(f"{_SELECT_LOG} ORDER BY id")]

    def log_names(self) -> list[LogName]:
        """Return the name of each log of which at least one entry is, or was, here."""
        found = self.rows("SELECT author, incarnation FROM log ORDER BY id")
        with read_back():
            return [LogName(cbor.as_bytes(one), cbor.as_bytes(other)) for one, other in found]

    def newest_log(self) -> int:
        """Return a number that grows with each log that comes; 0 before the first."""
        with read_back():
            return cbor.as_uint(self.rows("SELECT coalesce(max(id), 0) FROM log")[0][0])

    def log(self, name: LogName) -> LogState:
        """Return the state of one log; that of an empty one if it is not here."""
        found = self.rows(f"{_SELECT_LOG} WHERE author = ? AND incarnation = ?", *name)
        if found:
            return self._state(found[0])
        return LogState(row=None, name=name, frontier=EMPTY_FRONTIER, cover=())

    def entries(self, log: LogState, first: int, end: int) -> list[Entry]:
        """Return the entries *first* up to (not including) *end* of *log*, in order."""
        return self.columns(log, first, end).one_by_one()

    def columns(self, log: LogState, first: int, end: int) -> Entries:
        """Return the entries *first* up to (not including) *end* of *log* as columns.

        Raises:
            AlteredError: a payload, or a hidden name, does not open.
            DamagedError: the file cannot be read.
        """
        return self._entries.between(_entry_id(log, first), _entry_id(log, end))

    def facts(self, actions: Collection[int]) -> list[Fact]:
        """Return every entry with one of *actions*, which are above 1 and always carried.

        Raises:
            DamagedError: the file cannot be read.
        """
        found = self.rows(
            f"SELECT author, incarnation, entry.id & 4294967295, {_LEAF}, payload {_FROM_ENTRY} "
            "JOIN log ON log.id = entry.id >> 32 "
            f"WHERE action > 1 AND action IN ({', '.join('?' * len(actions))}) ORDER BY entry.id",
            *map(int, actions),
        )
        facts = []
        for author, incarnation, number, *row in found:
            with read_back():
                log = LogName(cbor.as_bytes(author), cbor.as_bytes(incarnation))
                cbor.as_bytes(row[-1])
                try:
                    entry = entry_from_row(row, self.rest)
                except AlteredError as error:
                    raise AlteredError(f"log {log}, entry {number!r}: {error}") from error
                facts.append(Fact(log, cbor.as_uint(number), entry))
        return facts

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
            "SELECT ? + length(CAST(thing.name AS BLOB)) + length(CAST(kind.name AS BLOB)) "
            "+ coalesce(length(follows), 0) + coalesce(length(payload) - ?, 0) "
            f"{_FROM_ENTRY} WHERE entry.id >= ? AND entry.id < ? ORDER BY entry.id",
            64 - 2 * NAME_EXTRA_BYTES * self.rest.hides_names,
            TAG_BYTES,
            _entry_id(log, first),
            _entry_id(log, end),
        )
        return [cbor.as_uint(row[0]) for row in found]

    def leaves(self, log: LogState, first: int, end: int) -> list[bytes]:
        """Return the leaf hashes of the entries *first* up to *end*; their payloads stay unread."""
        bounds = (_entry_id(log, first), _entry_id(log, end))
        return leaf_hashes(self._entries.between(*bounds, with_payloads=False).leaves())

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
            "SELECT size, root, signature, mldsa44 FROM checkpoint "
            "WHERE log = ? AND size > ? AND size <= ? ORDER BY size",
            log.row,
            first,
            end,
        )
        return [checkpoint_from_row(row) for row in found]

    def last_checkpoint(self, log: LogState) -> Checkpoint | None:
        """Return the checkpoint of the greatest size, or None if nothing was ever signed."""
        found = self.rows(
            "SELECT size, root, signature, mldsa44 FROM checkpoint "
            "WHERE log = ? ORDER BY size DESC LIMIT 1",
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
                yield log, *dropped_from_row(log, data, self.rest)

    # -- files --------------------------------------------------------------------------------

    @cached_property
    def blobs(self) -> Blobs:
        """The contents of the files that entries name."""
        return Blobs(self)

    @cached_property
    def file_entries(self) -> Files:
        """Which entries are files, and what of them is not here."""
        return Files(self, self.blobs)

    def files(self, log: LogState, first: int, end: int) -> Iterator[tuple[int, FilePayload]]:
        """Yield (number, file) of each entry *first* up to *end* of *log* that is a file.

        Raises:
            DamagedError: the file cannot be read.
        """
        return self.file_entries.between(log.row, first, end)

    def files_complete(self, log: LogState) -> int:
        """Return of how many leading entries of *log* all contents of files are here.

        Raises:
            DamagedError: the file cannot be read.
        """
        return self.file_entries.complete(log.row, log.size)

    # -- changes ------------------------------------------------------------------------------

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
            if max(batch.entries.actions, default=0) > Action.DELETE:
                self.note_facts_changed()
            row = self._write_log(batch)
            first = row << NUMBER_BITS | batch.state.size
            ids = self._entries.insert(first, batch.entries)
            self.file_entries.note(first, batch.entries)
            state = self.log(batch.state.name)
            counting = max(state.counted - batch.state.size, 0)
            counted = batch.entries.between(0, counting)
            show(self._db, row, batch.state.size, ids[:counting], counted)
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
        self.note_facts_changed()
        first = frontier.size
        for start in range(first, log.size, _STEP):
            entries = self.entries(log, start, min(start + _STEP, log.size))
            for number, entry in enumerate(entries, start):
                data = dropped_to_row(log.name, number, entry, self.rest)
                self.keep_evidence(log, "dropped", data)
        bounds = (_entry_id(log, first), _entry_id(log, log.size))
        things = self.rows("SELECT DISTINCT thing FROM entry WHERE id >= ? AND id < ?", *bounds)
        self.run("DELETE FROM entry WHERE id >= ? AND id < ?", *bounds)
        self.file_entries.forget(*bounds)
        self.run("DELETE FROM checkpoint WHERE log = ? AND size > ?", log.row, first)
        self.run("DELETE FROM node WHERE log = ? AND ((position + 1) << level) > ?", log.row, first)
        self.run(
            "UPDATE log SET size = ?, frontier = ?, cover = ? WHERE id = ?",
            first,
            frontier.to_bytes(),
            cover_to_row(log.name, log.cover if first else (), self.rest),
            log.row,
        )
        for (thing,) in things:
            show_anew(self._db, thing)

    def add_checkpoint(self, log: LogState, checkpoint: Checkpoint) -> None:
        """Keep a verified checkpoint of entries that are here; only inside `transaction`."""
        self.run(
            "INSERT OR IGNORE INTO checkpoint VALUES (?, ?, ?, ?, ?)",
            log.row,
            checkpoint.size,
            checkpoint.root,
            checkpoint.signature,
            checkpoint.mldsa44,
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

    def set_counts(self, log: LogState, counts: int | None) -> None:
        """Say how many entries of *log* count (None: all); only inside `transaction`.

        The views of the things concerned are made anew.
        """
        self.run("UPDATE log SET counts = ? WHERE id = ?", counts, log.row)
        before, after = log.counted, self.log(log.name).counted
        if log.row is not None and before != after:
            show_range_anew(self._db, log.row, min(before, after), log.size)

    def ensure_log(self, name: LogName) -> LogState:
        """Return the log *name*, made empty if it was not here; only inside `transaction`."""
        self.run(
            "INSERT OR IGNORE INTO log (author, incarnation, size, frontier, cover) "
            "VALUES (?, ?, 0, ?, ?)",
            name.author,
            name.incarnation,
            EMPTY_FRONTIER.to_bytes(),
            cover_to_row(name, (), self.rest),
        )
        return self.log(name)

    # -- the parts of a commit ----------------------------------------------------------------

    def _write_log(self, batch: Batch) -> int:
        state = self.ensure_log(batch.state.name)
        extension = batch.extension
        self.run(
            "UPDATE log SET size = ?, frontier = ?, cover = ? WHERE id = ?",
            extension.frontier.size,
            extension.frontier.to_bytes(),
            cover_to_row(state.name, batch.cover, self.rest),
            state.row,
        )
        self.add_checkpoint(state, batch.checkpoint)
        self._db.executemany(
            "INSERT INTO node VALUES (?, ?, ?, ?)",
            ((state.row, node.level, node.position, node.hash) for node in extension.nodes),
        )
        assert state.row is not None  # noqa: S101 -- ensure_log has made it
        return state.row


_LEAF = "thing.name, kind.name, action, time, follows, digest"
_FROM_ENTRY = "FROM entry JOIN thing ON thing.id = entry.thing JOIN kind ON kind.id = entry.kind"
_SELECT_LOG = (
    "SELECT id, author, incarnation, frontier, cover, status, close_size, close_root, fork_index, "
    "counts FROM log"
)


def short_leaf(leaf: bytes) -> bytes:
    """Return the part of a leaf hash by which other entries name it."""
    return leaf[:FOLLOW_LEAF_BYTES]


def _entry_id(log: LogState, number: int) -> int:
    return ((log.row or 0) << NUMBER_BITS) + number
