"""What people decided about bundles that waited for their review; kept in ``node.db``.

A decision is about a content: the same entries in another bundle are not asked about again.
"""

from typing import NamedTuple

from pannier.nodedb import NodeDb

ACCEPTED, REFUSED = "accepted", "refused"
AT_REVIEW = "at review"
"""How the reason begins that the sender of a bundle is told which a person refused."""


class Decision(NamedTuple):
    """What a person said of a content.

    Attributes:
        content: Its digest (`pannier.gate.content_digest`).
        bundle: Id of the bundle that it was in.
        sender: Who sent it, as it was called then; hostile text.
        verdict: `ACCEPTED` or `REFUSED`.
        reason: Why it was refused, one line for a receipt; else empty.
        time_us: When, by this node's clock.
        summary: What was in it, one line; hostile text.
    """

    content: bytes
    bundle: str
    sender: str
    verdict: str
    reason: str
    time_us: int
    summary: str


def decide(db: NodeDb, decision: Decision) -> None:
    """Record a decision; a later one about the same content takes its place.

    Raises:
        PannierError: ``node.db`` cannot be written.
    """
    db.run("INSERT OR REPLACE INTO decision VALUES (?, ?, ?, ?, ?, ?, ?)", *decision)


def verdict(db: NodeDb, content: bytes) -> str | None:
    """Return what was decided about a content, or None.

    Raises:
        PannierError: ``node.db`` cannot be read.
    """
    found = db.rows("SELECT verdict FROM decision WHERE content = ?", content)
    return str(found[0][0]) if found else None


def reason(db: NodeDb, bundle: str) -> str | None:
    """Return why *bundle* itself was refused, or None.

    Raises:
        PannierError: ``node.db`` cannot be read.
    """
    query = "SELECT reason FROM decision WHERE bundle = ? AND verdict = ?"
    found = db.rows(query, bundle, REFUSED)
    return str(found[0][0]) if found else None


def decisions(db: NodeDb) -> list[Decision]:
    """Return all decisions, the newest last.

    Raises:
        PannierError: ``node.db`` cannot be read.
    """
    found = db.rows("SELECT * FROM decision ORDER BY time, bundle")
    return [Decision(*row) for row in found]  # type: ignore[arg-type]
