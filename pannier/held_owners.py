"""In whose name a bundle that waits takes room among all that waits (`spool.held`).

A peer whom a person knows has room of its own. Others can be made up by the dozen: those whom a
passphrase alone made known share theirs, with all groups, in whose name any member may write.
"""

from pannier.node import Node
from pannier.nodedb_file import as_id

_OTHERS = "others"


class HeldOwners:
    """Says it of one bundle that comes, and of those that are held, which are looked up once."""

    def __init__(self, node: Node, number: str, sender: str) -> None:
        """Say it for *node*, to which the bundle of id *number* came from *sender* (its id).

        Raises:
            PannierError: ``node.db`` cannot be read.
        """
        self._node = node
        self._known = node.peers.keys() - node.db.met()
        self._senders = {number: sender}
        self._has_all = False

    def __call__(self, number: str) -> str:
        """Return in whose name a bundle takes room.

        Raises:
            PannierError: ``node.db`` cannot be read, or is damaged.
        """
        if number not in self._senders and not self._has_all:
            found = self._node.db.rows("SELECT DISTINCT bundle, peer FROM waiting")
            self._senders = {as_id(one): as_id(peer) for one, peer in found} | self._senders
            self._has_all = True
        sender = self._senders.get(number, "")
        return sender if sender in self._known else _OTHERS
