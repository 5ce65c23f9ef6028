"""Which held bundles may go on after something came: found without a look at all that is held.

Many that build on each other would cost the square of their number else. What each waits for stands
in ``node.db`` (`pannier.waits`), and is looked up by what it is about.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pannier.nodedb_file import NodeDbFile, as_id
from pannier.waits import Reach, Wait

_OF_WAIT = "SELECT DISTINCT kind, ledger, author, incarnation FROM waiting"
# Whether these are over does not follow from what comes.
_NEVER_MOVED = "kind NOT IN ('review', 'newer', 'day')"


class Subject(NamedTuple):
    """What something is about that came.

    Attributes:
        ledger_id: Of the ledger; empty for what waits for something of no certain one.
        author: Whose logs in it; of no certain ledger, as in `Wait`; None: anybody's.
    """

    ledger_id: bytes
    author: bytes | None = None


def find_by_subject(db: NodeDbFile) -> None:
    """Have what is waited for found by what it is about; homes made by older versions have it not.

    Raises:
        PannierError: *db* cannot be written.
    """
    db.run(
        "CREATE INDEX IF NOT EXISTS waiting_about "
        "ON waiting (ledger, author, kind, incarnation, number)"
    )


def ready(
    db: NodeDbFile, subjects: Iterable[Subject], reach: Callable[[Wait], Reach]
) -> frozenset[str]:
    """Return the ids of the bundles of which a wait about some subjects is over.

    Args:
        db: Where waits are noted.
        subjects: What something came of.
        reach: Says which of the waits that differ by their number alone are over. It is asked once
            for all of these, however many bundles they are of.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    queues = {queue for subject in subjects for queue in _queues(db, subject)}
    return frozenset(number for queue in queues for number in _within(db, queue, reach(queue)))


def waiting_for_ledger(db: NodeDbFile, ledger_id: bytes) -> frozenset[str]:
    """Return the ids of the bundles that wait for this node to be in a ledger.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    sql = "SELECT bundle FROM waiting WHERE ledger = ? AND author = x'' AND kind = 'ledger'"
    return frozenset(as_id(number) for (number,) in db.rows(sql, ledger_id))


def _queues(db: NodeDbFile, subject: Subject) -> Iterator[Wait]:
    """Yield the waits about *subject*, without their numbers."""
    if subject.author is None:
        found = db.rows(f"{_OF_WAIT} WHERE ledger = ? AND {_NEVER_MOVED}", subject.ledger_id)
    else:
        found = db.rows(f"{_OF_WAIT} WHERE ledger = ? AND author = ? AND {_NEVER_MOVED}", *subject)
    return (Wait.from_row(row) for row in found)


def _within(db: NodeDbFile, queue: Wait, reach: Reach) -> Iterator[str]:
    """Yield the ids of the bundles that wait in *queue* for a number within *reach*."""
    found = db.rows(
        "SELECT bundle FROM waiting WHERE kind = ? AND ledger = ? AND author = ? "
        "AND incarnation = ? AND (number <= ? OR number >= ?)",
        *(queue.kind, queue.ledger_id, queue.author, queue.incarnation, *reach),
    )
    return (as_id(number) for (number,) in found)
