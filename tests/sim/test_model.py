"""Whatever happens to some nodes and sticks: in the end all know the same and nothing waits."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.sim.model import KINDS, KINDS_WITH_BACKUPS, Deed, Life, live


def deeds(kinds: tuple[str, ...]) -> st.SearchStrategy[list[Deed]]:
    number = st.integers(0, 59)
    one = st.builds(Deed, st.sampled_from(kinds), number, number)
    return st.lists(one, min_size=30, max_size=70)


@pytest.mark.parametrize(
    ("kinds", "must"),
    [
        (
            KINDS,
            ("merged", "pairwise", "held", "conflicts", "expired", "carried", "forgotten", "tails"),
        ),
        (KINDS_WITH_BACKUPS, ("merged", "conflicts", "restored", "tails")),
    ],
    ids=["plain", "backups"],
)
def test_any_life_ends_well(
    tmp_path_factory: pytest.TempPathFactory, kinds: tuple[str, ...], must: tuple[str, ...]
) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        nodes=st.integers(2, 5),
        skew=st.integers(0, 2),
        mtu=st.sampled_from([222, 1400]),
        lived=deeds(kinds),
    )
    def check(nodes: int, skew: int, mtu: int, lived: list[Deed]) -> None:
        life = Life(tmp_path_factory.mktemp("life"), nodes, skew=skew, mtu=mtu)
        live(life, lived)
        seen.update(life.seen)

    check()
    assert {what: seen[what] for what in must if seen[what] < 3} == {}, "lives that came to nothing"


def test_a_life_can_be_lived_again(tmp_path: Path) -> None:
    """All randomness comes from the seed: the same bundles with the same names."""
    lived = [Deed("put", who, who) for who in range(3)] + [
        Deed("visit", who, stick) for who in (0, 1, 2, 0, 1) for stick in (0, 1)
    ]
    made = []
    for name in ("once", "again"):
        life = Life(tmp_path / name, 3, seed=7)
        for deed in lived:
            life.do(deed)
        made.append([life.world[who].db.rows("SELECT * FROM bundle") for who in life.names])
        life.world.close()
    assert made[0] == made[1]
    assert all(made[0])
