"""Whether the tables that follow from others say what those say; `ledger.verify` asks.

Which entries are files, and what of them is not here, is asked where their payloads are read
(`Files.is_noted`).
"""

from collections.abc import Iterator

from ledger import cbor
from ledger.records import SqlValue, follows_from_row, read_back
from ledger.shown import COUNTS
from ledger.store import Store

_THINGS = 512
_FIRST, _LAST = -(2**63), 2**63 - 1
_SHOWN = (
    "SELECT thing, id >> 32, max(id & 4294967295) FROM entry WHERE action <= 1 "  # noqa: S608
    f"AND {COUNTS} GROUP BY thing, id >> 32"
)
_FOLLOWS = (
    "SELECT thing, follows FROM entry WHERE thing > ? AND thing <= ? AND action <= 1 "  # noqa: S608
    f"AND follows NOT NULL AND {COUNTS}"
)
# What must hold between tables, and a query that finds something where it does not.
_AGREE = (
    (
        "it holds entries of no log, or beyond the end of one",
        "SELECT 1 FROM entry LEFT JOIN log ON log.id = entry.id >> 32 "
        "WHERE coalesce(log.size, 0) <= entry.id & 4294967295 LIMIT 1",
    ),
    (
        "what it shows as latest is not what its entries say",
        f"SELECT * FROM (SELECT * FROM latest EXCEPT {_SHOWN}) "  # noqa: S608 -- our own words
        f"UNION ALL SELECT * FROM ({_SHOWN} EXCEPT SELECT * FROM latest) LIMIT 1",
    ),
    (
        "it has files, or lacks contents, of entries that are not there",
        "SELECT entry FROM (SELECT entry FROM file UNION ALL SELECT entry FROM lack) "
        "WHERE entry NOT IN (SELECT id FROM entry) LIMIT 1",
    ),
)


def disagreements(store: Store) -> Iterator[str]:
    """Yield what is wrong between the tables of a ledger file.

    Raises:
        DamagedError: the file cannot be read.
    """
    yield from (what for what, sql in _AGREE if store.rows(sql))
    if not all(_follows_right(store, after, last) for after, last in _things(store)):
        yield "what it takes for followed is not what its entries say"


def _things(store: Store) -> Iterator[tuple[SqlValue, SqlValue]]:
    """Yield ranges of numbers, each after one and up to one, in which few things are; all are."""
    after: SqlValue = _FIRST
    while found := store.rows(
        "SELECT id FROM thing WHERE id > ? ORDER BY id LIMIT ?", after, _THINGS
    ):
        with read_back():
            last = cbor.as_int64(found[-1][0])
        yield after, last
        after = last
    yield after, _LAST


def _follows_right(store: Store, after: SqlValue, last: SqlValue) -> bool:
    with store.snapshot():
        rows = store.rows(_FOLLOWS, after, last)
        found = store.rows("SELECT * FROM follow WHERE thing > ? AND thing <= ?", after, last)
    right = {(thing, *follow) for thing, data in rows for follow in follows_from_row(data)}
    return right == set(found)
