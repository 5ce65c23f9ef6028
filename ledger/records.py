"""Rows of a ledger file as values (docs/format.md section 9.2). No I/O.

Whatever a row holds, what comes out of here is of the right type, or `DamagedError`: a flipped bit
in the file must not look like a mistake of the program, nor like one of a peer.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ledger import cbor
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
from ledger.seeds import MAX_COVER_SEEDS, check_cover

# The most that `check_cover` takes, at up to 25 bytes a seed; `ledger.merge` keeps to as many.
_MAX_COVER_BYTES = 32 * MAX_COVER_SEEDS
_MAX_FOLLOWS_BYTES = 1 << 16
_MAX_DROPPED_BYTES = MAX_PAYLOAD_BYTES + _MAX_FOLLOWS_BYTES

SqlValue = int | str | bytes | None


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


def entry_from_row(row: Sequence[SqlValue]) -> Entry:
    """Return the entry of a row (thing, kind, action, time, follows, digest, payload).

    Raises:
        DamagedError: a value is not of the type that was written.
    """
    thing, kind, action, time_us, follows, digest, payload = row
    if not (
        isinstance(thing, str)
        and isinstance(kind, str)
        and isinstance(action, int)
        and isinstance(time_us, int)
        and isinstance(digest, bytes)
        and isinstance(payload, bytes | None)
    ):
        raise DamagedError("the ledger file is damaged: an entry of other types than were written")
    return Entry(thing, kind, action, time_us, follows_from_row(follows), digest, payload)


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
    """Return the checkpoint of a row (size, root, signature).

    Raises:
        DamagedError: it is not one.
    """
    with read_back():
        return Checkpoint.from_cbor(list(row))


def log_from_row(row: Sequence[SqlValue]) -> LogState:
    """Return the log of a row.

    Args:
        row: (id, author, incarnation, frontier, cover, status, close_size, close_root, fork_index).

    Raises:
        DamagedError: it is not one.
    """
    number, author, incarnation, frontier, cover, status, size, root, fork_index = row
    with read_back():
        close = Close(size=cbor.as_uint(size), root=cbor.as_bytes(root, 32)) if root else None
        return LogState(
            row=cbor.as_uint(number),
            name=LogName(cbor.as_bytes(author, 32), cbor.as_bytes(incarnation, 8)),
            frontier=Frontier.from_bytes(cbor.as_bytes(frontier)),
            cover=check_cover(cbor.decode(cbor.as_bytes(cover), limit_bytes=_MAX_COVER_BYTES)),
            status=LogStatus(cbor.as_uint(status)),
            close=close,
            fork_index=None if fork_index is None else cbor.as_uint(fork_index),
        )


def dropped_to_row(number: int, entry: Entry) -> bytes:
    """Return what is kept of an entry that fell off its log; `dropped_from_row` is the inverse."""
    return cbor.encode([number, leaf_bytes(entry), entry.payload])


def dropped_from_row(value: SqlValue) -> tuple[int, Entry]:
    """Return the number and the entry of which *value* is the `dropped_to_row`.

    Raises:
        DamagedError: it is not one.
    """
    with read_back():
        data = cbor.decode(cbor.as_bytes(value), limit_bytes=_MAX_DROPPED_BYTES)
        number, leaf, payload = cbor.as_list(data, 3)
        kept = None if payload is None else cbor.as_bytes(payload)
        return cbor.as_uint(number), entry_from_bytes(cbor.as_bytes(leaf), kept)
