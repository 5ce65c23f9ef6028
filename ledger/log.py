"""Values that describe one author log (docs/format.md section 3)."""

from enum import IntEnum
from typing import NamedTuple

from ledger.card import node_id
from ledger.entries import Entries
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.merkle import Frontier, NodeReader, frontier_at
from ledger.note import Checkpoint, origin
from ledger.seeds import Seed

MAX_BATCH_ENTRIES = 65_536
MAX_BATCH_BYTES = 8 << 20
"""Between two checkpoints of one log: bounds every section, its memory and its transaction."""


class LogName(NamedTuple):
    """Which log of a ledger.

    Attributes:
        author: 32 bytes.
        incarnation: 8 bytes.
    """

    author: bytes
    incarnation: bytes

    def __str__(self) -> str:
        """Return how messages name the log."""
        return f"{node_id(self.author)}/{self.incarnation.hex()}"


class LogStatus(IntEnum):
    """What may happen to a log."""

    OPEN = 0
    FORKED = 1
    """Two branches are known; neither grows until its author closes the log."""
    CLOSED = 2
    """Its author ended it at a size and root; it grows up to there and no further."""
    HOSTILE = 3
    """Its author ended it in two ways; it is CLOSED at the lesser (size, root) of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Where its author ended a log.

    Attributes:
        size: Number of entries that count.
        root: Root of the tree over them, 32 bytes.
    """

    size: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """One log as a ledger file holds it.

    Attributes:
        row: Its number in the file; None before its first entry is there.
        name: Which log.
        frontier: Append state over all entries held.
        cover: Seeds of the payloads held.
        status: See `LogStatus`.
        close: Where it ends, when CLOSED or HOSTILE.
        fork_index: The first entry known to differ between two branches, when FORKED.
        counts: How many entries count, since its author was removed; None: all. What follows is
            *void*: kept and proven, but in no view.
    """

    row: int | None
    name: LogName
    frontier: Frontier
    cover: tuple[Seed, ...]
    status: LogStatus = LogStatus.OPEN
    close: Close | None = None
    fork_index: int | None = None
    counts: int | None = None

    @property
    def size(self) -> int:
        """Number of entries held."""
        return self.frontier.size

    @property
    def counted(self) -> int:
        """Number of entries held that count."""
        return self.size if self.counts is None else min(self.size, self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Entries of one log that follow each other, and the checkpoint that covers them.

    Nothing in it has been verified; `ledger.merge` does that. Only the digests of entries with a
    payload are those of their payloads: whoever decodes a range derives them from salt and payload,
    so that an altered payload shows as another root.

    Attributes:
        log: Which log.
        first: Number of the first entry.
        entries: 1..65,536 of them, up to ``checkpoint.size``.
        cover: Seeds for the payloads: those by which their digests were derived, if any are known.
        checkpoint: Signed by the author.
    """

    log: LogName
    first: int
    entries: Entries
    cover: tuple[Seed, ...]
    checkpoint: Checkpoint


def root_at(state: LogState, size: int, nodes: NodeReader) -> bytes:
    """Return the root that *state* had at *size*, which is at most its own."""
    return (state.frontier if size == state.size else frontier_at(size, nodes)).root()


def log_origin(ledger_id: LedgerId, log: LogName) -> str:
    """Return the origin line of the checkpoints of *log*."""
    return origin(ledger_id, log.author, log.incarnation)
