"""Which deliveries an inbox takes when a peer is at its quota. Pure: it only counts and decides."""

from collections import defaultdict

from spool.delivery import Delivery, DeliveryKey, Receipt, StoredDelivery
from spool.file_system import footprint_bytes
from spool.name import UNKNOWN_PEER
from spool.quotas import Quotas


class Admission:
    """Admits deliveries one after another, over what is there already.

    A peer at its quota loses its bundles of less urgent priority than the newcomer, the least
    urgent first; a newcomer for whom that frees too little is refused. Peers never touch each
    other's share.

    Attributes:
        admitted: What to write.
        dropped: What was there and gives way.
        repeated: Ids of bundles of which something came that was there already.
    """

    def __init__(self, quotas: Quotas) -> None:
        """Start with an empty inbox."""
        self.admitted: dict[StoredDelivery, bytes] = {}
        self.dropped: list[StoredDelivery] = []
        self.repeated: set[str] = set()
        self._quotas = quotas
        self._known: set[DeliveryKey] = set()
        self._parts: dict[str, dict[str, list[tuple[StoredDelivery, int]]]] = defaultdict(dict)
        self._used: dict[str, int] = defaultdict(int)
        self._taken: list[tuple[str, str]] = []
        self._refused: list[str] = []
        self._gave_way: list[str] = []

    def count(self, stored: StoredDelivery, size_bytes: int) -> None:
        """Count a delivery that takes room from now on."""
        footprint = footprint_bytes(size_bytes)
        self._known.add(stored.key)
        self._parts[stored.peer].setdefault(stored.bundle_id, []).append((stored, footprint))
        self._used[stored.peer] += footprint

    def ask(self, delivery: Delivery) -> None:
        """Decide about one delivery.

        Raises:
            MalformedNameError: its peer or source is none.
        """
        stored = StoredDelivery.of(delivery)
        if stored.key not in self._known:
            if not self._make_room(stored, footprint_bytes(len(delivery.data))):
                self._refused.append(stored.bundle_id)
                return
            self.count(stored, len(delivery.data))
            self.admitted[stored] = delivery.data
        else:
            self.repeated.add(stored.bundle_id)
        self._taken.append((stored.peer, stored.bundle_id))

    def receipt(self) -> Receipt:
        """Return what was decided; true once what is admitted has been written."""
        stored = tuple(bundle_id for _, bundle_id in self._taken)
        return Receipt(stored, tuple(self._refused), tuple(self._gave_way))

    def _make_room(self, stored: StoredDelivery, needed_bytes: int) -> bool:
        excess = self._used[stored.peer] + needed_bytes - self._quota_bytes(stored.peer)
        if excess <= 0:
            return True
        bundles = self._parts[stored.peer]
        urgency = {bundle_id: min(part)[0].priority for bundle_id, part in bundles.items()}
        victims = []
        for bundle_id in sorted(urgency, key=lambda bundle_id: -urgency[bundle_id]):
            if excess <= 0 or urgency[bundle_id] <= stored.priority:
                break
            victims.append(bundle_id)
            excess -= sum(footprint for _, footprint in bundles[bundle_id])
        if excess > 0:
            return False
        for bundle_id in victims:
            self._drop(stored.peer, bundle_id)
        return True

    def _drop(self, peer: str, bundle_id: str) -> None:
        self._gave_way.append(bundle_id)
        self._taken = [taken for taken in self._taken if taken != (peer, bundle_id)]
        for stored, footprint in self._parts[peer].pop(bundle_id):
            self._used[peer] -= footprint
            self._known.discard(stored.key)
            if self.admitted.pop(stored, None) is None:
                self.dropped.append(stored)

    def _quota_bytes(self, peer: str) -> int:
        unknown = peer == UNKNOWN_PEER
        return self._quotas.inbox_unknown_bytes if unknown else self._quotas.inbox_bytes
