"""The entries of one log that a damaged file still has, up to where something is missing.

What a checkpoint covers is proven by the root that they give together; whoever takes them verifies
its signature (`ledger.merge`).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product

from ledger import cbor
from ledger.entries import Entries
from ledger.entry import (
    Action,
    Entry,
    check_entry,
    leaf_bytes,
    payload_digest,
)
from ledger.errors import LedgerError
from ledger.lazy_dataclass import dataclass
from ledger.log import MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, LogName, LogState, Range
from ledger.merkle import Frontier, extend, leaf_hash
from ledger.note import Checkpoint
from ledger.records import COVER, MAX_COVER_BYTES, SqlValue, entry_from_row
from ledger.rest import Rest
from ledger.seeds import Cover, check_cover, is_root, salt, salts
from ledger.store_salvage import EntryRow, NameTable, Salvage

ENDING = (Action.REVOKE, Action.CLOSE)
"""Actions that take something away from logs."""

_MAX_VERSIONS = 4
_MAX_KNOWN_NAMES = 65_536
# Ways to choose among versions of rows that differ, before the rest of a log is given up.
_MAX_CHOICES = 16


@dataclass(frozen=True, slots=True)
class Proven:
    """Entries whose root is that of a checkpoint.

    Attributes:
        log: Of which log.
        first: Number of the first.
        entries: One after the other, up to the last of the checkpoints.
        cover: Seeds for their payloads.
        checkpoints: Ascending, each over a part of them; their signatures were not looked at.
    """

    log: LogName
    first: int
    entries: Sequence[Entry]
    cover: Cover
    checkpoints: Sequence[Checkpoint]

    @property
    def size(self) -> int:
        """Number after the last of them."""
        return self.checkpoints[-1].size

    def until(self, checkpoint: Checkpoint) -> Range:
        """Return what one of the checkpoints covers."""
        taken = self.entries[: checkpoint.size - self.first]
        return Range(
            log=self.log,
            first=self.first,
            entries=Entries.of(taken),
            cover=self.cover,
            checkpoint=checkpoint,
        )


class Chain:
    """One log of a damaged file."""

    def __init__(self, row: int, name: LogName, found: Salvage, rest: Rest) -> None:
        """Look for the entries of the log *name*, whose number in the file is *row*."""
        self.row = row
        self.name = name
        self._found = found
        self._rest = rest
        self._covers = _covers(found.covers(row), name, rest)
        self._names: dict[tuple[NameTable, SqlValue], list[str | bytes]] = {}
        self._failed_at = -1

    def proven(self, state: LogState, *, is_ending: bool) -> Proven | None:
        """Return what follows after *state*, the log as far as it is proven; None: nothing does.

        Args:
            state: Of the log in the new file.
            is_ending: Whether there may be what takes something away from logs.
        """
        first = state.size
        if first == self._failed_at:
            return None
        stop = first + MAX_BATCH_ENTRIES
        if not is_ending:
            stop = min(stop, self._found.first_with(self.row, first, stop, ENDING))
        due = self._found.checkpoints(self.row, first, stop)
        end = due[-1].size if due else first
        best: Proven | None = None
        for cover in [state.cover] if state.cover else self._covers:
            versions = list(self._versions(cover, first, end))
            found = self._best(cover, state.frontier, versions, due)
            if found is not None and (best is None or found.size > best.size):
                best = found
        if best is not None:
            self._covers = [best.cover]  # a log has one tree, whatever its former branch had
        elif is_ending:
            self._failed_at = first
        return best

    def readable(self, first: int, end: int) -> Iterator[list[tuple[int, Entry]]]:
        """Yield, for each root of seeds, number and entry of what is there from *first* to *end*.

        With gaps or not; where rows have several versions it is the first of them. Nothing is
        proven.
        """
        rows = list(self._found.entries(self.row, first, end))
        for cover in self._covers:
            yield [
                (number, entry)
                for number, versions in rows
                for entry in islice(self._entries(versions[0], salt(cover, number)), 1)
            ]

    def _best(
        self,
        cover: Cover,
        frontier: Frontier,
        versions: Sequence[list[Entry]],
        due: Sequence[Checkpoint],
    ) -> Proven | None:
        """Choose among versions of rows so that as much as may be is proven."""
        due = [one for one in due if one.size <= frontier.size + len(versions)]
        differing = [at for at, some in enumerate(versions) if len(some) > 1]
        entries = [some[0] for some in versions]
        best: Proven | None = None
        for chosen in islice(product(*(versions[at] for at in differing)), _MAX_CHOICES):
            for at, entry in zip(differing, chosen, strict=True):
                entries[at] = entry
            fitting = list(_fitting(frontier, entries, due))
            if fitting and (best is None or fitting[-1].size > best.size):
                kept = entries[: fitting[-1].size - frontier.size]
                best = Proven(self.name, frontier.size, kept, cover, fitting)
            if fitting and fitting[-1] == due[-1]:
                break
        return best

    def _versions(self, cover: Cover, first: int, end: int) -> Iterator[list[Entry]]:
        """Yield the versions of each entry from *first* on, up to the first that has none."""
        size_bytes = 0
        salted = salts(cover, first, end - first)
        for due, (number, rows) in enumerate(self._found.entries(self.row, first, end), first):
            if number != due:
                return
            one = next(salted)
            versions = [entry for row in rows for entry in self._entries(row, one)]
            if not versions:
                return
            size_bytes += len(leaf_bytes(versions[0])) + len(versions[0].payload or b"")
            if size_bytes > MAX_BATCH_BYTES:
                return
            yield versions[:_MAX_VERSIONS]

    def _entries(self, row: EntryRow, one_salt: bytes) -> Iterator[Entry]:
        """Yield what a row may say: one entry, if what it names is there once."""
        _, thing, kind, *fields = row
        for names in product(self._named("thing", thing), self._named("kind", kind)):
            try:
                entry = entry_from_row((*names, *fields), self._rest)
                check_entry(entry)
            except LedgerError:
                continue
            if entry.payload is not None:
                yield entry._replace(digest=payload_digest(one_salt, entry.payload))

    def _named(self, table: NameTable, number: SqlValue) -> list[str | bytes]:
        if len(self._names) > _MAX_KNOWN_NAMES:
            self._names.clear()
        if (table, number) not in self._names:
            self._names[table, number] = self._found.names(table, number)
        return self._names[table, number]


def _fitting(
    frontier: Frontier, entries: Sequence[Entry], due: Sequence[Checkpoint]
) -> Iterator[Checkpoint]:
    """Yield those of *due* whose root *entries* have, after those of *frontier*."""
    first = frontier.size
    for checkpoint in due:
        some = entries[frontier.size - first : checkpoint.size - first]
        frontier = extend(frontier, [leaf_hash(leaf_bytes(one)) for one in some]).frontier
        if frontier.root() == checkpoint.root:
            yield checkpoint


def _covers(found: Iterable[bytes], name: LogName, rest: Rest) -> list[Cover]:
    """Return the roots of seeds that *found* gives, of one log: of a branch given up, too."""
    covers: list[Cover] = []
    for sealed in found:
        try:
            data = rest.open(COVER + b"".join(name), sealed)
            cover = check_cover(cbor.decode(data, limit_bytes=MAX_COVER_BYTES))
        except LedgerError:
            continue
        if is_root(cover) and cover not in covers:
            covers.append(cover)
    return covers
