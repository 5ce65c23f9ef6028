"""``node.db``: what this node knows about its peers, bundles and media (docs/format.md 9.3).

Bookkeeping only: losing it loses no entry. What peers confirmed is asked again, and bundles that
were on their way are planned again.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from bundler.plan import Span
from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier.have_rows import NEVER
from pannier.nodedb_file import Value, as_blob, as_count, as_id, as_int
from pannier.nodedb_peers import UNTOLD, PeerRows
from pannier.out_bundle import OutBundle, out_bundle_from_row

TAKEN = "taken"
"""Outcome of a bundle that is merged; that it has this id one peer says, and no hash of it."""

_ARRIVED = ("confirmed", "sent", "left out")


class NodeDb(PeerRows):
    """An open ``node.db``."""

    def forged(self) -> int:
        """Return how many fragments for this node were thrown away: damaged or forged."""
        return as_count(self.meta("forged"))

    def count_forged(self, more: int) -> None:
        """Count *more* of them."""
        if more:
            with self.transaction():
                self.set_meta("forged", (self.forged() + more).to_bytes(8, "big"))

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
                ("served", "peer"),
                ("held", "peer"),
                ("tail_floor", "peer"),
                ("told", "peer"),
            ):
                self.run(f"DELETE FROM {table} WHERE {column} = ?", peer)  # noqa: S608 -- our words

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
                self._take_out(bundle_id)

    def forget_bundle(self, bundle_id: str) -> None:
        """Forget a bundle that nobody but us ever saw."""
        with self.transaction():
            self._take_out(bundle_id)
            self.run("DELETE FROM bundle WHERE id = ?", bundle_id)
            self.run("DELETE FROM span WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM audience WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM compact WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM symbols WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM redeemed WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM rounds WHERE bundle = ?", bundle_id)
            self.run("DELETE FROM served WHERE bundle = ?", bundle_id)

    def _take_out(self, bundle_id: str) -> None:
        """Take it that nothing of a bundle arrived, neither contents nor what was told in it."""
        self.run("DELETE FROM content WHERE bundle = ?", bundle_id)
        self.untell(bundle_id)

    def untell(self, bundle_id: str) -> None:
        """Say again what was told in a bundle that did not arrive, or not for long."""
        with self.transaction():
            self.run("UPDATE due SET told = NULL WHERE told = ?", bundle_id)
            self.run(
                "UPDATE told SET counter = ?1 "
                "WHERE peer IN (SELECT id FROM peer WHERE told_in = ?2) "
                "AND counter = (SELECT counter FROM bundle WHERE id = ?2)",
                NEVER,
                bundle_id,
            )
            self.run(
                "UPDATE peer SET told = ?, told_in = NULL WHERE told_in = ?", UNTOLD, bundle_id
            )
            self.run("DELETE FROM witness WHERE bundle = ?", bundle_id)

    def bundles_about(self, ledgers: Iterable[LedgerId]) -> frozenset[str]:
        """Return the bundles of ours, ended or not, that carry something of *ledgers*."""
        sql = "SELECT DISTINCT bundle FROM span WHERE ledger = ?"
        return frozenset(str(number) for one in ledgers for (number,) in self.rows(sql, one))

    def logs_of(self, ledger_id: LedgerId) -> list[LogName]:
        """Return the logs of a ledger that were told or heard of, or sent."""
        found = self.rows(
            "SELECT author, incarnation FROM told WHERE ledger = ?1 "
            "UNION SELECT author, incarnation FROM held WHERE ledger = ?1 "
            "UNION SELECT author, incarnation FROM span WHERE ledger = ?1",
            ledger_id,
        )
        return [LogName(as_blob(author), as_blob(incarnation)) for author, incarnation in found]

    def spans(self, bundle_id: str) -> list[tuple[LedgerId, LogName, Span]]:
        """Return which entries a bundle carries."""
        found = self.rows(
            "SELECT ledger, author, incarnation, first, end FROM span WHERE bundle = ?", bundle_id
        )
        return [_span(row) for row in found]

    def spans_for(
        self,
        peer: str,
        ledger_id: LedgerId,
        log: LogName,
        states: Sequence[str],
        *,
        without: AbstractSet[str] = frozenset(),
    ) -> list[Span]:
        """Return the spans of a log in the bundles for *peer* that are in one of *states*.

        Those for a group are among them as long as it is waited for; those of the bundles *without*
        are not.
        """
        marks = ", ".join("?" * len(states))
        found = self.rows(
            "SELECT bundle, first, end FROM span WHERE bundle IN ("  # noqa: S608
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
        return [
            Span(as_int(first), as_int(end))
            for bundle, first, end in found
            if bundle not in without
        ]

    def note_written(self, bundle_id: str, medium: str, time_us: int, peers: Iterable[str]) -> None:
        """Note that a bundle stands, durably, on a medium that serves *peers*."""
        with self.transaction():
            self._note_served(bundle_id, peers)
            self.run("UPDATE bundle SET written = written + 1 WHERE id = ?", bundle_id)
            self.run(
                "INSERT OR REPLACE INTO on_medium VALUES (?, ?, ?)", medium, bundle_id, time_us
            )

    def note_begun(self, bundle_id: str) -> bool:
        """Note that a link hands a bundle out, so that it stays as it is; False if it is gone."""
        return bool(
            self.run(
                "UPDATE bundle SET written = max(written, 1) WHERE id = ? AND state = 'queued'",
                bundle_id,
            )
        )

    def note_handed_over(
        self, bundle_id: str, link: str, time_us: int, peers: Iterable[str]
    ) -> None:
        """Note that all of a bundle went by a link, durably; so far that link serves *peers*."""
        with self.transaction():
            self._note_served(bundle_id, peers)
            # The first one counts from when it was begun.
            self.run(
                "UPDATE bundle SET written = written + 1 WHERE id = ?1 AND (written = 0 "
                "OR EXISTS (SELECT 1 FROM on_medium WHERE bundle = ?1))",
                bundle_id,
            )
            self.run("INSERT OR REPLACE INTO on_medium VALUES (?, ?, ?)", link, bundle_id, time_us)

    def times_served(self, bundle_id: str, peer: str) -> int:
        """Return how many carriers that serve *peer* took all of a bundle."""
        found = self.rows("SELECT times FROM served WHERE bundle = ? AND peer = ?", bundle_id, peer)
        return as_int(found[0][0]) if found else 0

    def _note_served(self, bundle_id: str, peers: Iterable[str]) -> None:
        """Count a carrier for those of *peers* that a bundle is for."""
        found = self.rows(
            "SELECT peer FROM bundle WHERE id = ?1 UNION "
            "SELECT peer FROM audience WHERE bundle = ?1",
            bundle_id,
        )
        for reader in {as_id(peer) for (peer,) in found} & set(peers):
            self.run(
                "INSERT INTO served VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1",
                bundle_id,
                reader,
            )

    def handed_over(self, link: str) -> dict[str, int]:
        """Return when the node at the other end of a link got the bundles that wait, by id."""
        found = self.rows(
            "SELECT bundle, time FROM on_medium JOIN bundle ON bundle.id = on_medium.bundle "
            "WHERE medium = ? AND state = 'queued'",
            link,
        )
        return {str(bundle): as_int(time_us) for bundle, time_us in found}

    # -- bundles of others --------------------------------------------------------------------

    def note_seen(self, bundle_id: str, peer: str, expiry_days: int, outcome: str) -> None:
        """Remember what became of a bundle of *peer*, until it has expired."""
        self.run(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", bundle_id, peer, expiry_days, outcome
        )

    def seen(self, bundle_id: str, sender: str = "") -> str | None:
        """Return what became of a bundle of somebody else, or None if it is new.

        Args:
            bundle_id: Of the bundle.
            sender: Node id of who sends it, if that is known. What was `TAKEN` on the word of one
                peer is not seen as long as others may mean another bundle by that id.
        """
        found = self.rows(
            "SELECT outcome FROM seen WHERE bundle = ? AND (outcome != ? OR peer = ?)",
            bundle_id,
            TAKEN,
            sender,
        )
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
