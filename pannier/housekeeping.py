"""Forgetting what nobody needs any more: expired bundles, and what was remembered about them.

A bundle is late when its last day has passed by this node's clock *and* by the word of peers
(`pannier.trusted_time`); or, whatever clocks say, when it has lain here for its whole life of
counted running time.
"""

from functools import partial

from ledger.adopt import adopt
from pannier.have import forget_shared_keys
from pannier.import_report import Outcome
from pannier.node import Node
from pannier.trusted_time import MAX_LIFETIME_DAYS, count_running, has_lain
from pannier.unreadable import going_on
from spool.expiry import Waiting
from spool.name import BundleName

_GRACE_DAYS = 30
"""A medium may come back some days after what it carries has expired."""


def keep_house(node: Node) -> None:
    """Drop what has expired from the queues and from ``node.db``; look what packs there are.

    Of no bundle it depends on a ledger whether it is dropped.

    Only bundles expire, never entries: what they carried is planned again. Forgetting too early,
    by a wrong clock, costs a bundle that is merged again, which changes nothing.

    Raises:
        PannierError: ``node.db`` cannot be written.
        SpoolError: the spool cannot be written.
        LedgerError: a ledger cannot be read or written.
    """
    going_on(node, partial(_adopt, node))
    judge = _Judge(node)
    for bundle in node.db.queued_bundles():
        if judge.is_late(Waiting(bundle.bundle_id, bundle.expiry_days, bundle.peer)):
            end_expired(node, bundle.bundle_id)
    expired = node.spool.expire(judge.is_late)
    with node.db.transaction():
        judge.remember()
        for name in expired.held:
            _give_up(node, name, judge.sender(name.bundle_id))
        _forget_waits(node)
        _forget(node, before=node.time.past_day() - _GRACE_DAYS)


def _adopt(node: Node) -> None:
    for store in node.ledgers():
        adopt(store)


def end_expired(node: Node, bundle_id: str) -> None:
    """Note that a bundle of ours has expired: what it carried is planned again.

    Not so for those that cannot answer and were sent it often enough: that counts as having
    arrived. All others of a group are sent it anew, and are no more among those it went to.
    Who never answered, though it was handed out, may have lost the key that it is under.
    """
    bundle = node.db.bundle(bundle_id)
    if bundle is None:
        return
    readers = node.db.audience(bundle_id) or [bundle.peer]
    lacking = [one for one in readers if not node.is_sent_enough(one, bundle_id)]
    is_sent = len(lacking) < len(readers)
    with node.db.transaction():
        for one in lacking:
            node.db.leave_audience(bundle_id, one)
        node.db.end_bundle(bundle_id, "sent" if is_sent else "expired")
        if bundle.key_id is not None and bundle.written and bundle.peer in node.peers:
            forget_shared_keys(node, node.peers[bundle.peer])


def _give_up(node: Node, name: BundleName, sender: str) -> None:
    """Note that a held bundle has waited in vain: it leaves media, or it would come in again.

    Its sender hears, if it still sends it, that what it builds on is not here, and makes it anew.
    """
    node.db.note_seen(name.bundle_id, sender, name.expiry_days, Outcome.UNFOUNDED.value)


def _forget_waits(node: Node) -> None:
    """Forget what was waited for by what is held no more, also where that was cut short.

    As long as it is known, the bundle counts as held, and no carrier brings it in again.
    """
    held = {name.bundle_id for name in node.spool.held.names()}
    for (number,) in node.db.rows("SELECT DISTINCT bundle FROM waiting"):
        if number not in held:
            node.db.run("DELETE FROM waiting WHERE bundle = ?", number)


class _Judge:
    """Says what is late, and learns on the way what lies here."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._running_us = count_running(node.db, node.uptime())
        self._since = {
            str(number): since
            for number, since in node.db.rows("SELECT bundle, since FROM lying")
            if isinstance(since, int)
        }
        self._senders = {
            str(number): str(peer)
            for number, peer in node.db.rows("SELECT bundle, peer FROM waiting")
        }
        self._kept: set[str] = set()
        self._past_days: dict[str, int] = {}

    def is_late(self, waiting: Waiting) -> bool:
        """Return whether something that waits is of no use any more."""
        number = waiting.bundle_id
        peer = self._senders.get(number, waiting.peer)
        since = self._since.get(number, self._running_us)
        is_late = waiting.expiry_days < self._past_day(peer) or has_lain(
            self._running_us, since, self._lifetime_days(peer)
        )
        if not is_late:
            self._kept.add(number)
        return is_late

    def sender(self, number: str) -> str:
        """Return who sent a bundle that waits for something; empty if that is not known."""
        return self._senders.get(number, "")

    def remember(self) -> None:
        """Note since when what is here lies here, and forget what has gone."""
        db = self._node.db
        for number in self._kept - set(self._since):
            db.run("INSERT OR IGNORE INTO lying VALUES (?, ?)", number, self._running_us)
        for number in set(self._since) - self._kept:
            db.run("DELETE FROM lying WHERE bundle = ?", number)

    def _past_day(self, peer: str) -> int:
        if peer not in self._past_days:
            self._past_days[peer] = self._node.time.past_day(peer)
        return self._past_days[peer]

    def _lifetime_days(self, peer: str) -> int:
        known = self._node.peers.get(peer)
        return self._node.settings(known).expiry_days if known else MAX_LIFETIME_DAYS


def _forget(node: Node, *, before: int) -> None:
    """Forget what was known of bundles that had expired before a day."""
    node.db.run("DELETE FROM seen WHERE expiry < ?", before)
    # What went to a peer that cannot answer is all that is known of what it holds.
    over = "expiry < ? AND state NOT IN ('queued', 'sent')"
    tables = (
        "span",
        "content",
        "on_medium",
        "audience",
        "compact",
        "symbols",
        "redeemed",
        "rounds",
        "served",
    )
    for table in tables:
        node.db.run(
            f"DELETE FROM {table} WHERE bundle IN (SELECT id FROM bundle WHERE {over})",  # noqa: S608 -- our words
            before,
        )
    node.db.run(f"DELETE FROM bundle WHERE {over}", before)  # noqa: S608 -- our words
