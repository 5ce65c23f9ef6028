"""All that came from others and is whole, and what waited for it: in which order it is taken in."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing

from ledger.errors import FullError
from ledger.genesis import LedgerId
from pannier import judging
from pannier.errors import BugError, bugs_told
from pannier.forks import settle_own_forks
from pannier.import_report import Outcome, Report
from pannier.new_ledgers import NewLedgers
from pannier.node import Node
from spool.name import BundleName


def take_in(node: Node, report: Report) -> None:
    """Take in everything in the inbox that is whole, and what waited for it.

    Args:
        node: Who holds the lock for importing.
        report: Is told what became of it.

    Raises:
        PannierError: the home cannot be read or written.
        LedgerError: a ledger file cannot be read or written.
        SpoolError: the spool cannot be read or written.
    """
    with closing(NewLedgers(node)) as new:
        for number in node.spool.inbox.bundles():
            report.outcomes[number] = _take_if_room(new, number, report)
        settle_own_forks(node, report.notes)
        _bring_together(new, report)
        _retry_held(new, report)


def _take_if_room(new: NewLedgers, number: str, report: Report) -> Outcome:
    """Join and import one bundle of the inbox, or leave it there: a smaller one may fit."""
    try:
        with bugs_told():
            return judging.take(new, number, report)
    except FullError:
        report.no_room_bytes += new.node.spool.inbox.size_bytes(number)
        return Outcome.NO_ROOM
    except BugError as error:
        report.bugs[number] = str(error)
        return Outcome.UNREAD


def _retry(new: NewLedgers, name: BundleName, report: Report) -> None:
    """Import a held bundle again, or leave it as it is."""
    try:
        with bugs_told():
            judging.retry(new, name, report)
    except BugError as error:
        report.bugs[name.bundle_id] = str(error)


def _bring_together(new: NewLedgers, report: Report) -> None:
    """Import together what waits for one ledger, if more of that came: the grant may be in it.

    Each part is merged into what the others began, in any order. After the first round nothing
    that was begun makes room any more: else what is merged might come and go without end.
    """
    came = [wait for number in report.ids(Outcome.HELD) for wait in judging.waits(new, number)]
    wanted = {LedgerId(one.ledger_id) for one in came if one.kind == "ledger"}
    moved = True
    while moved:
        before = sum(report.entries.values()), new.moves
        wanted = {one for one in wanted if new.node.ledger(one) is None}
        for name in _waiting_for(new, wanted):
            _retry(new, name, report)
        new.settle()
        moved = (sum(report.entries.values()), new.moves) != before


def _waiting_for(new: NewLedgers, wanted: AbstractSet[LedgerId]) -> list[BundleName]:
    """Return the held bundles of some ledgers, each once, in the order in which to merge them.

    Those of one ledger follow each other: it may have to make room for the next. Of a log, those
    that wait for fewer entries come first: otherwise each of many bundles would be opened once for
    each of the others.
    """
    found: list[tuple[bytes, int, BundleName]] = []
    for name in new.node.spool.held.names() if wanted else ():
        waits = judging.waits(new, name.bundle_id)
        of = wanted & {LedgerId(one.ledger_id) for one in waits if one.kind == "ledger"}
        if of:
            numbers = (one.number for one in waits if one.kind == "range")
            found.append((min(of), max(numbers, default=0), name))
    return [name for _, _, name in sorted(found)]


def _retry_held(new: NewLedgers, report: Report) -> None:
    """Import again what waited and may have got what it waited for, until nothing moves."""
    moved = True
    while moved:
        before = sum(report.entries.values())
        for name in list(_ready(new)):
            _retry(new, name, report)
        moved = sum(report.entries.values()) > before


def _ready(new: NewLedgers) -> Iterator[BundleName]:
    """Yield the held bundles of which at least one wait is over."""
    for name in new.node.spool.held.names():
        waits = judging.waits(new, name.bundle_id)
        if not waits or any(wait.is_over(new.node) for wait in waits):
            yield name
