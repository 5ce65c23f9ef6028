"""Ledgers that this node is in no more than halfway: something of them came, and is not tried yet.

What waits for such a ledger may hold all of it, grant included, each part in a bundle of its own.
So that is brought together (`pannier.arrivals`), once for each part that comes: in the import that
the part came in, or, if that one was cut short, in the next.
"""

from collections.abc import Iterable

from ledger.genesis import LedgerId
from pannier.nodedb_file import NodeDbFile, as_blob

_WANTED = "wanted "


def note_wanted(db: NodeDbFile, ledgers: Iterable[LedgerId]) -> None:
    """Note that what waits for some ledgers is to be brought together.

    Raises:
        PannierError: *db* cannot be written.
    """
    with db.transaction():
        for one in ledgers:
            db.set_meta(f"{_WANTED}{one.hex()}", one)


def wanted_ledgers(db: NodeDbFile) -> frozenset[LedgerId]:
    """Return the ledgers of which that was noted.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    found = db.rows("SELECT value FROM meta WHERE substr(key, 1, ?) = ?", len(_WANTED), _WANTED)
    return frozenset(LedgerId(as_blob(value)) for (value,) in found)


def forget_wanted(db: NodeDbFile, ledgers: Iterable[LedgerId]) -> None:
    """Forget that something is to be done about some ledgers.

    Raises:
        PannierError: *db* cannot be written.
    """
    with db.transaction():
        for one in ledgers:
            # Whatever its key is: a damaged one would be in the way for ever.
            db.run(
                "DELETE FROM meta WHERE value = ? AND substr(key, 1, ?) = ?",
                *(one, len(_WANTED), _WANTED),
            )
