"""Which symbols of a bundle were given out, so that none is ever sent twice one way.

Tables ``symbols`` and ``redeemed`` of ``node.db``. Numbers are given out before they are used:
after a crash some are never sent, which costs nothing, for any others do as well.
"""

from bundler.geometry import Geometry
from bundler.limits import DEFAULT_LIMITS
from bundler.split import Numbers
from ledger.lazy_dataclass import dataclass
from pannier.nodedb import NodeDb
from pannier.nodedb_file import as_int


@dataclass(frozen=True, slots=True)
class Supply:
    """The symbols of one bundle of ours that were never sent.

    Attributes:
        db: Where it is noted.
        bundle_id: 16 hex digits.
        geometry: Of the bundle.
    """

    db: NodeDb
    bundle_id: str
    geometry: Geometry

    def take(self, block: int, count: int, *, is_repair: bool = False) -> Numbers:
        """Give out up to *count* symbols of a block, source symbols first; durable on return.

        Where a block has no more of them than are ever made, it begins again.

        Args:
            block: Number of the block.
            count: At least 1.
            is_repair: Leave the source symbols out.
        """
        source = self.geometry.block_symbols(block)
        end = source + DEFAULT_LIMITS.repair_symbols
        with self.db.transaction():
            first = max(self._next(block), source if is_repair else 0)
            if first >= end:
                first = source if is_repair else 0
            numbers = Numbers(block, first, min(first + count, end))
            self._advance(block, numbers.end)
        return numbers

    def pass_over(self, block: int, count: int) -> None:
        """Note that the first *count* symbols of a block were sent by other ways."""
        with self.db.transaction():
            self._advance(block, max(count, self._next(block)))

    def redeem(self, block: int, count: int) -> Numbers:
        """Give out *count* repair symbols of a block for the next round, before all else."""
        with self.db.transaction():
            numbers = self.take(block, count, is_repair=True)
            self.db.run("INSERT INTO redeemed VALUES (?, ?, ?, ?)", self.bundle_id, *numbers)
        return numbers

    def redeemed(self) -> list[Numbers]:
        """Return what `redeem` gave out and nobody sent yet."""
        found = self.db.rows(
            "SELECT block, first, end FROM redeemed WHERE bundle = ? ORDER BY block, first",
            self.bundle_id,
        )
        return [Numbers(*map(as_int, row)) for row in found]

    def note_redeemed(self, numbers: Numbers) -> None:
        """Note that these were sent."""
        self.db.run(
            "DELETE FROM redeemed WHERE bundle = ? AND block = ? AND first = ?",
            self.bundle_id,
            numbers.block,
            numbers.first,
        )

    def _next(self, block: int) -> int:
        found = self.db.rows(
            "SELECT next FROM symbols WHERE bundle = ? AND block = ?", self.bundle_id, block
        )
        return as_int(found[0][0]) if found else 0

    def _advance(self, block: int, number: int) -> None:
        self.db.run(
            "INSERT INTO symbols VALUES (?1, ?2, ?3, 0) "
            "ON CONFLICT (bundle, block) DO UPDATE SET next = ?3",
            self.bundle_id,
            block,
            number,
        )


def asked_for(db: NodeDb) -> set[str]:
    """Return the bundles of which `Supply.redeem` gave out what nobody sent yet."""
    return {str(number) for (number,) in db.rows("SELECT DISTINCT bundle FROM redeemed")}
