"""One ledger in one SQLite file.

The store keeps and finds (`ledger.store_queries`); it decides nothing, and verifies only that the
file is one of ours.
`ledger.append` and `ledger.merge` check everything before they call `Store.commit`, which only
compares the log's size and inserts one batch in one short transaction.
"""

from collections.abc import Callable, Iterator
from functools import cached_property

from ledger.entries import Entries
from ledger.entry import FOLLOW_LEAF_BYTES
from ledger.errors import StaleError
from ledger.file_payload import FilePayload
from ledger.lazy_dataclass import dataclass
from ledger.log import Close, LogName, LogState, LogStatus
from ledger.merkle import EMPTY_FRONTIER, Extension, Frontier
from ledger.note import Checkpoint
from ledger.records import cover_to_row, dropped_to_row
from ledger.schema import NUMBER_BITS
from ledger.seeds import Cover
from ledger.shown import show, show_anew, show_range_anew
from ledger.store_blobs import Blobs
from ledger.store_files import Files
from ledger.store_queries import STEP, Queries, entry_id

COVER_COPY = "cover"
"""What is kept twice of a log of our own, as evidence of this kind."""


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
    cover: Cover


class Store(Queries):
    """An open ledger."""

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
            after: Called inside the same transaction, once the entries are there. What follows from
                words about members among them is for it to do (`ledger.settle.settle_batch`).

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
        self.drop_evidence(log, what)
        self.keep_evidence(log, what, data)

    def drop_evidence(self, log: LogState, *kinds: str) -> None:
        """Keep no proof of some *kinds* for *log* any more; only inside `transaction`."""
        for what in kinds:
            self.run("DELETE FROM evidence WHERE log = ? AND what = ?", log.row, what)

    def truncate(self, log: LogState, frontier: Frontier) -> None:
        """Cut *log* back to *frontier*, keeping what falls off as evidence ``dropped``.

        Only inside `transaction`. The views of the things concerned are made anew. Of a log cut
        back to nothing the seeds go too: another branch may have others.
        """
        self.note_facts_changed()
        first = frontier.size
        for start in range(first, log.size, STEP):
            entries = self.entries(log, start, min(start + STEP, log.size))
            for number, entry in enumerate(entries, start):
                data = dropped_to_row(log.name, number, entry, self.rest)
                self.keep_evidence(log, "dropped", data)
        bounds = (entry_id(log, first), entry_id(log, log.size))
        cover = log.cover if first else ()
        things = self.rows("SELECT DISTINCT thing FROM entry WHERE id >= ? AND id < ?", *bounds)
        self.run("DELETE FROM entry WHERE id >= ? AND id < ?", *bounds)
        self.file_entries.forget(*bounds)
        self.run("DELETE FROM checkpoint WHERE log = ? AND size > ?", log.row, first)
        self.run("DELETE FROM node WHERE log = ? AND ((position + 1) << level) > ?", log.row, first)
        self.run(
            "UPDATE log SET size = ?, frontier = ?, cover = ? WHERE id = ?",
            first,
            frontier.to_bytes(),
            cover_to_row(log.name, cover, self.rest),
            log.row,
        )
        self._note_cover(log, cover)
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
        if batch.cover != state.cover:
            self._note_cover(state, batch.cover)
        self.add_checkpoint(state, batch.checkpoint)
        self._db.executemany(
            "INSERT INTO node VALUES (?, ?, ?, ?)",
            ((state.row, node.level, node.position, node.hash) for node in extension.nodes),
        )
        assert state.row is not None  # noqa: S101 -- ensure_log has made it
        return state.row

    def _note_cover(self, log: LogState, cover: Cover) -> None:
        """Keep a copy, which a damaged page must not take along."""
        self.drop_evidence(log, COVER_COPY)
        if cover:
            self.keep_evidence(log, COVER_COPY, cover_to_row(log.name, cover, self.rest))


def short_leaf(leaf: bytes) -> bytes:
    """Return the part of a leaf hash by which other entries name it."""
    return leaf[:FOLLOW_LEAF_BYTES]
