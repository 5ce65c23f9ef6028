"""Writing to one's own log: a put, a delete, a grant, one or many at once (docs/format.md 3).

Each batch gets one signature, whatever its size.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import partial, reduce
from itertools import accumulate, repeat
from operator import add, iconcat
from typing import NamedTuple, Self

from ledger.close import close_payload
from ledger.entries import Entries, payload_digests
from ledger.entry import (
    INCARNATIONS_THING,
    MAX_FOLLOWS,
    NULL_PAYLOAD,
    Action,
    Follow,
    sort_follows,
)
from ledger.errors import MalformedError, RefusedError, StaleError
from ledger.keys import Entropy
from ledger.lazy_dataclass import dataclass
from ledger.log import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    LogName,
    LogState,
    LogStatus,
    log_origin,
)
from ledger.members import may_write, members
from ledger.merkle import extend, leaf_hashes
from ledger.note import Checkpoint, sign_checkpoint
from ledger.seeds import root_cover, salts
from ledger.settle import settle_batch
from ledger.signing import Signer
from ledger.store import Batch, Store
from ledger.views import heads

_PUT = Action.PUT.value
_OWN_LOG = "own incarnation"
_ATTEMPTS = 100
# About what a leaf counts in a batch: the closer, the fewer drafts are looked at twice.
_LEAF_BYTES = 64
# Drafts that become columns together: many share what that costs, and few are alive at a time.
MAX_TOGETHER = 1024
MAX_TOGETHER_BYTES = 1 << 20


class Draft(NamedTuple):
    """What an author wants to say, before it has a place in a log.

    A named tuple and not a dataclass: a bulk put makes hundreds of thousands of them.

    Attributes:
        thing: What it is about.
        payload: One CBOR item, encoded (`ledger.data.payload_from_value`).
        time_us: Microseconds since 1970 UTC.
        kind: The author's word for what sort of entry it is.
        action: See `Action`.
        follows: Entries that it supersedes, in order, of which those of its own log need not be
            said; None: all heads of the thing.
    """

    thing: str
    payload: bytes
    time_us: int
    kind: str = ""
    action: int = _PUT
    follows: tuple[Follow, ...] | None = None


class Drafts(NamedTuple):
    """Drafts a column at a time; each attribute is one of `Draft`, for all."""

    things: Sequence[str]
    payloads: Sequence[bytes]
    times_us: Sequence[int]
    kinds: Sequence[str]
    actions: Sequence[int]
    follows: Sequence[tuple[Follow, ...] | None]

    @classmethod
    def puts(
        cls, things: Sequence[str], payloads: Sequence[bytes], times_us: Sequence[int], kind: str
    ) -> Self:
        """Return the drafts of as many puts, all of one kind."""
        size = len(things)
        return cls(things, payloads, times_us, [kind] * size, [_PUT] * size, [None] * size)

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.things)

    @property
    def size_bytes(self) -> int:
        """About what they count between two checkpoints."""
        return sum(map(len, self.payloads)) + _LEAF_BYTES * self.size

    def between(self, first: int, end: int) -> "Drafts":
        """Return those from *first* up to *end*."""
        if (first, end) == (0, self.size):
            return self
        return Drafts._make([column[first:end] for column in self])


def deletion(thing: str, time_us: int) -> Draft:
    """Return the draft that says that *thing* is no more."""
    return Draft(thing=thing, payload=NULL_PAYLOAD, time_us=time_us, action=Action.DELETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Somebody who writes: the signing keys, and entropy for new incarnations."""

    signer: Signer
    entropy: Entropy

    @property
    def public(self) -> bytes:
        """The author's name in logs, 32 bytes."""
        return self.signer.verifier.author

    def sign_checkpoint(self, log_origin: str, size: int, root: bytes) -> Checkpoint:
        """Return the signed head of one of the author's logs (`ledger.note.sign_checkpoint`)."""
        return sign_checkpoint(self.signer, log_origin, size, root)


def append(store: Store, author: Author, drafts: Iterable[Draft]) -> Iterator[LogState]:
    """Append *drafts* to the author's own log, a durable batch at a time.

    Yields:
        The log's state after each batch: what it holds then survives a power cut.

    Raises:
        RefusedError: the author may not write to this ledger; nothing is written.
        MalformedError: a draft is out of bounds; the batches before it stay written.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    return append_columns(store, author, in_columns(drafts))


def in_columns(drafts: Iterable[Draft]) -> Iterator[Drafts]:
    """Yield *drafts* as columns, at most some MiB of them together."""
    together: list[Draft] = []
    together_bytes = 0
    for draft in drafts:
        together.append(draft)
        together_bytes += len(draft.payload)
        if len(together) == MAX_TOGETHER or together_bytes >= MAX_TOGETHER_BYTES:
            yield Drafts(*zip(*together, strict=True))
            together, together_bytes = [], 0
    if together:
        yield Drafts(*zip(*together, strict=True))


def append_columns(store: Store, author: Author, drafts: Iterable[Drafts]) -> Iterator[LogState]:
    """Do what `append` does with *drafts* that are columns already; how they are cut is the same.

    Yields:
        As `append`.

    Raises:
        RefusedError, MalformedError, BusyError, DamagedError: as `append`.
    """
    waiting: list[Drafts] = []
    count = size_bytes = 0
    for some in drafts:
        if len(set(map(len, some))) != 1:
            raise MalformedError("columns of different lengths")
        waiting.append(some)
        count += some.size
        size_bytes += some.size_bytes
        while count >= MAX_BATCH_ENTRIES or size_bytes >= MAX_BATCH_BYTES:
            state, left = _append_batch(store, author, _joined(waiting))
            yield state
            waiting, count, size_bytes = [left], left.size, left.size_bytes
    left = _joined(waiting)
    while left.size:
        state, left = _append_batch(store, author, left)
        yield state


def _joined(several: Sequence[Drafts]) -> Drafts:
    if len(several) == 1:
        return several[0]
    columns = zip(*several, strict=True) if several else repeat((), len(Drafts._fields))
    return Drafts._make([reduce(iconcat, column, []) for column in columns])


def own_log(store: Store, author: Author) -> LogState:
    """Return the log that the author's next entry goes to; an empty one may be new.

    Nobody takes entries beyond a fork, a close or a removal, so after one it is a new log.

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    found = _open_log(store, author)
    if found is not None:
        return found
    with store.transaction():
        found = _open_log(store, author)
        if found is not None:
            return found
        open_incarnation(store, author)
    return own_log(store, author)


def is_written(store: Store, log: LogName) -> bool:
    """Return whether *log*, of the author whose file it is, is the one that is written in."""
    return store.meta(_OWN_LOG) == log.incarnation


def _open_log(store: Store, author: Author) -> LogState | None:
    incarnation = store.meta(_OWN_LOG)
    if incarnation is None:
        return None
    state = store.log(LogName(author.public, incarnation))
    return state if state.status is LogStatus.OPEN and state.counts is None else None


def open_incarnation(store: Store, author: Author) -> None:
    """Write in a new log from now on; the old one stays open to what others may hold of it.

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    with store.transaction():
        store.set_meta(_OWN_LOG, author.entropy(8))


def close_log(store: Store, author: Author, closing: LogState, *, time_us: int) -> LogState:
    """End one of the author's logs where it is and go on in a new one, in one transaction.

    Args:
        store: The ledger.
        author: Whose log it is.
        closing: The log as it is; not empty.
        time_us: The time of the close.

    Returns:
        The new log, one entry long.

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    root = closing.frontier.root()
    origin = log_origin(store.ledger_id, closing.name)
    last = author.sign_checkpoint(origin, closing.size, root)
    draft = Draft(
        thing=INCARNATIONS_THING,
        payload=close_payload(closing.name, last),
        time_us=time_us,
        action=Action.CLOSE,
    )
    with store.transaction():
        open_incarnation(store, author)
        state, _ = _append_batch(store, author, _joined(list(in_columns([draft]))))
    return state


def _append_batch(store: Store, author: Author, drafts: Drafts) -> tuple[LogState, Drafts]:
    """Append as many of *drafts* as fit between two checkpoints; return also what is left."""
    first = drafts.between(0, _batch_size(drafts))
    if not may_write(members(store), author.public) and not _may_undo(first):
        raise _refusal(store)
    for _ in range(_ATTEMPTS):
        batch = _make_batch(store, author, own_log(store, author), first)
        try:
            state = store.commit(batch, after=partial(_settle, store, batch))
            return state, drafts.between(batch.entries.count, drafts.size)
        except StaleError:
            continue
    raise StaleError(f"another process kept writing to {store.path.name}; try again")


def _settle(store: Store, batch: Batch, written: LogState) -> None:
    """Refuse what would be void as soon as it is written."""
    settle_batch(store, batch)
    if store.log(written.name).counts is not None:
        raise _refusal(store)


def _batch_size(drafts: Drafts) -> int:
    """Return how many of *drafts* are looked at for one batch, which may be a few too many."""
    sizes = accumulate(map(add, map(len, drafts.payloads), repeat(_LEAF_BYTES)))
    return min(MAX_BATCH_ENTRIES, bisect_left(list(sizes), MAX_BATCH_BYTES) + 1)


def _may_undo(drafts: Drafts) -> bool:
    """Whether *drafts* may be what a removed admin has to say about its removal."""
    return Action.REVOKE in drafts.actions


def _refusal(store: Store) -> RefusedError:
    return RefusedError(
        f"you may read the ledger {store.genesis.name} but not write to it: "
        "ask one of its admins for `ledger share`"
    )


def _make_batch(store: Store, author: Author, state: LogState, drafts: Drafts) -> Batch:
    cover = state.cover or root_cover(author.entropy(16))
    salted = salts(cover, state.size, drafts.size)
    made = _entries(drafts, state.name, _follows(store, state, drafts), salted)
    entries, leaves = _fitting(made, drafts.payloads)
    extension = extend(state.frontier, leaf_hashes(leaves))
    frontier = extension.frontier
    origin = log_origin(store.ledger_id, state.name)
    return Batch(
        state=state,
        entries=entries,
        extension=extension,
        checkpoint=author.sign_checkpoint(origin, frontier.size, frontier.root()),
        cover=cover,
    )


def _entries(
    drafts: Drafts, log: LogName, follows: dict[str, tuple[Follow, ...]], salts: Iterable[bytes]
) -> Entries:
    """Return the entries of *log* that *drafts* become; each is within bounds."""
    things, payloads, times_us, kinds, actions, said = drafts
    followed: Sequence[tuple[Follow, ...]] = [()] * drafts.size
    if follows or said.count(None) != len(said):
        columns = zip(things, actions, said, strict=True)
        followed = [_followed(*one, log, follows) for one in columns]
    digests = payload_digests(salts, payloads)
    entries = Entries(things, kinds, actions, times_us, followed, digests, payloads)
    entries.check()
    return entries


def _followed(
    thing: str,
    action: int,
    said: tuple[Follow, ...] | None,
    log: LogName,
    follows: dict[str, tuple[Follow, ...]],
) -> tuple[Follow, ...]:
    if said is not None:
        # Which log it goes to is known only now: another than before, where that one was closed.
        return tuple(one for one in said if (one.author, one.incarnation) != log)
    return follows.pop(thing, ()) if action <= Action.DELETE else ()


def _fitting(entries: Entries, payloads: Iterable[bytes]) -> tuple[Entries, list[bytes]]:
    """Return the first entries, and their leaf bytes, that one checkpoint may cover."""
    leaves = entries.leaves()
    sizes = accumulate(map(add, map(len, leaves), map(len, payloads)))
    count = bisect_right(list(sizes), MAX_BATCH_BYTES)
    return entries.between(0, count), leaves[:count]


def _follows(store: Store, state: LogState, drafts: Drafts) -> dict[str, tuple[Follow, ...]]:
    """Return what the first draft about each thing follows in other logs."""
    if not store.rows("SELECT 1 FROM log WHERE id != ? AND size > 0 LIMIT 1", state.row or 0):
        return {}
    found = {}
    for thing in store.names.of_others(_unsaid(drafts), state.row or 0):
        others = [one.as_follow() for one in heads(store, thing) if one.log != state.name]
        if others:
            found[thing] = tuple(sort_follows(others)[:MAX_FOLLOWS])
    return found


def _unsaid(drafts: Drafts) -> set[str]:
    """Return the things of the drafts that do not say what they follow."""
    columns = zip(drafts.things, drafts.actions, drafts.follows, strict=True)
    return {thing for thing, action, said in columns if said is None and action <= Action.DELETE}
