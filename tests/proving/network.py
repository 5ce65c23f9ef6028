"""A network of nodes, in virtual time: ``python -m tests.proving.network --schedules 10000``.

Each seed stands for some nodes and for what happens to them. A schedule that ends badly is made as
short as it can be, and printed with the command that runs it again.
"""

import argparse
import os
import re
import shlex
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.proving.network_deeds import DEEDS
from tests.proving.network_ending import end
from tests.proving.network_life import Life
from tests.proving.network_meetings import MEETINGS
from tests.proving.network_plan import Plan, plan_of
from tests.proving.network_shrink import shrink
from tests.proving.network_troubles import TROUBLES
from tests.proving.results import Result, record
from tests.sim.deeds import Deed, typed

HAPPENINGS = {**DEEDS, **MEETINGS, **TROUBLES}
_NAMES = re.compile("[0-9a-f]{16,}|[0-9]+|ada|bea|cyd|dan|eve|one|two")
_SHRINK_SECONDS = 20.0
"""Of CPU."""
_MEMORY = Path("/dev/shm")  # noqa: S108 -- a folder in memory, below which we make our own
_FAULTS = {
    "sticks lost, torn, copied, late by years": "usual",
    "homes rolled back": "backups",
    "homes cloned": "clones",
    "homes cloned, both used for ever": "hostile",
    "members removed": "leaving",
    "clocks in 1980, 2100, and anywhere between": "clocks",
    "no room on sticks and disks": "full",
    "links cut and noisy": "links",
    "broadcasts with loss": "broadcasts",
    "bits that rot on sticks, bookkeeping lost": "damage",
    "partition": "partition",
}


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of a schedule.

    Attributes:
        seed: Which one.
        seen: How often what happened.
        problem: What went wrong; empty: nothing.
        deeds: What was done, as short as it could be made if it went wrong.
        cpu_seconds: What it cost.
    """

    seed: int
    seen: Counter[str]
    problem: str
    deeds: tuple[Deed, ...]
    cpu_seconds: float


def live(plan: Plan, deeds: Sequence[Deed]) -> Counter[str]:
    """Live a life to its end; return how often what happened.

    Raises:
        AssertionError: something was lost, or twice, or believed.
        Exception: whatever pannier raises, which is a bug, too.
    """
    above = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pannier-network-", dir=above) as folder:
        life = Life(Path(folder), plan)
        with life.world, life.records.watching():
            for number, deed in enumerate(deeds):
                life.draw.seed(f"{plan.seed} {number} {deed}")
                HAPPENINGS[deed.kind](life, life.home_of(deed), deed.what)
            end(life)
        return life.seen


def problem_of(plan: Plan, deeds: Sequence[Deed]) -> str:
    """Return what goes wrong in a life, with where; empty if nothing does."""
    try:
        live(plan, deeds)
    except Exception:  # noqa: BLE001 -- whatever it is is what we look for
        return traceback.format_exc()
    return ""


def kind_of(problem: str) -> str:
    """Return what problems that are one have in common: where, and what is said but for names."""
    lines = [line for line in problem.splitlines() if line.strip()]
    places = [line.split(",")[0:3:2] for line in lines if line.startswith("  File ")]
    return f"{places[-1]} {_NAMES.sub('', lines[-1])[:60]}" if lines else ""


def lived(seed: int, nodes: int | None = None, shrink_seconds: float = _SHRINK_SECONDS) -> Lived:
    """Live the schedule that *seed* stands for, and make it short if it ends badly."""
    begun = time.process_time()
    plan, deeds = plan_of(seed, nodes)
    seen: Counter[str] = Counter()
    problem = ""
    try:
        seen = live(plan, deeds)
    except Exception:  # noqa: BLE001 -- whatever it is is what we look for
        problem = traceback.format_exc()
        until, kind = time.process_time() + shrink_seconds, kind_of(problem)
        deeds = shrink(
            deeds,
            lambda some: kind_of(problem_of(plan, some)) == kind,
            lambda: time.process_time() < until,
        )
        problem = problem_of(plan, deeds) or problem
    seen.update(plan.features)
    seen["schedules"] += 1
    return Lived(seed, seen, problem, tuple(deeds), time.process_time() - begun)


def command_of(seed: int, deeds: Sequence[Deed], nodes: int | None = None) -> str:
    """Return what to type to see a schedule again."""
    more = f" --nodes {nodes}" if nodes else ""
    return (
        f"python -m tests.proving.network --seed {seed}{more} --deeds {shlex.quote(typed(deeds))}"
    )


def all_lived(seeds: Sequence[int], workers: int, nodes: int | None) -> Iterator[Lived]:
    """Yield what came of many schedules, as they end."""
    if min(workers, len(seeds)) == 1:
        for seed in seeds:
            yield lived(seed, nodes)
        return
    with ProcessPoolExecutor(workers, max_tasks_per_child=500) as pool:
        yield from pool.map(lived, seeds, [nodes] * len(seeds))


def results_of(ended: Sequence[Lived]) -> list[Result]:
    """Return the rows of the table in docs/reliability.md."""
    rows = []
    for fault, feature in _FAULTS.items():
        of_it = [one for one in ended if feature == "usual" or one.seen[feature]]
        survived = sum(not one.problem for one in of_it)
        if of_it:
            row = Result("network", "a schedule", fault, len(of_it), survived, "make soak")
            rows.append(row)
    return rows


def main() -> int:
    """Live as many schedules as were asked for; return 1 if one ended badly."""
    chosen = _arguments()
    if chosen.deeds is not None:
        plan, _ = plan_of(chosen.seed, chosen.nodes)
        problem = problem_of(plan, [Deed.from_text(one) for one in chosen.deeds.split()])
        sys.stdout.write(problem or "all is well\n")
        return 1 if problem else 0
    first = chosen.first if chosen.seed is None else chosen.seed
    count = chosen.schedules if chosen.seed is None else 1
    begun, ended, seen = time.monotonic(), list[Lived](), Counter[str]()
    for one in all_lived(range(first, first + count), chosen.workers, chosen.nodes):
        ended.append(one)
        seen += one.seen
        if one.problem:
            again = command_of(one.seed, one.deeds, chosen.nodes)
            sys.stdout.write(f"{one.problem}\nseed {one.seed} ends badly:\n{again}\n\n")
        if one.problem or len(ended) % 20 == 0:
            failed = sum(bool(known.problem) for known in ended)
            cpu = sum(known.cpu_seconds for known in ended)
            sys.stdout.write(
                f"{len(ended)} schedules from seed {first} on, {failed} ended badly, "
                f"{time.monotonic() - begun:.0f} s, {cpu:.0f} s of CPU\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"{len(ended)} schedules: {dict(sorted(seen.items()))}\n")
    if chosen.record:
        record(results_of(ended))
    return 1 if any(one.problem for one in ended) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=200, help="How many to live.")
    parser.add_argument("--first", type=int, default=0, help="Seed of the first one.")
    cpus = os.cpu_count()
    parser.add_argument("--workers", type=int, default=cpus, help="How many processes live them.")
    parser.add_argument("--nodes", type=int, help="How many nodes each has; else its seed says.")
    parser.add_argument("--seed", type=int, help="Live this one alone.")
    parser.add_argument("--deeds", help="What happens in it, instead of what the seed stands for.")
    parser.add_argument("--record", action="store_true", help="Write docs/reliability.json.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
