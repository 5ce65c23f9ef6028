"""Proofs of two histories that a node knows, and which of them a notice carries.

One member can make more than fit any bundle (docs/format.md section 3.5): a node that told all of
them could tell nothing else any more.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from bundler.notices import ForkSection
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, LogState, LogStatus
from ledger.store import Store
from pannier.turns import turn
from pannier.way import Way

_MAX_TOLD = 64
_MAX_TOLD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFork:
    """A proof for a log that goes on in neither history.

    Attributes:
        section: What tells it.
        has_entries: Whether anything of the log is here; else it is known by name alone.
    """

    section: ForkSection
    has_entries: bool

    @property
    def log(self) -> LogName:
        """Of which log."""
        return LogName(self.section.author, self.section.incarnation)


def known_forks(way: Way) -> list[KnownFork]:
    """Return a proof for each log with two histories, of the ledgers that the peer is in.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    return [
        KnownFork(
            section=ForkSection(
                ledger=store.ledger_id,
                author=state.name.author,
                incarnation=state.name.incarnation,
                fork=proof,
            ),
            has_entries=state.size > 0,
        )
        for store in way.stores
        for state, proof in _proofs(store)
        if state.status in (LogStatus.FORKED, LogStatus.HOSTILE)
    ]


def told_today(known: Sequence[KnownFork], day: int) -> list[ForkSection]:
    """Return those that a notice carries: all, or up to 64 in 64 KiB, others each day."""
    told: list[ForkSection] = []
    room_bytes = _MAX_TOLD_BYTES
    for one in _in_order(known, day)[:_MAX_TOLD]:
        room_bytes -= len(one.section.fork)
        if room_bytes < 0:
            break
        told.append(one.section)
    return told


def _in_order(known: Sequence[KnownFork], day: int) -> list[KnownFork]:
    """Return the proofs in turns, one an author, so that nobody's many hide another's one.

    In each turn those of logs with entries come first. The others have turns too: an author that
    forks a hundred logs must not hide what it did in one more.
    """
    turns: Counter[tuple[bytes, bool]] = Counter()
    ranked = []
    for one in sorted(known, key=lambda one: turn(day, one.log)):
        queue = one.section.author, one.has_entries
        ranked.append(((turns[queue], not one.has_entries), one))
        turns[queue] += 1
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def _proofs(store: Store) -> Iterator[tuple[LogState, bytes]]:
    """Yield one proof for each log with two histories; a fork says more than a contradiction."""
    forks = store.evidence("fork")
    yield from forks
    forked = {state.name for state, _ in forks}
    for state, contradiction in store.evidence("contradiction"):
        if state.name not in forked:
            yield state, contradiction
