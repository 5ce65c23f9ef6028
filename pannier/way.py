"""One peer, and what is known of it at the moment when bundles for it are made."""

from collections.abc import Mapping, Sequence
from typing import Self

from bundler.notices import ROOT_START_BYTES
from bundler.plan import Span
from ledger.lazy_dataclass import dataclass
from ledger.log import LogState, root_at
from ledger.members import members
from ledger.store import Store
from pannier.clear import travelling
from pannier.have import KnownHave, known_have
from pannier.have_rows import LogKey
from pannier.home import Peer
from pannier.left_out import left_out
from pannier.node import Node
from pannier.unreadable import kept_from

_SMALL_SYMBOL_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """To whom bundles go.

    Attributes:
        node: The sender.
        peer: The recipient.
        known: What it said last that it holds.
        left_out: What it had, and would leave out again.
        held_back: Bundles that were to go to it and stay here for now: they are not on their way.
        stores: The ledgers that it is a member of, and that may travel as it is served.
        symbol_bytes: For which symbol size bundles are made.
    """

    node: Node
    peer: Peer
    known: KnownHave
    left_out: Mapping[LogKey, Sequence[Span]]
    held_back: frozenset[str]
    stores: tuple[Store, ...]
    symbol_bytes: int

    @classmethod
    def to(cls, node: Node, peer: Peer, *, symbol_bytes: int) -> Self:
        """Look at everything once."""
        known = known_have(node, peer)
        return cls(
            node=node,
            peer=peer,
            known=known,
            left_out=left_out(node, peer, known),
            held_back=kept_from(node, peer),
            stores=tuple(travelling(node, peer)),
            symbol_bytes=symbol_bytes,
        )

    @property
    def is_oneway(self) -> bool:
        """Whether the peer cannot answer."""
        return self.node.settings(self.peer).oneway

    @property
    def is_clear(self) -> bool:
        """Whether nothing to the peer is encrypted."""
        return self.node.settings(self.peer).clear

    @property
    def is_dismissed(self) -> bool:
        """Whether the peer was removed and has nothing in common with this node any more.

        It is told nothing but which of its bundles no key here opens, if any. So is, for now, who
        may have been removed from a ledger that cannot be read.
        """
        author = self.peer.card.author
        return not self.stores and (
            bool(self.node.unreadable)
            or any(author in members(store).removed for store in self.node.ledgers())
        )

    @property
    def has_small_frames(self) -> bool:
        """Whether each byte costs airtime."""
        return self.symbol_bytes < _SMALL_SYMBOL_BYTES

    @property
    def is_compact(self) -> bool:
        """Whether the peer is known to be able to open compact bundles.

        It has a key of ours, has seen under which incarnation we count now, and can say if that
        changes.
        """
        seen = self.known.seen
        counts_so = seen is not None and seen.incarnation == self.node.counting.incarnation()
        is_special = self.is_clear or self.is_oneway
        return counts_so and not is_special and bool(self.shared_key_ids())

    def confirmed(self, store: Store, state: LogState) -> int:
        """Return how many entries of a log the peer holds, by its word, and the same as we do.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        held = self.known.log(store.ledger_id, state.name)
        if held is None or not 0 < held.size <= state.size:
            return 0
        ours = root_at(state, held.size, store.nodes(state))[:ROOT_START_BYTES]
        return held.size if ours == held.root else 0

    def shared_key_ids(self) -> list[bytes]:
        """Return the pairwise keys for the peer that both sides are known to hold, ascending."""
        usable = self.node.shared.pairwise_keys(self.peer, recipient=self.peer.card)
        return sorted(self.known.key_ids & set(usable))
