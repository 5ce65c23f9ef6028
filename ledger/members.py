"""Who belongs to a ledger: a function of the set of its entries (docs/format.md section 3.4).

The order in which grants and revocations arrived cannot matter, since nothing here looks at it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ledger.card import Card
from ledger.entry import Action
from ledger.facts import MAX_REVOKED_LOGS, Fact, Grant, Role
from ledger.genesis import Genesis, Term
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, LogState
from ledger.signing import Verifier
from ledger.storage_errors import damage_in
from ledger.store import Store
from ledger.tenure import EVERYTHING, Ruling, Said, rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a ledger, with the highest role that counts for it.

    Attributes:
        card: Its card.
        role: What it may do.
        granted_by: The author of the grant; None: it is in the genesis.
    """

    card: Card
    role: Role
    granted_by: bytes | None = None


class Members(Mapping[bytes, Member]):
    """The members of one ledger by author, and how much counts of what anybody wrote in it."""

    def __init__(self, genesis: Genesis, facts: Iterable[Fact]) -> None:
        """Work out what follows from a set of facts.

        Args:
            genesis: Names the first admins.
            facts: The grants and revocations, in any order. One by somebody who is not an admin,
                or one that cannot be read, counts for nothing.
        """
        self.writing = Role.ADMIN if Term.CENTRALIZED in genesis.terms else Role.WRITER
        """The least role that may write."""
        self._facts = tuple(fact for fact in facts if _is_heard(genesis, fact))
        self._rulings: Sequence[Ruling] = rule(genesis, self._facts)
        self._ruling = self._rulings[-1]
        self._members = {
            author: Member(card=one.card, role=one.role, granted_by=one.granted_by)
            for author in self._ruling.authors
            if (one := self._ruling.present(author)) is not None
        }

    def __getitem__(self, author: bytes) -> Member:
        return self._members[author]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def removed(self) -> Mapping[bytes, Sequence[Said]]:
        """Who was a member and is none any more, and the revocations that say so."""
        return {
            author: sorted(found.values())
            for author, found in self._ruling.removals.items()
            if author not in self and self._ruling.tenures(author)
        }

    def removals_of(self, author: bytes) -> Mapping[bytes, Said]:
        """Return the revocations of *author* that stand, by id: a new grant must name them all."""
        return self._ruling.removals_of(author)

    @property
    def revocations(self) -> frozenset[bytes]:
        """The ids of all revocations that stand, also of those that a later grant overrules."""
        return frozenset().union(*self._ruling.removals.values())

    def card(self, author: bytes) -> Card | None:
        """Return the card of *author*, also of one who is no member any more."""
        if author in self:
            return self[author].card
        cards = [one.card for ruling in self._rulings for one in ruling.tenures(author)]
        return max(cards, key=Card.to_bytes, default=None)

    def verifier(self, author: bytes) -> Verifier:
        """Return what the checkpoints of *author* must be signed with.

        By any of the cards under which it was made a member: a second card of one author takes
        nothing back of what its first one let in, or nodes that heard of both in another order
        would differ. Of an author whose grants count no more, by any card in them: its void entries
        stay proven.
        """
        tenures = (one for ruling in self._rulings for one in ruling.tenures(author))
        cards = {one.card for one in tenures} or {
            said.card
            for said in (fact.says() for fact in self._facts)
            if isinstance(said, Grant) and said.card.author == author
        }
        seconds = frozenset(key for card in cards for key in card.verifier.mldsa44)
        return Verifier(author, seconds) if seconds else Verifier(author)

    def is_known(self, author: bytes) -> bool:
        """Return whether *author* may write, or ever might: its grant need not be waited for."""
        return any(
            one.role >= self.writing for ruling in self._rulings for one in ruling.tenures(author)
        )

    def counted(self, log: LogName) -> int:
        """Return how many entries of *log* count, at most `EVERYTHING`; what follows is void."""
        return self._ruling.limit(log, self.writing)

    def is_void(self, log: LogName, number: int) -> bool:
        """Return whether entry *number* of *log* is of somebody known, and does not count."""
        return number >= self.counted(log) and self.is_known(log.author)

    def taken(self, log: LogName) -> int:
        """Return up to where entries of *log* are taken in and passed on, `EVERYTHING` at most.

        At least all that count; and what an elder says whom a junior removed, since it may turn
        out that the elder wins: all nodes must hear it to come to the same.
        """
        return max(ruling.limit(log, self.writing) for ruling in self._rulings)

    def seniority(self, log: LogName) -> int:
        """Return what is less for one of two logs than for another that counts by its word.

        By whom each author was granted, and not by when that came; greatest for what counts not at
        all.
        """
        rank = self._ruling.rank(log, self.writing)
        return EVERYTHING if rank is None else rank

    def decides(self, log: LogName, number: int) -> bool:
        """Return whether entry *number* of *log*, if it is about members, is an admin's word."""
        return number < self._ruling.limit(log, Role.ADMIN)

    def hears(self, log: LogName, number: int) -> bool:
        """Return whether entry *number* of *log*, if it is about members, has a part in all this.

        What no hearing heard might as well not be there: each comes to the same without it. More
        is heard than decides in the end, such as an elder who answers a junior that removed it.
        """
        return any(number < ruling.limit(log, Role.ADMIN) for ruling in self._rulings)


def _is_heard(genesis: Genesis, fact: Fact) -> bool:
    """Who has the passphrase of a ledger is in it: nobody who has it, too, can say otherwise."""
    return Term.PASSPHRASE not in genesis.terms or fact.entry.action != Action.REVOKE


def members(store: Store) -> Members:
    """Return the members of the ledger in *store*.

    Raises:
        DamagedError: the file cannot be read.
    """
    return store.derived(_members)


def _members(store: Store) -> Members:
    return Members(store.genesis, store.facts((Action.GRANT, Action.REVOKE)))


def may_write(members: Members, author: bytes) -> bool:
    """Return whether entries by *author* may enter the ledger from now on."""
    member = members.get(author)
    return member is not None and member.role >= members.writing


def may_close(members: Members, log: LogName) -> bool:
    """Return whether it would count if the author of *log* ended it now.

    Who is no admin any more unsays nothing that it said as one.
    """
    is_admin = log.author in members and members[log.author].role is Role.ADMIN
    return may_write(members, log.author) and (is_admin or not members.decides(log, 0))


def sizes_to_keep(store: Store, author: bytes, admin: bytes) -> Mapping[bytes, int]:
    """Return how much of each log of *author* is to count when *admin* removes it.

    All that is here; but if *author* removed *admin*, only what it wrote before, or both removals
    would stand.
    """
    known = members(store)
    logs = [state for state in store.logs() if state.name.author == author and state.size]
    sizes = {one.name.incarnation: min(one.size, known.counted(one.name)) for one in logs}
    for said in known.removals_of(admin).values():
        log, number, _ = said.fact
        if log.author == author:
            sizes[log.incarnation] = min(sizes.get(log.incarnation, 0), number)
    # Of what is not named nothing counts: that is right for logs of which nothing does anyway.
    counting = sorted(sizes.items(), key=lambda one: one[1], reverse=True)[:MAX_REVOKED_LOGS]
    return dict(counting)


def passed_on(store: Store, state: LogState) -> int:
    """Return up to where entries of a log go to others: of a removed author none that are void.

    Those that a checkpoint covers together with some that count go along.

    Raises:
        DamagedError: the file cannot be read.
    """
    taken = members(store).taken(state.name)
    return _signed_after(store, state, taken) if 0 < taken < state.size else min(taken, state.size)


def _signed_after(store: Store, state: LogState, count: int) -> int:
    """Return the size of the first checkpoint over the first *count* entries of a log, at least 1.

    Raises:
        DamagedError: the file cannot be read.
    """
    signed = store.checkpoints(state, count - 1, state.size)
    if not signed:  # or another process has cut the log off meanwhile
        raise damage_in(store.path, f"no signature after entry {count - 1} of a log")
    return signed[0].size


__all__ = [
    "EVERYTHING", "Member", "Members", "Role",
    "may_close", "may_write", "members", "passed_on", "sizes_to_keep",
]  # fmt: skip
