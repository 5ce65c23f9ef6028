"""What a laboratory knows that no node does: who wrote what, who holds it, and what is lost.

Whatever a node holds of a log must be what the author of that log made of it, in one of its homes.
Whatever was put and acknowledged must be there in the end, but for what no home held any more.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from bundler.head import Stamp
from ledger.data import value_from_payload
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.genesis import LedgerId, Term
from ledger.log import LogName, LogState
from ledger.store import Store
from pannier.counting import Counting
from pannier.node import Node

SECRET = "swordfish"
"""Stands in all that is put, so that whoever could read it is found out."""
THING = "gazebo"
"""Begins the name of every thing, for the same reason."""

# The end of an incarnation of a node is drawn; what stands before it are seconds.
_DRAWN_BYTES = 3

_Place = tuple[LedgerId, LogName, int]
_Held = tuple[str, LedgerId, LogName]


@dataclass(slots=True)
class Acknowledged:
    """An entry that `put` has said is kept.

    Attributes:
        ledger: In which ledger.
        author: Which node's.
        is_lost: No home that counts held it any more.
        may_be_evidence: Its author spoke with two voices: it may be that it is kept as evidence.
    """

    ledger: LedgerId
    author: str
    is_lost: bool = False
    may_be_evidence: bool = False


@dataclass(slots=True)
class Records:
    """Everything that was written.

    Attributes:
        acknowledged: What was put, by its number.
        told: Homes that were rolled back and have met somebody who knew more: they use no number
            again that was used. True before they were ever rolled back.
        clocks_jump: Whether clocks go back, or homes are two: then a bundle may bear the number
            of another.
        reused: How often a home used a number again before it could know.
        branched: Homes that did so with an entry.
        held: Which numbers a home holds of a log.
    """

    acknowledged: dict[int, Acknowledged] = field(default_factory=dict)
    told: defaultdict[str, bool] = field(default_factory=lambda: defaultdict(lambda: True))
    clocks_jump: bool = False
    reused: int = 0
    branched: set[str] = field(default_factory=set)
    held: dict[_Held, frozenset[int]] = field(default_factory=dict)
    _truth: dict[_Place, set[bytes]] = field(default_factory=dict)
    _stamps: dict[tuple[str, bytes, int], bool] = field(default_factory=dict)
    _roots: dict[_Held, tuple[int, bytes]] = field(default_factory=dict)

    def look(self, nodes: Mapping[str, Node]) -> None:
        """Take note of what *nodes*, by their homes, wrote, and see that all else was written.

        Of those that were joined by a wire each may hold what the other wrote in the midst of it,
        as who learns that it was restored does. So what is their own is looked at first, of all.
        """
        for is_own in (True, False):
            for home, node in nodes.items():
                for store in node.every_ledger():
                    self._look_at(home, node, store, is_own=is_own)

    def holds(self, home: str, ledger: LedgerId | None = None) -> set[int]:
        """Return the numbers that a home holds, in one ledger or in all."""
        return {
            number
            for (one, where, _), numbers in self.held.items()
            if one == home and ledger in (None, where)
            for number in numbers
        }

    def forget(self, home: str) -> None:
        """What is known of a home holds no more."""
        for known in (self.held, self._roots):
            for key in [key for key in known if key[0] == home]:
                del known[key]

    def note_lost(self, gone: set[int], counts: dict[LedgerId, set[str]]) -> None:
        """Note which of *gone* nobody holds any more, of the homes that count for each ledger."""
        for number in gone:
            known = self.acknowledged[number]
            homes = counts.get(known.ledger, set())
            if not any(number in self.holds(home, known.ledger) for home in homes):
                known.is_lost = True

    # -- entries ------------------------------------------------------------------------------

    def _look_at(self, home: str, node: Node, store: Store, *, is_own: bool) -> None:
        authors = _authors(node, store)
        for log in store.logs():
            if (log.name.author in authors) != is_own:
                continue
            key = (home, store.ledger_id, log.name)
            root = (log.size, log.frontier.root())
            if self._roots.get(key) == root:
                continue
            for number, leaf in enumerate(store.leaves(log, 0, log.size)):
                self._check(home, (store.ledger_id, log.name, number), leaf, is_own=is_own)
            self._roots[key] = root
            self.held[key] = frozenset(numbers_in(store, log))

    def _check(self, home: str, place: _Place, leaf: bytes, *, is_own: bool) -> None:
        known = self._truth.setdefault(place, set())
        if leaf in known:
            return
        assert is_own, f"{home} believes what {place[1]} never wrote as number {place[2]}"
        if known:
            assert not self.told[home], f"{home} uses the number {place[2]} of {place[1]} again"
            self.reused += 1
            self.branched.add(home)
        known.add(leaf)

    # -- bundles ------------------------------------------------------------------------------

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See that each bundle of a node has a number of its own, while the block runs."""
        made = Counting.stamp

        def stamp(counting: Counting) -> Stamp:
            now, node = made(counting), counting.node
            began = int.from_bytes(now.incarnation[:-_DRAWN_BYTES], "big")
            # Who makes more than a bundle a second is ahead of the clock, and may draw it again.
            is_ahead = now.counter > now.time_us // 1_000_000 - began
            number = (node.card.node_id, now.incarnation, now.counter)
            self._count(node.home.path.name, number, is_ahead)
            return now

        with patch.object(Counting, "stamp", stamp):
            yield

    def _count(self, home: str, stamp: tuple[str, bytes, int], is_ahead: bool) -> None:
        if stamp in self._stamps:
            may_be = self.clocks_jump or self._stamps[stamp]
            assert may_be, f"{home} stamps two bundles alike"
            self.reused += 1
        self._stamps[stamp] = is_ahead


def _authors(node: Node, store: Store) -> set[bytes]:
    """Return in whose logs a node may write: its own, and those of all who have a passphrase."""
    shared = store.genesis.admins if Term.PASSPHRASE in store.genesis.terms else ()
    return {node.card.author, *(card.author for card in shared)}


def numbers_in(store: Store, log: LogState, *, counted: bool = False) -> Iterator[int]:
    """Yield the numbers that were put into a log."""
    for entry in store.entries(log, 0, log.counted if counted else log.size):
        yield from number_of(entry)


def number_of(entry: Entry) -> Iterator[int]:
    """Yield the number that an entry says, if it says one."""
    try:
        value = value_from_payload(entry.payload or b"")
    except LedgerError:
        return
    if isinstance(value, dict) and isinstance(value.get("n"), int):
        yield value["n"]
