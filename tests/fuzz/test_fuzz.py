"""Every target takes its seeds, and what a fuzzer would try first, without a fuzzer."""

import cbor2
import pytest

from tests.fuzz.harness import examples, load_target, mutations, names
from tests.fuzz.structures import altered

MUTATIONS = 1000


@pytest.mark.parametrize("name", names())
def test_nothing_but_the_errors_of_the_room_escapes(name: str) -> None:
    target = load_target(name)
    seeds = list(dict.fromkeys(target.seeds()))
    good = sum(target.run(seed) for seed in seeds)
    assert good, "a target that takes nothing looks at nothing"
    for data in (*mutations(seeds, MUTATIONS), *examples(target)):
        target.run(data)


def test_one_item_of_a_structure_is_altered_inside_of_strings_too() -> None:
    inside = cbor2.dumps([7])
    seed = b"\xff" + cbor2.dumps([1, {"a": inside}, "end"])
    found = [cbor2.loads(data[1:]) for data in altered([seed, b"no structure"], 10_000)]
    for missing in ([{"a": inside}, "end"], [1, {}, "end"], [1, {"a": cbor2.dumps([])}, "end"]):
        assert missing in found
    assert [2, {"a": inside}, "end"] in found
    assert len(list(altered([seed], 10))) <= 10
