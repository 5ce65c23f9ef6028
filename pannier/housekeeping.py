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
    today = node.today()
    expired = node.spool.expire(today)
    with node.db.transaction():
        for _, name in expired.queued:
            node.db.end_bundle(name.bundle_id, "expired")
        for name in expired.held:
            node.db.run("DELETE FROM waiting WHERE bundle = ?", name.bundle_id)
        before = today - _GRACE_DAYS
        node.db.run("DELETE FROM seen WHERE expiry < ?", before)
        gone = "SELECT id FROM bundle WHERE expiry < ? AND state != 'queued'"
        for table in ("span", "on_medium"):
            node.db.run(f"DELETE FROM {table} WHERE bundle IN ({gone})", before)  # noqa: S608
        node.db.run("DELETE FROM bundle WHERE expiry < ? AND state != 'queued'", before)
