"""Taking in entries that somebody else wrote, or that we wrote and lost.

Everything is checked before the transaction begins: membership, leaves, root, signature, and that
what came continues what is here. Merging is idempotent, and ranges may come in any order.
"""

from collections.abc import Sequence

from ledger.close import has_gone_astray
from ledger.entries import Entries
from ledger.errors import MalformedError, StaleError, UnverifiedError
from ledger.fork import Branch, Fork
from ledger.lazy_dataclass import dataclass
from ledger.log import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    Close,
    LogName,
    LogState,
    LogStatus,
    Range,
    log_origin,
    root_at,
)
from ledger.members import Members, members
from ledger.merkle import (
    Extension,
    Frontier,
    NodeReader,
    extend,
    frontier_at,
    inclusion_proof,
    leaf_hashes,
    node_hash,
)
from ledger.note import Checkpoint
from ledger.seeds import Cover, is_root
from ledger.settle import settle, settle_batch
from ledger.store import Batch, Store
from ledger.unseen import may_begin

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
        fork: The proof, kept; None when it cannot be made of this range alone, or nothing is kept.
        status: What the log is now.
    """

    fork: Fork | None
    status: LogStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The log was closed by its author; what lies beyond counts nowhere."""

    close: Close


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """The author was removed: of the log only *counts* entries count, and none of these."""

    counts: int


Outcome = Merged | Gap | NotGranted | Forked | Ended | Void


def merge(store: Store, received: Range) -> Outcome:
    """Verify *received* and take what is new of it.

    Raises:
        MalformedError: an entry or the range is out of bounds.
        UnverifiedError: the signature, or the root against the entries, does not fit.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    _check_bounds(received)
    known = members(store)
    if (refused := unwanted(known, received.log, received.first)) is not None:
        return refused
    verifier = known.verifier(received.log.author)
    received.checkpoint.verify(log_origin(store.ledger_id, received.log), verifier)
    for _ in range(_ATTEMPTS):
        try:
            return _merge_once(store, received, store.log(received.log))
        except StaleError:
            continue
    raise StaleError(f"another process kept writing to {store.path.name}; try again")


def is_held(store: Store, log: LogName, checkpoint: Checkpoint) -> bool:
    """Return whether all of *log* is here that its author signed with *checkpoint*.

    Nothing up to there is new then, and no entry need be read to know it. What is not held is not
    verified: `merge` does that.

    Args:
        store: The ledger.
        log: Which log of it; its author must be known (`unwanted`).
        checkpoint: As it came.

    Raises:
        UnverifiedError: it has the root of what is here, and its author did not sign it.
        DamagedError: the file cannot be read.
    """
    state = store.log(log)
    if not _begins_with(state, checkpoint, store.nodes(state)):
        return False
    checkpoint.verify(log_origin(store.ledger_id, log), members(store).verifier(log.author))
    return True


def signed_after(
    store: Store, log: LogName, first: int, entries: Entries, signature: bytes
) -> Checkpoint:
    """Return the checkpoint over what is held of *log* up to *first*, and *entries*.

    Its root did not come with them: it is computed here, and *signature* shows that it is the one
    that the author meant. `merge` still looks at all else.

    Args:
        store: The ledger.
        log: Which log of it; its author must be known (`unwanted`).
        first: Number of the first entry, at most the size of the log.
        entries: At least 1.
        signature: Ed25519, 64 bytes.

    Raises:
        MalformedError: an entry is out of bounds.
        UnverifiedError: the author did not sign that, or what is held is not what it had.
        DamagedError: the file cannot be read.
    """
    state = store.log(log)
    leaves = leaf_hashes(entries.leaves())
    grown = extend(_at(state, first, store.nodes(state)), leaves).frontier
    checkpoint = Checkpoint(grown.size, grown.root(), signature)
    checkpoint.verify(log_origin(store.ledger_id, log), members(store).verifier(log.author))
    return checkpoint


def unwanted(known: Members, log: LogName, first: int) -> NotGranted | Void | None:
    """Return why entries of *log* from number *first* on are not taken in; None if they are."""
    if not known.is_known(log.author):
        return NotGranted(author=log.author)
    if first >= known.taken(log):
        return Void(counts=known.counted(log))
    return None


def take_fork(store: Store, log: LogName, fork: Fork) -> Forked | NotGranted | Void:
    """Keep a proof that somebody passed on, and stop taking entries of *log*.

    The proof travels again with every bundle: one that comes before the author's grant is not kept,
    or anybody could fill the file with proofs against keys made for it. Nor is one of a log that
    nobody here has seen anything of, beyond so many of one author (`may_begin`).

    Raises:
        UnverifiedError: it proves nothing.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    known = members(store)
    if (refused := unwanted(known, log, fork.index)) is not None:
        return refused
    fork.verify(store.ledger_id, log, known.verifier(log.author))
    with store.transaction():
        if not may_begin(store, log):
            return Forked(fork=None, status=store.log(log).status)
        _mark_forked(store, store.ensure_log(log), fork)
        return Forked(fork=fork, status=store.log(log).status)


def _merge_once(store: Store, received: Range, state: LogState) -> Outcome:
    checkpoint = received.checkpoint
    if state.close is not None and checkpoint.size > state.close.size:
        return Ended(close=state.close)
    if received.first > state.size:
        return Gap(size=state.size)
    nodes = store.nodes(state)
    if _begins_with(state, checkpoint, nodes):
        if has_gone_astray(state):  # the branch that it gives way to may go on from there
            with store.transaction():
                _check_unchanged(store, state)
                store.add_checkpoint(state, checkpoint)
        return Merged(count=0)
    return _merge_new(store, received, state, nodes)


def _begins_with(state: LogState, checkpoint: Checkpoint, nodes: NodeReader) -> bool:
    """Return whether what is held of a log begins with what *checkpoint* is over."""
    size = checkpoint.size
    return size <= state.size and root_at(state, size, nodes) == checkpoint.root


def _merge_new(store: Store, received: Range, state: LogState, nodes: NodeReader) -> Outcome:
    encoded = received.entries.leaves()
    payloads = filter(None, received.entries.payloads)
    if sum(map(len, encoded)) + sum(map(len, payloads)) > MAX_BATCH_BYTES:
        raise MalformedError(f"a range of over {MAX_BATCH_BYTES} bytes")
    leaves = leaf_hashes(encoded)
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
        fork = _prove(store, state, received.checkpoint, index, theirs)
        if has_gone_astray(state):
            return _replace(store, state, received, fork)
        return _diverged(store, state, fork)
    if state.status is LogStatus.FORKED:
        return Forked(fork=None, status=state.status)
    if received.first < state.size:
        extension = extend(state.frontier, leaves[state.size - received.first :])
    return _take(store, received, state, extension)


def _take(store: Store, received: Range, state: LogState, extension: Extension) -> Outcome:
    new = received.entries.between(state.size - received.first, received.entries.count)
    batch = Batch(
        state=state,
        entries=new,
        extension=extension,
        checkpoint=received.checkpoint,
        cover=_cover(state, received),
    )

    store.commit(batch, after=lambda _: settle_batch(store, batch))
    return Merged(count=new.count)


def _cover(state: LogState, received: Range) -> Cover:
    """Return the seeds of the log once *received* is in it.

    Raises:
        MalformedError: its author wrote one log under seeds of two trees.
    """
    if received.cover in ((), state.cover):
        return state.cover
    if state.size:
        raise MalformedError(f"seeds of {received.log} that are not those of its beginning")
    return received.cover


def _replace(store: Store, state: LogState, received: Range, fork: Fork) -> Outcome:
    with store.transaction():
        _check_unchanged(store, state)
        _keep_fork(store, state, fork)
        return gap_before(store, received, fork.index) or take_branch(store, received, fork.index)


def _check_unchanged(store: Store, state: LogState) -> None:
    """Check in a transaction that no other process wrote to a log since *state* was read."""
    if store.log(state.name) != state:
        raise StaleError(f"log {state.name} changed meanwhile")


def gap_before(store: Store, received: Range, index: int) -> Gap | None:
    """Return what *received* waits for before it can be taken as a branch; None: for nothing.

    It must begin where a checkpoint stays, or earlier: else more than one range can carry would
    lie between two checkpoints, and nobody could send the log any more.

    Args:
        store: The ledger.
        received: A range that `merge` has verified and found `Forked`.
        index: The first entry that differs, as the fork says.

    Raises:
        DamagedError: the file cannot be read.
    """
    kept = store.checkpoints(store.log(received.log), 0, index)
    size = kept[-1].size if kept else 0
    return Gap(size=size) if received.first > size else None


def take_branch(store: Store, received: Range, index: int) -> Outcome:
    """Take *received* in place of what is held here from entry *index* on; all of it or nothing.

    Args:
        store: The ledger, inside `Store.transaction`.
        received: A range that `merge` has verified and found `Forked`, without a `gap_before`.
        index: The first entry that differs, as the fork says.

    Returns:
        As `merge`.

    Raises:
        DamagedError: the file cannot be read.
    """
    state = store.log(received.log)
    store.truncate(state, frontier_at(index, store.nodes(state)))
    outcome = _merge_once(store, received, store.log(received.log))
    settle(store)
    return outcome


def _diverged(store: Store, state: LogState, fork: Fork) -> Forked:
    with store.transaction():
        _mark_forked(store, store.log(state.name), fork)
        status = store.log(state.name).status
    return Forked(fork=fork, status=status)


def _mark_forked(store: Store, state: LogState, fork: Fork) -> None:
    _keep_fork(store, state, fork)
    if state.status in (LogStatus.OPEN, LogStatus.FORKED):
        known = [state.fork_index] if state.fork_index is not None else []
        store.set_status(state, LogStatus.FORKED, fork_index=min([*known, fork.index]))


def _keep_fork(store: Store, state: LogState, fork: Fork) -> None:
    """Keep one proof a log, that of the earliest fork: who forks for ever fills no disk with it."""
    kept = map(Fork.from_bytes, store.evidence_of(state, "fork"))
    if all(fork.index < one.index for one in kept):
        store.replace_evidence(state, "fork", fork.to_bytes())


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
    entries = received.entries
    size = entries.count
    if not 1 <= size <= MAX_BATCH_ENTRIES or received.first + size != received.checkpoint.size:
        raise MalformedError(f"a range of {size} entries that its checkpoint does not end")
    if received.checkpoint.size > 2**32:
        raise MalformedError("a log has at most 2^32 entries")
    entries.check()
    # A log that is whole by its root is asked of nobody: what lacked of it would never come.
    if None in entries.payloads:
        raise MalformedError("an entry without its payload")
    # Nor would seeds: whoever is known to hold the beginning is sent none with the rest.
    if received.cover and not is_root(received.cover):
        raise MalformedError("seeds that do not give all of a log")


def _at(state: LogState, size: int, nodes: NodeReader) -> Frontier:
    return state.frontier if size == state.size else frontier_at(size, nodes)
