"""Merging the sections of one opened bundle into the ledgers of a node."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.blob_section import BlobSection
from bundler.errors import BundleError
from bundler.errors import LimitError as BundleLimitError
from bundler.errors import MalformedError as BundleMalformedError
from bundler.log_section import LogSection
from bundler.notices import ForkSection, GenesisSection
from bundler.tail_section import MAX_TAILS_ENTRIES, TailSection
from bundler.witness_section import WitnessSection
from ledger.close import has_gone_astray
from ledger.contradiction import Contradiction, proof_from_bytes
from ledger.errors import LedgerError, MalformedError, OtherCardError, UnverifiedError
from ledger.fork import Fork
from ledger.genesis import Genesis, LedgerId
from ledger.log import LogName, LogStatus, Range
from ledger.members import Members, may_write, members
from ledger.merge import (
    Ended,
    Forked,
    Gap,
    Merged,
    NotGranted,
    Outcome,
    Void,
    is_held,
    merge,
    take_fork,
    unwanted,
)
from ledger.recover import take_back
from ledger.seeds import salts_given
from ledger.store import Store
from ledger.testimony import recheck, take_contradiction
from pannier.contents import keeping
from pannier.ledger_names import ledger_names, note_on_name
from pannier.new_ledgers import NewLedgers
from pannier.node import Node
from pannier.origin import Group, Origin
from pannier.rollback import begin_anew
from pannier.tail_reading import logs_of, read_tail
from pannier.waits import Wait, is_readable
from pannier.witnessing import hear_all

if TYPE_CHECKING:
    from bundler.content import Opened

_UNSETTLED = ", and neither goes on until its author settles it"
# What a packer puts first needs nothing that follows, but for grants of grants.
_MAX_PASSES = 64
_TAIL_PASSES = 4  # of as many tails as a bundle may have


@dataclass(kw_only=True)
class Merging:
    """One bundle on its way into the ledgers.

    Attributes:
        node: Whose ledgers.
        peer: Who sent the bundle.
        new: Ledgers that this node may be about to join.
        entries: New entries, by (ledger name, author's name).
        notes: Lines for people.
        content_bytes: New contents of files.
        waits: What the rest of the bundle waits for; empty when all of it is merged.
        taken: Up to which entry logs are held now because of the bundle.
        is_behind: Whether the peer takes this node to hold what it does not.
        is_unfounded: Whether a tail in it could not be read, or did not verify: what is here is not
            what it builds on.
    """

    node: Node
    peer: Origin
    new: NewLedgers
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    content_bytes: int = 0
    waits: list[Wait] = field(default_factory=list)
    taken: list[tuple[LedgerId, LogName, int]] = field(default_factory=list)
    is_behind: bool = False
    is_unfounded: bool = False
    _tail_entries: int = 0
    _all_tail_entries: int = 0
    _about: set[LedgerId] = field(default_factory=set)
    _witness: WitnessSection | None = None
    _has_left_out: bool = False

    def run(self, opened: "Opened") -> None:
        """Merge all sections; what must wait is tried again while anything moves.

        Raises:
            BundleError: a section does not follow the format, or the sections are in such an order
                that merging them costs too much.
            LedgerError: what a section says does not verify, or a file cannot be written.
        """
        self.new.turn_to_next()
        for _ in range(_MAX_PASSES):
            before = sum(self.entries.values()), self.new.moves
            self.waits.clear()
            self._has_left_out = self.is_unfounded = False
            self._tail_entries = 0
            for section in opened.sections():
                if isinstance(section, GenesisSection):
                    self._begin(Genesis.from_bytes(section.genesis))
                elif isinstance(section, LogSection):
                    self._merge_log(section)
                elif isinstance(section, TailSection):
                    self._merge_tail(section)
                elif isinstance(section, ForkSection):
                    self._take_fork(section)
                elif isinstance(section, WitnessSection):
                    self._witness = section
            is_done = not self.waits and not self._has_left_out
            self._join_granted()
            if is_done or (sum(self.entries.values()), self.new.moves) == before:
                self._keep_contents(opened)
                self._hear_witnesses()
                return
        raise BundleMalformedError("its sections are in no order in which they can be merged")

    def is_their_fault(self, error: BundleError | LedgerError) -> bool:
        """Return whether *error* lies in what was sent, so that it will never be otherwise."""
        return isinstance(error, BundleError | MalformedError | UnverifiedError)

    # -- ledgers ------------------------------------------------------------------------------

    def _begin(self, genesis: Genesis) -> None:
        """Make room for a ledger that is new here; it stays only if this node was granted."""
        self._check_about(genesis.ledger_id)
        if self.new.begin(genesis, self.peer.node_id):
            self._about.add(genesis.ledger_id)
        else:
            self.waits.append(Wait("ledger", genesis.ledger_id))

    def _join_granted(self) -> None:
        joined: list[LedgerId] = []
        for ledger_id in sorted(self._about):
            store = self.new.get(ledger_id)
            if store is None:
                continue
            member = members(store).get(self.node.card.author)
            if member is None or not self.new.join(ledger_id):
                self.waits.append(Wait("ledger", ledger_id))
                continue
            self.notes.append(
                f"joined the ledger {store.genesis.name}, shared by {self.peer.name}; "
                f"you may {'read' if member.role.label == 'reader' else 'read and write'} it"
            )
            joined.append(ledger_id)
        if joined:
            with suppress(LedgerError):  # they are joined, whatever cannot be read beside them
                names = ledger_names(self.node)
                self.notes += filter(None, (note_on_name(one, names) for one in joined))

    def _store(self, ledger_id: LedgerId) -> Store | None:
        self._check_about(ledger_id)
        self._about.add(ledger_id)
        return self.new.get(ledger_id) or self.node.readable(ledger_id)

    def _wait_for(self, ledger_id: LedgerId) -> Wait:
        """Return what is waited for where there is no `_store`."""
        return Wait("file" if self.node.has_ledger(ledger_id) else "ledger", ledger_id)

    def _check_about(self, ledger_id: LedgerId) -> None:
        """Refuse a bundle of one ledger's members about another: they may be no members there."""
        if isinstance(self.peer, Group) and ledger_id != self.peer.ledger_id:
            raise BundleMalformedError("a bundle for one group that is about another ledger")

    # -- sections -----------------------------------------------------------------------------

    def _merge_log(self, section: LogSection) -> None:
        if not is_readable(section.encoding):
            self.waits.append(Wait("newer", b"", number=section.encoding))
            note = f"a bundle from {self.peer.name} needs a newer pannier; it waits"
            if note not in self.notes:
                self.notes.append(note)
            return
        store = self._store(section.ledger)
        if store is None:
            self.waits.append(self._wait_for(section.ledger))
            return
        log = LogName(section.author, section.incarnation)
        before = members(store)
        try:
            outcome = unwanted(before, log, section.first) or self._merge_range(store, log, section)
        except OtherCardError:
            self._leave_out(store, log, "signed by no card that counts here")
            return
        self._note(store, log, outcome, section.first)
        self._note_removals(store, before)

    def _leave_out(self, store: Store, log: LogName, why: str) -> None:
        """Leave out entries; a grant that follows may let them in after all."""
        self._has_left_out = True
        who = self.node.who(log.author)
        note = f"{store.genesis.name}: entries of {who}, {why}, were left out"
        if note not in self.notes:
            self.notes.append(note)

    def _merge_range(self, store: Store, log: LogName, section: LogSection) -> Outcome:
        held = store.log(log)
        if held.close is not None and section.checkpoint.size > held.close.size:
            return Ended(close=held.close)  # without what comes before: that may never come
        if section.first > held.size:
            return Gap(size=held.size)
        # Again, or in a ledger that waits for a grant. But a branch may wait for its checkpoint.
        if not has_gone_astray(held) and is_held(store, log, section.checkpoint):
            self.taken.append((store.ledger_id, log, section.checkpoint.size))
            return Merged(count=0)
        from bundler.entry_encodings import decode_entries  # noqa: PLC0415 -- see `is_readable`

        cover = section.cover or held.cover  # another branch of the log may have other seeds
        known = salts_given(cover, section.first, section.count)
        received = Range(
            log=log,
            first=section.first,
            entries=decode_entries(section, known),
            cover=cover,
            checkpoint=section.checkpoint,
        )
        return self._take(store, received)

    def _take(self, store: Store, received: Range) -> Outcome:
        if received.log.author == self.node.card.author:
            outcome = self._take_back(store, received)
        else:
            outcome = merge(store, received)
        if isinstance(outcome, Merged):
            self.taken.append((store.ledger_id, received.log, received.checkpoint.size))
        return outcome

    def _take_back(self, store: Store, received: Range) -> Outcome:
        """Merge entries of this node's own; if it had lost them, it is older than others know.

        It begins anew before they are here for good: cut short in between, it learns it again.
        """
        with store.transaction():
            before = store.log(received.log).status
            outcome = take_back(store, self.node.author, received, time_us=self.node.clock())
            if isinstance(outcome, Merged) and outcome.count:
                self._begin_anew(settled=store.ledger_id)
            elif _stops(store, received.log, before):  # and stays so: it was removed here
                self._begin_anew()
        return outcome

    def _begin_anew(self, settled: LedgerId | None = None) -> None:
        """Begin anew: of two histories of its own this node knows one, or one in part."""
        begin_anew(self.node, above=self.node.counting.incarnation(), settled=settled)

    def _merge_tail(self, section: TailSection) -> None:
        """Merge a tail into the log that it is of; of several that it may be of, where it fits."""
        begin, end = section.context.span(section.first)
        self._tail_entries += section.count + end - begin
        self._all_tail_entries += section.count + end - begin
        if max(self._tail_entries, self._all_tail_entries // _TAIL_PASSES) > MAX_TAILS_ENTRIES:
            raise BundleLimitError("tails that build on too many entries for one bundle")
        logs = logs_of(self.node.ledgers(), section.reference)
        if not logs:
            # It may as well be of a ledger that cannot be read: who sent it knows nothing wrong.
            self.is_behind |= not self.node.unreadable
            self.waits.append(Wait("log", b"", section.reference))
        others = []
        for store, log in logs:
            before = members(store)
            outcome = unwanted(before, log, section.first) or self._tail_of(store, log, section)
            if isinstance(outcome, Merged | Forked):
                self._note(store, log, outcome, section.first)
                self._note_removals(store, before)
                return
            others.append((store, log, outcome))
        if any(outcome is None for _, _, outcome in others):
            unread = self.new.unread_logs.ledgers_of(section.reference)
            self.waits += [Wait("file", one) for one in unread]
            self.is_unfounded |= not unread
        for store, log, outcome in others:
            if outcome is not None:
                self._note(store, log, outcome, section.first)

    def _tail_of(self, store: Store, log: LogName, section: TailSection) -> Outcome | None:
        """Merge a tail into one log; None if it is not of that, or of another branch of it."""
        held = store.log(log)
        if held.close is not None and section.first + section.count > held.close.size:
            return Ended(close=held.close)
        if section.first > held.size:
            self.is_behind |= section.context.span(section.first)[1] > held.size
            return Gap(size=held.size)
        received = read_tail(store, held, section)
        return None if received is None else self._take(store, received)

    def _note(self, store: Store, log: LogName, outcome: Outcome, first: int) -> None:
        who, name = self.node.who(log.author), store.genesis.name
        if isinstance(outcome, Merged):
            if outcome.count:
                self._note_contradiction(store, log, recheck(store, log))
                self.entries[name, who] = self.entries.get((name, who), 0) + outcome.count
                if log.author == self.node.card.author:
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
        elif isinstance(outcome, Void):
            self._leave_out(store, log, "who was removed")

    def _note_removals(self, store: Store, before: Members) -> None:
        known = members(store)
        if known is before:
            return
        for author in before.keys() - known.keys():
            you = author == self.node.card.author
            self.notes.append(
                f"{store.genesis.name}: "
                + ("you were removed" if you else f"{self.node.who(author)} was removed")
                + "; what was written after that counts no more"
            )

    def _note_fork(self, store: Store, log: LogName, outcome: Forked) -> None:
        who, name = self.node.who(log.author), store.genesis.name
        if outcome.status is LogStatus.FORKED and may_write(members(store), log.author):
            self.waits.append(Wait("close", store.ledger_id, *log))
        if outcome.fork is not None:
            self.notes.append(
                f"{name}: {who} signed two histories of one log (entry {outcome.fork.index} "
                "differs): the proof is kept, and neither goes on until its author settles it"
            )

    def _take_fork(self, section: ForkSection) -> None:
        store = self._store(section.ledger)
        if store is None:
            self.waits.append(self._wait_for(section.ledger))
            return
        log = LogName(section.author, section.incarnation)
        if self._take_proof(store, log, proof_from_bytes(section.fork)):
            self.notes.append(
                f"{store.genesis.name}: {self.peer.name} proved that {self.node.who(log.author)} "
                "signed two histories of one log"
            )

    def _take_proof(self, store: Store, log: LogName, proof: Fork | Contradiction) -> bool:
        """Keep a proof of two histories; return whether it stops a log that went on until now.

        What is signed by a card that does not count here proves nothing here, and blames nobody:
        the proof travels again.
        """
        with store.transaction():
            before = store.log(log).status
            try:
                if isinstance(proof, Fork):
                    take_fork(store, log, proof)
                else:
                    take_contradiction(store, members(store), log, proof)
            except OtherCardError:
                self._has_left_out = True
            stops = _stops(store, log, before)
            if stops and log.author == self.node.card.author:
                self._begin_anew()
        return stops

    def _keep_contents(self, opened: "Opened") -> None:
        """Keep the contents of files that an entry names, be it one in the same bundle."""
        with keeping(self.node) as keeper:
            unnamed = [
                digest
                for section in opened.sections()
                if isinstance(section, BlobSection)
                for digest in keeper.add([section.chunk()])
            ]
            keeper.keep()
        self.content_bytes += keeper.content_bytes
        self.waits += [Wait("blob", b"", digest) for digest in unnamed]

    def _hear_witnesses(self) -> None:
        """Take in what was witnessed, at the end: who is a member may stand in the same bundle."""
        if self._witness is not None:
            for heard in hear_all(self.node, self._witness):
                self._note_contradiction(heard.store, heard.log, heard.contradiction)

    def _note_contradiction(self, store: Store, log: LogName, found: Contradiction | None) -> None:
        if found is not None:
            who, name = self.node.who(log.author), store.genesis.name
            self.notes.append(
                f"{name}: {who} signed two histories of one log (of {found.older.size} and of "
                f"{found.newer.size} entries), as {self.peer.name} let us see: the proof is kept"
                f"{_UNSETTLED if store.log(log).status is LogStatus.FORKED else ''}"
            )


def _stops(store: Store, log: LogName, before: LogStatus) -> bool:
    """Return whether a log that went on has two histories, since it was as *before*."""
    return before is LogStatus.OPEN and store.log(log).status is LogStatus.FORKED
