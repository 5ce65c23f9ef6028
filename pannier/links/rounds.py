"""How much of each bundle one link without a way back has sent in rounds (docs/link.md section 7).

Table ``rounds`` of ``node.db``. Each link has its own: whoever hears one need not hear another. The
numbers of the symbols are given out for all links together, by `pannier.links.payload_ids`.
"""

from collections.abc import Mapping

from ledger.lazy_dataclass import dataclass
from pannier.nodedb import NodeDb
from pannier.nodedb_file import as_int


@dataclass(frozen=True, slots=True)
class Rounds:
    """What one link has sent.

    Attributes:
        db: Where it is noted.
        medium: What the link is called there; the same after a restart.
    """

    db: NodeDb
    medium: str

    def begin(self, bundle_id: str) -> bool:
        """Note that a bundle is handed out, so that it stays as it is; False if it is gone."""
        with self.db.transaction():
            is_there = self.db.note_begun(bundle_id)
            if is_there:
                self._add(bundle_id, 0, 0)
        return is_there

    def begun(self) -> set[str]:
        """Return the bundles that `begin` was asked about and that were there."""
        found = self.db.rows("SELECT DISTINCT bundle FROM rounds WHERE medium = ?", self.medium)
        return {str(number) for (number,) in found}

    def sent(self, bundle_id: str, blocks: int) -> list[int]:
        """Return how many symbols of each of the *blocks* of a bundle were sent in rounds."""
        found = self.db.rows(
            "SELECT block, sent FROM rounds WHERE bundle = ? AND medium = ?", bundle_id, self.medium
        )
        counts = {as_int(block): as_int(sent) for block, sent in found}
        return [counts.get(block, 0) for block in range(blocks)]

    def note_sent(self, bundle_id: str, counts: Mapping[int, int]) -> None:
        """Note so many symbols more of each block of a bundle."""
        with self.db.transaction():
            for block, count in counts.items():
                self._add(bundle_id, block, count)

    def _add(self, bundle_id: str, block: int, count: int) -> None:
        self.db.run(
            "INSERT INTO rounds VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET sent = sent + excluded.sent",
            bundle_id,
            self.medium,
            block,
            count,
        )
