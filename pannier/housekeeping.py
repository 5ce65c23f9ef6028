"""Forgetting what nobody needs any more: expired bundles, and what was remembered about them."""

from pannier.node import Node

_GRACE_DAYS = 30
"""A medium may come back some days after what it carries has expired."""


def keep_house(node: Node) -> None:
    """Drop what has expired from the queues and from ``node.db``.

    Only bundles expire, never entries: what they carried is planned again. Forgetting too early,
    by a wrong clock, costs a bundle that is merged again, which changes nothing.

    Raises:
        PannierError: ``node.db`` cannot be written.
        SpoolError: the spool cannot be written.
    """
    today = node.past_day()
    for number in node.db.expired_bundles(today):
        end_expired(node, number)
    expired = node.spool.expire(today)
    with node.db.transaction():
        for number in (*expired.arrived, *(name.bundle_id for name in expired.held)):
            node.db.run("DELETE FROM waiting WHERE bundle = ?", number)
        before = today - _GRACE_DAYS
        node.db.run("DELETE FROM seen WHERE expiry < ?", before)
        # What went to a peer that cannot answer is all that is known of what it holds.
        over = "expiry < ? AND state NOT IN ('queued', 'sent')"
        for table in ("span", "on_medium"):
            node.db.run(
                f"DELETE FROM {table} WHERE bundle IN (SELECT id FROM bundle WHERE {over})",  # noqa: S608 -- our words
                before,
            )
        node.db.run(f"DELETE FROM bundle WHERE {over}", before)  # noqa: S608 -- our words


def end_expired(node: Node, bundle_id: str) -> None:
    """Note that a bundle of ours has expired: what it carried is planned again.

    Not so if it went often enough to a peer that cannot answer: that counts as having arrived.
    """
    bundle = node.db.bundle(bundle_id)
    if bundle is not None:
        is_sent = node.is_sent_enough(bundle.peer, bundle.written)
        node.db.end_bundle(bundle_id, "sent" if is_sent else "expired")
