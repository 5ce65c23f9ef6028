"""Merging the sections of one opened bundle into the ledgers of a node."""

from dataclasses import dataclass, field
from typing import NamedTuple

from bundler.content import Opened
from bundler.errors import BundleError
from bundler.errors import MalformedError as BundleMalformedError
from bundler.log_section import LogSection
from bundler.notices import ForkSection, GenesisSection
from bundler.rows import decode_rows
from ledger.errors import LedgerError, MalformedError, UnverifiedError
from ledger.fork import Fork
from ledger.genesis import Genesis, LedgerId
from ledger.log import LogName, LogStatus, Range
from ledger.members import may_write, members
from ledger.merge import Ended, Forked, Gap, Merged, NotGranted, Outcome, merge, take_fork
from ledger.recover import take_back
from ledger.seeds import covers, salts
from ledger.store import Store, put_in_place
from pannier.home import Peer
from pannier.node import Node

_PENDING = "pending"
# What a packer puts first needs nothing that follows, but for grants of grants.
_MAX_PASSES = 64


class Wait(NamedTuple):
    """What a bundle waits for.

    Attributes:
        kind: ``ledger`` (to be a member of it), ``grant`` (for the author), ``range`` (the entries
            before *number*), ``close`` (the author's word on a fork).
        ledger_id: Which ledger.
        author: Whose log or grant; empty for ``ledger``.
        incarnation: Of the log, or empty.
        number: How many entries must be there, or 0.
    """

    kind: str
    ledger_id: bytes
    author: bytes = b""
    incarnation: bytes = b""
    number: int = 0

    @classmethod
    def from_row(cls, row: tuple[int | str | bytes | None, ...]) -> "Wait":
        """Return the wait that ``node.db`` remembers."""
        return cls(*row)  # type: ignore[arg-type]

    def is_over(self, node: Node) -> bool:
        """Return whether what was waited for is there."""
        store = node.ledger(LedgerId(self.ledger_id))
        if store is None:
            return False
        log = LogName(self.author, self.incarnation)
        if self.kind == "grant":
            return may_write(members(store), self.author)
        if self.kind == "range":
            return store.log(log).size >= self.number or store.log(log).close is not None
        if self.kind == "close":
            return store.log(log).status is not LogStatus.FORKED
        return True


@dataclass(kw_only=True)
class Merging:
    """One bundle on its way into the ledgers.

    Attributes:
        node: Whose ledgers.
        peer: Who sent the bundle.
        entries: New entries, by (ledger name, author's name).
        notes: Lines for people.
        waits: What the rest of the bundle waits for; empty when all of it is merged.
    """

    node: Node
    peer: Peer
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    _pending: dict[LedgerId, Store] = field(default_factory=dict)

    def run(self, opened: Opened) -> None:
        """Merge all sections; what must wait is tried again while anything moves.

        Raises:
            BundleError: a section does not follow the format, or the sections are in such an order
                that merging them costs too much.
            LedgerError: what a section says does not verify, or a file cannot be written.
        """
        for _ in range(_MAX_PASSES):
            before = sum(self.entries.values()), len(self._pending)
            self.waits.clear()
            for section in opened.sections():
                if isinstance(section, GenesisSection):
                    self._begin(Genesis.from_bytes(section.genesis))
                elif isinstance(section, LogSection):
                    self._merge_log(section)
                elif isinstance(section, ForkSection):
                    self._take_fork(section)
            self._join_granted()
            if not self.waits or (sum(self.entries.values()), len(self._pending)) == before:
                return
        raise BundleMalformedError("its sections are in no order in which they can be merged")

    def close(self) -> None:
        """Drop the ledgers that this node was not granted."""
        for store in self._pending.values():
            store.close()
            _remove_store(store)
        self._pending.clear()

    def is_their_fault(self, error: BundleError | LedgerError) -> bool:
        """Return whether *error* lies in what was sent, so that it will never be otherwise."""
        return isinstance(error, BundleError | MalformedError | UnverifiedError)

    # -- ledgers ------------------------------------------------------------------------------

    def _begin(self, genesis: Genesis) -> None:
        """Make room for a ledger that is new here; it stays only if this node was granted."""
        if self.node.ledger(genesis.ledger_id) is None and genesis.ledger_id not in self._pending:
            folder = self.node.home.ledgers / _PENDING
            folder.mkdir(exist_ok=True)
            self._pending[genesis.ledger_id] = Store.create(folder, genesis)

    def _join_granted(self) -> None:
        for ledger_id, store in list(self._pending.items()):
            member = members(store).get(self.node.card.author)
            if member is None:
                self.waits.append(Wait("ledger", ledger_id))
                continue
            store.close()
            del self._pending[ledger_id]
            put_in_place(store.path, self.node.home.ledgers / store.path.name)
            self.notes.append(
                f"joined the ledger {store.genesis.name}, shared by {self.peer.name}; "
                f"you may {'read' if member.role.label == 'reader' else 'read and write'} it"
            )

    def _store(self, ledger_id: LedgerId) -> Store | None:
        return self._pending.get(ledger_id) or self.node.ledger(ledger_id)

    # -- sections -----------------------------------------------------------------------------

    def _merge_log(self, section: LogSection) -> None:
        store = self._store(section.ledger)
        if store is None:
            self.waits.append(Wait("ledger", section.ledger))
            return
        log = LogName(section.author, section.incarnation)
        if not may_write(members(store), log.author):
            self.waits.append(Wait("grant", store.ledger_id, log.author))
            return
        outcome = self._merge_range(store, log, section)
        self._note(store, log, outcome, section.first)

    def _merge_range(self, store: Store, log: LogName, section: LogSection) -> Outcome:
        held = store.log(log)
        if held.close is not None and section.checkpoint.size > held.close.size:
            return Ended(close=held.close)  # without what comes before: that may never come
        if section.first > held.size:
            return Gap(size=held.size)
        cover = held.cover if covers(held.cover, section.first, section.count) else section.cover
        salt: list[bytes | None] = (
            list(salts(cover, section.first, section.count))
            if covers(cover, section.first, section.count)
            else [None] * section.count
        )
        received = Range(
            log=log,
            first=section.first,
            entries=decode_rows(section.columns, section.count, salt),
            cover=section.cover,
            checkpoint=section.checkpoint,
        )
        if log.author == self.node.card.author:
            return take_back(store, self.node.author, received, time_us=self.node.clock())
        return merge(store, received)

    def _note(self, store: Store, log: LogName, outcome: Outcome, first: int) -> None:
        who, name = self.node.who(log.author), store.genesis.name
        if isinstance(outcome, Merged):
            if outcome.count:
                self.entries[name, who] = self.entries.get((name, who), 0) + outcome.count
                if log.author == self.node.card.author:
                    self.node.renew_incarnation(above=self.node.incarnation())
                    self.notes.append(
                        f"{name}: took back {outcome.count} of our own entries that this node had "
                        "lost; it writes in a new incarnation from now on"
                    )
        elif isinstance(outcome, Gap):
            self.waits.append(Wait("range", store.ledger_id, *log, first))
        elif isinstance(outcome, NotGranted):
            self.waits.append(Wait("grant", store.ledger_id, outcome.author))
        elif isinstance(outcome, Forked):
            self._note_fork(store, log, outcome)
        elif isinstance(outcome, Ended):
            self.notes.append(f"{name}: entries of {who} beyond its closed log were left out")

    def _note_fork(self, store: Store, log: LogName, outcome: Forked) -> None:
        who, name = self.node.who(log.author), store.genesis.name
        if outcome.status is LogStatus.FORKED:
            self.waits.append(Wait("close", store.ledger_id, *log))
        if outcome.fork is not None:
            self.notes.append(
                f"{name}: {who} signed two histories of one log (entry {outcome.fork.index} "
                "differs): the proof is kept, and neither goes on until its author settles it"
            )

    def _take_fork(self, section: ForkSection) -> None:
        store = self._store(section.ledger)
        if store is None:
            self.waits.append(Wait("ledger", section.ledger))
            return
        log = LogName(section.author, section.incarnation)
        before = store.log(log).status
        take_fork(store, log, Fork.from_bytes(section.fork))
        if before is LogStatus.OPEN and store.log(log).status is LogStatus.FORKED:
            self.notes.append(
                f"{store.genesis.name}: {self.peer.name} proved that {self.node.who(log.author)} "
                "signed two histories of one log"
            )


def _remove_store(store: Store) -> None:
    for suffix in ("", "-wal", "-shm"):
        store.path.with_name(store.path.name + suffix).unlink(missing_ok=True)
