"""What witnesses said of the logs of a ledger, kept beside them (docs/format.md section 3.8).

Of a log that is here a checkpoint is compared with the tree at once, or when the log has grown that
far; of one that is not, with what other witnesses brought. What contradicts is evidence.
"""

from collections.abc import Sequence

from ledger.contradiction import Contradiction
from ledger.errors import UnverifiedError
from ledger.log import LogName, LogState, LogStatus, log_origin, root_at
from ledger.members import Members
from ledger.merkle import consistency_proof
from ledger.note import Checkpoint
from ledger.records import read_back
from ledger.storage_errors import found_in
from ledger.store import Store
from ledger.unseen import may_begin
from ledger.witness import Cosignature, Witnessed, gather, witnessed_from_bytes, witnessed_to_bytes

WITNESS, CONTRADICTION = "witness", "contradiction"
"""Kinds of evidence in a ledger file."""

_FORK = "fork"


def heard_of(store: Store, state: LogState) -> tuple[Witnessed, ...]:
    """Return what was heard of a log, ascending by size.

    Raises:
        DamagedError: the file cannot be read.
    """
    found = store.evidence_of(state, WITNESS)
    with found_in(store.path), read_back():
        return witnessed_from_bytes(found[0]) if found else ()


def contradiction_of(store: Store, state: LogState) -> Contradiction | None:
    """Return the proof kept of a log that its checkpoints contradict each other, if there is one.

    Raises:
        DamagedError: the file cannot be read.
    """
    found = store.evidence_of(state, CONTRADICTION)
    with found_in(store.path), read_back():
        return Contradiction.from_bytes(found[0]) if found else None


def hear(store: Store, known: Members, log: LogName, heard: Witnessed) -> Contradiction | None:
    """Take in what somebody passed on about a log; what does not verify is left out.

    Args:
        store: The ledger.
        known: Its members: only they are witnesses, and only of what a writer may say.
        log: Which log.
        heard: A checkpoint, and who countersigned it.

    Returns:
        The proof that its author signed two histories, if this is how it came out.

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    state = store.log(log)
    before = heard_of(store, state)
    if not _is_wanted(known, log, heard.checkpoint):
        return None
    if gather(before, heard) == before and not _against(store, state, heard.checkpoint, before):
        return None
    genuine = _genuine(store, known, log, heard)
    if genuine is None or not may_begin(store, log):
        return None
    with store.transaction():
        state = store.ensure_log(log)
        if _is_settled(store, state):
            return None
        before = heard_of(store, state)
        found = _against(store, state, genuine.checkpoint, before)
        after = gather(before, genuine)
        store.replace_evidence(state, WITNESS, witnessed_to_bytes(after))
        if found is not None:
            _keep(store, state, found)
    return found


def recheck(store: Store, log: LogName) -> Contradiction | None:
    """Compare a log that has grown with what was heard of it before; return what comes out.

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    with store.transaction():
        state = store.log(log)
        if _is_settled(store, state):
            return None
        for one in heard_of(store, state):
            found = _against(store, state, one.checkpoint, ())
            if found is not None:
                _keep(store, state, found)
                return found
    return None


def take_contradiction(
    store: Store, known: Members, log: LogName, contradiction: Contradiction
) -> bool:
    """Keep a proof that somebody passed on, and stop taking entries of *log*.

    Returns:
        Whether it is kept: what it is about counts, nothing was known of two histories, and there
        is room for the log (`may_begin`).

    Raises:
        UnverifiedError: it proves nothing.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    if not _is_wanted(known, log, contradiction.older):
        return False
    contradiction.verify(store.ledger_id, log, known.verifier(log.author))
    with store.transaction():
        if not may_begin(store, log):
            return False
        state = store.ensure_log(log)
        if _is_settled(store, state):
            return False
        _keep(store, state, contradiction)
    return True


def _is_wanted(known: Members, log: LogName, checkpoint: Checkpoint) -> bool:
    """Whether all that *checkpoint* covers is taken in here; what lies beyond may be anything."""
    return known.is_known(log.author) and 0 < checkpoint.size <= known.taken(log)


def _genuine(store: Store, known: Members, log: LogName, heard: Witnessed) -> Witnessed | None:
    """Return what of *heard* is signed as it says; None if not even the author did."""
    origin = log_origin(store.ledger_id, log)
    try:
        heard.checkpoint.verify(origin, known.verifier(log.author))
    except UnverifiedError:
        return None
    kept = (
        one
        for one in heard.cosignatures
        if one.witness in known and _is_signed(origin, heard.checkpoint, one)
    )
    return Witnessed(heard.checkpoint, tuple(kept))


def _is_signed(origin: str, checkpoint: Checkpoint, cosignature: Cosignature) -> bool:
    try:
        cosignature.verify(origin, checkpoint)
    except UnverifiedError:
        return False
    return True


def _is_settled(store: Store, state: LogState) -> bool:
    """Whether it is known already that the log has two histories."""
    if state.status in (LogStatus.FORKED, LogStatus.HOSTILE):
        return True
    return any(store.evidence_of(state, what) for what in (_FORK, CONTRADICTION))


def _against(
    store: Store, state: LogState, heard: Checkpoint, others: Sequence[Witnessed]
) -> Contradiction | None:
    """Return the proof that *heard* and what is held, or was heard before, are of two histories."""
    ours = store.last_checkpoint(state)
    if ours is not None and heard.size <= ours.size:
        nodes = store.nodes(state)
        root = root_at(state, heard.size, nodes)
        if root == heard.root:
            return None
        proof = consistency_proof(heard.size, ours.size, nodes)
        return Contradiction.of(heard, ours, root=root, proof=proof)
    for one in others:
        if one.checkpoint.size == heard.size and one.checkpoint.root != heard.root:
            return Contradiction.of(heard, one.checkpoint, root=one.checkpoint.root, proof=())
    return None


def _keep(store: Store, state: LogState, found: Contradiction) -> None:
    """Keep a proof; until the author speaks, a log with two histories goes on in neither."""
    store.keep_evidence(state, CONTRADICTION, found.to_bytes())
    if state.status is LogStatus.OPEN:
        store.set_status(state, LogStatus.FORKED)
