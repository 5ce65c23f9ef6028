"""How people here call whoever writes: by names that nobody takes from another.

A peer is called as this node's user says. Anybody else is called as its card says, which it chose
itself, perhaps after somebody who is known here: where that name is another's, too, or looks like
it, the start of its node id stands behind it; so it does where that name could be read as what this
program says of somebody, or as several names. What looks alike says `pannier.likeness`.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ledger.errors import DamagedError
from ledger.members import Members, members
from pannier.likeness import likeness

if TYPE_CHECKING:
    from ledger.card import Card
    from pannier.node import Node

_SHOWN_DIGITS = 8
# What this program puts between and behind names; and what looks so, or is that elsewhere.
_PUT_BY_US = frozenset("(:,;\u2236\ua789\u201a\u060c\u3001")
_HEX_DIGITS = frozenset("0123456789abcdef")


class Names:
    """How a node calls others, by all that its ledgers say now."""

    def __init__(self, node: "Node") -> None:
        """Call nobody yet.

        Args:
            node: Whose peers and ledgers.
        """
        self._node = node
        self._known: list[Members] = []
        self._claims: dict[str, set[bytes]] = {}

    def of(self, author: bytes) -> str:
        """Return how people here call *author*: eight digits of its key where nothing is known.

        Raises:
            PannierError: a card of a peer cannot be read, or a file with another name lies among
                the ledgers.
            BusyError: another process held a ledger for too long.
            DiskError: the disk, and not what stands on it, is at fault.
        """
        name = self._given_here(author)
        if name is not None:
            return name
        known = self._all_members()
        card = next((card for one in known if (card := one.card(author)) is not None), None)
        return author.hex()[:_SHOWN_DIGITS] if card is None else self._by_card(card)

    def of_card(self, card: "Card") -> str:
        """Return how people here call the owner of *card*, who may be in no ledger here yet.

        Raises:
            PannierError: as `of`.
            BusyError: as `of`.
            DiskError: as `of`.
        """
        name = self._given_here(card.author)
        if name is not None:
            return name
        self._all_members()
        return self._by_card(card)

    def _given_here(self, author: bytes) -> str | None:
        if author == self._node.card.author:
            return self._node.card.name
        peer = self._node.peer_by_author(author)
        return None if peer is None else peer.name

    def _by_card(self, card: "Card") -> str:
        behind = f" ({card.node_id[:_SHOWN_DIGITS]})" if self._misleads(card) else ""
        return f"{card.name}{behind}"

    def _misleads(self, card: "Card") -> bool:
        """Return whether somebody else may be taken for the owner of *card*, by its name."""
        alike = likeness(card.name)
        if not alike or _PUT_BY_US & set(alike) or _is_like_key(alike):
            return True
        own = (self._node.card.name, *(peer.name for peer in self._node.peers.values()))
        return alike in map(likeness, own) or bool(self._claims.get(alike, set()) - {card.author})

    def _all_members(self) -> list[Members]:
        """Return the members of all ledgers; where they changed it is noted who has which name."""
        found: list[Members] = []
        for store in self._node.readable_ledgers():
            with suppress(DamagedError):
                found.append(members(store))
        if len(found) != len(self._known) or any(map(_is_other, found, self._known)):
            self._known = found
            self._claims = {}
            for alike, author in _claims(found):
                self._claims.setdefault(alike, set()).add(author)
        return found


def _is_like_key(alike: str) -> bool:
    """Return whether a name looks like an id, or like the start of a key of whom nobody knows."""
    return len(alike) >= _SHOWN_DIGITS and _HEX_DIGITS.issuperset(alike)


def _is_other(one: Members, other: Members) -> bool:
    return one is not other  # what they say is the same as long as they are


def _claims(known: list[Members]) -> Iterator[tuple[str, bytes]]:
    """Yield what is alike of all names that those who are, or were, in some ledgers took."""
    for one in known:
        for author in (*one, *one.removed):
            card = one.card(author)
            if card is not None:
                yield likeness(card.name), author
