"""Whatever is done to a stick: nothing of it is believed, and an honest one heals everything."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.sim.deeds import Deed
from tests.sim.siege import KINDS, Siege

MUST = ("drop", "replay", "swap", "truncate", "flip", "roll back", "mix", "forge", "rename")
NUMBERS = st.integers(0, 59)
DEEDS = st.lists(
    st.builds(Deed, st.sampled_from(KINDS), NUMBERS, NUMBERS), min_size=30, max_size=60
)


def test_nothing_of_an_attackers_stick_is_believed_and_nothing_honest_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=9,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(deeds=DEEDS)
    def check(deeds: list[Deed]) -> None:
        siege = Siege(tmp_path_factory.mktemp("siege"))
        with siege.world:
            for deed in deeds:
                siege.do(deed)
            siege.end()
        seen.update(siege.seen)

    check()
    lazy = {what: seen[what] for what in (*MUST, "entries", "merged") if seen[what] < 3}
    assert lazy == {}, "sieges that came to nothing"
