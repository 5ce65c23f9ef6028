"""``node.db``: what this node knows about its peers, bundles and media (docs/format.md 9.3).

Bookkeeping only: losing it loses no entry. What peers confirmed is asked again, and bundles that
were on their way are planned again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bundler.plan import Span
from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier.have_rows import NEVER, HaveState, have_state
from pannier.nodedb_file import NodeDbFile, Value, as_blob, as_int, as_optional
from pannier.out_bundle import OutBundle, out_bundle_from_row

UNTOLD = b""
"""In place of a digest: what a peer was told last may never have reached it."""

_ARRIVED = ("confirmed", "sent")
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


class NodeDb(NodeDbFile):
    """An open ``node.db``."""

    def forged(self) -> int:
        """Return how many fragments for this node were thrown away: damaged or forged."""
        return int.from_bytes(self.meta("forged") or b"", "big")

    def count_forged(self, more: int) -> None:
        """Count *more* of them."""
        if more:
            with self.transaction():
                self.set_meta("forged", (self.forged() + more).to_bytes(8, "big"))

    # -- peers --------------------------------------------------------------------------------

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

    def forget_peer(self, peer: str) -> None:
        """Drop all bookkeeping about *peer*."""
        with self.transaction():
            self.vouch_for(peer)
            self.run(
                "DELETE FROM span WHERE bundle IN (SELECT id FROM bundle WHERE peer = ?)", peer
            )
            self.run(
                "DELETE FROM content WHERE bundle IN (SELECT id FROM bundle WHERE peer = ?)", peer
            )
            for table, column in (
                ("peer", "id"),
                ("pairwise", "peer"),
                ("bundle", "peer"),
                ("due", "peer"),
                ("witness", "peer"),
                ("audience", "peer"),
                ("held", "peer"),
                ("tail_floor", "peer"),
                ("told", "peer"),
            ):
                self.run(f"DELETE FROM {table} WHERE {column} = ?", peer)  # noqa: S608 -- our words

    def forget_key(self, peer: str, key_id: bytes) -> None:
        """Drop a pairwise key."""
        self.run("DELETE FROM pairwise WHERE peer = ? AND id = ?", peer, key_id)

    # -- bundles of ours ----------------------------------------------------------------------

    def add_bundle(
        self, bundle: OutBundle, spans: Sequence[tuple[LedgerId, LogName, Span]]
    ) -> None:
        """Note a bundle before its file is published."""
        with self.transaction():
            self.run(
                "INSERT INTO bundle VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                bundle.bundle_id,
                bundle.peer,
                bundle.name,
                bundle.state,
                int(bundle.control),
                bundle.counter,
                bundle.written,
                bundle.created_us,
                bundle.expiry_days,
                bundle.size_bytes,
                bundle.note,
                bundle.key_id,
            )
            for ledger_id, log, span in spans:
                self.run(
                    "INSERT INTO span VALUES (?, ?, ?, ?, ?, ?)",
                    bundle.bundle_id,
                    ledger_id,
                    *log,
                    *span,
                )

    def bundle(self, bundle_id: str) -> OutBundle | None:
        """Return a bundle of ours, whatever became of it."""
        found = self.rows("SELECT * FROM bundle WHERE id = ?", bundle_id)
        return out_bundle_from_row(found[0]) if found else None

    def bundles(self, peer: str, state: str = "queued") -> list[OutBundle]:
        """Return the bundles for *peer* in *state*, oldest first."""
        found = self.rows(
            "SELECT * FROM bundle WHERE peer = ? AND state = ? ORDER BY created, counter",
            peer,
            state,
        )
        return [out_bundle_from_row(row) for row in found]

    def note_audience(self, bundle_id: str, peers: Iterable[str]) -> None:
        """Note for which peers a bundle of ours for a group is meant."""
        with self.transaction():
            for peer in peers:
                self.run("INSERT OR IGNORE INTO audience VALUES (?, ?)", peer, bundle_id)

    def audience(self, bundle_id: str) -> list[str]:
        """Return the peers of which it is not known that they have what a group bundle carries."""
        found = self.rows("SELECT peer FROM audience WHERE bundle = ? ORDER BY peer", bundle_id)
        return [str(peer) for (peer,) in found]

    def leave_audience(self, bundle_id: str, peer: str) -> None:
        """Wait no longer for *peer*, as far as one group bundle goes."""
        self.run("DELETE FROM audience WHERE bundle = ? AND peer = ?", bundle_id, peer)

    def group_bundles(self, peer: str, state: str = "queued") -> list[OutBundle]:
        """Return the bundles for groups in *state* that *peer* is waited for, oldest first."""
        found = self.rows(
            "SELECT bundle.* FROM bundle JOIN audience ON audience.bundle = bundle.id "
            "WHERE audience.peer = ? AND state = ? ORDER BY created, counter",
            peer,
            state,
        )
        return [out_bundle_from_row(row) for row in found]

    def queued_bundles(self) -> list[OutBundle]:
        """Return all bundles of ours that are on their way, whoever they are for."""
        return [
            out_bundle_from_row(row)
            for row in self.rows("SELECT * FROM bundle WHERE state = 'queued'")
        ]

    def end_bundle(self, bundle_id: str, state: str, note: str = "") -> None:
        """Note how a bundle ended; its spans are planned again unless the peer has them."""
        with self.transaction():
            self.run("UPDATE bundle SET state = ?, note = ? WHERE id = ?", state, note, bundle_id)
            if state not in _ARRIVED:
                self._untell(bundle_id)

    def forget_bundle(self, bundle_id: str) -> None:
        """Forget a bundle that nobody but us ever saw."""
        with self.transaction():
            self._untell(bundle_id)
            self.run("DELETE FROM bundle WHERE id = ?", bundle_id)
            self.run("DELETE FROM span WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM audience WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM compact WHERE bundle = ?", bundle_id)

    def _untell(self, bundle_id: str) -> None:
        """Say again what was told in a bundle that did not arrive."""
        self.run("DELETE FROM content WHERE bundle = ?", bundle_id)
        self.run("UPDATE due SET told = NULL WHERE told = ?", bundle_id)
        self.run(
            "UPDATE told SET counter = ?1 "
            "WHERE peer IN (SELECT id FROM peer WHERE told_in = ?2) "
            "AND counter = (SELECT counter FROM bundle WHERE id = ?2)",
            NEVER,
            bundle_id,
        )
        self.run("UPDATE peer SET told = ? WHERE told_in = ?", UNTOLD, bundle_id)
        self.run("DELETE FROM witness WHERE bundle = ?", bundle_id)

    def spans(self, bundle_id: str) -> list[tuple[LedgerId, LogName, Span]]:
        """Return which entries a bundle carries."""
        found = self.rows(
            "SELECT ledger, author, incarnation, first, end FROM span WHERE bundle = ?", bundle_id
        )
        return [_span(row) for row in found]

    def spans_for(
        self, peer: str, ledger_id: LedgerId, log: LogName, states: Sequence[str]
    ) -> list[Span]:
        """Return the spans of a log in the bundles for *peer* that are in one of *states*.

        Those for a group are among them as long as it is waited for.
        """
        marks = ", ".join("?" * len(states))
        found = self.rows(
            "SELECT first, end FROM span WHERE bundle IN ("  # noqa: S608
            f"SELECT id FROM bundle WHERE peer = ? AND state IN ({marks}) UNION "
            "SELECT id FROM bundle JOIN audience ON audience.bundle = bundle.id "
            f"WHERE audience.peer = ? AND state IN ({marks})) "
            "AND ledger = ? AND author = ? AND incarnation = ?",
            peer,
            *states,
            peer,
            *states,
            ledger_id,
            *log,
        )
        return [Span(as_int(first), as_int(end)) for first, end in found]

    def note_written(self, bundle_id: str, medium: str, time_us: int) -> None:
        """Note that a bundle stands, durably, on a medium."""
        with self.transaction():
            self.run("UPDATE bundle SET written = written + 1 WHERE id = ?", bundle_id)
            self.run(
                "INSERT OR REPLACE INTO on_medium VALUES (?, ?, ?)", medium, bundle_id, time_us
            )

    # -- receipts that we owe -----------------------------------------------------------------

    def owe_receipt(self, peer: str, bundle_id: str, reason: str, counter: int) -> None:
        """Note that *peer* must be told what became of its bundle (merged: empty reason)."""
        self.run(
            "INSERT OR REPLACE INTO due VALUES (?, ?, ?, ?, NULL)", peer, bundle_id, reason, counter
        )

    def receipts(self, peer: str, *, only_untold: bool = False) -> list[tuple[str, str]]:
        """Return (bundle id, reason) of the receipts that *peer* is owed, those not told first.

        At most so many that they surely fit a section.
        """
        found = self.rows(
            "SELECT bundle, reason FROM due WHERE peer = ? AND (told IS NULL OR NOT ?) "
            "ORDER BY told NOT NULL, bundle LIMIT ?",
            peer,
            only_untold,
            _MAX_RECEIPTS,
        )
        return [(str(bundle), str(reason)) for bundle, reason in found]

    def has_untold(self, peer: str) -> bool:
        """Return whether *peer* is owed a receipt that no bundle carries."""
        return bool(self.rows("SELECT 1 FROM due WHERE peer = ? AND told IS NULL LIMIT 1", peer))

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

    def rely_on(self, old: str, new: str) -> None:
        """Take it that what *old* said of merged bundles and witnesses arrived; *new* replaces it.

        Bundles are confirmed by haves as well, and a peer that waits for a receipt will say so.
        """
        self.run("UPDATE due SET told = ? WHERE told = ? AND reason = ''", new, old)
        self.run("UPDATE witness SET bundle = ? WHERE bundle = ?", new, old)

    def settle_receipts(self, peer: str, still_sent: Sequence[str], counter: int) -> None:
        """Drop the receipts that *peer* no longer waits for, as it says under *counter*."""
        with self.transaction():
            found = self.rows(
                "SELECT bundle FROM due WHERE peer = ? AND counter < ?", peer, counter
            )
            for (bundle,) in found:
                if bundle not in still_sent:
                    self.run("DELETE FROM due WHERE peer = ? AND bundle = ?", peer, bundle)

    # -- bundles of others --------------------------------------------------------------------

    def note_seen(self, bundle_id: str, peer: str, expiry_days: int, outcome: str) -> None:
        """Remember what became of a bundle of *peer*, until it has expired."""
        self.run(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", bundle_id, peer, expiry_days, outcome
        )

    def seen(self, bundle_id: str) -> str | None:
        """Return what became of a bundle of somebody else, or None if it is new."""
        found = self.rows("SELECT outcome FROM seen WHERE bundle = ?", bundle_id)
        return str(found[0][0]) if found else None

    def seen_from(self, bundle_id: str) -> str | None:
        """Return who sent a bundle that was seen: a node id, or the epoch id of a group."""
        found = self.rows("SELECT peer FROM seen WHERE bundle = ?", bundle_id)
        return str(found[0][0]) if found else None

    # -- media --------------------------------------------------------------------------------

    def note_medium(self, medium: str, label: str, path: str, time_us: int) -> None:
        """Remember that a medium was here."""
        self.run("INSERT OR REPLACE INTO medium VALUES (?, ?, ?, ?)", medium, label, path, time_us)

    def bundles_on(self, medium: str) -> frozenset[str]:
        """Return the bundles of ours that were ever written to a medium."""
        found = self.rows("SELECT bundle FROM on_medium WHERE medium = ?", medium)
        return frozenset(str(bundle) for (bundle,) in found)


def _span(row: tuple[Value, ...]) -> tuple[LedgerId, LogName, Span]:
    ledger_id, author, incarnation, first, end = row
    return (
        LedgerId(as_blob(ledger_id)),
        LogName(as_blob(author), as_blob(incarnation)),
        Span(as_int(first), as_int(end)),
    )
