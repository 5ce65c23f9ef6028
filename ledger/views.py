"""What a ledger says about things: computed from the set of its entries, in any order of arrival.

The *heads* of a thing are the entries that no other entry follows: in each log the last one about
it, unless an entry of another log names it. One head is the thing's state; several are a conflict,
which the next put resolves by following all of them. Several that are all deletions are none: they
say the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import merge
from itertools import groupby, islice

from ledger import cbor
from ledger.entry import Action, Entry, Follow, follows_from, leaf_bytes
from ledger.errors import BusyError, DamagedError
from ledger.file_payload import file_from_payload
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from ledger.members import members
from ledger.merkle import leaf_hash
from ledger.records import SqlValue, entry_from_row, read_back
from ledger.schema import NUMBER_BITS, TIME_INDEX
from ledger.shown import COUNTS
from ledger.storage_errors import damage_in
from ledger.store import Store, short_leaf
from ledger.store_queries import entry_id

_NUMBER_MASK = (1 << NUMBER_BITS) - 1
_PAGE = 16  # entries, with up to 1 MiB of payload each
_PLACES = 20_000  # of entries that are in memory at once, some 300 bytes each
_COLUMNS = (
    "log.author, log.incarnation, entry.id & 4294967295, thing.name, kind.name, action, time, "
    "follows, digest, payload"
)
_LATEST = (
    "FROM latest JOIN entry ON entry.id = (latest.log << 32 | latest.number) "
    "JOIN thing ON thing.id = latest.thing JOIN kind ON kind.id = entry.kind "
    "JOIN log ON log.id = latest.log"
)
_FROM = (
    "FROM entry JOIN thing ON thing.id = entry.thing JOIN kind ON kind.id = entry.kind "
    "JOIN log ON log.id = entry.id >> 32"
)
# Those that are the last word on a thing in their log.
_FILES = (
    "FROM file JOIN entry ON entry.id = file.entry JOIN thing ON thing.id = entry.thing "
    "JOIN latest ON latest.thing = entry.thing AND latest.log = file.entry >> 32 "
    "WHERE latest.number = file.entry & 4294967295"
)
_HAS_SEVERAL = (
    "EXISTS (SELECT 1 FROM latest AS other WHERE other.thing = latest.thing "
    "AND other.log != latest.log)"
)
_PLACE = "time, log.author, log.incarnation, entry.id"
_SHOWN = f"action <= 1 AND {COUNTS}"


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
        last = store.rows(
            f"SELECT {_COLUMNS} {_LATEST} WHERE thing.name = ?", store.rest.seal_name(thing)
        )
    else:
        last = store.rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE entry.id IN ("  # noqa: S608 -- our own words
            "SELECT max(entry.id) FROM entry JOIN thing ON thing.id = entry.thing "
            f"WHERE thing.name = ? AND {_SHOWN} AND time <= ? GROUP BY entry.id >> 32)",
            store.rest.seal_name(thing),
            until_us,
        )
    placed = [_placed(store, row) for row in last]
    if len(placed) > 1:
        followed = _followed(store, thing, until_us)
        # Who writes two logs can let each follow what the other says later: then nothing is over.
        placed = [one for one in placed if one.as_follow() not in followed] or placed
    return sorted(placed, key=lambda one: (one.entry.time_us, one.log, one.number), reverse=True)


def is_gone(heads: Sequence[Placed]) -> bool:
    """Return whether a thing with those *heads* was deleted: all of them say so."""
    return bool(heads) and all(one.deleted for one in heads)


def is_conflict(heads: Sequence[Placed]) -> bool:
    """Return whether *heads*, those of one thing, are several that do not all say it is no more."""
    return len(heads) > 1 and not is_gone(heads)


def history(store: Store, thing: str) -> Iterator[Placed]:
    """Yield every entry about *thing*: each log in its order, the logs interleaved by time.

    Each is read when it is asked for: payloads are a thousand times what they take in a bundle.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    rows = store.rows(
        f"SELECT entry.id, time {_FROM} WHERE thing.name = ? AND {_SHOWN} ORDER BY entry.id",
        store.rest.seal_name(thing),
    )
    logs = store.rows("SELECT id, author, incarnation FROM log")
    with read_back():
        names = {row: (cbor.as_bytes(one), cbor.as_bytes(other)) for row, one, other in logs}
        found = [(cbor.as_uint(number), cbor.as_int64(time)) for number, time in rows]
    by_log = (list(one) for _, one in groupby(found, key=lambda row: row[0] >> NUMBER_BITS))
    merged = merge(*by_log, key=lambda row: (row[1], names[row[0] >> NUMBER_BITS], row[0]))
    yield from _read(store, (number for number, _ in merged))


def count_at(store: Store, thing: str, time_us: int) -> int:
    """Return how many entries about *thing*, shown or not, have that time.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    found = store.rows(
        "SELECT count(*) FROM entry JOIN thing ON thing.id = entry.thing "
        "WHERE thing.name = ? AND time = ?",
        store.rest.seal_name(thing),
        time_us,
    )
    with read_back():
        return cbor.as_uint(found[0][0])


def last_before(store: Store, thing: str, log: LogName, end: int) -> Placed | None:
    """Return the last entry about *thing* among the first *end* of *log*, or None.

    Raises:
        DamagedError: the file cannot be read.
    """
    rows = store.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE thing.name = ? AND {_SHOWN} AND log.author = ? "
        "AND log.incarnation = ? AND entry.id & 4294967295 < ? ORDER BY entry.id DESC LIMIT 1",
        store.rest.seal_name(thing),
        *log,
        end,
    )
    return _placed(store, rows[0]) if rows else None


def missing(store: Store, thing: str) -> list[Follow]:
    """Return the entries that *thing*'s entries follow but that have not arrived.

    Those of a removed author that do not count need not.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    found = store.rows(
        "SELECT follow.author, follow.incarnation, follow.number, follow.leaf FROM follow "
        "JOIN thing ON thing.id = follow.thing LEFT JOIN log ON log.author = follow.author "
        "AND log.incarnation = follow.incarnation "
        "WHERE thing.name = ? AND follow.number >= coalesce(log.size, 0)",
        store.rest.seal_name(thing),
    )
    if not found:
        return []
    known, follows = members(store), map(_follow, found)
    return [
        one
        for one in follows
        if not known.is_void(LogName(one.author, one.incarnation), one.number)
    ]


def things(store: Store, prefix: str = "") -> Iterator[str]:
    """Yield the names of all things that were ever put, in order, that begin with *prefix*.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    if store.rest.hides_names:
        yield from _hidden_things(store, prefix)
        return
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
        names = [store.rest.open_name(row[0]) for row in found]
        yield from names
        if len(names) < page:
            return
        after, inclusive = names[-1], False


def _hidden_things(store: Store, prefix: str) -> list[str]:
    """Open every name, since sealed ones have no order: 3 us and some 100 bytes for each."""
    found = store.rows(
        "SELECT name FROM thing WHERE EXISTS (SELECT 1 FROM latest WHERE latest.thing = thing.id)"
    )
    names = (store.rest.open_name(row[0]) for row in found)
    return sorted(name for name in names if name.startswith(prefix))


def between(
    store: Store, since_us: int, until_us: int, *, limit: int = 1000, after: Placed | None = None
) -> Iterator[Placed]:
    """Yield the first *limit* entries with a time in since_us..until_us, ascending by time.

    Those of one time ascend by author, incarnation and number, on every node. Each is read when it
    is asked for: payloads are a thousand times what they take in a bundle.

    Args:
        store: The ledger.
        since_us: The least time.
        until_us: The greatest.
        limit: At most so many.
        after: Only what comes after this entry of the ledger.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    _index_times(store)
    low, behind = since_us, ""
    place: tuple[SqlValue, ...] = ()
    if after is not None:
        place = (after.entry.time_us, *after.log, entry_id(store.log(after.log), after.number))
    while limit > 0:
        if place:
            with read_back():
                low = max(since_us, cbor.as_int64(place[0]))
            behind = f"AND ({_PLACE}) > (?, ?, ?, ?) "
        rows = store.rows(
            f"SELECT {_PLACE} {_FROM} WHERE time >= ? AND time <= ? AND {_SHOWN} {behind}"
            f"ORDER BY {_PLACE} LIMIT ?",
            low,
            until_us,
            *place,
            min(limit, _PLACES),
        )
        with read_back():
            ids = [cbor.as_uint(row[3]) for row in rows]
        yield from _read(store, ids)
        limit = limit - len(rows) if len(rows) == _PLACES else 0
        place = rows[-1] if rows else ()


def entry_at(store: Store, log: LogName, number: int) -> Placed | None:
    """Return one entry, or None if it is not here.

    Raises:
        DamagedError: the file cannot be read.
    """
    with store.snapshot():  # another process may cut the log off
        state = store.log(log)
        if not 0 <= number < state.size:
            return None
        found = store.entries(state, number, number + 1)
    if not found:
        raise damage_in(store.path, f"entry {number} of a log is missing")
    return Placed(log=log, number=number, entry=found[0])


def _index_times(store: Store) -> None:
    """Make the index by time unless it is there; where that fails, all entries are looked at."""
    if not store.rows("SELECT 1 FROM sqlite_master WHERE name = 'entry_time'"):
        with suppress(BusyError, DamagedError), store.transaction():
            store.run(TIME_INDEX)


def conflicts(store: Store, prefix: str = "") -> list[str]:
    """Return the names of all things in conflict, in order, that begin with *prefix*.

    Raises:
        MalformedError: a name that is not valid Unicode, or a number beyond 64 bits.
        DamagedError: the file cannot be read.
    """
    found = store.rows(
        "SELECT thing.name FROM latest JOIN thing ON thing.id = latest.thing "
        "GROUP BY latest.thing HAVING count(*) > 1"
    )
    names = sorted(store.rest.open_name(row[0]) for row in found)
    return [name for name in names if name.startswith(prefix) and is_conflict(heads(store, name))]


def count_files(store: Store) -> int:
    """Return how many things are files now, those of which other heads are none among them.

    Raises:
        DamagedError: the file cannot be read.
    """
    alone = store.rows(f"SELECT count(*) {_FILES} AND NOT {_HAS_SEVERAL}")[0][0]
    several = store.rows(f"SELECT DISTINCT thing.name {_FILES} AND {_HAS_SEVERAL}")
    found = (heads(store, store.rest.open_name(name)) for (name,) in several)
    with read_back():
        return cbor.as_uint(alone) + sum(any(map(_is_file, one)) for one in found)


def _is_file(head: Placed) -> bool:
    entry = head.entry
    return entry.action == Action.PUT and file_from_payload(entry.payload) is not None


def _followed(store: Store, thing: str, until_us: int | None) -> set[Follow]:
    if until_us is None:
        found = store.rows(
            "SELECT author, incarnation, number, leaf FROM follow "
            "JOIN thing ON thing.id = follow.thing WHERE thing.name = ?",
            store.rest.seal_name(thing),
        )
        return {_follow(row) for row in found}
    entries = (one.entry for one in history(store, thing) if one.entry.time_us <= until_us)
    return {follow for entry in entries for follow in entry.follows}


def _follow(row: tuple[object, ...]) -> Follow:
    with read_back():
        return follows_from([list(row)])[0]


def _read(store: Store, ids: Iterable[int]) -> Iterator[Placed]:
    """Yield entries in that order, but for those that another process has taken away meanwhile."""
    waiting = iter(ids)
    while page := list(islice(waiting, _PAGE)):
        found = store.rows(
            f"SELECT entry.id, {_COLUMNS} {_FROM} WHERE entry.id IN ({', '.join('?' * len(page))})",
            *page,
        )
        rows = {number: row for number, *row in found}
        yield from (_placed(store, rows.pop(number)) for number in page if number in rows)


def _placed(store: Store, row: Iterable[SqlValue]) -> Placed:
    author, incarnation, number, *entry = row
    with read_back():
        return Placed(
            log=LogName(cbor.as_bytes(author), cbor.as_bytes(incarnation)),
            number=cbor.as_uint(number),
            entry=entry_from_row(entry, store.rest),
        )
