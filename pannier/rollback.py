"""What a node does that finds out that it is older than what others saw of it."""

from ledger.append import open_incarnation
from ledger.genesis import LedgerId
from pannier.node import Node


def begin_anew(node: Node, *, above: bytes, settled: LedgerId | None = None) -> None:
    """Count bundles anew, and write in new logs: what this node remembers of both is too old.

    In all ledgers: it may have written more in others as well, and who holds that may not have
    spoken yet.

    Args:
        node: Who is older than others know.
        above: The newest incarnation that others saw of it, 8 bytes.
        settled: A ledger where it writes in a new log already.

    Raises:
        PannierError: ``node.db`` cannot be written.
        LedgerError: a ledger cannot be written.
    """
    node.renew_incarnation(above=above)
    for store in node.ledgers():
        if store.ledger_id != settled:
            open_incarnation(store, node.author)
