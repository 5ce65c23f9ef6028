"""How people here call whoever writes: by names that nobody takes from another.

A peer is called as this node's user says. Anybody else is called as its card says, which it chose
itself, perhaps after somebody who is known here: where that name is another's, too, or looks like
it, the start of its node id stands behind it. A name that could be read as several, or as what this
program says of somebody, stands in quotes besides. What looks alike says `pannier.likeness`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ledger.errors import DamagedError
from ledger.members import Members, members
from pannier.likeness import likeness

if TYPE_CHECKING:
    from ledger.card import Card
    from pannier.node import Node

_SHOWN_DIGITS = 8
# What this program puts around, between and behind names; what looks so, or is that elsewhere.
_PUT_BY_US = frozenset('"(:,;\u2236\ua789\u201a\u060c\u3001')
_HEX_DIGITS = frozenset("0123456789abcdef")


class _Heard(NamedTuple):
    """What all ledgers say of names.

    Attributes:
        ledgers: The members of each.
        claims: Who took the names that are alike, by what is alike of them.
    """

    ledgers: Sequence[Members]
    claims: Mapping[str, set[bytes]]

    def card(self, author: bytes) -> "Card | None":
        """Return a card of *author*, or None if no ledger has one."""
        found = (one.card(author) for one in self.ledgers)
        return next((card for card in found if card is not None), None)


def set_apart(name: str) -> str:
    """Return *name*, in quotes if it could be read as several, or as what this program says."""
    if _PUT_BY_US.isdisjoint(likeness(name)):
        return name
    return json.dumps(name, ensure_ascii=False)


class Names:
    """How a node calls others, by all that its ledgers say now."""

    def __init__(self, node: "Node") -> None:
        """Call nobody yet.

        Args:
            node: Whose peers and ledgers.
        """
        self._node = node
        self._heard = _Heard((), {})

    def of(self, author: bytes) -> str:
        """Return how people here call *author*: eight digits of its key where nothing is known.

        Raises:
            PannierError: a card of a peer cannot be read, or a file with another name lies among
                the ledgers.
            BusyError: another process held a ledger for too long.
            DiskError: the disk, and not what stands on it, is at fault.
        """
        return self.beside(()).of(author)

    def of_card(self, card: "Card") -> str:
        """Return how people here call the owner of *card*, who may be in no ledger here yet.

        Raises:
            PannierError: as `of`.
            BusyError: as `of`.
            DiskError: as `of`.
        """
        return self.beside((card,)).of(card.author)

    def beside(self, cards: "Collection[Card]") -> "NamesBeside":
        """Return how people here call all who are shown at once, owners of *cards* among them."""
        return NamesBeside(self._node, self._hear, cards)

    def _hear(self) -> _Heard:
        """Return what all ledgers say; where nothing changed, that is known already."""
        found: list[Members] = []
        for store in self._node.ledgers():
            with suppress(DamagedError):
                found.append(members(store))
        known = self._heard.ledgers
        if len(found) != len(known) or any(map(_is_other, found, known)):
            self._heard = _Heard(found, _by_likeness(_claims(found)))
        return self._heard


class NamesBeside:
    """How a node calls those who are shown at once, each by one name.

    The ledgers are asked once, however many are named: what another process writes meanwhile does
    not show.
    """

    def __init__(self, node: "Node", hear: Callable[[], _Heard], cards: "Collection[Card]") -> None:
        """Call nobody yet.

        Args:
            node: Whose peers.
            hear: Says what all ledgers say.
            cards: Of people who may be in no ledger here yet; of several of one the first counts.
        """
        self._node = node
        self._hear = hear
        self._cards: dict[bytes, Card] = {}
        for card in cards:
            self._cards.setdefault(card.author, card)
        self._claims = _by_likeness((card.name, card.author) for card in cards)
        self._called: dict[bytes, str] = {}

    def of(self, author: bytes) -> str:
        """Return how people here call *author*: eight digits of its key where nothing is known.

        Raises:
            PannierError: as `Names.of`.
            BusyError: as `Names.of`.
            DiskError: as `Names.of`.
        """
        if author not in self._called:
            self._called[author] = self._given_here(author) or self._by_card(author)
        return self._called[author]

    def _given_here(self, author: bytes) -> str | None:
        if author == self._node.card.author:
            return self._node.card.name
        peer = self._node.peer_by_author(author)
        return None if peer is None else peer.name

    def _by_card(self, author: bytes) -> str:
        # What was let in here counts more than what comes now.
        card = self._heard.card(author) or self._cards.get(author)
        if card is None:
            return author.hex()[:_SHOWN_DIGITS]
        name, alike = set_apart(card.name), likeness(card.name)
        if name == card.name and not self._misleads(author, alike):
            return name
        return f"{name} ({card.node_id[:_SHOWN_DIGITS]})"

    def _misleads(self, author: bytes, alike: str) -> bool:
        """Return whether somebody else may be taken for *author*, by what its name is like."""
        if not alike or _is_like_key(alike):
            return True
        others = self._heard.claims.get(alike, set()) | self._claims.get(alike, set())
        return alike in self._given or bool(others - {author})

    @cached_property
    def _heard(self) -> _Heard:
        return self._hear()

    @cached_property
    def _given(self) -> frozenset[str]:
        names = (self._node.card.name, *(peer.name for peer in self._node.peers.values()))
        return frozenset(map(likeness, names))


def _is_like_key(alike: str) -> bool:
    """Return whether a name looks like an id, or like the start of a key of whom nobody knows."""
    return len(alike) >= _SHOWN_DIGITS and _HEX_DIGITS.issuperset(alike)


def _is_other(one: Members, other: Members) -> bool:
    return one is not other  # what they say is the same as long as they are


def _claims(known: Iterable[Members]) -> Iterator[tuple[str, bytes]]:
    """Yield all names that those who are, or were, in some ledgers took, and who did."""
    for one in known:
        for author in (*one, *one.removed):
            card = one.card(author)
            if card is not None:
                yield card.name, author


def _by_likeness(claims: Iterable[tuple[str, bytes]]) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for name, author in claims:
        found.setdefault(likeness(name), set()).add(author)
    return found
