"""What a node shares with all members of a ledger: the keys of its groups (format section 3.6)."""

from typing import TYPE_CHECKING

from bundler.hint import hint
from pannier.errors import PannierError

if TYPE_CHECKING:
    from bundler.keyring import GroupKey
    from ledger.store import Store
    from pannier.epochs import KnownEpochs
    from pannier.node import Node


class Groups:
    """The groups that a node is, or was, in; each is named by the id of an epoch."""

    def __init__(self, node: "Node") -> None:
        """Know those of the ledgers of *node*."""
        self._node = node

    def keys(self) -> "list[GroupKey]":
        """Return all that opens bundles for groups which this node is, or was, in."""
        return [
            key for store in self._node.ledgers() for key in self._node.epochs.group_keys(store)
        ]

    def hinted(self, hint_: bytes, bundle_id: bytes) -> str | None:
        """Return the group (an epoch id, 16 hex digits) that a bundle is for, by its hint."""
        for store in self._node.ledgers():
            for group, key in self._node.epochs.of(store).hint_keys.items():
                if hint(key, bundle_id) == hint_:
                    return group
        return None

    def hint_to(self, group: str, bundle_id: bytes) -> bytes:
        """Return the hint of a bundle for all who have the key of an epoch.

        Raises:
            PannierError: this node does not have it.
        """
        return hint(self.known(group).hint_keys[group], bundle_id)

    def known(self, group: str) -> "KnownEpochs":
        """Return the epochs among which *group* (16 hex digits) is.

        Raises:
            PannierError: this node is in no such group.
        """
        store = self.ledger(bytes.fromhex(group))
        if store is None:
            raise PannierError(f"no peer, and no group that this node is in, is called {group}")
        return self._node.epochs.of(store)

    def ledger(self, group: bytes) -> "Store | None":
        """Return the ledger whose members a group is, by the id of its epoch."""
        for store in self._node.ledgers():
            if group in self._node.epochs.of(store).opened:
                return store
        return None
