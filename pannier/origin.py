"""Who sent a bundle: a peer, which is proven, or somebody of a group, and nobody can say who."""

from typing import TYPE_CHECKING

from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.members import members
from pannier.home import Peer
from pannier.node import Node

if TYPE_CHECKING:
    from bundler.content import Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All who hold the key of an epoch: one of them, or of those that were, sent something.

    Attributes:
        node_id: The epoch's id, which stands where a peer's node id does; 16 hex digits.
        name: For messages.
        ledger_id: The ledger that a bundle for the group is about.
    """

    node_id: str
    name: str
    ledger_id: LedgerId


Origin = Peer | Group


def origin_of(node: Node, opened: "Opened") -> Origin | None:
    """Return who sent a bundle; None if that is nobody known here.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    if opened.sender is not None:
        return node.peer_by_author(opened.sender)
    return None if opened.group is None else group_of(node, opened.group)


def group_of(node: Node, group: bytes) -> Group | None:
    """Return the group by the id of its epoch; None if this node is in none of that id.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    store = node.groups.ledger(group)
    if store is None:
        return None
    name = f"a member of {store.genesis.name}"
    return Group(node_id=group.hex(), name=name, ledger_id=store.ledger_id)


def possible_senders(node: Node, origin: Origin) -> list[Peer]:
    """Return the peers that may have sent something: of a group, all who ever were in its ledger.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if isinstance(origin, Peer):
        return [origin]
    store = node.ledger(origin.ledger_id)
    known = members(store) if store is not None else None
    peers = node.peers.values()
    return [one for one in peers if known is not None and known.card(one.card.author) is not None]
