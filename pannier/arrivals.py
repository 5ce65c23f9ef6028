"""All that came from others and is whole, and what waited for it: in which order it is taken in."""

from collections.abc import Set as AbstractSet
from contextlib import closing
from typing import NamedTuple

from ledger.errors import FullError
from ledger.genesis import LedgerId
from pannier import judging
from pannier.errors import BugError, bugs_told
from pannier.forks import settle_own_forks
from pannier.import_report import Outcome, Report
from pannier.new_ledgers import MOST_OPEN, NewLedgers
from pannier.node import Node
from pannier.turns import in_turns
from pannier.wanted_ledgers import forget_wanted, wanted_ledgers
from spool.name import BundleName

_MOST_DAILY = 64


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


def _retry(new: NewLedgers, name: BundleName, report: Report) -> bool:
    """Import a held bundle again; False: it is left as it is, and that is not its end."""
    try:
        with bugs_told():
            judging.retry(new, name, report)
    except FullError:
        report.no_room_bytes += new.node.spool.held.size_bytes(name)
        return False
    except BugError as error:
        report.bugs[name.bundle_id] = str(error)
        return False
    return True


def _bring_together(new: NewLedgers, report: Report) -> None:
    """Import together what waits for one ledger, if more of that came: the grant may be in it.

    Each part is merged into what the others began, in any order. After the first round nothing
    that was begun makes room any more: else what is merged might come and go without end. What
    found no room for that, or on the disk, has its turn in the next import.
    """
    db = new.node.db
    wanted = wanted_ledgers(db)
    cut_short: set[LedgerId] = set()
    moved = True
    while moved:
        before = sum(report.entries.values()), new.moves
        absent = {one for one in wanted if new.node.ledger(one) is None}
        for waiting in _waiting_for(new, absent):
            if not _retry(new, waiting.name, report):
                cut_short |= waiting.ledgers
        new.settle()
        moved = (sum(report.entries.values()), new.moves) != before
    forget_wanted(db, wanted - cut_short - _next_turn(new, wanted))


def _next_turn(new: NewLedgers, wanted: AbstractSet[LedgerId]) -> set[LedgerId]:
    """Return the ledgers that go on to the next import, in which they find room.

    Few of them, and fewer each time: else what waits for many that nobody ever grants would be
    opened in each import.
    """
    refused = [one for one in new.refused if one in wanted]
    return set(in_turns(refused, new.refused.get)[: min(MOST_OPEN, len(wanted) - 1)])


class _Waiting(NamedTuple):
    """A held bundle that waits for ledgers.

    Attributes:
        ledger_id: The first of them: so those of one ledger follow each other, since it may have
            to make room for the next.
        number: For how many entries it waits, too: of a log, what waits for fewer comes first.
            Otherwise each of many bundles would be opened once for each of the others.
        name: In the spool.
        ledgers: All of them.
    """

    ledger_id: LedgerId
    number: int
    name: BundleName
    ledgers: AbstractSet[LedgerId]


def _waiting_for(new: NewLedgers, wanted: AbstractSet[LedgerId]) -> list[_Waiting]:
    """Return the held bundles of some ledgers, each once, in the order in which to merge them."""
    found = []
    for name in new.node.spool.held.names() if wanted else ():
        waits = judging.known_waits(new.node, name.bundle_id)
        of = wanted & {LedgerId(one.ledger_id) for one in waits if one.kind == "ledger"}
        if of:
            numbers = (one.number for one in waits if one.kind == "range")
            found.append(_Waiting(min(of), max(numbers, default=0), name, of))
    return sorted(found, key=lambda one: one[:3])


def _retry_held(new: NewLedgers, report: Report) -> None:
    """Import again what waited and may have got what it waited for, until nothing moves."""
    moved = True
    while moved:
        before = sum(report.entries.values())
        for name in _ready(new):
            _retry(new, name, report)
        moved = sum(report.entries.values()) > before


def _ready(new: NewLedgers) -> list[BundleName]:
    """Return the held bundles of which at least one wait is over.

    Of those that are but tried once a day few have their turn in one import.
    """
    ready, daily = [], []
    for name in new.node.spool.held.names():
        waits = judging.known_waits(new.node, name.bundle_id)
        if not waits or any(one.is_over(new.node) for one in waits if one.kind != "day"):
            ready.append(name)
        elif any(one.is_over(new.node) for one in waits if one.kind == "day"):
            daily.append(name)
    daily = in_turns(daily, lambda one: judging.sender(new.node, one.bundle_id))
    return sorted(ready + daily[:_MOST_DAILY])
