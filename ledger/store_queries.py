"""What is read of a ledger file, but for files: logs, entries, checkpoints and evidence."""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from ledger import cbor
from ledger.entries import Entries
from ledger.entry import Entry
from ledger.entry_table import EntryTable
from ledger.errors import AlteredError, DamagedError
from ledger.facts import Fact
from ledger.log import LogName, LogState
from ledger.merkle import EMPTY_FRONTIER, NodeReader, leaf_hashes, tiled_reader
from ledger.note import Checkpoint
from ledger.records import (
    SqlValue,
    checkpoint_from_row,
    dropped_from_row,
    entry_from_row,
    log_from_row,
    read_back,
)
from ledger.rest import NAME_EXTRA_BYTES, TAG_BYTES
from ledger.schema import NUMBER_BITS
from ledger.storage_errors import found_in, naming_its_file
from ledger.store_file import StoreFile

STEP = 64
"""Rows with payloads that are in memory at once: at most 64 MiB."""

_LEAF = "thing.name, kind.name, action, time, follows, digest"
_FROM_ENTRY = "FROM entry JOIN thing ON thing.id = entry.thing JOIN kind ON kind.id = entry.kind"
_SELECT_LOG = (
    "SELECT id, author, incarnation, frontier, cover, status, close_size, close_root, fork_index, "
    "counts FROM log"
)


class Queries(StoreFile):
    """The part of an open ledger that reads."""

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

    @naming_its_file
    def logs(self) -> list[LogState]:
        """Return every log of which at least one entry is, or was, here."""
        return [self._state(row) for row in self.rows(f"{_SELECT_LOG} ORDER BY id")]

    @naming_its_file
    def log_names(self) -> list[LogName]:
        """Return the name of each log of which at least one entry is, or was, here."""
        found = self.rows("SELECT author, incarnation FROM log ORDER BY id")
        with read_back():
            return [LogName(cbor.as_bytes(one), cbor.as_bytes(other)) for one, other in found]

    @naming_its_file
    def count_unseen(self, author: bytes) -> int:
        """Return of how many logs of *author* no entry is here, though something else is.

        Raises:
            DamagedError: the file cannot be read.
        """
        found = self.rows("SELECT count(*) FROM log WHERE author = ? AND size = 0", author)
        with read_back():
            return cbor.as_uint(found[0][0])

    @naming_its_file
    def newest_log(self) -> int:
        """Return a number that grows with each log that comes; 0 before the first."""
        with read_back():
            return cbor.as_uint(self.rows("SELECT coalesce(max(id), 0) FROM log")[0][0])

    @naming_its_file
    def log(self, name: LogName) -> LogState:
        """Return the state of one log; that of an empty one if it is not here."""
        found = self.rows(f"{_SELECT_LOG} WHERE author = ? AND incarnation = ?", *name)
        if found:
            return self._state(found[0])
        return LogState(row=None, name=name, frontier=EMPTY_FRONTIER, cover=())

    def entries(self, log: LogState, first: int, end: int) -> list[Entry]:
        """Return the entries *first* up to (not including) *end* of *log*, in order."""
        return self.columns(log, first, end).one_by_one()

    @naming_its_file
    def columns(self, log: LogState, first: int, end: int) -> Entries:
        """Return the entries *first* up to (not including) *end* of *log* as columns.

        Raises:
            AlteredError: a payload, or a hidden name, does not open.
            DamagedError: the file cannot be read.
        """
        return self._entries.between(entry_id(log, first), entry_id(log, end))

    def facts(self, actions: Collection[int]) -> list[Fact]:
        """Return every entry with one of *actions*, which are above 1 and always carried.

        Raises:
            DamagedError: the file cannot be read.
        """
        return self._facts(f"IN ({', '.join('?' * len(actions))})", *map(int, actions))

    def first_facts(self, action: int) -> list[Fact]:
        """Return every log's first entry with *action*, which is above 1 and always carried.

        Raises:
            DamagedError: the file cannot be read.
        """
        return self._facts("= ? AND entry.id & 4294967295 = 0", action)

    @naming_its_file
    def _facts(self, which: str, *values: int) -> list[Fact]:
        found = self.rows(
            f"SELECT author, incarnation, entry.id & 4294967295, {_LEAF}, payload {_FROM_ENTRY} "
            "JOIN log ON log.id = entry.id >> 32 "
            f"WHERE action > 1 AND action {which} ORDER BY entry.id",
            *values,
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

    @naming_its_file
    def numbers(self, log: LogState, first: int, end: int) -> list[int]:
        """Return the numbers from *first* up to *end* of which there is an entry, in order."""
        found = self.rows(
            f"SELECT entry.id & 4294967295 {_FROM_ENTRY} "
            "WHERE entry.id >= ? AND entry.id < ? ORDER BY entry.id",
            entry_id(log, first),
            entry_id(log, end),
        )
        return [cbor.as_uint(row[0]) for row in found]

    @naming_its_file
    def costs(self, log: LogState, first: int, end: int) -> list[int]:
        """Return at least what each entry *first* up to *end* counts between two checkpoints."""
        found = self.rows(
            "SELECT ? + length(CAST(thing.name AS BLOB)) + length(CAST(kind.name AS BLOB)) "
            "+ coalesce(length(follows), 0) + coalesce(length(payload) - ?, 0) "
            f"{_FROM_ENTRY} WHERE entry.id >= ? AND entry.id < ? ORDER BY entry.id",
            64 - 2 * NAME_EXTRA_BYTES * self.rest.hides_names,
            TAG_BYTES,
            entry_id(log, first),
            entry_id(log, end),
        )
        return [cbor.as_uint(row[0]) for row in found]

    @naming_its_file
    def leaves(self, log: LogState, first: int, end: int) -> list[bytes]:
        """Return the leaf hashes of the entries *first* up to *end*; their payloads stay unread."""
        bounds = (entry_id(log, first), entry_id(log, end))
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

        read = tiled_reader(stored, lambda first, end: self.leaves(log, first, end))

        def node(level: int, position: int) -> bytes:
            try:
                return read(level, position)
            except DamagedError as error:
                error.path = error.path or self.path
                raise

        return node

    @naming_its_file
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

    @naming_its_file
    def last_checkpoint(self, log: LogState) -> Checkpoint | None:
        """Return the checkpoint of the greatest size, or None if nothing was ever signed."""
        found = self.rows(
            "SELECT size, root, signature, mldsa44 FROM checkpoint "
            "WHERE log = ? ORDER BY size DESC LIMIT 1",
            log.row,
        )
        return checkpoint_from_row(found[0]) if found else None

    @naming_its_file
    def evidence(self, what: str) -> list[tuple[LogState, bytes]]:
        """Return what is kept as proof of the kind *what* (``fork``, ``dropped``).

        Raises:
            DamagedError: the file cannot be read.
        """
        found = self.rows("SELECT log, data FROM evidence WHERE what = ? ORDER BY id", what)
        states = {state.row: state for state in self.logs()}
        with read_back():
            return [(states[cbor.as_uint(row)], cbor.as_bytes(data)) for row, data in found]

    @naming_its_file
    def evidence_of(self, log: LogState, what: str) -> list[bytes]:
        """Return what is kept as proof of the kind *what* of one log, the oldest first.

        Raises:
            DamagedError: the file cannot be read.
        """
        found = self.rows(
            "SELECT data FROM evidence WHERE log = ? AND what = ? ORDER BY id", log.row, what
        )
        with read_back():
            return [cbor.as_bytes(data) for (data,) in found]

    @naming_its_file
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
            STEP,
        ):
            for number, author, incarnation, data in found:
                with found_in(self.path), read_back():
                    log = LogName(cbor.as_bytes(author), cbor.as_bytes(incarnation))
                    after = cbor.as_uint(number)
                    place = dropped_from_row(log, data, self.rest)
                yield log, *place


def entry_id(log: LogState, number: int) -> int:
    """Return the key under which an entry of a log that is here stands, or would."""
    return ((log.row or 0) << NUMBER_BITS) + number
