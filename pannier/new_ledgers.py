"""Ledgers in the making: others have sent some of them, and no grant for this node so far."""

from ledger.genesis import Genesis, LedgerId
from ledger.members import members
from ledger.store import Store
from ledger.store_file import put_in_place
from pannier.node import Node

_FOLDER = "pending"


class NewLedgers:
    """What one import has put together of ledgers that this node has not joined.

    A ledger may come in several bundles, and the grant in the last of them: all bundles of an
    import add to one store. What was not granted by its end is dropped; the bundles wait on.
    """

    def __init__(self, node: Node) -> None:
        """Begin with none; *node* is whose they may become."""
        self.node = node
        self._stores: dict[LedgerId, Store] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._stores)

    def get(self, ledger_id: LedgerId) -> Store | None:
        """Return the store of one, None if it has not begun."""
        return self._stores.get(ledger_id)

    def begin(self, genesis: Genesis) -> None:
        """Make room for a ledger; nothing happens if it is here, or begun.

        Raises:
            DamagedError: the disk said no.
        """
        if self.node.ledger(genesis.ledger_id) is None and genesis.ledger_id not in self._stores:
            folder = self.node.home.ledgers / _FOLDER
            folder.mkdir(exist_ok=True)
            store = Store.create(folder, genesis, self.node.rest_key)
            self._stores[genesis.ledger_id] = store

    def join(self, ledger_id: LedgerId) -> bool:
        """Put a ledger where those of this node are, if it was granted.

        Raises:
            DamagedError: the disk said no.
        """
        store = self._stores[ledger_id]
        if self.node.card.author not in members(store):
            return False
        store.finish()
        del self._stores[ledger_id]
        put_in_place(store.path, self.node.home.ledgers / store.path.name)
        return True

    def close(self) -> None:
        """Drop what this node was not granted, and what an import that was killed has left."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
        for path in (self.node.home.ledgers / _FOLDER).glob("*"):
            path.unlink(missing_ok=True)
