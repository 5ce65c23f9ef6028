"""Whether what peers hold, as ``node.db`` has it, can be so by the logs that are here.

What a peer is thought to hold it is not sent: one number too large, and entries never reach it. Who
said something wrong, a disk or the peer, does not show; that peer is asked anew.
"""

from collections.abc import Iterator, Mapping

from bundler.have_digest import Holding
from bundler.notices import ROOT_START_BYTES, HeldLog
from ledger.append import is_written
from ledger.errors import DamagedError
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, LogStatus, root_at
from ledger.store import Store
from pannier import have_rows
from pannier.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Misheld:
    """What a peer cannot hold.

    Attributes:
        peer: The node id of the peer.
        holding: What stands in ``node.db``.
    """

    peer: str
    holding: Holding


def misheld(node: Node) -> list[Misheld]:
    """Return what cannot be so; ledgers that cannot be read are passed over.

    Raises:
        PannierError: ``node.db`` cannot be read, or is damaged.
        BusyError: another process held a file for too long.
    """
    if not node.home.node_db.exists():
        return []
    # First what others hold, then the logs: these only grow meanwhile.
    peers = [str(peer) for (peer,) in node.db.rows("SELECT DISTINCT peer FROM held")]
    held = [(peer, one) for peer in peers for one in have_rows.held_by(node.db, peer)]
    stores = {store.ledger_id: store for store in node.ledgers()}
    return [Misheld(peer=peer, holding=one) for peer, one in held if not _may_be(node, stores, one)]


def ask_anew(node: Node, wrong: list[Misheld]) -> None:
    """Forget what cannot be so, and ask those peers for all that they hold.

    Raises:
        PannierError: ``node.db`` cannot be written to.
    """
    if not wrong:
        return
    with node.db.transaction():
        for one in wrong:
            ledger_id, held = one.holding
            have_rows.note_held(node.db, one.peer, [(ledger_id, held._replace(size=0))])
        for peer in {one.peer for one in wrong}:
            have_rows.doubt(node.db, peer)
            node.db.tell_again(peer)


def misheld_lines(node: Node, wrong: list[Misheld]) -> Iterator[str]:
    """Yield what is wrong, for people: a line for each."""
    for one in wrong:
        ledger_id, held = one.holding
        log = LogName(held.author, held.incarnation)
        yield (
            f"node.db: {peer_name(node, one.peer)} cannot hold {held.size} entries of log "
            f"{log} of ledger {ledger_id.hex()[:8]} as it says there: `pannier verify --repair` "
            "has it asked anew"
        )


def peer_name(node: Node, peer: str) -> str:
    """Return how people here call the node with the id *peer*."""
    known = node.peers.get(peer)
    return known.name if known else peer


def _may_be(node: Node, stores: Mapping[LedgerId, Store], holding: Holding) -> bool:
    ledger_id, held = holding
    store = stores.get(ledger_id)
    try:
        return store is None or _fits(node, store, held)
    except DamagedError:
        return True  # what is wrong then is the ledger


def _fits(node: Node, store: Store, held: HeldLog) -> bool:
    """Whether a peer may hold that of a log; of one with two histories it may hold the other."""
    log = LogName(held.author, held.incarnation)
    state = store.log(log)
    if state.status is not LogStatus.OPEN:
        return True
    if held.size <= state.size:
        root = root_at(state, held.size, store.nodes(state))
        return root[:ROOT_START_BYTES] == held.root
    # What this node wrote last nobody has that it has not; but an older log a repair cut off.
    return log.author != node.card.author or not is_written(store, log)
