"""What a bundle would bring into the ledgers, told without touching one.

Who calls itself like another in the same bundle is told apart from it, too (`pannier.names`). Every
name in a summary was written by somebody else: print it so that it does nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bundler.content import Opened
from bundler.entry_encodings import decode_entries, is_known
from bundler.entry_fields import SALT_BYTES
from bundler.errors import MalformedError
from bundler.log_section import LogSection
from bundler.notices import ForkSection, GenesisSection
from bundler.tail_section import TailSection
from ledger.card import Card
from ledger.entries import Entries
from ledger.entry import Action, Entry
from ledger.errors import LedgerError
from ledger.facts import Grant, Revocation, grant_from_payload, revocation_from_payload
from ledger.genesis import Genesis, LedgerId
from ledger.log import LogName
from ledger.members import members
from ledger.store import Store
from pannier.names import set_apart
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
        is_new: Whether this node has nothing of it in this ledger and knows no grant for it.
        name: What it is called here, or calls itself in this bundle.
        entries: How many that are not here yet.
        known: How many that are here already.
        kinds: Of the new ones, by kind; "" is those without one.
        actions: Of the new ones, by what they do to a thing.
    """

    author: str
    is_new: bool
    name: str = ""
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
        PannierError: a card of a peer cannot be read, or a strange file lies among the ledgers.
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
    return summing.named()


def one_line(ledgers: Sequence[LedgerSummary]) -> str:
    """Return the gist of a summary."""
    parts = []
    for one in ledgers:
        entries = sum(author.entries for author in one.authors.values())
        name = f"{set_apart(one.name) or one.ledger}{' (new)' if one.is_new else ''}"
        counts = [f"{entries} {'entry' if entries == 1 else 'entries'}"]
        for count, what in ((len(one.grants), "grant"), (len(one.revocations), "revocation")):
            counts += [f"{count} {what}{'' if count == 1 else 's'}"] if count else []
        parts.append(f"{name}: {', '.join(counts)}")
    return "; ".join(parts)


@dataclass(slots=True)
class _People:
    """Whom a summary has yet to name, by key."""

    admins: list[bytes] = field(default_factory=list)
    granted: list[tuple[bytes, tuple[str, str]]] = field(default_factory=list)
    revoked: list[bytes] = field(default_factory=list)


class _Summing:
    """A summary in the making: one section in memory at a time.

    Nobody is named before the end: only then it is known who else in the bundle is called alike.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ledgers: dict[LedgerId, LedgerSummary] = {}
        self._people: defaultdict[LedgerId, _People] = defaultdict(_People)
        self._heard_of: dict[LedgerId, frozenset[bytes]] = {}
        self._cards: dict[tuple[bytes, str], Card] = {}

    def ledger(self, ledger_id: LedgerId) -> LedgerSummary:
        if ledger_id not in self._ledgers:
            store = self._node.ledger(ledger_id)
            name = store.genesis.name if store is not None else ""
            self._ledgers[ledger_id] = LedgerSummary(
                ledger=ledger_id.hex(), name=name, is_new=store is None
            )
        return self._ledgers[ledger_id]

    def begin(self, genesis: Genesis) -> None:
        found = self.ledger(genesis.ledger_id)
        found.name = genesis.name
        for card in genesis.admins:
            self._note_card(card)
        if found.is_new:
            self._people[genesis.ledger_id].admins = [card.author for card in genesis.admins]

    def add_log(self, section: LogSection) -> None:
        store = self._node.ledger(section.ledger)
        self.ledger(section.ledger)  # is told of, even if nothing can be said of the entries
        log = LogName(section.author, section.incarnation)
        held = store.log(log).size if store is not None else 0
        if not is_known(section.encoding):
            return  # it waits for a newer version, whatever is said to it
        # What digests come of it does not matter, so any salt will do.
        salts = [bytes(SALT_BYTES)] * section.count
        entries = decode_entries(section, salts)
        self._add_entries(section.ledger, store, section.author, entries, held - section.first)

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
                self._add_entries(store.ledger_id, store, log.author, received.entries, known)
                return
        raise MalformedError("it builds on entries that are not here, or not yet: look again later")

    def _add_entries(
        self,
        ledger_id: LedgerId,
        store: Store | None,
        author_key: bytes,
        entries: Entries,
        known: int,
    ) -> None:
        new = entries.between(max(known, 0), entries.count)
        author = self._author(ledger_id, store, author_key)
        author.entries += new.count
        author.known += entries.count - new.count
        _count(author.actions, map(_action_name, new.actions))
        _count(author.kinds, new.kinds)
        for entry in new.one_by_one():
            self._add_fact(ledger_id, entry)

    def named(self) -> list[LedgerSummary]:
        """Return the summaries, in which all have names now, each another.

        Raises:
            LedgerError: a ledger here cannot be read.
            PannierError: a card of a peer cannot be read, or a strange file lies among the ledgers.
        """
        names = self._node.names_beside(self._cards.values())
        for ledger_id, ledger in self._ledgers.items():
            people = self._people[ledger_id]
            ledger.admins = list(map(names.of, people.admins))
            ledger.grants = [(names.of(author), *what) for author, what in people.granted]
            ledger.revocations = list(map(names.of, people.revoked))
            for author in ledger.authors.values():
                author.name = names.of(bytes.fromhex(author.author))
        return list(self._ledgers.values())

    def _author(self, ledger_id: LedgerId, store: Store | None, author: bytes) -> AuthorSummary:
        ledger, key = self.ledger(ledger_id), author.hex()
        if key not in ledger.authors:
            if ledger_id not in self._heard_of:
                self._heard_of[ledger_id] = frozenset() if store is None else _heard_of(store)
            is_new = author not in self._heard_of[ledger_id]
            ledger.authors[key] = AuthorSummary(author=key, is_new=is_new)
        return ledger.authors[key]

    def _add_fact(self, ledger_id: LedgerId, entry: Entry) -> None:
        if entry.action not in (Action.GRANT, Action.REVOKE):
            return
        people = self._people[ledger_id]
        if len(people.granted) + len(people.revoked) >= _MAX_FACTS:
            self.ledger(ledger_id).unlisted += 1
            return
        said = _said(entry)
        if isinstance(said, Grant):
            self._note_card(said.card)
            what = said.role.label, said.card.fingerprint
            people.granted.append((said.card.author, what))
        elif said is not None:
            people.revoked.append(said.author)

    def _note_card(self, card: Card) -> None:
        self._cards.setdefault((card.author, card.name), card)


def _heard_of(store: Store) -> frozenset[bytes]:
    """Return whoever is a member of a ledger here, or wrote in it."""
    return frozenset((*members(store), *(log.name.author for log in store.logs())))


def _said(entry: Entry) -> Grant | Revocation | None:
    """Return what an entry says of members, or None: it counts for nothing."""
    read = grant_from_payload if entry.action == Action.GRANT else revocation_from_payload
    with suppress(LedgerError):  # nothing in here asks a ledger
        return read(entry.payload or b"")
    return None


def _count(counts: dict[str, int], names: Iterable[str]) -> None:
    """Add up names, of which there may be as many as entries."""
    for name, number in Counter(names).items():
        key = name if name in counts or len(counts) < _MAX_KINDS else OTHER_KINDS
        counts[key] = counts.get(key, 0) + number


def _action_name(action: int) -> str:
    return Action(action).name.lower() if action in set(Action) else "other"
