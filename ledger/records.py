"""Rows of a ledger file as values (docs/format.md section 9.2). No I/O.

Whatever a row holds, what comes out of here is of the right type, or `DamagedError`: a flipped bit
in the file must not look like a mistake of the program, nor like one of a peer.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import NoneType
from typing import Protocol

from ledger import cbor
from ledger.entries import Entries
from ledger.entry import (
    MAX_PAYLOAD_BYTES,
    Entry,
    Follow,
    entry_from_bytes,
    follows_from,
    leaf_bytes,
)
from ledger.errors import DamagedError, LedgerError
from ledger.log import Close, LogName, LogState, LogStatus
from ledger.merkle import Frontier
from ledger.note import Checkpoint
from ledger.rest import Rest
from ledger.seeds import MAX_COVER_SEEDS, Cover, check_cover, cover_to_cbor

# The most that `check_cover` takes, at up to 25 bytes a seed.
MAX_COVER_BYTES = 32 * MAX_COVER_SEEDS
_MAX_FOLLOWS_BYTES = 1 << 16
_MAX_DROPPED_BYTES = MAX_PAYLOAD_BYTES + _MAX_FOLLOWS_BYTES
# What is sealed, and then of which log.
COVER = b"cover\0"
DROPPED = b"dropped entry\0"

SqlValue = int | str | bytes | None
Row = tuple[SqlValue, ...]


class Query(Protocol):
    """Asks a ledger file something (`StoreFile.rows`)."""

    def __call__(self, sql: str, *values: SqlValue) -> list[Row]:
        """Return all rows.

        Raises:
            DamagedError: the file cannot be read.
        """


@contextmanager
def read_back() -> Iterator[None]:
    """Around the decoding of what we wrote ourselves: whatever is wrong there is damage.

    Raises:
        DamagedError: instead of any other error of this room.
    """
    try:
        yield
    except DamagedError:
        raise
    except (LedgerError, ValueError, KeyError) as error:
        raise DamagedError(f"the ledger file is damaged: {error}") from error


def entry_from_row(row: Sequence[SqlValue], rest: Rest) -> Entry:
    """Return the entry of a row (thing, kind, action, time, follows, digest, payload).

    Raises:
        AlteredError: the payload, or a hidden name, does not open.
        DamagedError: a value is not of the type that was written.
    """
    thing, kind, action, time_us, follows, digest, payload = row
    if not (
        isinstance(action, int)
        and isinstance(time_us, int)
        and isinstance(digest, bytes)
        and isinstance(payload, bytes | None)
    ):
        raise DamagedError("the ledger file is damaged: an entry of other types than were written")
    return Entry(
        rest.open_name(thing),
        rest.open_name(kind),
        action,
        time_us,
        follows_from_row(follows) if follows is not None else (),
        digest,
        None if payload is None else rest.open_payload(digest, payload),
    )


def entries_from_rows(
    rows: Sequence[Row], things: Mapping[SqlValue, str], kinds: Mapping[SqlValue, str], rest: Rest
) -> Entries:
    """Return the entries of many rows (thing, kind, action, time, follows, digest, payload).

    Args:
        rows: The thing and the kind of each as numbers.
        things: Names by number; a row with another is passed over.
        kinds: Names by number; a row with another is passed over.
        rest: What the payloads open under.

    Raises:
        AlteredError: a payload does not open.
        DamagedError: a value is not of the type that was written.
    """
    if not all(row[0] in things and row[1] in kinds for row in rows):
        rows = [row for row in rows if row[0] in things and row[1] in kinds]
    if not rows:
        return Entries.of([])
    thing, kind, action, time_us, follows, digest, payload = zip(*rows, strict=True)
    followed: Sequence[tuple[Follow, ...]] = [()] * len(rows)
    if follows.count(None) != len(follows):
        followed = list(map(follows_from_row, follows))
    _check_types((*action, *time_us), {int})
    _check_types(digest, {bytes})
    _check_types(payload, {bytes, NoneType})
    opened = rest.open_payloads(digest, payload)
    thing_names = list(map(things.__getitem__, thing))
    kind_names = list(map(kinds.__getitem__, kind))
    return Entries(thing_names, kind_names, action, time_us, followed, digest, opened)


def _check_types(column: Sequence[SqlValue], types: set[type]) -> None:
    if not types.issuperset(map(type, column)):
        raise DamagedError("the ledger file is damaged: an entry of other types than were written")


def follows_from_row(value: SqlValue) -> tuple[Follow, ...]:
    """Return the `follows` of an entry from its column.

    Raises:
        DamagedError: it is not one.
    """
    if value is None:
        return ()
    with read_back():
        return follows_from(cbor.decode(cbor.as_bytes(value), limit_bytes=_MAX_FOLLOWS_BYTES))


def checkpoint_from_row(row: Sequence[SqlValue]) -> Checkpoint:
    """Return the checkpoint of a row (size, root, signature, ML-DSA-44 signature or null).

    Raises:
        DamagedError: it is not one.
    """
    with read_back():
        return Checkpoint.from_cbor([value for value in row if value is not None])


def log_from_row(row: Sequence[SqlValue], rest: Rest) -> LogState:
    """Return the log of a row.

    Args:
        rest: What the cover opens under.
        row: (id, author, incarnation, frontier, cover, status, close_size, close_root, fork_index,
            counts).

    Raises:
        DamagedError: it is not one.
    """
    number, author, incarnation, frontier, cover, status, size, root, fork_index, counts = row
    with read_back():
        name = LogName(cbor.as_bytes(author, 32), cbor.as_bytes(incarnation, 8))
        close = Close(size=cbor.as_uint(size), root=cbor.as_bytes(root, 32)) if root else None
        return LogState(
            row=cbor.as_uint(number),
            name=name,
            frontier=Frontier.from_bytes(cbor.as_bytes(frontier)),
            cover=_cover_from_row(name, cbor.as_bytes(cover), rest),
            status=LogStatus(cbor.as_uint(status)),
            close=close,
            fork_index=None if fork_index is None else cbor.as_uint(fork_index),
            counts=None if counts is None else cbor.as_uint(counts),
        )


def cover_to_row(name: LogName, cover: Cover, rest: Rest) -> bytes:
    """Return the column of the seeds that the log *name* has; `log_from_row` is the inverse."""
    return rest.seal(COVER + b"".join(name), cbor.encode(cover_to_cbor(cover)))


def _cover_from_row(name: LogName, value: bytes, rest: Rest) -> Cover:
    data = rest.open(COVER + b"".join(name), value)
    return check_cover(cbor.decode(data, limit_bytes=MAX_COVER_BYTES))


def dropped_to_row(name: LogName, number: int, entry: Entry, rest: Rest) -> bytes:
    """Return what is kept of an entry that fell off its log; `dropped_from_row` is the inverse."""
    data = cbor.encode([number, leaf_bytes(entry), entry.payload])
    return rest.seal(DROPPED + b"".join(name), data)


def dropped_from_row(name: LogName, value: SqlValue, rest: Rest) -> tuple[int, Entry]:
    """Return the number and the entry of which *value* is the `dropped_to_row`.

    Raises:
        DamagedError: it is not one.
    """
    with read_back():
        opened = rest.open(DROPPED + b"".join(name), cbor.as_bytes(value))
        data = cbor.decode(opened, limit_bytes=_MAX_DROPPED_BYTES)
        number, leaf, payload = cbor.as_list(data, 3)
        kept = None if payload is None else cbor.as_bytes(payload)
        return cbor.as_uint(number), entry_from_bytes(cbor.as_bytes(leaf), kept)
