"""Who a node is to the other end of a link: what the handshake asks (docs/link.md section 3)."""

from collections.abc import Callable

from ledger.ed25519 import verify
from ledger.errors import LedgerError, UnverifiedError
from ledger.hpke import seal_message
from pannier.errors import UsageError
from pannier.home import Peer
from pannier.node import Node
from transports.link.hello import LABEL


class NodeIdentity:
    """The keys of a node, and the cards of those whom it lets in.

    Used by the thread of the link; everything else at that end is silence.
    """

    def __init__(
        self,
        node: Node,
        peer: Peer | None = None,
        *,
        is_served: Callable[[Peer], bool],
        waits: bool = False,
    ) -> None:
        """Speak for *node*.

        Args:
            node: Whose keys.
            peer: Whom this link is for; None lets in any peer that is served.
            is_served: Whether a peer may come by this kind of link.
            waits: The other end speaks first: anybody may be there.

        Raises:
            UsageError: *peer* may not.
        """
        if peer is not None and not is_served(peer):
            raise UsageError(
                f"{peer.name} is not served by links of this kind: see `transports` of "
                f"[peer.{peer.name}] in {node.home.config}"
            )
        self._keys = node.keys
        self._unwrapper = node.keys.unwrapper()
        self._cards = {
            bytes.fromhex(one.node_id): one.card
            for one in node.peers.values()
            if is_served(one) and peer in (None, one)
        }
        self._peer = None if waits else peer

    @property
    def node_id(self) -> bytes:
        """This node's id, 8 bytes."""
        return bytes.fromhex(self._keys.card.node_id)

    @property
    def peer(self) -> bytes | None:
        """The id of the peer to be greeted; None if it is learnt from its first hello."""
        return None if self._peer is None else bytes.fromhex(self._peer.node_id)

    def is_expected(self, peer: bytes) -> bool:
        """Return whether the node with the id *peer* may come by this link."""
        return peer in self._cards

    def seal(self, peer: bytes, hello: bytes) -> bytes:
        """Return *hello* as only a node that `is_expected` can read it, with the best of its keys.

        Raises:
            LedgerError: its card has a key that is none.
        """
        return seal_message(hello, self._cards[peer].hpke_key, LABEL)

    def open(self, sealed: bytes) -> bytes | None:
        """Return a hello that is for this node, else None."""
        return self._unwrapper.open_message(sealed, LABEL)

    def sign(self, message: bytes) -> bytes:
        """Return this node's signature, 64 bytes."""
        return self._keys.signing.sign(message)

    def verify(self, peer: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether *signature* over *message* is by the node with the id *peer*."""
        card = self._cards.get(peer)
        if card is None:
            return False
        try:
            verify(card.author, message, signature)
        except (UnverifiedError, LedgerError):
            return False
        return True
