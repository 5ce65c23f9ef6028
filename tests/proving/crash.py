"""Harm to every operation at every call that touches a file, and how much survives (`make crash`).

``python -m tests.proving.crash [--record] [--operation X] [--fault Y] [--every K]``
"""

import argparse
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from traceback import extract_tb

from tests.proving.crash_lab import Fault, Lab, NotReachedError
from tests.proving.crash_operations import OPERATIONS
from tests.proving.crash_strace import Call, Launcher
from tests.proving.results import Result, record

LABORATORY = "crash points"
_MEMORY = Path("/dev/shm")  # noqa: S108 -- nothing here has to outlive a power cut


@dataclass(slots=True)
class Tally:
    """What became of one operation under one fault."""

    tried: int = 0
    survived: int = 0
    missed: int = 0
    said: Counter[str] = field(default_factory=Counter)


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; return 1 if anything did not survive."""
    asked = _parse(arguments)
    results: list[Result] = []
    for name in asked.operation or OPERATIONS:
        with Launcher(_scratch()) as launcher:
            lab = Lab(OPERATIONS[name], launcher, launcher.scratch)
            found = [_run(lab, Fault(fault), asked) for fault in asked.fault]
        if asked.record:
            record(found)
        results += found
    return 0 if all(one.tried == one.survived for one in results) else 1


def _scratch() -> Path:
    memory = _MEMORY if _MEMORY.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="pannier-crash-", dir=memory))


def _run(lab: Lab, fault: Fault, asked: argparse.Namespace) -> Result:
    name, began, tally = lab.operation.name, monotonic(), Tally()
    for call in lab.points(fault, asked.every or _every(fault)):
        _try(lab, call, fault, tally)
    print(
        f"{name:20} {fault.value:8} {tally.survived:5} of {tally.tried:5} survived, "
        f"{tally.missed} not reached, {monotonic() - began:.0f} s",
        flush=True,
    )
    if asked.verbose:
        for line, count in tally.said.most_common():
            print(f"    {count:4} {line}")
    command = _command(fault, asked.every)
    return Result(LABORATORY, name, fault.value, tally.tried, tally.survived, command)


def _every(fault: Fault) -> int:
    """Return how many calls are passed over by default: what stays is the same at many of them."""
    return 5 if fault.is_lasting else 1


def _command(fault: Fault, every: int | None) -> str:
    """Return what does the same again."""
    if every is None or every == _every(fault):
        return "make crash"
    return f"python -m tests.proving.crash --fault {shlex.quote(fault.value)} --every {every}"


def _try(lab: Lab, call: Call, fault: Fault, tally: Tally) -> None:
    try:
        ended = lab.harm(call, fault)
    except NotReachedError:
        tally.missed += 1
        return
    except Exception as error:  # noqa: BLE001 -- whatever it is, it did not survive
        where = extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({where.line})"
        print(f"FAILED {lab.operation.name}, {fault.value} at {call}: {what}", flush=True)
    else:
        tally.survived += 1
        tally.said[ended.err.strip() or ended.out.strip()] += 1
    tally.tried += 1


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operation", action="append", choices=OPERATIONS, help="only this one")
    parser.add_argument("--fault", action="append", choices=[one.value for one in Fault])
    parser.add_argument(
        "--every", type=int, metavar="K", help="each K-th point alone (1; of faults that stay 5)"
    )
    parser.add_argument("--record", action="store_true", help="write docs/reliability.json")
    parser.add_argument("--verbose", action="store_true", help="show what was said")
    asked = parser.parse_args(arguments)
    asked.fault = asked.fault or [one.value for one in Fault]
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
