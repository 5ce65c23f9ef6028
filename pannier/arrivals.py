"""All that came from others and is whole, and what waited for it: in which order it is taken in."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from typing import NamedTuple

from bundler.tail_section import log_reference
from ledger.errors import FullError
from ledger.genesis import LedgerId
from ledger.log import LogName
from ledger.members import Members, members
from pannier import judging, unopened
from pannier.errors import BugError, bugs_told
from pannier.forks import settle_own_forks
from pannier.held_waits import Subject, find_by_subject, ready, waiting_for_ledger
from pannier.import_report import Outcome, Report
from pannier.new_ledgers import MOST_OPEN, NewLedgers
from pannier.node import Node
from pannier.turns import in_turns
from pannier.wanted_ledgers import forget_wanted, wanted_ledgers
from spool.name import BundleName

_MOST_DAILY = 64
# What comes in order takes two rounds; only grants of grants, in bundles of their own, take more.
_MOST_ROUNDS = 64
# A member can have two branches of a log that it ended give way to each other again and again; what
# is left of the others goes on with the next import.
_MOST_TRIES = 16
# Where what is named names more, the rest goes on with the next import.
_MOST_LOOKS = 16

_Taken = tuple[LedgerId, LogName, int]


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
    find_by_subject(node.db)
    with closing(NewLedgers(node)) as new:
        tried = unopened.tried(node)
        for number in node.spool.inbox.bundles():
            is_tried = number in tried
            outcome = Outcome.UNOPENED if is_tried else _take_if_room(new, number, report)
            report.outcomes[number] = outcome
        unopened.note_tried(node, report.ids(Outcome.UNOPENED))
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


def _retry(new: NewLedgers, name: BundleName, report: Report) -> Sequence[_Taken] | None:
    """Import a held bundle again; return which logs it verified for.

    None: it is left as it is, and that is not its end.
    """
    try:
        with bugs_told():
            return judging.retry(new, name, report)
    except FullError:
        report.no_room_bytes += new.node.spool.held.size_bytes(name)
    except BugError as error:
        report.bugs[name.bundle_id] = str(error)
    return None


# -- ledgers that come in several bundles ---------------------------------------------------------


def _bring_together(new: NewLedgers, report: Report) -> None:
    """Import together what waits for one ledger, if more of that came: the grant may be in it.

    Each part is merged into what the others began, in any order. After the first round nothing
    that was begun makes room any more: else what is merged might come and go without end. What
    made room before, or found none on the disk, has its turn in the next import.
    """
    wanted = wanted_ledgers(new.node.db)
    at_hand = {one for one in wanted if not new.node.has_ledger(one)}
    cut_short: set[LedgerId] = set()
    for _ in range(_MOST_ROUNDS):
        before = new.moves, new.progress()
        for waiting in _waiting_for(new, at_hand):
            if _retry(new, waiting.name, report) is None:
                cut_short |= waiting.ledgers
        new.settle()
        if (new.moves, new.progress()) == before:
            break
        at_hand = _moved(new, wanted, before[1])
    forget_wanted(new.node.db, wanted - cut_short - _next_turn(new, wanted))


def _moved(
    new: NewLedgers, wanted: AbstractSet[LedgerId], before: Mapping[LedgerId, object]
) -> set[LedgerId]:
    """Return the ledgers of which parts may fit by now: something came, or there is room now."""
    now = new.progress()
    moved = {one for one in wanted & now.keys() if now[one] != before.get(one)}
    if new.has_room:
        moved |= {one for one in wanted - now.keys() if not new.node.has_ledger(one)}
    return moved


def _next_turn(new: NewLedgers, wanted: AbstractSet[LedgerId]) -> set[LedgerId]:
    """Return the ledgers that made room for others, and have their turn in the next import.

    Few of them, and fewer each time: else what waits for many that nobody ever grants would be
    opened in each import.
    """
    gone = [one for one in new.gone if one in wanted]
    return set(in_turns(gone, new.gone.get)[: min(MOST_OPEN, len(wanted) - 1)])


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
    found: list[_Waiting] = []
    numbers = {one for ledger in wanted for one in waiting_for_ledger(new.node.db, ledger)}
    for number in numbers:
        waits = judging.known_waits(new.node, number)
        of = wanted & {LedgerId(one.ledger_id) for one in waits if one.kind == "ledger"}
        last = max((one.number for one in waits if one.kind == "range"), default=0)
        names = new.node.spool.held.names_of(number)
        found += [_Waiting(min(of), last, name, of) for name in names]
    return sorted(found, key=lambda one: one[:3])


# -- what waited for what came --------------------------------------------------------------------


def _retry_held(new: NewLedgers, report: Report) -> None:
    """Import again what waited and may have got what it waited for, until nothing moves.

    All that is held is looked at once, and then what is about what moved.
    """
    watch, tries = _Watch(new), Counter[BundleName]()
    names = _ready(new)
    while names:
        tries.update(names)
        before = sum(report.entries.values()), new.moves
        taken = [one for name in names for one in _retry(new, name, report) or ()]
        is_moved = (sum(report.entries.values()), new.moves) != before
        names = watch.ready(taken) if is_moved else []
        names = [name for name in names if tries[name] < _MOST_TRIES]


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


class _Watch:
    """What moved while held bundles were tried, and which others are about that."""

    def __init__(self, new: NewLedgers) -> None:
        """Watch from now on."""
        self._new = new
        self._node = new.node
        self._joined = len(new.joined)
        self._members: dict[LedgerId, Members] = {}
        self._looks = _MOST_LOOKS

    def ready(self, taken: Iterable[_Taken]) -> list[BundleName]:
        """Return the held bundles of which a wait is over, after something came of some logs.

        Only where nothing else is, those that wait for something of no certain ledger: whether an
        entry names a content is looked up for each.
        """
        found = self._over(self._subjects(taken))
        if not found and self._looks:
            self._looks -= 1
            found = self._over([Subject(b"")])
        return sorted(name for one in found for name in self._node.spool.held.names_of(one))

    def _over(self, subjects: Iterable[Subject]) -> AbstractSet[str]:
        return ready(self._node.db, subjects, lambda wait: wait.reach(self._node))

    def _subjects(self, taken: Iterable[_Taken]) -> Iterator[Subject]:
        logs = {(ledger_id, log) for ledger_id, log, _ in taken}
        for ledger_id in self._new.joined[self._joined :]:
            store = self._node.ledger(ledger_id)
            logs |= {(ledger_id, log) for log in store.log_names()} if store else set()
            yield Subject(ledger_id)
        self._joined = len(self._new.joined)
        for ledger_id, log in logs:
            yield Subject(ledger_id, log.author)
            yield Subject(b"", log_reference(ledger_id, log))
        yield from map(Subject, filter(self._has_other_members, {one for one, _ in logs}))

    def _has_other_members(self, ledger_id: LedgerId) -> bool:
        """Return whether members of a ledger may be others than when this was asked last."""
        store = self._node.ledger(ledger_id)
        if store is None:
            return False
        before, now = self._members.get(ledger_id), members(store)
        self._members[ledger_id] = now
        return before is not now
