"""How a node counts what it says: by an incarnation, and in it from one bundle to the next.

Whoever hears a node tells by the two what is newer, and that it was restored from a backup: such a
node goes on under an incarnation, or at least with counters, that it never drew before.
"""

from typing import TYPE_CHECKING

from bundler.head import Stamp
from pannier.nodedb_file import as_count

if TYPE_CHECKING:
    from pannier.node import Node

_INCARNATION_BYTES = 8
# An incarnation is seconds since 1970, then this many random bits.
_INCARNATION_RANDOM_BITS = 24
LAST_INCARNATION = b"\xff" * _INCARNATION_BYTES


class Counting:
    """The count of one node.

    Attributes:
        node: Whose.
    """

    def __init__(self, node: "Node") -> None:
        """Count for *node*."""
        self.node = node

    def incarnation(self) -> bytes:
        """Return the 8 bytes under which the node counts its bundles."""
        db = self.node.db
        found = db.meta("incarnation")
        if found is not None:
            return found
        with db.transaction():
            found = db.meta("incarnation")  # another process may have drawn it meanwhile
            if found is None:
                found = self._drawn(above=bytes(_INCARNATION_BYTES))
                db.set_meta("incarnation", found)
        return found

    def renew(self, *, above: bytes) -> None:
        """Count anew: what this node remembers is older than what others saw of it."""
        incarnation, db = self._drawn(above=max(above, self.incarnation())), self.node.db
        with db.transaction():
            db.set_meta("incarnation", incarnation)
            db.set_meta("counter", (0).to_bytes(8, "big"))
            db.tell_all_again()

    def counter(self) -> int:
        """Return the counter of the bundle made last; 0 before the first."""
        return as_count(self.node.db.meta("counter"))

    def stamp(self) -> Stamp:
        """Return what the next bundle says of when it was made."""
        with self.node.db.transaction():  # another process may renew the incarnation
            incarnation, counter = self.incarnation(), self._next_counter()
        return Stamp(incarnation=incarnation, counter=counter, time_us=self.node.clock())

    def _next_counter(self) -> int:
        """Return the counter for the next bundle: no less than the seconds since counting began.

        So a node that is older than it knows, being a restored backup, draws none that it drew
        before, by any clock that goes on, even where it speaks before somebody tells it.
        """
        began = int.from_bytes(self.incarnation(), "big") >> _INCARNATION_RANDOM_BITS
        counter = max(self.counter() + 1, self.node.clock() // 1_000_000 - began)
        self.node.db.set_meta("counter", counter.to_bytes(8, "big"))
        return counter

    def _drawn(self, *, above: bytes) -> bytes:
        """Return an incarnation that follows *above*, and all before it if the clock is right.

        Also by a clock that stands in the past it is one that was never drawn before: a backup may
        be restored twice.
        """
        seconds = max(self.node.clock() // 1_000_000, 0)
        low = int.from_bytes(self.node.entropy(_INCARNATION_RANDOM_BITS // 8), "big")
        number, last = seconds << _INCARNATION_RANDOM_BITS | low, int.from_bytes(above, "big")
        if number <= last:
            number = last + 1 + low
        number = min(number, int.from_bytes(LAST_INCARNATION, "big"))
        return number.to_bytes(_INCARNATION_BYTES, "big")
