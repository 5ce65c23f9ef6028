"""Coverage-guided fuzzing: ``python -m tests.fuzz.run [--seconds N] [--executions N] [TARGET...]``.

One target after another, each in a process of its own under atheris, which sees every branch of our
rooms that its input takes. What it found worth keeping stays under ``.fuzz/`` and is where the next
run begins; an input that broke something lies there too, and is printed. So does the tally, which
adds up all runs: with ``--executions`` there are rounds until each target had so many inputs, the
fastest ones first, and ``--record`` adds what is new to docs/reliability.json.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.harness import load_target, names
from tests.fuzz.structures import altered
from tests.fuzz.tally import Count, Tally

KEPT = Path(".fuzz")
_ROOMS = ["ledger", "bundler", "spool", "transports", "pannier"]
_EDGES = re.compile(r"cov: (\d+)")
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_INSIDE = "--inside"
_SECONDS_AN_INPUT = 20
_MEMORY_MB = 2048
_ALTERED = 3000


def main() -> int:
    if sys.argv[1:2] == [_INSIDE]:
        return _fuzz(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(prog="tests.fuzz.run")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names()))
    parser.add_argument("--seconds", type=int, default=600, help="for each target, or each round")
    parser.add_argument("--executions", type=int, help="rounds until all had so many, in all runs")
    parser.add_argument("--record", action="store_true", help="into docs/reliability.json")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of all that is kept")
    known = parser.parse_args()
    unknown = set(known.targets) - set(names())
    if unknown:
        parser.error(f"no target is called {min(unknown)}; there is {', '.join(names())}")
    tally = Tally(known.kept / "tally.json")
    is_whole = True
    if not known.record or known.targets or known.executions:
        if importlib.util.find_spec("atheris") is None:
            version = ".".join(map(str, sys.version_info[:2]))
            print(f"No atheris for Python {version} on this machine: nothing is fuzzed.")
            print("`make test` runs the same targets on their seeds and some mutations.")
            return 0
        is_whole = _run_all(known, tally)
    if known.record:
        tally.record()
    return int(not is_whole)


def _run_all(known: argparse.Namespace, tally: Tally) -> bool:
    """Run what was asked for; return whether nothing broke."""
    chosen: list[str] = known.targets or names()
    if known.executions is None:
        return sum(not _run(name, tally, known) for name in chosen) == 0
    broken: set[str] = set()
    while name := tally.next_of(set(chosen) - broken, known.executions):
        if not _run(name, tally, known):
            broken.add(name)
    return not broken


def _run(name: str, tally: Tally, known: argparse.Namespace) -> bool:
    """Fuzz one target for one round; return whether nothing broke."""
    corpus = known.kept / name
    corpus.mkdir(parents=True, exist_ok=True)
    target = load_target(name)
    left = known.executions - tally[name].executions if known.executions else -1
    with tempfile.TemporaryDirectory() as folder:
        seeds = list(target.seeds())
        for number, seed in enumerate((*seeds, *altered(seeds, _ALTERED))):
            (Path(folder) / str(number)).write_bytes(seed[: target.longest])
        arguments = [
            *(sys.executable, "-m", "tests.fuzz.run", _INSIDE, name),
            *(f"-max_total_time={known.seconds}", f"-max_len={target.longest}", f"-runs={left}"),
            *(f"-timeout={_SECONDS_AN_INPUT}", f"-rss_limit_mb={_MEMORY_MB}"),
            *(f"-artifact_prefix={known.kept}/{name}-", "-print_final_stats=1"),
            *(str(corpus), folder),
        ]
        done = subprocess.run(
            arguments, check=False, capture_output=True, text=True, errors="replace"
        )
    said = done.stdout + done.stderr
    executions = _last(_EXECUTIONS, said)
    tally.add(name, Count(executions, int(done.returncode != 0)))
    print(f"{name:12} {executions:>12,} inputs {_last(_EDGES, said):>7,} edges", flush=True)
    if done.returncode:
        print(said[-4000:], flush=True)
    return done.returncode == 0 and executions > 0


def _last(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.findall(text)
    return int(found[-1]) if found else 0


def _fuzz(name: str, arguments: Sequence[str]) -> int:
    """Hand one target to the fuzzer, which ends the process itself."""
    import atheris  # noqa: PLC0415 -- only where there is one

    with atheris.instrument_imports(include=_ROOMS):
        target = load_target(name)

    def take(data: bytes) -> None:
        target.run(data)

    atheris.Setup([sys.argv[0], *arguments], take)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
