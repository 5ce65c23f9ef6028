"""What a node does that finds out that it is older than what others saw of it."""

from ledger.append import open_incarnation
from ledger.errors import DamagedError, FullError
from ledger.genesis import LEDGER_ID_BYTES, LedgerId
from ledger.store import Store
from pannier.node import Node

_LEFT = "ledgers to begin anew in"


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
        LedgerError: a ledger is busy, or of other keys, or the disk is full.
    """
    node.renew_incarnation(above=above)
    _note_left(node, [one for one in node.ledger_ids() if one != settled])
    go_on_beginning(node)


def go_on_beginning(node: Node) -> None:
    """Do what `begin_anew` left: a ledger that cannot be written keeps nobody from the others.

    Each import begins with it.

    Raises:
        PannierError: ``node.db`` cannot be written.
        LedgerError: a ledger is busy, or of other keys, or the disk is full.
    """
    left = _left(node)
    if left:
        _note_left(node, [one for one in left if not _begins(node, one)])


def begin_before_writing(node: Node, store: Store) -> None:
    """Do what `begin_anew` left of one ledger: nothing may be written in its old log any more.

    Raises:
        PannierError: ``node.db`` cannot be written.
        LedgerError: the ledger cannot be written.
    """
    if store.ledger_id in _left(node):
        open_incarnation(store, node.author)
        with node.db.transaction():
            _note_left(node, [one for one in _left(node) if one != store.ledger_id])


def _left(node: Node) -> list[LedgerId]:
    ids = node.db.meta(_LEFT) or b""
    starts = range(0, len(ids), LEDGER_ID_BYTES)
    return [LedgerId(ids[start : start + LEDGER_ID_BYTES]) for start in starts]


def _begins(node: Node, ledger_id: LedgerId) -> bool:
    """Write in a new log of a ledger, if it is still here; return False if it cannot be written."""
    try:
        store = node.ledger(ledger_id)
        if store is not None:
            open_incarnation(store, node.author)
    except FullError:
        raise
    except DamagedError:
        return False
    return True


def _note_left(node: Node, ledger_ids: list[LedgerId]) -> None:
    with node.db.transaction():
        node.db.set_meta(_LEFT, b"".join(ledger_ids))
