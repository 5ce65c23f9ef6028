"""Clear mode: which ledgers may travel to a peer with whom no encryption is agreed.

Three must agree: both nodes, each in its configuration, and the ledger, in its genesis and so for
good. Where one does not, nothing is sent in clear and nothing in clear is read.
"""

from ledger.genesis import Term
from ledger.store import Store
from pannier.have_rows import forget_told
from pannier.home import Peer
from pannier.node import Node
from pannier.out_bundle import withdraw


def travelling(node: Node, peer: Peer) -> list[Store]:
    """Return the ledgers that *peer* is a member of and that may go to it.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    is_clear = node.settings(peer).clear
    return [one for one in node.shared_with(peer) if not is_clear or _is_for_all(one)]


def refusing(node: Node, peer: Peer) -> list[Store]:
    """Return the confidential ledgers that *peer* is a member of, which do not go to it.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    is_clear = node.settings(peer).clear
    return [one for one in node.shared_with(peer) if is_clear and not _is_for_all(one)]


def refusal(store: Store, peer: Peer) -> str:
    """Return why a ledger does not go to *peer*, for people."""
    return (
        f"{store.genesis.name} does not travel to {peer.name}: it is confidential, and nothing for "
        f"{peer.name} is encrypted"
    )


def settle(node: Node, peer: Peer) -> None:
    """Take back what was made for *peer* when something else was agreed with it about encryption.

    What it was told that is held here was told by the former agreement: it is told all anew.

    Raises:
        SpoolError: the spool cannot be read or written.
    """
    key, now = f"clear {peer.node_id}", bytes([node.settings(peer).clear])
    if (node.db.meta(key) or b"\0") != now:
        for bundle in node.db.bundles(peer.node_id):
            withdraw(node, bundle, "replaced", "made anew for another agreement on encryption")
        forget_told(node.db, peer.node_id)
        node.db.set_meta(key, now)


def _is_for_all(store: Store) -> bool:
    return Term.CLEAR in store.genesis.terms
