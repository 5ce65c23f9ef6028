"""What a bundle would bring into the ledgers, told without touching one.

Every name in a summary was written by somebody else: print it so that it does nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bundler.content import Opened
from bundler.entry_encodings import decode_entries, is_known
from bundler.entry_fields import SALT_BYTES
from bundler.errors import MalformedError
from bundler.log_section import LogSection
from bundler.notices import ForkSection, GenesisSection
from bundler.tail_section import TailSection
from ledger.entries import Entries
from ledger.entry import Action, Entry
from ledger.errors import LedgerError
from ledger.facts import grant_from_payload, revocation_from_payload
from ledger.genesis import Genesis, LedgerId
from ledger.log import LogName
from ledger.members import members
from ledger.store import Store
from pannier.node import Node
from pannier.tail_reading import logs_of, read_tail

OTHER_KINDS = "and more"
"""Stands for all kinds of an author beyond the first `_MAX_KINDS`."""

_MAX_KINDS = 50
_MAX_FACTS = 1000


@dataclass(kw_only=True)
class AuthorSummary:
    """What a bundle brings of one author in one ledger.

    Attributes:
        author: Its key, hex.
        name: What it is called here, or calls itself in this bundle.
        is_new: Whether this node has nothing of it in this ledger and knows no grant for it.
        entries: How many that are not here yet.
        known: How many that are here already.
        kinds: Of the new ones, by kind; "" is those without one.
        actions: Of the new ones, by what they do to a thing.
    """

    author: str
    name: str
    is_new: bool
    entries: int = 0
    known: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    actions: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class LedgerSummary:
    """What a bundle brings into one ledger.

    Attributes:
        ledger: Its id, hex.
        name: As its genesis says; empty if that is neither here nor in the bundle.
        is_new: Whether this node has it not.
        admins: Names of the first admins, of a ledger that is new.
        authors: By key, hex.
        grants: (who, role, fingerprint of its card) that new entries make members.
        revocations: Whom new entries remove, by name or key.
        unlisted: Grants and revocations beyond the first `_MAX_FACTS`.
        forks: How many proofs that an author signed two histories.
    """

    ledger: str
    name: str
    is_new: bool
    admins: list[str] = field(default_factory=list)
    authors: dict[str, AuthorSummary] = field(default_factory=dict)
    grants: list[tuple[str, str, str]] = field(default_factory=list)
    revocations: list[str] = field(default_factory=list)
    unlisted: int = 0
    forks: int = 0


def summarise(node: Node, opened: Opened) -> list[LedgerSummary]:
    """Return what *opened* would bring into the ledgers of *node*, in the order of the bundle.

    Raises:
        BundleError: a section does not follow the format.
        LedgerError: a genesis does not, or a ledger here cannot be read.
    """
    summing = _Summing(node)
    for section in opened.sections():
        match section:
            case GenesisSection():
                summing.begin(Genesis.from_bytes(section.genesis))
            case LogSection():
                summing.add_log(section)
            case TailSection():
                summing.add_tail(section)
            case ForkSection():
                summing.ledger(section.ledger).forks += 1
            case _:
                pass
    summing.name_newcomers()
    return list(summing.ledgers.values())


def one_line(ledgers: Sequence[LedgerSummary]) -> str:
    """Return the gist of a summary."""
    parts = []
    for one in ledgers:
        entries = sum(author.entries for author in one.authors.values())
        name = f"{one.name or one.ledger}{' (new)' if one.is_new else ''}"
        counts = [f"{entries} {'entry' if entries == 1 else 'entries'}"]
        for count, what in ((len(one.grants), "grant"), (len(one.revocations), "revocation")):
            counts += [f"{count} {what}{'' if count == 1 else 's'}"] if count else []
        parts.append(f"{name}: {', '.join(counts)}")
    return "; ".join(parts)


class _Summing:
    """A summary in the making: one section in memory at a time."""

    def __init__(self, node: Node) -> None:
        self.ledgers: dict[LedgerId, LedgerSummary] = {}
        self._node = node
        self._names: dict[str, str] = {}

    def ledger(self, ledger_id: LedgerId) -> LedgerSummary:
        if ledger_id not in self.ledgers:
            store = self._node.ledger(ledger_id)
            name = store.genesis.name if store is not None else ""
            self.ledgers[ledger_id] = LedgerSummary(
                ledger=ledger_id.hex(), name=name, is_new=store is None
            )
        return self.ledgers[ledger_id]

    def begin(self, genesis: Genesis) -> None:
        found = self.ledger(genesis.ledger_id)
        found.name = genesis.name
        if found.is_new:
            found.admins = [self._node.who_has(card) for card in genesis.admins]
        self._names |= {card.author.hex(): self._node.who_has(card) for card in genesis.admins}

    def add_log(self, section: LogSection) -> None:
        store, ledger = self._node.ledger(section.ledger), self.ledger(section.ledger)
        log = LogName(section.author, section.incarnation)
        held = store.log(log).size if store is not None else 0
        if not is_known(section.encoding):
            return  # it waits for a newer version, whatever is said to it
        # What digests come of it does not matter, so any salt will do.
        salts = [bytes(SALT_BYTES)] * section.count
        entries = decode_entries(section, salts)
        self._add_entries(ledger, store, section.author, entries, held - section.first)

    def add_tail(self, section: TailSection) -> None:
        """Add what a tail says.

        Raises:
            MalformedError: it cannot be read with what is here; nobody should let it in unseen.
        """
        for store, log in logs_of(self._node.ledgers(), section.reference):
            state = store.log(log)
            received = read_tail(store, state, section) if section.first <= state.size else None
            if received is not None:
                known = state.size - section.first
                ledger = self.ledger(store.ledger_id)
                self._add_entries(ledger, store, log.author, received.entries, known)
                return
        raise MalformedError("it builds on entries that are not here, or not yet: look again later")

    def _add_entries(
        self,
        ledger: LedgerSummary,
        store: Store | None,
        author_key: bytes,
        entries: Entries,
        known: int,
    ) -> None:
        new = entries.between(max(known, 0), entries.count)
        author = self._author(ledger, store, author_key)
        author.entries += new.count
        author.known += entries.count - new.count
        _count(author.actions, map(_action_name, new.actions))
        _count(author.kinds, new.kinds)
        for entry in new.one_by_one():
            self._add_fact(ledger, entry)

    def name_newcomers(self) -> None:
        """Call authors that are nobody here as their cards in this bundle do."""
        for ledger in self.ledgers.values():
            for author in ledger.authors.values():
                if author.is_new:
                    author.name = self._names.get(author.author, author.name)

    def _author(self, ledger: LedgerSummary, store: Store | None, author: bytes) -> AuthorSummary:
        key = author.hex()
        if key not in ledger.authors:
            is_known = store is not None and (
                author in members(store) or any(log.name.author == author for log in store.logs())
            )
            ledger.authors[key] = AuthorSummary(
                author=key, name=self._node.who(author), is_new=not is_known
            )
        return ledger.authors[key]

    def _add_fact(self, ledger: LedgerSummary, entry: Entry) -> None:
        if entry.action not in (Action.GRANT, Action.REVOKE):
            return
        if len(ledger.grants) + len(ledger.revocations) >= _MAX_FACTS:
            ledger.unlisted += 1
            return
        try:
            if entry.action == Action.GRANT:
                grant = grant_from_payload(entry.payload or b"")
                name = self._node.who_has(grant.card)
                self._names.setdefault(grant.card.author.hex(), name)
                ledger.grants.append((name, grant.role.label, grant.card.fingerprint))
            else:
                author = revocation_from_payload(entry.payload or b"").author
                ledger.revocations.append(self._node.who(author))
        except LedgerError:
            pass  # it counts for nothing


def _count(counts: dict[str, int], names: Iterable[str]) -> None:
    """Add up names, of which there may be as many as entries."""
    for name, number in Counter(names).items():
        key = name if name in counts or len(counts) < _MAX_KINDS else OTHER_KINDS
        counts[key] = counts.get(key, 0) + number


def _action_name(action: int) -> str:
    return Action(action).name.lower() if action in set(Action) else "other"
