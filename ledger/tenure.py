"""Whose word counts, and how far: decided by seniority (docs/format.md section 3.4). No I/O.

A *tenure* is what one grant gives. Tenures are heard in the order of who granted whom, beginning
with the genesis; what an admin says within its limits holds for everybody who is heard later. Where
a junior removes somebody more senior, and nothing that any elder says undoes it, all is heard
once more with that removal as given. So an elder who fights back wins, one who does not is removed,
and neither depends on what arrived first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import NamedTuple

from ledger.card import Card
from ledger.facts import MAX_AFTER, Fact, Grant, Revocation, Role
from ledger.genesis import Genesis
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName

EVERYTHING = 2**32
"""The limit of a log that has none: no log has more entries."""

# Rounds of juniors against elders. Each takes at least one removal; only admins who mean harm could
# make so many, and what is beyond counts for nothing.
_MAX_HEARINGS = 64


class Said(NamedTuple):
    """A fact, and what it says.

    Attributes:
        id: The 16 bytes that other facts name it by.
        fact: Where it stands.
        what: What it says.
    """

    id: bytes
    fact: Fact
    what: Grant | Revocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """What one grant, or the genesis, gives to one member.

    Attributes:
        card: The member's.
        role: What it may do.
        after: Ids of the revocations of this member that the grant overrules.
        granted_by: Author of the grant; None: the genesis.
    """

    card: Card
    role: Role
    after: frozenset[bytes] = frozenset()
    granted_by: bytes | None = None


class Cuts:
    """What the revocations of one author that stand leave of each of its logs.

    Each log is looked at once, however many tenures ask: a hostile admin may make thousands of
    each.
    """

    def __init__(self, removals: Mapping[bytes, Said]) -> None:
        """Take the revocations, by id; they do not change any more."""
        self._removals = removals
        self._found: dict[bytes, tuple[int, AbstractSet[bytes] | None]] = {}

    def limit(self, after: AbstractSet[bytes], incarnation: bytes) -> int:
        """Return how much of a log a tenure lets count that overrules *after*.

        What a removal names stays cut for ever. A log that it does not name counts not at all,
        unless the grant knew of that removal.
        """
        if incarnation not in self._found:
            self._found[incarnation] = self._cut(incarnation)
        least, unnamed = self._found[incarnation]
        return least if unnamed is not None and unnamed <= after else 0

    def _cut(self, incarnation: bytes) -> tuple[int, AbstractSet[bytes] | None]:
        """Return the least size named, and which do not name it; None: more than any overrules."""
        least, unnamed = EVERYTHING, set()
        for removal, said in self._removals.items():
            assert isinstance(said.what, Revocation)  # noqa: S101 -- only such are kept so
            named = said.what.sizes.get(incarnation)
            if named is not None:
                least = min(least, named)
                continue
            unnamed.add(removal)
            if len(unnamed) > MAX_AFTER:
                return 0, None
        return least, unnamed


class Ruling:
    """What follows from a set of facts: tenures and removals that stand."""

    def __init__(
        self, tenures: Sequence[Tenure], removals: Mapping[bytes, Mapping[bytes, Said]]
    ) -> None:
        """Args are in order of seniority, and by author and id."""
        self.removals = removals
        self._cuts: dict[bytes, Cuts] = {}
        self._tenures: dict[bytes, list[Tenure]] = {}
        self._ranks: dict[bytes, list[int]] = {}
        for rank, tenure in enumerate(tenures):
            self._tenures.setdefault(tenure.card.author, []).append(tenure)
            self._ranks.setdefault(tenure.card.author, []).append(rank)

    @property
    def authors(self) -> Iterable[bytes]:
        """Everybody who ever had a tenure."""
        return self._tenures.keys()

    def tenures(self, author: bytes) -> Sequence[Tenure]:
        """Return the tenures of *author*, the most senior first."""
        return self._tenures.get(author, ())

    def removals_of(self, author: bytes) -> Mapping[bytes, Said]:
        """Return the revocations of *author* that stand, by id."""
        return self.removals.get(author, {})

    def present(self, author: bytes) -> Tenure | None:
        """Return the tenure that makes *author* a member, or None if it is none (any more).

        Of several the one with the highest role, and then the greatest card: any rule will do that
        does not look at the order of arrival.
        """
        removals = self.removals_of(author).keys()
        found = [one for one in self.tenures(author) if removals <= one.after]
        return max(found, key=lambda one: (one.role, one.card.to_bytes()), default=None)

    def limit(self, log: LogName, role: Role) -> int:
        """Return how many entries of *log* count as written by somebody with at least *role*."""
        return max((limit for _, limit in self._limits(log, role)), default=0)

    def rank(self, log: LogName, role: Role) -> int | None:
        """Return the place, of all tenures, of the first one that lets something of *log* count.

        None if none does. What an author grants stands behind the author's own tenure, so it
        depends on nothing in a log of a greater rank.
        """
        return next((rank for rank, limit in self._limits(log, role) if limit), None)

    def _limits(self, log: LogName, role: Role) -> Iterator[tuple[int, int]]:
        """Yield rank and limit for *log* of the author's tenures with at least *role*."""
        author = log.author
        if author not in self._cuts:
            self._cuts[author] = Cuts(self.removals_of(author))
        ranks = self._ranks.get(author, ())
        for rank, tenure in zip(ranks, self.tenures(author), strict=True):
            if tenure.role >= role:
                yield rank, self._cuts[author].limit(tenure.after, log.incarnation)


def rule(genesis: Genesis, facts: Iterable[Fact]) -> tuple[Ruling, ...]:
    """Return what follows from *facts*, in whatever order they are given.

    Returns:
        The ruling of each hearing; the last one counts. What none of them heard has had no part
        in it: a node need not have it to come to the same.
    """
    speakers = _Speakers(facts)
    given: dict[bytes, dict[bytes, Said]] = {}
    rulings = []
    for _ in range(_MAX_HEARINGS):
        hearing = _Hearing(genesis, speakers, given)
        rulings.append(hearing.ruling)
        if not hearing.against_elders:
            break
        eldest = min(hearing.against_elders)
        for said in hearing.against_elders[eldest]:
            assert isinstance(said.what, Revocation)  # noqa: S101 -- `_Hearing` keeps only such
            given.setdefault(said.what.author, {})[said.id] = said
    return tuple(rulings)


class _Speakers:
    """What each author says, read when it is first asked for: most authors are no admins."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts: dict[bytes, list[Fact]] = {}
        self._said: dict[bytes, dict[bytes, list[Said]]] = {}
        for fact in facts:
            self._facts.setdefault(fact.log.author, []).append(fact)

    def says(self, author: bytes) -> Mapping[bytes, Sequence[Said]]:
        """Return all that *author* says, by the incarnation of the log where it says it."""
        if author not in self._said:
            found: dict[bytes, list[Said]] = {}
            for fact in self._facts.get(author, ()):
                if (what := fact.says()) is not None:
                    found.setdefault(fact.log.incarnation, []).append(Said(fact.id, fact, what))
            self._said[author] = found
        return self._said[author]


class _Hearing:
    """One pass over all tenures, in order of seniority."""

    def __init__(
        self,
        genesis: Genesis,
        speakers: _Speakers,
        given: Mapping[bytes, Mapping[bytes, Said]],
    ) -> None:
        self.against_elders: dict[int, list[Said]] = {}
        self._speakers = speakers
        self._given = given
        self._removals = {author: dict(found) for author, found in given.items()}
        self._ranks: dict[bytes, int] = {}
        self._cuts: dict[bytes, Cuts] = {}
        self._unheard: dict[bytes, set[bytes]] = {}
        self._tenures = [Tenure(card=card, role=Role.ADMIN) for card in genesis.admins]
        for rank, tenure in enumerate(self._tenures):  # it grows meanwhile
            if tenure.role is Role.ADMIN:
                self._hear(rank, tenure)

    @cached_property
    def ruling(self) -> Ruling:
        """What came out."""
        return Ruling(self._tenures, self._removals)

    def _hear(self, rank: int, tenure: Tenure) -> None:
        """Apply what an admin says in the logs that this tenure, as the first, lets count.

        How far they count depends on no tenure: from the first on no more removals of the author
        stand in this hearing.
        """
        author = tenure.card.author
        says = self._speakers.says(author)
        if author not in self._ranks:
            self._ranks[author] = rank
            self._cuts[author] = Cuts(self._removals.get(author, {}))
            self._unheard[author] = set(says)
        limits = {
            incarnation: limit
            for incarnation in self._unheard[author]
            if (limit := self._cuts[author].limit(tenure.after, incarnation)) > 0
        }
        self._unheard[author] -= limits.keys()
        heard = [
            said
            for incarnation, limit in limits.items()
            for said in says[incarnation]
            if said.fact.number < limit
        ]
        for said in sorted(heard, key=lambda one: (one.id, *one.fact[:2])):
            self._apply(said)

    def _apply(self, said: Said) -> None:
        if isinstance(said.what, Grant):
            tenure = Tenure(
                card=said.what.card,
                role=said.what.role,
                after=frozenset(said.what.after),
                granted_by=said.fact.log.author,
            )
            self._tenures.append(tenure)
            return
        author = said.what.author
        if author not in self._ranks:
            self._removals.setdefault(author, {})[said.id] = said
        elif said.id not in self._given.get(author, {}):
            self.against_elders.setdefault(self._ranks[author], []).append(said)
