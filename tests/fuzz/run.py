"""Coverage-guided fuzzing: ``python -m tests.fuzz.run [--seconds N] [TARGET...]``.

One target after another, each in a process of its own under atheris, which sees every branch of our
rooms that its input takes. What it found worth keeping stays under ``.fuzz/`` and is where the next
run begins; an input that broke something lies there too, and is printed. The table at the end says
how many inputs were tried, and how many branches they took.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.harness import MAX_BYTES, load_target, names

KEPT = Path(".fuzz")
_ROOMS = ["ledger", "bundler", "spool", "transports", "pannier"]
_EDGES = re.compile(r"cov: (\d+)")
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_INSIDE = "--inside"
_SECONDS_AN_INPUT = 20
_MEMORY_MB = 2048


def main() -> int:
    if sys.argv[1:2] == [_INSIDE]:
        return _fuzz(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(prog="tests.fuzz.run")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names()))
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    known = parser.parse_args()
    unknown = set(known.targets) - set(names())
    if unknown:
        parser.error(f"no target is called {min(unknown)}; there is {', '.join(names())}")
    if importlib.util.find_spec("atheris") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"No atheris for Python {version} on this machine: nothing is fuzzed.")
        print("`make test` runs the same targets on their seeds and some mutations.")
        return 0
    results = [_run(name, known.seconds) for name in known.targets or names()]
    return int(not all(results))


def _run(name: str, seconds: int) -> bool:
    """Fuzz one target; return whether nothing broke."""
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(load_target(name).seeds()):
            (Path(folder) / str(number)).write_bytes(seed[:MAX_BYTES])
        arguments = [
            *(sys.executable, "-m", "tests.fuzz.run", _INSIDE, name),
            *(f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}"),
            *(f"-timeout={_SECONDS_AN_INPUT}", f"-rss_limit_mb={_MEMORY_MB}"),
            *(f"-artifact_prefix={KEPT}/{name}-", "-print_final_stats=1"),
            *(str(corpus), folder),
        ]
        done = subprocess.run(
            arguments, check=False, capture_output=True, text=True, errors="replace"
        )
    said = done.stdout + done.stderr
    executions = _last(_EXECUTIONS, said)
    print(f"{name:12} {executions:>12,} inputs {_last(_EDGES, said):>7,} edges", flush=True)
    if done.returncode:
        print(said[-4000:])
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
