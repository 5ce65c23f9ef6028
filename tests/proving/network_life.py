"""Some nodes, their sticks and their mules, and what the laboratory knows of them.

What can happen to them is in `network_deeds`, `network_meetings` and `network_troubles`.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from ledger.genesis import LedgerId
from ledger.members import members
from pannier.import_report import Outcome
from pannier.review import accept, waiting
from pannier.trusted_time import Uptime
from tests.proving.network_plan import Plan
from tests.proving.network_records import SECRET, Acknowledged, Records
from tests.sim.deeds import Deed
from tests.sim.world import DAY_US, START_US, World

OPEN_LEDGERS = ("one", "two")
PASSPHRASE_LEDGER = "common"
LEDGERS = (*OPEN_LEDGERS, PASSPHRASE_LEDGER)
STICKS = 4
_ACQUAINTED = 12
"""So many nodes know each other; of more each knows the first and its neighbours."""
_NEIGHBOURS = 3
_SMALL = "[spool]\ncarry_bytes = 40000\npeer_bytes = 60000\n"


class Life:
    """What happened to some nodes, and how often.

    Attributes:
        plan: How they began.
        world: The nodes.
        records: What was written, and who holds it.
        seen: How often what happened, to prove that it was worth while.
        sticks: The names of those that are about.
        clones: By node, the second home that writes in its name.
        backups: By node, a copy of its home.
        removed: By ledger, who was ever put out of it.
        rolled_back: Homes that do not remember all that they said, and how they counted then.
        rollbacks: How often the homes of a node were rolled back.
        branched: Nodes that said different things under one number before they could know.
        parted: Whether the nodes of even number and the others share no stick.
        draw: For chances within a deed; set anew for each.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Let the nodes of *plan* begin below *folder*."""
        self.plan = plan
        self.world = World(folder, plan.names[:0], plan.seed)
        self.world.uptime = lambda: Uptime("boot", 0, self.world.clock() - START_US)
        self.records = Records(clocks_jump=bool(plan.features & {"clocks", "clones", "hostile"}))
        self.seen: Counter[str] = Counter()
        self.sticks = [f"stick {number}" for number in range(STICKS)]
        self.clones: dict[str, str] = {}
        self.backups: dict[str, Path] = {}
        self.removed: defaultdict[str, set[str]] = defaultdict(set)
        self.rolled_back: dict[str, bytes] = {}
        self.rollbacks: Counter[str] = Counter()
        self.branched: set[str] = set()
        self.parted = False
        self.draw = random.Random(plan.seed)
        self._bought = STICKS
        self._begin()

    def _begin(self) -> None:
        names, world = self.plan.names, self.world
        for name in (*names, *self.plan.mules):
            world.add(name)
        for group in _acquainted(names):
            world.acquaint(group)
        for name in names:
            world.configure(name, self._config(name))
        world.skew_us[names[-1]] = self.plan.skew_days * DAY_US
        # Only whom it knows can a founder share with.
        world.found(names[0], *names[1:], ledger=OPEN_LEDGERS[0])
        world.found(names[1], ledger=OPEN_LEDGERS[1])
        for name in names[:2]:
            self.look(name)

    def _config(self, name: str) -> str:
        plan = self.plan
        asks = "review" in plan.features and name == plan.names[-1]
        rule = 'import = "review"\n' if asks else ""
        return "\n".join(
            f"[peer.{peer.name}]\nexpiry_days = {plan.expiry_days}\nmtu = {plan.mtu}\n{rule}"
            for peer in self.world[name].peers.values()
        ) + (_SMALL if "small" in plan.features else "")

    # -- who and where ------------------------------------------------------------------------

    def home_of(self, deed: Deed) -> str:
        """Return who does a deed: one of the nodes, or its clone if there is one."""
        name = self.plan.names[deed.who % len(self.plan.names)]
        clone = self.clones.get(name)
        return clone if clone is not None and deed.what % 2 else name

    @property
    def homes(self) -> list[str]:
        """All that have ledgers, clones too."""
        return [*self.plan.names, *self.clones.values()]

    def node_of(self, home: str) -> str:
        """Return in whose name a home writes."""
        return home.rstrip("'")

    def stick_for(self, home: str, what: int) -> str:
        """Return the name of a stick that *home* can get hold of."""
        number = what % STICKS
        if self.parted and self.node_of(home) in self.plan.names:
            number = number // 2 * 2 + self.plan.names.index(self.node_of(home)) % 2
        return self.sticks[number]

    def new_stick(self, number: int | None = None) -> str:
        """Return the name of a new stick, which takes the place of another if that is said."""
        self._bought += 1
        name = f"stick {self._bought}"
        if number is not None:
            self.sticks[number % STICKS] = name
        return name

    def ledgers_of(self, home: str) -> list[str]:
        """Return the names of the ledgers that *home* has."""
        return [store.genesis.name for store in self.world[home].ledgers()]

    def members_of(self, ledger: str, home: str) -> set[str]:
        """Return who is in a ledger, as *home* knows it."""
        known = members(self.world.store(home, ledger))
        return {one for one in self.plan.names if self.world[one].card.author in known}

    # -- what all deeds are made of -----------------------------------------------------------

    def look(self, *homes: str) -> None:
        """Take note of what homes hold now; those that just met by wire are looked at together."""
        self.records.look({home: self.world[home] for home in homes})
        self.branched |= {self.node_of(home) for home in self.records.branched}

    def roll_back(self, home: str) -> None:
        """Note that a home does not remember all that it said, and cannot know that."""
        self.rolled_back[home] = self.world[home].counting.incarnation()
        self.rollbacks[self.node_of(home)] += 1
        self.records.told[home] = False

    def note_meeting(self, home: str) -> None:
        """Note whether a home that met somebody knows now that it was rolled back."""
        if home not in self.rolled_back:
            return
        if self.world[home].counting.incarnation() != self.rolled_back[home]:
            del self.rolled_back[home]
            self.records.told[home] = True
        else:
            self.branched.add(self.node_of(home))

    def visit(self, home: str, stick: str) -> bool:
        """Let a home have a stick; return whether anything came of it."""
        done = self.world.exchange(home, stick)
        self.count(done.report.outcomes.values())
        self.seen["carried"] += done.carried_written
        is_active = bool(done.report.outcomes or sum(done.written.values()))
        if home in self.homes:
            self.note_meeting(home)
            self.look(home)
        return is_active

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Count what became of bundles."""
        self.seen.update(one.value for one in outcomes)

    def put(self, home: str, ledger: str, thing: str) -> int:
        """Put something; return its number, which is acknowledged."""
        number = 1 + len(self.records.acknowledged)
        self.world.put(home, thing, {"n": number, "word": SECRET}, ledger)
        self.acknowledge(number, home, ledger)
        return number

    def acknowledge(self, number: int, home: str, ledger: str) -> None:
        """Note what was put."""
        ledger_id = self.world.store(home, ledger).ledger_id
        known = Acknowledged(ledger_id, self.node_of(home))
        self.records.acknowledged[number] = known
        self.look(home)
        self.seen["puts"] += 1
        assert number in self.records.holds(home), "what was acknowledged is not there"

    def gone(self, numbers: set[int]) -> None:
        """Note which of *numbers*, which a home held, are in no home any more."""
        counts: dict[LedgerId, set[str]] = {}
        for home in self.plan.names:
            for store in self.world[home].ledgers():
                if home not in self.removed[store.genesis.name]:
                    counts.setdefault(store.ledger_id, set()).add(home)
        self.records.note_lost(numbers, counts)

    def accept_all(self, home: str) -> bool:
        """Let a person look at what waits, and accept it; return whether there was anything."""
        found = waiting(self.world[home])
        if found:
            self.count(accept(self.world[home], found).outcomes.values())
            self.seen["reviewed"] += len(found)
            self.look(home)
        return bool(found)


def _acquainted(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return who knows each other: all, or those around one who knows everybody."""
    if len(names) <= _ACQUAINTED:
        return [names]
    near = [
        tuple(dict.fromkeys((names[0], *names[start : start + _NEIGHBOURS])))
        for start in range(0, len(names), _NEIGHBOURS - 1)
    ]
    return [*near, *((names[0], name) for name in names[1:])]
