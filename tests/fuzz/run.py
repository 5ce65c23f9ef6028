"""Fuzzing: ``python -m tests.fuzz.run [--unguided] [--seconds N] [--executions N] [TARGET...]``.

One target after another, each in a process of its own under atheris, which sees every branch of our
rooms that its input takes. What it found worth keeping stays under ``.fuzz/`` and is where the next
run begins; an input that broke something lies there too, and is printed. So does the tally, which
adds up all runs: with ``--executions`` there are rounds until each target had so many inputs, the
fastest ones first, and ``--record`` adds what is new to docs/reliability.json.

``--unguided`` changes all that at random, many times as fast, and is counted apart; so does a run
where there is no atheris for this Python.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz.harness import MEMORY_MB, SECONDS_AN_INPUT, examples, load_target, names
from tests.fuzz.tally import GUIDED, UNGUIDED, Count, Tally

KEPT = Path(".fuzz")
_TALLIES = {GUIDED: "tally.json", UNGUIDED: "unguided.json"}
_ROOMS = ["ledger", "bundler", "spool", "transports", "pannier"]
_EDGES = re.compile(r"cov: (\d+)")
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_INSIDE = "--inside"


def main() -> int:
    if sys.argv[1:2] == [_INSIDE]:
        return _fuzz(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(prog="tests.fuzz.run")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names()))
    parser.add_argument("--seconds", type=int, default=600, help="for each target, or each round")
    parser.add_argument("--executions", type=int, help="rounds until all had so many, in all runs")
    parser.add_argument("--unguided", action="store_true", help="faster, and sees no branches")
    parser.add_argument("--record", action="store_true", help="into docs/reliability.json")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of all that is kept")
    known = parser.parse_args()
    unknown = set(known.targets) - set(names())
    if unknown:
        parser.error(f"no target is called {min(unknown)}; there is {', '.join(names())}")
    is_whole = True
    if not known.record or known.targets or known.executions:
        if not known.unguided and importlib.util.find_spec("atheris") is None:
            version = ".".join(map(str, sys.version_info[:2]))
            print(f"No atheris for Python {version} on this machine: nothing guides the fuzzer.")
            known.unguided = True
        fault = UNGUIDED if known.unguided else GUIDED
        is_whole = _run_all(known, Tally(known.kept / _TALLIES[fault], fault))
    if known.record:
        for fault, file in _TALLIES.items():
            Tally(known.kept / file, fault).record()
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
    corpus: Path = known.kept / name
    corpus.mkdir(parents=True, exist_ok=True)
    left = known.executions - tally[name].executions if known.executions else -1
    with (_unguided if known.unguided else _guided)(name, corpus, known.seconds, left) as arguments:
        done = subprocess.run(
            arguments, check=False, capture_output=True, text=True, errors="replace"
        )
    said = done.stdout + done.stderr
    executions = _last(_EXECUTIONS, said)
    tally.add(name, Count(executions, int(done.returncode != 0)))
    edges = "" if known.unguided else f" {_last(_EDGES, said):>7,} edges"
    print(f"{name:12} {executions:>12,} inputs{edges}", flush=True)
    if done.returncode:
        print(said[-4000:], flush=True)
    return done.returncode == 0 and executions > 0


@contextmanager
def _guided(name: str, corpus: Path, seconds: int, left: int) -> Iterator[list[str]]:
    """Give the command that fuzzes one target, guided by the branches that it takes."""
    target = load_target(name)
    with tempfile.TemporaryDirectory() as folder:
        for number, example in enumerate(examples(target)):
            (Path(folder) / str(number)).write_bytes(example)
        yield [
            *(sys.executable, "-m", "tests.fuzz.run", _INSIDE, name),
            *(f"-max_total_time={seconds}", f"-max_len={target.longest}", f"-runs={left}"),
            *(f"-timeout={SECONDS_AN_INPUT}", f"-rss_limit_mb={MEMORY_MB}"),
            *(f"-artifact_prefix={corpus}-", "-print_final_stats=1"),
            *(str(corpus), folder),
        ]


@contextmanager
def _unguided(name: str, corpus: Path, seconds: int, left: int) -> Iterator[list[str]]:
    """Give the command that fuzzes one target by `tests.fuzz.unguided`."""
    yield [
        *(sys.executable, "-m", "tests.fuzz.unguided", name),
        *(str(corpus), str(seconds), str(left)),
    ]


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
