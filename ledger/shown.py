"""The tables ``latest`` and ``follow`` of a ledger file: what views would else have to look for.

Both follow from the entries that count, and are made anew from them where those become fewer or
more. Part of the store: everything here runs inside its transaction.
"""

import sqlite3
from collections.abc import Sequence
from itertools import compress, count

from ledger.entries import Entries
from ledger.entry import Action
from ledger.records import SqlValue, follows_from_row
from ledger.schema import NUMBER_BITS

_MASK = (1 << NUMBER_BITS) - 1
_LAST = int(Action.DELETE)

COUNTS = (
    f"entry.id & {_MASK} < coalesce((SELECT counts FROM log WHERE log.id = entry.id >> 32), "  # noqa: S608
    f"{1 << NUMBER_BITS})"
)
"""What an SQL query asks of an entry that is to count."""


def show(
    db: sqlite3.Connection, row: int, first: int, things: Sequence[int], entries: Entries
) -> None:
    """Add new entries of one log, all of which count.

    Args:
        db: The file.
        row: Number of the log.
        first: Number of the first entry.
        things: Number of the thing of each entry.
        entries: What is new.
    """
    shown = [action <= _LAST for action in entries.actions]
    latest = dict(zip(compress(things, shown), compress(count(first), shown), strict=True))
    db.executemany(
        "INSERT OR REPLACE INTO latest VALUES (?, ?, ?)",
        [(thing, row, number) for thing, number in latest.items()],
    )
    follows = zip(compress(things, shown), compress(entries.follows, shown), strict=True)
    following = [(thing, *follow) for thing, several in follows for follow in several]
    db.executemany("INSERT OR IGNORE INTO follow VALUES (?, ?, ?, ?, ?)", following)


def show_anew(db: sqlite3.Connection, thing: SqlValue) -> None:
    """Make everything about one thing anew."""
    db.execute("DELETE FROM latest WHERE thing = ?", (thing,))
    db.execute(
        f"INSERT INTO latest SELECT thing, id >> {NUMBER_BITS}, max(id & {_MASK}) FROM entry "  # noqa: S608
        f"WHERE thing = ? AND action <= {_LAST} AND {COUNTS} GROUP BY id >> {NUMBER_BITS}",
        (thing,),
    )
    _follow_anew(db, thing)


def show_range_anew(db: sqlite3.Connection, row: int, first: int, end: int) -> None:
    """Make everything anew about what the entries *first* up to *end* of one log are about.

    In few statements, however many entries these are: somebody may be removed who wrote millions.
    """
    start = row << NUMBER_BITS
    touched = (start + first, start + end)
    db.execute(
        "DELETE FROM latest WHERE log = ? "
        "AND thing IN (SELECT thing FROM entry WHERE id >= ? AND id < ?)",
        (row, *touched),
    )
    db.execute(
        f"INSERT INTO latest SELECT thing, ?, max(id & {_MASK}) FROM entry "  # noqa: S608
        f"WHERE id >= ? AND id < ? AND action <= {_LAST} AND {COUNTS} "
        "AND thing IN (SELECT thing FROM entry WHERE id >= ? AND id < ?) GROUP BY thing",
        (row, start, start + (1 << NUMBER_BITS), *touched),
    )
    following = db.execute(
        "SELECT DISTINCT thing FROM entry WHERE id >= ? AND id < ? AND follows NOT NULL", touched
    )
    for (thing,) in following.fetchall():
        _follow_anew(db, thing)


def _follow_anew(db: sqlite3.Connection, thing: SqlValue) -> None:
    db.execute("DELETE FROM follow WHERE thing = ?", (thing,))
    found = db.execute(
        "SELECT follows FROM entry "  # noqa: S608 -- our own words
        f"WHERE thing = ? AND action <= {_LAST} AND follows NOT NULL AND {COUNTS}",
        (thing,),
    )
    db.executemany(
        "INSERT OR IGNORE INTO follow VALUES (?, ?, ?, ?, ?)",
        [(thing, *follow) for (data,) in found.fetchall() for follow in follows_from_row(data)],
    )
