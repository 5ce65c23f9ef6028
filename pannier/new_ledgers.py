"""Ledgers in the making: others have sent some of them, and no grant for this node so far."""

from collections import Counter
from pathlib import Path

from ledger.genesis import Genesis, LedgerId
from ledger.members import members
from ledger.storage_errors import storage_errors
from ledger.store import Store
from ledger.store_place import put_in_place
from pannier.node import Node
from pannier.unreadable import UnreadLogs

_FOLDER = "pending"
MOST_OPEN = 16
"""So many are open at a time: each takes four open files, of 1,024 that a process may have."""


class NewLedgers:
    """What one import has put together of ledgers that this node has not joined.

    A ledger may come in several bundles, and the grant in the last of them: all bundles of an
    import add to one store. What was not granted by its end is dropped; the bundles wait on.

    Anybody can make up any number of ledgers, so few are open at a time. For one more, one goes
    that the bundle at hand is not about: the oldest of that sender who has most of them, so that
    nobody's are in the way of another's.

    Attributes:
        node: Whose they may become.
        moves: How often one was begun or joined.
        joined: Which were joined.
        gone: Which made room for others and did not begin again, and whose bundle each came in.
        unread_logs: Which logs tails may mean of ledgers that this import cannot read.
    """

    def __init__(self, node: Node) -> None:
        """Begin with none; *node* is whose they may become."""
        self.node = node
        self.moves = 0
        self.joined: list[LedgerId] = []
        self.gone: dict[LedgerId, str] = {}
        self.unread_logs = UnreadLogs(node)
        self._stores: dict[LedgerId, Store] = {}
        self._senders: dict[LedgerId, str] = {}
        self._begun: dict[LedgerId, int] = {}
        self._in_use: set[LedgerId] = set()
        self._is_settled = False

    def turn_to_next(self) -> None:
        """Note that another bundle is looked at: what the last one was about may go."""
        self._in_use.clear()

    def settle(self) -> None:
        """Drop none any more before `close`: what is added from now on is added once."""
        self._is_settled = True

    def get(self, ledger_id: LedgerId) -> Store | None:
        """Return the store of one, None if it has not begun."""
        store = self._stores.get(ledger_id)
        if store is not None:
            self._in_use.add(ledger_id)
        return store

    @property
    def has_room(self) -> bool:
        """Whether one more can begin, and none goes for it."""
        return len(self._stores) < MOST_OPEN

    def progress(self) -> dict[LedgerId, tuple[int, int]]:
        """Return how far each has come that has begun: as which move, and how many entries it has.

        Raises:
            DamagedError: the disk said no.
        """
        return {
            one: (self._begun[one], sum(log.size for log in store.logs()))
            for one, store in self._stores.items()
        }

    def begin(self, genesis: Genesis, sender: str) -> bool:
        """Make room for a ledger; nothing happens if it is here, or begun.

        Args:
            genesis: What it begins with.
            sender: Node id of whose bundle it came in.

        Returns:
            Whether it is here, or begun; else there is no room for it in this import.

        Raises:
            DamagedError: the disk said no.
        """
        ledger_id = genesis.ledger_id
        if self.node.has_ledger(ledger_id) or self.get(ledger_id) is not None:
            return True
        if len(self._stores) >= MOST_OPEN and not self._make_room(sender):
            return False
        folder = self.node.home.ledgers / _FOLDER
        folder.mkdir(exist_ok=True)
        self._stores[ledger_id] = Store.create(folder, genesis, self.node.rest_key)
        self._senders[ledger_id] = sender
        self._in_use.add(ledger_id)
        self.moves += 1
        self._begun[ledger_id] = self.moves
        self.gone.pop(ledger_id, None)
        return True

    def join(self, ledger_id: LedgerId) -> bool:
        """Put a ledger where those of this node are, if it was granted.

        Where another process has put it there meanwhile, that one is left, and what was put
        together here is dropped: the bundles wait, and are merged into that one.

        Returns:
            Whether it is there, as it was put together here.

        Raises:
            DamagedError: the disk said no.
        """
        store = self._stores[ledger_id]
        if self.node.card.author not in members(store):
            return False
        store.finish()
        del self._stores[ledger_id]
        self.moves += 1
        self.joined.append(ledger_id)
        return self._put(store.path)

    def close(self) -> None:
        """Drop what this node was not granted, and what an import that was killed has left."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
        for path in (self.node.home.ledgers / _FOLDER).glob("*"):
            path.unlink(missing_ok=True)

    def _put(self, path: Path) -> bool:
        with storage_errors(path):
            try:
                put_in_place(path, self.node.home.ledgers / path.name)
            except FileExistsError:
                path.unlink()
                return False
        return True

    def _make_room(self, sender: str) -> bool:
        """Drop one for *sender*, its own or of somebody who has more; False if none may go."""
        if self._is_settled:
            return False
        counts = Counter(self._senders[one] for one in self._stores)
        may_go = [
            one
            for one in self._stores
            if one not in self._in_use
            and (self._senders[one] == sender or counts[self._senders[one]] > counts[sender])
        ]
        if not may_go:
            return False
        self._drop(max(may_go, key=lambda one: counts[self._senders[one]]))
        return True

    def _drop(self, ledger_id: LedgerId) -> None:
        store = self._stores.pop(ledger_id)
        self.gone[ledger_id] = self._senders[ledger_id]
        store.close()
        for path in store.path.parent.glob(f"{store.path.name}*"):
            path.unlink(missing_ok=True)
