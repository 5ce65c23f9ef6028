"""Every target takes its seeds, and what a fuzzer would try first, without a fuzzer."""

import pytest

from tests.fuzz.harness import load_target, mutations, names

MUTATIONS = 1000


@pytest.mark.parametrize("name", names())
def test_nothing_but_the_errors_of_the_room_escapes(name: str) -> None:
    target = load_target(name)
    seeds = list(dict.fromkeys(target.seeds()))
    good = sum(target.run(seed) for seed in seeds)
    assert good, "a target that takes nothing looks at nothing"
    for data in mutations(seeds, MUTATIONS):
        target.run(data)
