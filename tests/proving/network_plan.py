"""What a seed stands for: how many nodes there are, how they begin, and what happens to them."""

import random
from dataclasses import dataclass

from tests.sim.deeds import Deed

_NAMES = ("ada", "bea", "cyd", "dan", "eve")
_NUMBERS = 60
_LARGE_EVERY = 500
_LARGEST = 200

USUAL = {"visit": 12, "put": 6, "delete": 1, "share": 1, "lose": 1, "copy": 1, "tear": 1, "days": 1}
"""What happens, and how often of all."""

FEATURES: dict[str, tuple[int, dict[str, int]]] = {
    "links": (40, {"link": 4, "hang-up": 2}),
    "broadcasts": (25, {"broadcast": 4}),
    "backups": (40, {"backup": 3, "restore": 3}),
    "clones": (10, {"clone": 1, "retire": 1}),
    "files": (12, {"add": 3}),
    "leaving": (20, {"revoke": 2, "share": 2}),
    "passphrase": (10, {"join": 3}),
    "review": (10, {"review": 2}),
    "clocks": (25, {"jump": 2, "years": 1}),
    "full": (20, {"full-stick": 2, "full-home": 2}),
    "partition": (15, {"part": 1, "heal": 1}),
    "damage": (25, {"spoil": 2, "forget": 1}),
    "small": (8, {}),
    "hostile": (5, {"clone": 1}),
}
"""In how many of 100 schedules there is something, and what then happens how often."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a schedule begins.

    Attributes:
        seed: All that is drawn follows from it.
        names: The nodes that have ledgers.
        mules: Nodes that carry what others wrote, and are members of nothing.
        mtu: Most bytes of a fragment.
        expiry_days: How long a bundle lives.
        skew_days: How wrong the clock of the last node is, always.
        features: What may happen beside the usual.
    """

    seed: int
    names: tuple[str, ...]
    mules: tuple[str, ...]
    mtu: int
    expiry_days: int
    skew_days: int
    features: frozenset[str]

    @property
    def kinds(self) -> list[str]:
        """What happens, as often as it is in here."""
        chosen = [FEATURES[one][1] for one in sorted(self.features)]
        return [
            kind for some in (USUAL, *chosen) for kind, count in some.items() for _ in range(count)
        ]


def plan_of(seed: int, nodes: int | None = None) -> tuple[Plan, list[Deed]]:
    """Return the schedule that *seed* stands for, with as many *nodes* if that is said."""
    draw = random.Random(f"network {seed}")
    count = nodes or _count(seed, draw)
    names = (*_NAMES, *(f"n{number}" for number in range(len(_NAMES), count)))[:count]
    plan = Plan(
        seed=seed,
        names=names,
        mules=("mel", "moe")[: draw.choice((0, 0, 0, 1, 1, 2))],
        mtu=draw.choice((1400, 1400, 222)),
        expiry_days=draw.choice((30, 30, 366)),
        skew_days=draw.choice((0, 0, 0, 0, 1000, -1000)),
        features=frozenset(
            name for name, (percent, _) in FEATURES.items() if draw.randrange(100) < percent
        ),
    )
    kinds, most = plan.kinds, _length(count, draw)
    return plan, [
        Deed(draw.choice(kinds), draw.randrange(max(_NUMBERS, count)), draw.randrange(_NUMBERS))
        for _ in range(draw.randint(most // 3, most))
    ]


def _length(nodes: int, draw: random.Random) -> int:
    """Return how much may happen."""
    if nodes >= 20:
        return 2 * nodes
    return draw.choice((12, 25, 25, 50, 90) if nodes <= 3 else (12, 12, 25, 25, 50))


def _count(seed: int, draw: random.Random) -> int:
    """Return how many nodes there are: few as a rule, which is fast, and now and then many."""
    if seed % _LARGE_EVERY == _LARGE_EVERY - 1:
        is_largest = seed // _LARGE_EVERY % 5 == 4
        return _LARGEST if is_largest else draw.randint(20, 60)
    return draw.choices((2, 3, 4, 5, 8), weights=(36, 38, 16, 8, 2))[0]
