"""Fuzzing without a guide: examples, and all that guided runs kept, changed at random.

Nobody counts branches meanwhile, so that an input takes a fraction of the time, and any Python will
do. Run by `tests.fuzz.run` in a process of its own.
"""

import random
import resource
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from tests.fuzz.harness import (
    MEMORY_MB,
    SECONDS_AN_INPUT,
    Target,
    examples,
    load_target,
    mutated,
)


class TooSlowError(BaseException):
    """An input takes too long; nobody who reads it may take this for its fault."""


def main() -> int:
    name, corpus, seconds, executions = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB << 20,) * 2)
    signal.signal(signal.SIGALRM, _too_slow)
    number = secrets.randbits(64)
    print(f"seed {number}")
    target = load_target(name)
    seeds = examples(target) + [path.read_bytes() for path in sorted(Path(corpus).iterdir())]
    fuzz(target, seeds, number, int(seconds), int(executions), Path(f"{corpus}-"))
    return 0


def fuzz(
    target: Target, seeds: Sequence[bytes], number: int, seconds: int, executions: int, broken: Path
) -> None:
    """Hand *target* changed *seeds* for so long or so often (-1: no bound), and print how often.

    What breaks it is written to a file whose name begins with *broken*. The same *number*, the same
    inputs.
    """
    draw = random.Random(number)
    end = time.monotonic() + seconds
    tried = 0
    try:
        while tried != executions and time.monotonic() < end:
            data = mutated(seeds, lambda below: int(draw.random() * below))[: target.longest]
            tried += 1
            signal.alarm(SECONDS_AN_INPUT)
            try:
                target.run(data)
            except BaseException:
                Path(f"{broken}crash-{sha256(data).hexdigest()}").write_bytes(data)
                raise
    finally:
        signal.alarm(0)
        print(f"stat::number_of_executed_units: {tried}")


def _too_slow(_number: int, _frame: object) -> None:
    raise TooSlowError(f"an input took more than {SECONDS_AN_INPUT} seconds")


if __name__ == "__main__":
    sys.exit(main())
