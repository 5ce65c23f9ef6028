"""Random lives of some nodes: what the model test and the soak run, and how they end.

A life is a list of deeds, each of them three small numbers; so a test library can shrink it, and a
seed can stand for it.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ledger.genesis import LedgerId
from ledger.log import LogName
from ledger.members import Role, may_write, members
from ledger.views import conflicts
from pannier.import_report import Outcome
from pannier.membership import share
from pannier.merging import Wait
from pannier.tail_rows import compact_under
from tests.sim.world import DAY_US, World, assert_equal, data_queue, fragments

NAMES = ("ada", "bea", "cyd", "dan", "eve")
LEDGERS = ("one", "two")
THINGS = 4
STICKS = 3
EXPIRY_DAYS = 30
SKEWS_US = (0, 1000 * DAY_US, -1000 * DAY_US)


class Deed(NamedTuple):
    """One thing that happens; *who* and *what* are taken modulo what there is."""

    kind: str
    who: int
    what: int


class Life:
    """Some nodes, what happened to them, and how often.

    Attributes:
        seen: How often what happened, to prove that the life was worth living.
    """

    def __init__(
        self, folder: Path, nodes: int, *, skew: int = 0, seed: int = 0, mtu: int = 1400
    ) -> None:
        self.names = NAMES[:nodes]
        self.seen: Counter[str] = Counter()
        self.world = World(folder, self.names, seed)
        self._sticks = [f"stick {number}" for number in range(STICKS)]
        self._bought = STICKS
        self._backups: dict[str, Path] = {}
        self._puts = 0
        self.world.skew_us[self.names[-1]] = SKEWS_US[skew % len(SKEWS_US)]
        for name in self.names:
            peers = [other for other in self.names if other != name]
            self.world.configure(
                name,
                "\n".join(
                    f"[peer.{peer}]\nexpiry_days = {EXPIRY_DAYS}\nmtu = {mtu}" for peer in peers
                ),
            )
        self.world.found(self.names[0], *self.names[1:], ledger=LEDGERS[0])
        self.world.found(self.names[1], ledger=LEDGERS[1])

    def do(self, deed: Deed) -> None:
        """Let one thing happen."""
        name = self.names[deed.who % len(self.names)]
        self._deeds()[deed.kind](name, deed.what)

    def end(self) -> None:
        """Exchange honestly until all is said, and prove that all is as it must be."""
        for _ in range(2):
            self.world.clock.pass_days(31)  # so that what got lost is said again
            self.world.rounds(self.names, 4, "last")
        for ledger in LEDGERS:
            holders = [name for name in self.names if self.world.has(name, ledger)]
            known = assert_equal(self.world, holders, ledger)
            assert set(holders) == self._members(ledger, holders[0])
            self.seen["conflicts at the end"] += len(known["conflicts"])  # type: ignore[arg-type]
        for name in self.names:
            node = self.world[name]
            assert data_queue(node) == [], f"{name} still sends"
            assert self._may_come(name) == [], f"{name} still holds"
            assert node.spool.inbox.bundles() == []
            expired = (node.db.bundles(peer, "expired") for peer in node.peers)
            self.seen["expired"] += sum(map(len, expired))

    def _deeds(self) -> dict[str, Callable[[str, int], None]]:
        return {
            "visit": self._visit,
            "put": self._put,
            "delete": self._delete,
            "share": self._share,
            "lose": self._lose,
            "copy": self._copy,
            "tear": self._tear,
            "forget": self._forget,
            "days": self._days,
            "back up": self._back_up,
            "restore": self._restore,
        }

    def _may_come(self, name: str) -> list[Wait]:
        """What held bundles wait for, but for entries that all have lost.

        An author restored from a backup whose only bundle was on a lost stick has lost them.
        """
        held = {one.bundle_id for one in self.world[name].spool.held.names()}
        found = self.world[name].db.rows("SELECT * FROM waiting")
        waits = [Wait.from_row(row[2:]) for row in found if row[0] in held]
        return [wait for wait in waits if not (self._backups and self._is_lost(wait))]

    def _is_lost(self, wait: Wait) -> bool:
        stores = [self.world[name].ledger(LedgerId(wait.ledger_id)) for name in self.names]
        log = LogName(wait.author, wait.incarnation)
        return wait.kind == "range" and all(
            store is None or store.log(log).size < wait.number for store in stores
        )

    def _members(self, ledger: str, name: str) -> set[str]:
        known = members(self.world.store(name, ledger))
        return {one for one in self.names if self.world[one].card.author in known}

    # -- deeds --------------------------------------------------------------------------------

    def _visit(self, name: str, what: int) -> None:
        done = self.world.exchange(name, self._sticks[what % STICKS])
        for outcome in Outcome:
            self.seen[outcome.value] += done.report.count(outcome)
        self.seen["entries"] += sum(done.report.entries.values())
        self.seen["carried"] += done.carried_written
        for peer in self.world[name].peers:
            made = self.world[name].db.bundles(peer)
            self.seen["pairwise"] += sum(one.key_id is not None for one in made)
            db = self.world[name].db
            self.seen["tails"] += sum(
                not one.control and compact_under(db, one.bundle_id) is not None for one in made
            )
        for ledger in LEDGERS:
            if self.world.has(name, ledger):
                self.seen["conflicts"] += len(conflicts(self.world.store(name, ledger)))

    def _writable(self, name: str, what: int) -> str | None:
        ledger = LEDGERS[what % 5 == 0]
        if not self.world.has(name, ledger):
            return None
        store = self.world.store(name, ledger)
        return ledger if may_write(members(store), self.world[name].card.author) else None

    def _put(self, name: str, what: int) -> None:
        ledger = self._writable(name, what)
        if ledger is not None:
            self._puts += 1
            self.world.put(name, f"thing {what % THINGS}", self._puts, ledger)
            self.seen["puts"] += 1

    def _delete(self, name: str, what: int) -> None:
        ledger = self._writable(name, what)
        if ledger is not None:
            self.world.delete(name, f"thing {what % THINGS}", ledger)

    def _share(self, name: str, what: int) -> None:
        other = self.names[what % len(self.names)]
        founder = self.names[1]
        if other != founder:
            peer = self.world[founder].peer_named(other)
            role = Role(what // len(self.names) % 3)
            self.seen["shares"] += share(
                self.world[founder], self.world.store(founder, "two"), peer, role
            )

    def _lose(self, _: str, what: int) -> None:
        self._bought += 1
        self._sticks[what % STICKS] = f"stick {self._bought}"
        self.seen["lost"] += 1

    def _copy(self, _: str, what: int) -> None:
        """A copy of a stick takes the place of the next, as if somebody had cloned it."""
        self._bought += 1
        copy = f"stick {self._bought}"
        shutil.copytree(
            self.world.stick(self._sticks[what % STICKS]),
            self.world.stick(copy),
            dirs_exist_ok=True,
        )
        self._sticks[(what + 1) % STICKS] = copy
        self.seen["copied"] += 1

    def _tear(self, name: str, what: int) -> None:
        """Of two bundles that a node leaves on a stick one after the other, the first is lost."""
        stick = self._sticks[what % STICKS]
        self._visit(name, what)
        before = set(fragments(self.world.stick(stick)))
        self._put(name, 1)
        self._visit(name, what)
        first = set(fragments(self.world.stick(stick))) - before
        self._put(name, 1)
        self._visit(name, what)
        for path in first:
            path.unlink(missing_ok=True)
        self.seen["torn"] += len(first)

    def _forget(self, name: str, _: int) -> None:
        self.world.forget(name)
        self.seen["forgotten"] += 1

    def _days(self, _: str, what: int) -> None:
        self.world.clock.pass_days(1 + what % 40)

    def _back_up(self, name: str, _: int) -> None:
        self._backups[name] = self.world.back_up(name)

    def _restore(self, name: str, _: int) -> None:
        if name in self._backups:
            self.world.restore(name, self._backups[name])
            self.seen["restored"] += 1


KINDS = (
    *["visit"] * 12,
    *["put"] * 6,
    "delete",
    "share",
    "lose",
    "copy",
    "tear",
    "days",
    "forget",
)
"""What happens, as often as it is in here."""

KINDS_WITH_BACKUPS = (*KINDS, "back up", "back up", "restore", "restore")


def live(life: Life, deeds: Sequence[Deed]) -> None:
    """Live a life to its end, whatever comes of it closed."""
    try:
        for deed in deeds:
            life.do(deed)
        life.end()
    finally:
        life.world.close()


def deeds_from(number: Callable[[int], int], count: int, kinds: Sequence[str]) -> Iterator[Deed]:
    """Yield *count* deeds; *number* gives one below its argument, at random."""
    for _ in range(count):
        yield Deed(kinds[number(len(kinds))], number(60), number(60))
