"""What came from others is taken in: bundle by bundle, then what waited for what they brought.

Every step may be killed and is done again: fragments leave the inbox only after what they carry is
in the ledgers, or in `held/`, or in quarantine.
"""

from typing import TYPE_CHECKING

from pannier.forks import settle_own_forks
from pannier.import_report import Report
from pannier.node import Node
from pannier.passphrase_ledgers import meet_members
from pannier.rollback import go_on_beginning
from pannier.rotation import tend_all_epochs
from pannier.taken_along import look_again
from pannier.unreadable import going_on

if TYPE_CHECKING:
    from bundler.keyring import Keyring

# What an integer of SQLite holds; counting that far takes for ever.
MAX_COUNTER = 2**63 - 1


def import_arrived(node: Node) -> Report:
    """Take in everything in the inbox that is whole, and what waited for it.

    What is of a ledger that cannot be read waits until it can be.

    Raises:
        BusyError: another process is importing into this home.
        PannierError: the home cannot be read or written.
        LedgerError: a ledger file cannot be read or written.
        SpoolError: the spool cannot be read or written.
    """
    report = Report()
    with node.alone("import", "importing"):
        going_on(node, lambda: _import(node, report))
    return report


def _import(node: Node, report: Report) -> None:
    go_on_beginning(node)
    look_again(node)
    if _is_any_here(node):
        from pannier.arrivals import take_in  # noqa: PLC0415 -- it opens bundles: much code

        take_in(node, report)
    else:
        settle_own_forks(node, report.notes)
    tend_all_epochs(node, report.notes)
    meet_members(node, report.notes)


def _is_any_here(node: Node) -> bool:
    """Return whether a bundle is in the inbox, or waits for something."""
    return any(True for one in (node.spool.inbox.bundles, node.spool.held.names) for _ in one())


def keyring(node: Node) -> "Keyring":
    """Return all that *node* needs to open what comes."""
    from bundler.keyring import Keyring, PeerKey  # noqa: PLC0415 -- only where a bundle came

    authors = {bytes.fromhex(peer.node_id): peer.card.author for peer in node.peers.values()}
    return Keyring(
        author=node.card.author,
        unwrapper=node.keys.unwrapper(),
        author_of=authors.get,
        peer_keys=[
            PeerKey(peer.card.author, key, node.db.peer(peer.node_id).incarnation)
            for peer in node.peers.values()
            for key in node.shared.pairwise_keys(peer, recipient=node.card).values()
        ],
        group_keys=node.groups.keys(),
        clear_senders=frozenset(
            peer.card.author for peer in node.peers.values() if node.settings(peer).clear
        ),
    )
