"""Power loss (`make power`): ``python -m tests.proving.power [--record] [SCENE ...]``.

What a command did to files is recorded call by call and played to models of its disks. After each
call the power goes out: of what was not synced by then, any part may be lost and any part be there,
in any order. Each state that this leaves is laid out, opened by pannier, and used: all that was
acknowledged to people or to other nodes is there, the same command goes on, and in the end every
node knows the same.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.proving.power_lab import Thoroughness, describe, try_all
from tests.proving.power_scenes import SCENES
from tests.proving.results import Result, record

LABORATORY = "power loss"
COMMAND = "make power"


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    names = options.scenes or [scene.name for scene in SCENES]
    much = Thoroughness(cuts=options.cuts, each=options.each, random_states=options.random)
    run = partial(run_scene, much=much, seed=options.seed, keep=options.keep)
    results: list[Result] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for found, losses in pool.map(run, names):
            results += found
            for one in found:
                print(f"{one.operation}: {one.survived} of {one.tried} survived", flush=True)
            for line in losses:
                print(f"  {line}", flush=True)
    if options.record:
        record(results)
    return 0 if all(one.survived == one.tried for one in results) else 1


def run_scene(
    name: str, *, much: Thoroughness, seed: int, keep: Path | None
) -> tuple[list[Result], list[str]]:
    """Try all cuts of one scene; return the results of its operations, and what was lost."""
    (scene,) = [one for one in SCENES if one.name == name]
    tried, survived = Counter[str](), Counter[str]()
    losses = []
    for cut, loss in try_all(scene, much, seed=seed, keep=keep):
        tried[cut.operation] += 1
        survived[cut.operation] += loss is None
        if loss is not None:
            losses.append(describe(loss))
    results = [
        Result(LABORATORY, operation, "power cut", count, survived[operation], COMMAND)
        for operation, count in tried.items()
    ]
    return results, losses


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.proving.power")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="which; all if none is named")
    parser.add_argument("--record", action="store_true", help="into docs/reliability.json")
    parser.add_argument("--cuts", type=int, help="at how many calls of each operation, not at all")
    parser.add_argument("--each", type=int, default=4, help="how many of the states after a cut")
    parser.add_argument("--random", type=int, default=6, help="how many random ones to choose from")
    parser.add_argument("--seed", type=int, default=0, help="for what is left to chance")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--keep", type=Path, help="lay out here what was not survived")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
