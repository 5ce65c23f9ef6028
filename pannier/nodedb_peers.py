"""What ``node.db`` knows of peers: what they said, what they were told, what they are owed."""

from collections.abc import Collection, Iterable, Sequence

from ledger.lazy_dataclass import dataclass
from pannier.have_rows import HaveState, have_state
from pannier.nodedb_file import NodeDbFile, as_id, as_int, as_optional

UNTOLD = b""
"""In place of a digest: what a peer was told last may never have reached it."""

KEY_LOST = "the key for it is lost"
"""The reason of a receipt for a bundle that no key here opens."""

_MAX_RECEIPTS = 3000
_MET = "met "
_UNANSWERED = "unanswered "


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerState:
    """What a peer last said of itself, as it stands in ``node.db``.

    Attributes:
        incarnation: Of the node, 8 bytes; None before anything came.
        counter: The highest seen of that incarnation; -1 before anything came.
        have: What its last believed have section says besides logs, or None.
        told: Digest of what it was told last; None before anything, `UNTOLD` if that got lost.
        told_us: When it was told.
    """

    incarnation: bytes | None
    counter: int
    have: HaveState | None
    told: bytes | None
    told_us: int


class PeerRows(NodeDbFile):
    """The part of ``node.db`` that is about peers."""

    def peer(self, peer: str) -> PeerState:
        """Return what *peer* last said."""
        found = self.rows(
            "SELECT incarnation, counter, told, told_time FROM peer WHERE id = ?", peer
        )
        if not found:
            return PeerState(incarnation=None, counter=-1, have=None, told=None, told_us=0)
        incarnation, counter, told, told_us = found[0]
        return PeerState(
            incarnation=as_optional(incarnation),
            counter=as_int(counter),
            have=have_state(self, peer),
            told=as_optional(told),
            told_us=as_int(told_us),
        )

    def advance_peer(self, peer: str, incarnation: bytes, counter: int) -> bool:
        """Note that *peer* spoke under (incarnation, counter); return whether that is its newest.

        Incarnations follow each other in the order of their bytes. Of two bundles under the same
        counter, which a restored node makes, either may be the newer.
        """
        with self.transaction():
            now = self.peer(peer)
            if (incarnation, counter) < (now.incarnation or b"", now.counter):
                return False
            if now.incarnation != incarnation:
                # Counters begin anew: what is owed was all said before, and so were haves. Nor does
                # it know for certain what it was told.
                self.run("UPDATE due SET counter = -1 WHERE peer = ?", peer)
                self.run(
                    "UPDATE peer SET have_counter = -1, have_whole = NULL, have_base = NULL "
                    "WHERE id = ? AND have_counter NOT NULL",
                    peer,
                )
            self.run("INSERT OR IGNORE INTO peer (id) VALUES (?)", peer)
            self.run(
                "UPDATE peer SET incarnation = ?, counter = ? WHERE id = ?",
                incarnation,
                counter,
                peer,
            )
        return True

    def hear(self, peer: str, time_us: int) -> None:
        """Take note of the time that a message of *peer* bears; the latest counts."""
        with self.transaction():
            self.run("INSERT OR IGNORE INTO peer (id) VALUES (?)", peer)
            self.run(
                "UPDATE peer SET heard = max(coalesce(heard, ?1), ?1) WHERE id = ?2", time_us, peer
            )

    def heard(self) -> dict[str, int]:
        """Return the latest time that each peer signed, by node id."""
        found = self.rows("SELECT id, heard FROM peer WHERE heard NOT NULL")
        return {str(peer): as_int(time_us) for peer, time_us in found}

    def note_met(self, peer: str) -> None:
        """Remember that *peer* is known through a passphrase alone: it may be made up."""
        self.set_meta(f"{_MET}{peer}", b"")

    def met(self) -> frozenset[str]:
        """Return the node ids of the peers of which `note_met` holds."""
        found = self.rows("SELECT key FROM meta WHERE substr(key, 1, ?) = ?", len(_MET), _MET)
        return frozenset(str(key).removeprefix(_MET) for (key,) in found)

    def vouch_for(self, peer: str) -> None:
        """Forget that *peer* was met only: a person knows it."""
        self.run("DELETE FROM meta WHERE key = ?", f"{_MET}{peer}")

    def note_told(self, peer: str, digest: bytes, bundle_id: str, time_us: int) -> None:
        """Remember what *peer* is told, and in which bundle."""
        with self.transaction():
            self.run("INSERT OR IGNORE INTO peer (id) VALUES (?)", peer)
            self.run(
                "UPDATE peer SET told = ?, told_in = ?, told_time = ? WHERE id = ?",
                digest,
                bundle_id,
                time_us,
                peer,
            )

    def note_witness_told(self, peer: str, bundle_id: str, time_us: int) -> None:
        """Remember in which bundle *peer* is told what was witnessed."""
        self.run("INSERT OR REPLACE INTO witness VALUES (?, ?, ?)", peer, bundle_id, time_us)

    def witness_told_us(self, peer: str) -> int | None:
        """Return when *peer* was last told what was witnessed, unless that got lost."""
        found = self.rows("SELECT time FROM witness WHERE peer = ?", peer)
        return as_int(found[0][0]) if found else None

    def note_answered(self, peer: str) -> None:
        """Remember that *peer* is told what was heard of it so far."""
        self.run("DELETE FROM meta WHERE key = ?", f"{_UNANSWERED}{peer}")

    def count_unanswered(self, peer: str) -> None:
        """Count a bundle that was heard of *peer*."""
        count = self.unanswered(peer) + 1
        self.set_meta(f"{_UNANSWERED}{peer}", count.to_bytes(8, "big"))

    def unanswered(self, peer: str) -> int:
        """Return how many bundles were heard of *peer* since it was last told so."""
        return int.from_bytes(self.meta(f"{_UNANSWERED}{peer}") or b"", "big")

    def tell_again(self, peer: str) -> None:
        """Forget that *peer* was told anything."""
        self.run("UPDATE peer SET told = ? WHERE id = ? AND told NOT NULL", UNTOLD, peer)

    def tell_all_again(self) -> None:
        """Forget that any peer was told anything."""
        self.run("UPDATE peer SET told = ? WHERE told NOT NULL", UNTOLD)

    def tell_anew(self, peers: Iterable[str]) -> None:
        """Take it that each of *peers* was told something once, whatever is known of that."""
        with self.transaction():
            self.run_many(
                "INSERT INTO peer (id, told) VALUES (?1, ?2) "
                "ON CONFLICT (id) DO UPDATE SET told = ?2",
                [(peer, UNTOLD) for peer in peers],
            )

    def forget_key(self, peer: str, key_id: bytes) -> bool:
        """Drop a pairwise key; return whether it was there."""
        return bool(self.run("DELETE FROM pairwise WHERE peer = ? AND id = ?", peer, key_id))

    # -- receipts that we owe -----------------------------------------------------------------

    def owe_receipt(self, peer: str, bundle_id: str, reason: str, counter: int) -> None:
        """Note that *peer* must be told what became of its bundle (merged: empty reason)."""
        self.run(
            "INSERT OR REPLACE INTO due VALUES (?, ?, ?, ?, NULL)", peer, bundle_id, reason, counter
        )

    def receipts(self, peer: str, *, is_brief: bool = False) -> list[tuple[str, str]]:
        """Return (bundle id, reason) of the receipts that *peer* is owed, refusals not told first.

        At most so many that they surely fit a section. If *is_brief*, what was told of merged
        bundles is left out (`rely_on`); what was told of refused ones is said nowhere else.

        Raises:
            PannierError: the file cannot be read, or is damaged.
        """
        found = self.rows(
            "SELECT bundle, reason FROM due "
            "WHERE peer = ? AND (told IS NULL OR reason != '' OR NOT ?) "
            "ORDER BY told NOT NULL, reason = '', bundle LIMIT ?",
            peer,
            is_brief,
            _MAX_RECEIPTS,
        )
        return [(as_id(bundle), str(reason)) for bundle, reason in found]

    def has_untold(self, peer: str, reason: str | None = None) -> bool:
        """Return whether *peer* is owed a receipt that no bundle carries: any, or for a reason."""
        found = self.rows(
            "SELECT 1 FROM due WHERE peer = ?1 AND told IS NULL AND reason = coalesce(?2, reason) "
            "LIMIT 1",
            peer,
            reason,
        )
        return bool(found)

    def owes(self, peer: str, bundle_id: str) -> bool:
        """Return whether *peer* is owed a receipt for one bundle."""
        found = self.rows("SELECT 1 FROM due WHERE peer = ? AND bundle = ?", peer, bundle_id)
        return bool(found)

    def note_receipts_told(self, peer: str, told: Iterable[str], bundle_id: str) -> None:
        """Note that the receipts *told* travel in a bundle of ours."""
        with self.transaction():
            for one in told:
                self.run(
                    "UPDATE due SET told = ? WHERE peer = ? AND bundle = ?", bundle_id, peer, one
                )

    def owe_again(self, repeated: Sequence[str]) -> set[str]:
        """Owe receipts for what came again anew; return the peers that wait for one.

        But not while a bundle that tells of it waits itself. One that told of it may be no more
        though it never arrived: all else that it brought came to its reader by another way.
        """
        with self.transaction():
            found = [self.rows("SELECT peer FROM due WHERE bundle = ?", one) for one in repeated]
            for one in repeated:
                self.run(
                    "UPDATE due SET told = NULL WHERE bundle = ? "
                    "AND told NOT IN (SELECT id FROM bundle WHERE state = 'queued')",
                    one,
                )
        return {str(peer) for rows in found for (peer,) in rows}

    def rely_on(self, old: str, new: str) -> None:
        """Take it that what *old* said of merged bundles and witnesses arrived; *new* replaces it.

        Bundles are confirmed by haves as well, and a peer that waits for a receipt will say so.
        """
        self.run("UPDATE due SET told = ? WHERE told = ? AND reason = ''", new, old)
        self.run("UPDATE witness SET bundle = ? WHERE bundle = ?", new, old)

    def settle_receipts(self, peer: str, still_sent: Collection[str], counter: int) -> None:
        """Drop the receipts that *peer* no longer waits for, as it says under *counter*."""
        waited_for = set(still_sent)
        with self.transaction():
            found = self.rows(
                "SELECT bundle FROM due WHERE peer = ? AND counter < ?", peer, counter
            )
            for (bundle,) in found:
                if bundle not in waited_for:
                    self.run("DELETE FROM due WHERE peer = ? AND bundle = ?", peer, bundle)
