"""What a bundle waits for that cannot be merged yet, and whether it is there by now."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ledger.genesis import LedgerId
from ledger.log import LogName, LogStatus
from ledger.members import may_write, members
from pannier import decisions
from pannier.contents import is_named
from pannier.node import Node
from pannier.tail_reading import logs_of
from pannier.turns import in_turns, turn

MOST_OF_A_KIND = 64
"""So many waits of a kind are noted of a bundle: each is looked at in every import."""

_DAY_US = 86_400_000_000

_ELSEWHERE: dict[str, Callable[[Node, "Wait"], bool]] = {
    "review": lambda node, wait: decisions.verdict(node.db, wait.author) is not None,
    "log": lambda node, wait: bool(logs_of(node.ledgers(), wait.author)),
    "blob": lambda node, wait: is_named(node, wait.author),
    "file": lambda node, wait: _is_mended(node, LedgerId(wait.ledger_id)),
    "newer": lambda _, wait: is_readable(wait.number),
    "day": lambda node, wait: wait.number != this_day(node),
}
"""What waits for something that is in no certain ledger, and whether it is there."""


class Wait(NamedTuple):
    """What a bundle waits for.

    Attributes:
        kind: ``ledger`` (to be a member of it), ``file`` (that of the ledger, which cannot be read,
            to be mended), ``grant`` (for the author), ``range`` (the entries
            before *number*), ``close`` (the author's word on a fork), ``review`` (a person's word),
            ``log`` (any log that a tail's reference may mean), ``blob`` (an entry that names a
            content), ``newer`` (a version that knows the encoding *number*), ``day`` (the day after
            the one that is *number*: for more than is noted).
        ledger_id: Which ledger; empty for ``review``, ``log``, ``blob``, ``newer`` and ``day``.
        author: Whose log or grant; empty for ``ledger`` and ``file``; the digest of the content for
            ``review``, the reference for ``log``, the content for ``blob``.
        incarnation: Of the log, or empty.
        number: How many entries must be there, or as above, or 0; of ``ledger``, as it is noted,
            whether that is tried (`pannier.wanted_ledgers`).
    """

    kind: str
    ledger_id: bytes
    author: bytes = b""
    incarnation: bytes = b""
    number: int = 0

    @classmethod
    def from_row(cls, row: tuple[int | str | bytes | None, ...]) -> "Wait":
        """Return the wait that ``node.db`` remembers."""
        return cls(*row)  # type: ignore[arg-type]

    def is_over(self, node: Node) -> bool:
        """Return whether what was waited for is there."""
        reach = self.reach(node)
        return self.number <= reach.up_to or self.number >= reach.beyond

    def reach(self, node: Node) -> "Reach":
        """Return which waits like this one are over, whatever their numbers."""
        if self.kind in _ELSEWHERE:
            return _reach(_ELSEWHERE[self.kind](node, self))
        store = node.readable(LedgerId(self.ledger_id))
        if store is None:
            return _NOWHERE
        log = LogName(self.author, self.incarnation)
        known = members(store)
        if self.kind == "grant":
            return _reach(known.is_known(self.author))
        if self.kind == "range":
            held = store.log(log)
            # Of what is void no more is taken in: there is nothing to wait for.
            is_ended = held.close is not None
            return _EVERYWHERE if is_ended else Reach(held.size, known.taken(log))
        if self.kind == "close":
            is_forked = store.log(log).status is LogStatus.FORKED
            return _reach(not is_forked or not may_write(known, self.author))
        return _EVERYWHERE


class Reach(NamedTuple):
    """Which of some waits that differ by their number alone are over.

    Attributes:
        up_to: Those for this number or a smaller one.
        beyond: And those for this one or a greater one.
    """

    up_to: int
    beyond: int


_MOST = 2**63 - 1
_EVERYWHERE, _NOWHERE = Reach(_MOST, _MOST), Reach(-1, _MOST)


def _reach(is_over: bool) -> Reach:
    return _EVERYWHERE if is_over else _NOWHERE


def worth_noting(waits: Iterable[Wait], today: int) -> list[Wait]:
    """Return of all that one bundle waits for a few of each kind, none twice.

    When any of them is over the bundle is tried again, and then for the rest. Each ledger has as
    many places as another, and in it each author: nobody's many hide what somebody else's entries
    wait for. Where not all have one, others have it each day, and that day is waited for, too: the
    bundle is tried again on the next.

    Args:
        waits: What it waits for.
        today: The day, by this node's clock.
    """
    kinds: dict[str, list[Wait]] = {}
    for wait in dict.fromkeys(waits):
        kinds.setdefault(wait.kind, []).append(wait)
    noted = [one for found in kinds.values() for one in _few(found, today)]
    is_all = len(noted) == sum(map(len, kinds.values()))
    return noted if is_all else [*noted, Wait("day", b"", number=today)]


def _few(waits: list[Wait], today: int) -> list[Wait]:
    """Return all of some waits of one kind, or those whose turn it is today."""
    if len(waits) <= MOST_OF_A_KIND:
        return waits
    mixed = sorted(waits, key=lambda one: turn(today, (*one[1:4], b"%d" % one.number)))
    of_authors = in_turns(mixed, lambda one: (one.ledger_id, one.author))
    return in_turns(of_authors, lambda one: one.ledger_id)[:MOST_OF_A_KIND]


def _is_mended(node: Node, ledger_id: LedgerId) -> bool:
    """Return whether no file of a ledger is left that cannot be read.

    A repair may have found nothing in it; then the ledger comes from others.
    """
    return node.readable(ledger_id) is not None or not node.has_ledger(ledger_id)


def this_day(node: Node) -> int:
    """Return the day, by the clock of *node*, since 1970."""
    return node.clock() // _DAY_US


def is_readable(encoding: int) -> bool:
    """Return whether entries in that encoding can be read; most bundles hold tails alone."""
    from bundler.entry_encodings import is_known  # noqa: PLC0415 -- much code

    return is_known(encoding)
