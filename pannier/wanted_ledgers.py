"""Ledgers that this node is in no more than halfway: something of them came, and is not tried yet.

What waits for such a ledger may hold all of it, grant included, each part in a bundle of its own.
So that is brought together (`pannier.arrivals`), once for each part that comes: in the import that
the part came in, or, if that one was cut short, in the next. That it is still to be done stands
where it is noted that the part waits, as the number of that `Wait`.
"""

from collections.abc import Iterable, Sequence

from ledger.genesis import LedgerId
from pannier.nodedb_file import NodeDbFile, as_blob
from pannier.waits import Wait

_TRIED, _WANTED = 0, 1


def as_wanted(waits: Iterable[Wait], before: Iterable[Wait]) -> Sequence[Wait]:
    """Return what a bundle waits for from now on, as it is noted; of ledgers what is new is wanted.

    Args:
        waits: What it waits for.
        before: What was noted of it until now.
    """
    known = {one.ledger_id: one.number for one in before if one.kind == "ledger"}
    return [
        one._replace(number=known.get(one.ledger_id, _WANTED)) if one.kind == "ledger" else one
        for one in waits
    ]


def wanted_ledgers(db: NodeDbFile) -> frozenset[LedgerId]:
    """Return the ledgers of which parts came that were not tried.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    sql = "SELECT DISTINCT ledger FROM waiting WHERE kind = 'ledger' AND number = ?"
    return frozenset(LedgerId(as_blob(ledger)) for (ledger,) in db.rows(sql, _WANTED))


def forget_wanted(db: NodeDbFile, ledgers: Iterable[LedgerId]) -> None:
    """Note that all parts of some ledgers were tried.

    Raises:
        PannierError: *db* cannot be written.
    """
    sql = (
        "UPDATE OR REPLACE waiting SET number = ? "
        "WHERE ledger = ? AND author = x'' AND kind = 'ledger'"
    )
    with db.transaction():
        db.run_many(sql, ((_TRIED, one) for one in ledgers))
