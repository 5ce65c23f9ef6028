"""What stands in ``node.db`` of compact bundles and tails: what may be built on towards whom."""

from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier.nodedb_file import NodeDbFile, as_blob, as_int


def note_compact(db: NodeDbFile, bundle_id: str, incarnation: bytes) -> None:
    """Note that a bundle of ours is compact, and under which incarnation we counted then."""
    db.run("INSERT INTO compact VALUES (?, ?)", bundle_id, incarnation)


def compact_under(db: NodeDbFile, bundle_id: str) -> bytes | None:
    """Return under which incarnation of ours a compact bundle is sealed; None of any other."""
    found = db.rows("SELECT incarnation FROM compact WHERE bundle = ?", bundle_id)
    return as_blob(found[0][0]) if found else None


def raise_floor(db: NodeDbFile, peer: str, ledger_id: LedgerId, log: LogName, number: int) -> None:
    """Note that nothing before entry *number* of a log may be built on towards *peer*."""
    db.run(
        "INSERT INTO tail_floor VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET number = max(number, excluded.number)",
        peer,
        ledger_id,
        *log,
        number,
    )


def floor(db: NodeDbFile, peer: str, ledger_id: LedgerId, log: LogName) -> int:
    """Return the first entry of a log that may be built on towards *peer*; mostly 0."""
    found = db.rows(
        "SELECT number FROM tail_floor "
        "WHERE peer = ? AND ledger = ? AND author = ? AND incarnation = ?",
        peer,
        ledger_id,
        *log,
    )
    return as_int(found[0][0]) if found else 0


def sent_to(db: NodeDbFile, peer: str) -> dict[tuple[LedgerId, LogName], int]:
    """Return up to which entry each log went to *peer*, or is going, as far as is known."""
    found = db.rows(
        "SELECT ledger, author, incarnation, max(end) FROM span "
        "JOIN bundle ON bundle.id = span.bundle "
        "WHERE peer = ? AND state IN ('queued', 'confirmed', 'sent') "
        "GROUP BY ledger, author, incarnation",
        peer,
    )
    return {
        (LedgerId(as_blob(ledger)), LogName(as_blob(author), as_blob(incarnation))): as_int(end)
        for ledger, author, incarnation, end in found
    }
