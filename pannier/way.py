"""One peer, and what is known of it at the moment when bundles for it are made."""

from dataclasses import dataclass
from typing import Self

from ledger.store import Store
from pannier.have import KnownHave, known_have
from pannier.home import Peer
from pannier.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """To whom bundles go.

    Attributes:
        node: The sender.
        peer: The recipient.
        known: What it said last that it holds.
        stores: The ledgers that it is a member of.
        symbol_bytes: For which symbol size bundles are made.
    """

    node: Node
    peer: Peer
    known: KnownHave
    stores: tuple[Store, ...]
    symbol_bytes: int

    @classmethod
    def to(cls, node: Node, peer: Peer, *, symbol_bytes: int) -> Self:
        """Look at everything once."""
        return cls(
            node=node,
            peer=peer,
            known=known_have(node, peer),
            stores=tuple(node.shared_with(peer)),
            symbol_bytes=symbol_bytes,
        )

    @property
    def is_oneway(self) -> bool:
        """Whether the peer cannot answer."""
        return self.node.settings(self.peer).oneway

    def shared_key_ids(self) -> list[bytes]:
        """Return the pairwise keys that both sides are known to hold, ascending."""
        return sorted(self.known.key_ids & set(self.node.pairwise_keys(self.peer)))
