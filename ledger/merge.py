"""Taking in entries that somebody else wrote, or that we wrote and lost.

Everything is checked before the transaction begins: membership, leaves, root, signature, and that
what came continues what is here. Merging is idempotent, and ranges may come in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.append import close_from_payload
from ledger.entry import Action, Entry, check_entry, cost_bytes, leaf_bytes
from ledger.errors import LedgerError, MalformedError, StaleError, UnverifiedError
from ledger.fork import Branch, Fork
from ledger.log import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    Close,
    LogName,
    LogState,
    LogStatus,
    Range,
    log_origin,
)
from ledger.members import may_write, members
from ledger.merkle import (
    Extension,
    Frontier,
    NodeReader,
    extend,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
)
from ledger.note import Checkpoint
from ledger.store import Batch, Store

_ATTEMPTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The entries are in the ledger: *count* of them are new (0: all were there)."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """An earlier part of the log is missing: the range waits for entry number *size*."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotGranted:
    """The author may not write, as far as is known here: the range waits for a grant."""

    author: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """The author signed another history than the one held here; nothing was taken.

    Attributes:
        fork: The proof, kept; None when it cannot be made of this range alone.
        status: What the log is now.
    """

    fork: Fork | None
    status: LogStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The log was closed by its author; what lies beyond counts nowhere."""

    close: Close


Outcome = Merged | Gap | NotGranted | Forked | Ended


def merge(store: Store, received: Range) -> Outcome:
    """Verify *received* and take what is new of it.

    Raises:
        MalformedError: an entry or the range is out of bounds.
        UnverifiedError: the signature, or the root against the entries, does not fit.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    _check_bounds(received)
    if not may_write(members(store), received.log.author):
        return NotGranted(author=received.log.author)
    received.checkpoint.verify(log_origin(store.ledger_id, received.log), received.log.author)
    for _ in range(_ATTEMPTS):
        try:
            return _merge_once(store, received, store.log(received.log))
        except StaleError:
            continue
    raise StaleError(f"another process kept writing to {store.path.name}; try again")


def take_fork(store: Store, log: LogName, fork: Fork) -> None:
    """Keep a proof that somebody passed on, and stop taking entries of *log*.

    Raises:
        UnverifiedError: it proves nothing.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    fork.verify(store.ledger_id, log)
    with store.transaction():
        _mark_forked(store, store.ensure_log(log), fork)


def _merge_once(store: Store, received: Range, state: LogState) -> Outcome:
    checkpoint = received.checkpoint
    if received.first > state.size:
        return Gap(size=state.size)
    if state.status is LogStatus.HOSTILE:
        return Forked(fork=None, status=state.status)
    if state.close is not None and checkpoint.size > state.close.size:
        return Ended(close=state.close)
    nodes = store.nodes(state)
    if checkpoint.size <= state.size and root_at(state, checkpoint.size, nodes) == checkpoint.root:
        return Merged(count=0)
    return _merge_new(store, received, state, nodes)


def _merge_new(store: Store, received: Range, state: LogState, nodes: NodeReader) -> Outcome:
    leaves = [leaf_hash(leaf_bytes(entry)) for entry in received.entries]
    extension = extend(_at(state, received.first, nodes), leaves)
    if extension.frontier.root() != received.checkpoint.root:
        if received.first == 0:
            raise UnverifiedError(f"the entries do not have the root that {received.log} signed")
        return Forked(fork=None, status=state.status)  # a proof would have to begin earlier
    held = store.leaves(state, received.first, min(state.size, received.checkpoint.size))
    differing = [i for i, (a, b) in enumerate(zip(held, leaves, strict=False)) if a != b]
    if differing:
        index = received.first + differing[0]
        theirs = _Grown(nodes, received.first, leaves).node
        return _diverged(store, state, _prove(store, state, received.checkpoint, index, theirs))
    if state.status is LogStatus.FORKED:
        return Forked(fork=None, status=state.status)
    return _take(store, state, received, extension, len(held))


def _take(
    store: Store, state: LogState, received: Range, extension: Extension, held_count: int
) -> Outcome:
    new = received.entries[held_count:]
    if held_count:
        extension = extend(state.frontier, [leaf_hash(leaf_bytes(entry)) for entry in new])
    batch = Batch(
        state=state,
        entries=new,
        extension=extension,
        checkpoint=received.checkpoint,
        cover=state.cover or received.cover,
    )

    def apply_closes(_: LogState) -> None:
        for entry in new:
            if entry.action == Action.CLOSE:
                _apply_close(store, received.log.author, entry)

    store.commit(batch, after=apply_closes)
    return Merged(count=len(new))


def _apply_close(store: Store, author: bytes, entry: Entry) -> None:
    """Do what a close says: cut the log, or replace the branch that was held here."""
    try:
        name, last = close_from_payload(author, entry.payload or b"")
        last.verify(log_origin(store.ledger_id, name), author)
    except LedgerError:
        return  # an author's nonsense about its own log says nothing
    close = Close(size=last.size, root=last.root)
    state = store.ensure_log(name)
    if state.close is not None:
        if state.close != close:
            store.set_status(state, LogStatus.HOSTILE, close=state.close)
        return
    nodes = store.nodes(state)
    if state.size >= close.size:
        if root_at(state, close.size, nodes) == close.root:
            store.truncate(state, frontier_at(close.size, nodes))
            store.add_checkpoint(state, last)
        else:
            store.truncate(state, frontier_at(state.fork_index or 0, nodes))
    elif state.fork_index is not None and state.fork_index < state.size:
        store.truncate(state, frontier_at(state.fork_index, nodes))
    store.set_status(state, LogStatus.CLOSED, close=close)


def _diverged(store: Store, state: LogState, fork: Fork) -> Forked:
    with store.transaction():
        _mark_forked(store, store.log(state.name), fork)
        status = store.log(state.name).status
    return Forked(fork=fork, status=status)


def _mark_forked(store: Store, state: LogState, fork: Fork) -> None:
    store.keep_evidence(state, "fork", fork.to_bytes())
    if state.status in (LogStatus.OPEN, LogStatus.FORKED):
        known = [state.fork_index] if state.fork_index is not None else []
        store.set_status(state, LogStatus.FORKED, fork_index=min([*known, fork.index]))


def _prove(
    store: Store, state: LogState, checkpoint: Checkpoint, index: int, theirs: NodeReader
) -> Fork:
    ours = store.last_checkpoint(state)
    if ours is None or ours.size <= index:
        raise StaleError(f"log {state.name} changed meanwhile")
    nodes = store.nodes(state)
    return Fork.of(
        index,
        Branch(
            checkpoint=ours,
            leaf=nodes(0, index),
            proof=tuple(inclusion_proof(index, ours.size, nodes)),
        ),
        Branch(
            checkpoint=checkpoint,
            leaf=theirs(0, index),
            proof=tuple(inclusion_proof(index, checkpoint.size, theirs)),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Grown:
    """The tree of a branch that shares our entries below *first* and goes on with *leaves*."""

    ours: NodeReader
    first: int
    leaves: Sequence[bytes]

    def node(self, level: int, position: int) -> bytes:
        if (position + 1) << level <= self.first:
            return self.ours(level, position)
        if level == 0:
            return self.leaves[position - self.first]
        return node_hash(self.node(level - 1, 2 * position), self.node(level - 1, 2 * position + 1))


def _check_bounds(received: Range) -> None:
    count = len(received.entries)
    if not 1 <= count <= MAX_BATCH_ENTRIES or received.first + count != received.checkpoint.size:
        raise MalformedError(f"a range of {count} entries that its checkpoint does not end")
    if received.checkpoint.size > 2**32:
        raise MalformedError("a log has at most 2^32 entries")
    for entry in received.entries:
        check_entry(entry)
        if entry.payload is None and entry.action > Action.DELETE:
            raise MalformedError("an entry about members or incarnations without its payload")
    if sum(map(cost_bytes, received.entries)) > MAX_BATCH_BYTES + (2 << 20):
        raise MalformedError(f"a range of over {MAX_BATCH_BYTES} bytes")


def root_at(state: LogState, size: int, nodes: NodeReader) -> bytes:
    """Return the root that *state* had at *size*, which is at most its own."""
    return _at(state, size, nodes).root()


def _at(state: LogState, size: int, nodes: NodeReader) -> Frontier:
    return state.frontier if size == state.size else frontier_at(size, nodes)
