"""What a ledger says about things: computed from the set of its entries, in any order of arrival.

The *heads* of a thing are the entries that no other entry follows: in each log the last one about
it, unless an entry of another log names it. One head is the thing's state; several are a conflict,
which the next put resolves by following all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from ledger import cbor
from ledger.entry import Action, Entry, Follow, follows_from, leaf_bytes
from ledger.log import LogName
from ledger.merkle import leaf_hash
from ledger.records import SqlValue, entry_from_row, read_back
from ledger.schema import NUMBER_BITS
from ledger.store import Store, short_leaf

_NUMBER_MASK = (1 << NUMBER_BITS) - 1
_COLUMNS = (
    "log.author, log.incarnation, entry.id & 4294967295, thing.name, kind.name, action, time, "
    "follows, digest, payload"
)
_LATEST = (
    "FROM latest JOIN entry ON entry.id = (latest.log << 32 | latest.number) "
    "JOIN thing ON thing.id = entry.thing JOIN kind ON kind.id = entry.kind "
    "JOIN log ON log.id = latest.log"
)
_FROM = (
    "FROM entry JOIN thing ON thing.id = entry.thing JOIN kind ON kind.id = entry.kind "
    "JOIN log ON log.id = entry.id >> 32"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An entry and where it stands.

    Attributes:
        log: Which log.
        number: Which entry of it.
        entry: The entry.
    """

    log: LogName
    number: int
    entry: Entry

    @property
    def deleted(self) -> bool:
        """Whether the entry says that the thing is no more."""
        return self.entry.action == Action.DELETE

    def as_follow(self) -> Follow:
        """Return how a later entry names this one."""
        return Follow(*self.log, self.number, short_leaf(leaf_hash(leaf_bytes(self.entry))))


def heads(store: Store, thing: str, *, until_us: int | None = None) -> list[Placed]:
    """Return the heads of *thing*, the same order on every node that holds the same entries.

    The first is the winner that programs may show where they can show only one: the greatest
    (time, author, incarnation, number).

    Args:
        store: The ledger.
        thing: Its name.
        until_us: Look only at entries with a time up to this.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    if until_us is None:
        last = store.rows(f"SELECT {_COLUMNS} {_LATEST} WHERE thing.name = ?", thing)
    else:
        last = store.rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE entry.id IN ("  # noqa: S608 -- our own words
            "SELECT max(entry.id) FROM entry JOIN thing ON thing.id = entry.thing "
            "WHERE thing.name = ? AND action <= 1 AND time <= ? GROUP BY entry.id >> 32)",
            thing,
            until_us,
        )
    placed = [_placed(row) for row in last]
    if len(placed) > 1:
        followed = _followed(store, thing, until_us)
        placed = [one for one in placed if one.as_follow() not in followed]
    return sorted(placed, key=lambda one: (one.entry.time_us, one.log, one.number), reverse=True)


def history(store: Store, thing: str) -> Iterator[Placed]:
    """Yield every entry about *thing*: each log in its order, the logs interleaved by time.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    rows = store.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE thing.name = ? AND action <= 1 ORDER BY entry.id", thing
    )
    by_log: dict[LogName, list[Placed]] = {}
    for one in map(_placed, rows):
        by_log.setdefault(one.log, []).append(one)
    return merge(*by_log.values(), key=lambda one: (one.entry.time_us, one.log, one.number))


def last_before(store: Store, thing: str, log: LogName, end: int) -> Placed | None:
    """Return the last entry about *thing* among the first *end* of *log*, or None.

    Raises:
        DamagedError: the file cannot be read.
    """
    rows = store.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE thing.name = ? AND action <= 1 AND log.author = ? "
        "AND log.incarnation = ? AND entry.id & 4294967295 < ? ORDER BY entry.id DESC LIMIT 1",
        thing,
        *log,
        end,
    )
    return _placed(rows[0]) if rows else None


def missing(store: Store, thing: str) -> list[Follow]:
    """Return the entries that *thing*'s entries follow but that have not arrived.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    found = store.rows(
        "SELECT follow.author, follow.incarnation, follow.number, follow.leaf FROM follow "
        "JOIN thing ON thing.id = follow.thing LEFT JOIN log ON log.author = follow.author "
        "AND log.incarnation = follow.incarnation "
        "WHERE thing.name = ? AND follow.number >= coalesce(log.size, 0)",
        thing,
    )
    return [_follow(row) for row in found]


def things(store: Store, prefix: str = "") -> Iterator[str]:
    """Yield the names of all things that were ever put, in order, that begin with *prefix*.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    after, page = prefix, 1000
    inclusive = True
    while True:
        found = store.rows(
            f"SELECT name FROM thing WHERE name {'>=' if inclusive else '>'} ? "  # noqa: S608
            "AND substr(name, 1, ?) = ? "
            "AND EXISTS (SELECT 1 FROM latest WHERE latest.thing = thing.id) ORDER BY name LIMIT ?",
            after,
            len(prefix),
            prefix,
            page,
        )
        names = [cbor.as_text(row[0]) for row in found]
        yield from names
        if len(names) < page:
            return
        after, inclusive = names[-1], False


def between(store: Store, since_us: int, until_us: int, *, limit: int = 1000) -> list[Placed]:
    """Return the first *limit* entries with a time in since_us..until_us, ascending by time.

    Those of one time ascend by author, incarnation and number, on every node.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    rows = store.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE time >= ? AND time <= ? AND action <= 1 "
        "ORDER BY time, log.author, log.incarnation, entry.id LIMIT ?",
        since_us,
        until_us,
        limit,
    )
    return [_placed(row) for row in rows]


def conflicts(store: Store) -> list[str]:
    """Return the names of all things that have several heads.

    Raises:
        DamagedError: the file cannot be read.
    """
    found = store.rows(
        "SELECT thing.name FROM latest JOIN thing ON thing.id = latest.thing "
        "GROUP BY latest.thing HAVING count(*) > 1 ORDER BY thing.name"
    )
    names = [cbor.as_text(row[0]) for row in found]
    return [name for name in names if len(heads(store, name)) > 1]


def _followed(store: Store, thing: str, until_us: int | None) -> set[Follow]:
    if until_us is None:
        found = store.rows(
            "SELECT author, incarnation, number, leaf FROM follow "
            "JOIN thing ON thing.id = follow.thing WHERE thing.name = ?",
            thing,
        )
        return {_follow(row) for row in found}
    entries = (one.entry for one in history(store, thing) if one.entry.time_us <= until_us)
    return {follow for entry in entries for follow in entry.follows}


def _follow(row: tuple[object, ...]) -> Follow:
    with read_back():
        return follows_from([list(row)])[0]


def _placed(row: tuple[SqlValue, ...]) -> Placed:
    author, incarnation, number, *entry = row
    with read_back():
        return Placed(
            log=LogName(cbor.as_bytes(author), cbor.as_bytes(incarnation)),
            number=cbor.as_uint(number),
            entry=entry_from_row(entry),
        )
