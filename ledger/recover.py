"""What an author does who finds that others hold more of its own log: a backup was restored.

Source: docs/format.md section 6. Nothing is reused: what was written since the backup goes on in a
new incarnation, and both histories stay.
"""

from collections.abc import Iterable, Iterator

from ledger.append import Author, Draft, append, close_log, open_incarnation
from ledger.entry import MAX_FOLLOWS, Action, Entry, sort_follows
from ledger.log import LogName, LogStatus, Range
from ledger.members import may_close, may_write, members
from ledger.merge import Forked, Merged, Outcome, gap_before, merge, take_branch
from ledger.store import Store
from ledger.views import last_before


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
        before = store.newest_evidence()
        outcome = merge(store, received)
        if isinstance(outcome, Forked) and not may_write(members(store), author.public):
            return outcome  # what a removed author says of its logs is void
        if isinstance(outcome, Forked) and outcome.status is LogStatus.FORKED and outcome.fork:
            outcome = _adopt(store, author, received, outcome.fork.index, time_us)
        elif isinstance(outcome, Merged) and outcome.count:
            # Whichever log it is of: what it wrote in the newest one may have been lost as well.
            open_incarnation(store, author)
        # By what it has now: words that gave way may have been those by which it was a member.
        if isinstance(outcome, Merged) and may_write(members(store), author.public):
            for _ in append(store, author, _say_again(store, store.dropped(before))):
                pass
    return outcome


def _adopt(store: Store, author: Author, received: Range, index: int, time_us: int) -> Outcome:
    """Take the branch that others hold, and say so in a close if that will count."""
    if (gap := gap_before(store, received, index)) is not None:
        return gap
    store.set_status(store.log(received.log), LogStatus.OPEN)
    outcome = take_branch(store, received, index)
    if may_close(members(store), received.log):
        close_log(store, author, store.log(received.log), time_us=time_us)
    else:
        open_incarnation(store, author)
    return outcome


def _say_again(store: Store, dropped: Iterable[tuple[LogName, int, Entry]]) -> Iterator[Draft]:
    """Yield what fell off the author's own logs, as drafts: nobody else will keep it in view.

    Each follows what it followed then, and nothing that its author had not seen: beside what the
    other branch says of the same thing it stands as a conflict.
    """
    cuts: dict[LogName, int] = {}
    said: set[tuple[LogName, str]] = set()
    for log, number, entry in dropped:
        cut = cuts.setdefault(log, number)
        if entry.payload is None or entry.action == Action.CLOSE:
            continue
        follows = set(entry.follows)
        if entry.action <= Action.DELETE and (log, entry.thing) not in said:
            said.add((log, entry.thing))
            before = last_before(store, entry.thing, log, cut)
            follows |= {before.as_follow()} if before else set()
        yield Draft(
            thing=entry.thing,
            payload=entry.payload,
            time_us=entry.time_us,
            kind=entry.kind,
            action=entry.action,
            follows=tuple(sort_follows(follows)[:MAX_FOLLOWS]),
        )
