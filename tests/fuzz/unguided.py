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
from itertools import count
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
    tried = fuzz(target, seeds, number, int(seconds), int(executions), Path(f"{corpus}-"))
    print(f"stat::number_of_executed_units: {tried}")
    return 0


def fuzz(
    target: Target, seeds: Sequence[bytes], number: int, seconds: int, executions: int, broken: Path
) -> int:
    """Hand *target* changed *seeds* for so long or so often (-1: no bound); return how often.

    What breaks it is written to a file whose name begins with *broken*. The same *number*, the same
    inputs.
    """
    draw = random.Random(number)
    end = time.monotonic() + seconds
    for tried in count():
        if tried == executions or time.monotonic() >= end:
            break
        data = mutated(seeds, lambda below: int(draw.random() * below))[: target.longest]
        signal.alarm(SECONDS_AN_INPUT)
        try:
            target.run(data)
        except BaseException:
            Path(f"{broken}crash-{sha256(data).hexdigest()}").write_bytes(data)
            raise
    signal.alarm(0)
    return tried


def _too_slow(_number: int, _frame: object) -> None:
    raise TooSlowError(f"an input took more than {SECONDS_AN_INPUT} seconds")


if __name__ == "__main__":
    sys.exit(main())
