"""Whose word counts, and how far: decided by seniority (docs/format.md section 3.4). No I/O.

A *tenure* is what one grant gives. Tenures are heard in the order of who granted whom, beginning
with the genesis; what an admin says within its limits holds for everybody who is heard later. Where
a junior removes somebody more senior, and nothing that any elder says undoes it, all is heard
once more with that removal as given. So an elder who fights back wins, one who does not is removed,
and neither depends on what arrived first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ledger.card import Card
from ledger.facts import Fact, Grant, Revocation, Role
from ledger.genesis import Genesis
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

    def limit(self, removals: Mapping[bytes, Said], incarnation: bytes) -> int:
        """Return how much of one log this tenure lets count.

        What a removal names stays cut for ever. A log that it does not name counts not at all,
        unless the grant knew of that removal.
        """
        least = EVERYTHING
        for removal, said in removals.items():
            assert isinstance(said.what, Revocation)  # noqa: S101 -- only such are kept so
            named = said.what.sizes.get(incarnation)
            if named is not None:
                least = min(least, named)
            elif removal not in self.after:
                return 0
        return least


class Ruling:
    """What follows from a set of facts: tenures and removals that stand."""

    def __init__(
        self, tenures: Sequence[Tenure], removals: Mapping[bytes, Mapping[bytes, Said]]
    ) -> None:
        """Args are in order of seniority, and by author and id."""
        self.removals = removals
        self._tenures: dict[bytes, list[Tenure]] = {}
        for tenure in tenures:
            self._tenures.setdefault(tenure.card.author, []).append(tenure)

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
        removals = self.removals_of(log.author)
        return max(
            (
                tenure.limit(removals, log.incarnation)
                for tenure in self.tenures(log.author)
                if tenure.role >= role
            ),
            default=0,
        )


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
        self._said: dict[bytes, list[Said]] = {}
        for fact in facts:
            self._facts.setdefault(fact.log.author, []).append(fact)

    def says(self, author: bytes) -> Sequence[Said]:
        """Return all that *author* says, by id."""
        if author not in self._said:
            read = ((fact, fact.says()) for fact in self._facts.get(author, ()))
            said = [Said(fact.id, fact, what) for fact, what in read if what is not None]
            self._said[author] = sorted(said, key=lambda one: (one.id, *one.fact[:2]))
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
        self._heard: set[tuple[LogName, int]] = set()
        self._tenures = [Tenure(card=card, role=Role.ADMIN) for card in genesis.admins]
        for rank, tenure in enumerate(self._tenures):  # it grows meanwhile
            if tenure.role is Role.ADMIN:
                self._hear(rank, tenure)

    @cached_property
    def ruling(self) -> Ruling:
        """What came out."""
        return Ruling(self._tenures, self._removals)

    def _hear(self, rank: int, tenure: Tenure) -> None:
        author = tenure.card.author
        self._ranks.setdefault(author, rank)
        removals = self._removals.get(author, {})
        for said in self._speakers.says(author):
            place = said.fact.log, said.fact.number
            if place in self._heard:
                continue
            if said.fact.number < tenure.limit(removals, said.fact.log.incarnation):
                self._heard.add(place)
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
