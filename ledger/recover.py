"""What an author does who finds that others hold more of its own log: a backup was restored.

Source: docs/format.md section 6. Nothing is reused: what was written since the backup goes on in a
new incarnation, and both histories stay.
"""

from ledger.append import Author, Draft, append, close_log, open_incarnation, own_log
from ledger.entry import Action
from ledger.log import LogStatus, Range
from ledger.merge import Forked, Merged, Outcome, merge
from ledger.merkle import frontier_at
from ledger.store import Store


def take_back(store: Store, author: Author, received: Range, *, time_us: int) -> Outcome:
    """Merge a range of the author's own log; whatever that takes is one transaction.

    Args:
        store: The ledger.
        author: Who wrote *received*, and runs this node.
        received: As for `merge`.
        time_us: The time of a close, should there be one.

    Returns:
        As `merge`; a fork that could be mended is `Merged`.

    Raises:
        MalformedError: an entry or the range is out of bounds.
        UnverifiedError: the signature, or the root against the entries, does not fit.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    with store.transaction():
        writing = own_log(store, author).name
        outcome = merge(store, received)
        if isinstance(outcome, Merged):
            if outcome.count and received.log == writing:
                open_incarnation(store, author)
            return outcome
        if isinstance(outcome, Forked) and outcome.status is LogStatus.FORKED:
            return _adopt(store, author, received, time_us) or outcome
        return outcome


def _adopt(store: Store, author: Author, received: Range, time_us: int) -> Outcome | None:
    """Take the branch that others hold; write again, in a new log, what only ours held."""
    state = store.log(received.log)
    if state.fork_index is None or received.first > state.fork_index:
        return None
    ours = store.entries(state, state.fork_index, state.size)
    store.truncate(state, frontier_at(state.fork_index, store.nodes(state)))
    store.set_status(state, LogStatus.OPEN)
    outcome = merge(store, received)
    close_log(store, author, store.log(received.log), time_us=time_us)
    drafts = [
        Draft(
            thing=entry.thing,
            payload=entry.payload,
            time_us=entry.time_us,
            kind=entry.kind,
            action=entry.action,
        )
        for entry in ours
        if entry.payload is not None and entry.action != Action.CLOSE
    ]
    for _ in append(store, author, drafts):
        pass
    return outcome
