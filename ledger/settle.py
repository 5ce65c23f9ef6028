"""What membership and closes mean for the logs of a ledger, done to its file.

Run in the transaction of whatever changes them. What a log looks like afterwards follows from the
set of entries, whatever came first: limits of the logs of removed members rise again when the
removal turns out to be void, and so does a close that its author had no right to write.
"""

from collections.abc import Iterator, Set
from functools import lru_cache

from ledger import cbor
from ledger.close import close_from_payload
from ledger.entry import Action
from ledger.errors import LedgerError
from ledger.facts import Fact
from ledger.fork import Fork
from ledger.genesis import Term
from ledger.log import Close, LogName, LogState, LogStatus, log_origin, root_at
from ledger.members import EVERYTHING, Members, members
from ledger.merkle import frontier_at
from ledger.note import Checkpoint
from ledger.records import read_back
from ledger.signing import Verifier
from ledger.store import Batch, Store

_KNOWN_CLOSES = 8192
_MEMBERSHIP = frozenset({Action.GRANT, Action.REVOKE})
_FACTS = _MEMBERSHIP | {Action.EPOCH}


def settle_batch(store: Store, batch: Batch) -> None:
    """Do what follows from entries just committed; only inside `Store.transaction`.

    To settle costs a look at all logs, so it is done only for words about members that have a part
    in anything, and where entries fall off a log, which may be such words: a writer may fill
    thousands of logs with others, or end each of them. When they come to have a part, by what an
    admin says later, that word settles all.

    Raises:
        DamagedError: the file cannot be read.
    """
    if _is_heard(store, batch, _FACTS):
        store.note_facts_changed()
    if _is_heard(store, batch, _MEMBERSHIP):
        settle(store)
    elif batch.state.size == 0:
        known = members(store)
        _limit(store, known, batch.state.name)
        end = _end_in(store, known, batch)
        if end is not None and _end_too(store, *end):
            settle(store)


def settle(store: Store) -> None:
    """Bring every log to what grants, revocations and closes say; only inside a transaction.

    Raises:
        DamagedError: the file cannot be read.
    """
    while True:
        known = members(store)
        for author, incarnation in store.rows("SELECT author, incarnation FROM log"):
            with read_back():
                name = LogName(cbor.as_bytes(author), cbor.as_bytes(incarnation))
            _limit(store, known, name)
        if not _settle_closes(store, known):
            return


def counts_of(known: Members, log: LogName) -> int | None:
    """Return what `LogState.counts` of *log* is to be."""
    counted = known.counted(log)
    return counted if counted < EVERYTHING else None


def contains(store: Store, state: LogState, close: Close) -> bool:
    """Return whether *state* begins with, or is, what *close* names.

    Raises:
        DamagedError: the file cannot be read.
    """
    return state.size >= close.size and root_at(state, close.size, store.nodes(state)) == close.root


def _is_heard(store: Store, batch: Batch, actions: Set[int]) -> bool:
    """Return whether *batch* has one of *actions* in it that is heard.

    Of one log it is always the first entries that are heard, so the first one tells.
    """
    first = next(_numbers(batch, actions), None)
    return first is not None and members(store).hears(batch.state.name, first)


def _end_in(store: Store, known: Members, batch: Batch) -> tuple[LogName, Checkpoint] | None:
    """Return where a close in *batch*, the first of its log, ends which other one; None if none."""
    if batch.entries.actions[0] != Action.CLOSE:
        return None
    (entry,) = batch.entries.between(0, 1).one_by_one()
    return _end(store, known, Fact(batch.state.name, 0, entry))


def _numbers(batch: Batch, actions: Set[int]) -> Iterator[int]:
    if not actions.isdisjoint(batch.entries.actions):
        for number, action in enumerate(batch.entries.actions, batch.state.size):
            if action in actions:
                yield number


def _limit(store: Store, known: Members, name: LogName) -> None:
    counts = counts_of(known, name)
    held = store.rows(
        "SELECT counts FROM log WHERE author = ? AND incarnation = ?", name.author, name.incarnation
    )
    if held != [(counts,)]:
        store.set_counts(store.log(name), counts)


def _settle_closes(store: Store, known: Members) -> bool:
    """Close and reopen logs; return whether entries fell off one, which may change all else."""
    wanted: dict[LogName, list[Checkpoint]] = {}
    for name, last in _closes(store, known):
        wanted.setdefault(name, []).append(last)
    for state in store.logs():
        if state.close is not None and state.name not in wanted:
            _reopen(store, state)
    fell = [_close(store, store.ensure_log(name), ends) for name, ends in wanted.items()]
    return any(fell)


def _closes(store: Store, known: Members) -> Iterator[tuple[LogName, Checkpoint]]:
    """Yield where authors end their logs: all that counts and is signed, more than once or not.

    Only with the first entry of another log, which no close can take away: else two could end each
    other before they do so, and who hears one of them first would never hear the other.
    """
    for fact in store.first_facts(Action.CLOSE):
        if (found := _end(store, known, fact)) is not None:
            yield found


def _end(store: Store, known: Members, fact: Fact) -> tuple[LogName, Checkpoint] | None:
    """Return where a close ends which log; None if it does not count.

    The logs of an admin whose key all have who know a passphrase are of many, and one does not end
    what another wrote.
    """
    writing, number, entry = fact
    is_shared = Term.PASSPHRASE in store.genesis.terms
    shared = {card.author for card in store.genesis.admins if is_shared}
    if number >= known.counted(writing) or writing.author in shared:
        return None
    try:
        name, last = close_from_payload(writing.author, entry.payload or b"")
    except LedgerError:
        return None  # an author's nonsense about its own log says nothing
    if not _is_signed(log_origin(store.ledger_id, name), last, known.verifier(name.author)):
        return None
    # Who is no admin any more takes back nothing that it said as one.
    is_below = known.decides(name, 0) and not known.decides(writing, number)
    return None if name == writing or is_below else (name, last)


@lru_cache(maxsize=_KNOWN_CLOSES)
def _is_signed(origin: str, last: Checkpoint, verifier: Verifier) -> bool:
    """Whether an author signed an end; all ends are looked at whenever one comes."""
    try:
        last.verify(origin, verifier)
    except LedgerError:
        return False
    return True


def _close(store: Store, state: LogState, ends: list[Checkpoint]) -> bool:
    """End a log; of several ends that differ the least counts. Return whether entries fell off."""
    last = min(ends, key=_place)
    several = any(_place(one) != _place(last) for one in ends)
    return _close_at(store, state, last, LogStatus.HOSTILE if several else LogStatus.CLOSED)


def _end_too(store: Store, name: LogName, last: Checkpoint) -> bool:
    """End a log as one close more says, beside those that count; return whether entries fell off.

    The least of the others stands in the log, and whether they differ.
    """
    state = store.ensure_log(name)
    if state.close is None:
        return _close_at(store, state, last, LogStatus.CLOSED)
    if _place(state.close) > _place(last):
        return _close_at(store, state, last, LogStatus.HOSTILE)
    if _place(state.close) < _place(last) and state.status is not LogStatus.HOSTILE:
        store.set_status(state, LogStatus.HOSTILE, close=state.close)
    return False


def _place(end: Checkpoint | Close) -> tuple[int, bytes]:
    return end.size, end.root


def _close_at(store: Store, state: LogState, last: Checkpoint, status: LogStatus) -> bool:
    """End a log at *last*; return whether entries fell off.

    A branch that the close does not name stays until the other arrives: what it holds then makes
    room for it in one transaction, and nobody looks into a gap in between.
    """
    close = Close(size=last.size, root=last.root)
    if (state.status, state.close) != (status, close):
        store.set_status(state, status, close=close)
    if not contains(store, state, close):
        return False
    store.add_checkpoint(state, last)
    if state.size == close.size:
        return False
    store.truncate(state, frontier_at(close.size, store.nodes(state)))
    return True


def _reopen(store: Store, state: LogState) -> None:
    kept = [Fork.from_bytes(data) for data in store.evidence_of(state, "fork")]
    index = min((fork.index for fork in kept), default=None)
    is_doubted = kept or store.evidence_of(state, "contradiction")
    status = LogStatus.FORKED if is_doubted else LogStatus.OPEN
    store.set_status(state, status, fork_index=index)
