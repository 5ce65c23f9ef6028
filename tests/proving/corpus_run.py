"""Reads every attack of the corpus in a process of its own, under bounds of memory and of steps.

``python -m tests.proving.corpus_run`` prints a line of JSON for each. A step is a call, of Python
or of C: unlike seconds it is the same on any machine.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from tests.proving.corpus import Attack, attacks

MORE_BYTES = 400 << 20
"""Address space beyond that of an idle process."""

MAX_STEPS = 6_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attack.

    Attributes:
        name: Of the attack.
        error: Of which class; empty if there was none.
        steps: How many calls it took.
        status: Of the process; not 0 if it broke.
    """

    name: str
    error: str
    steps: int
    status: int


def outcomes() -> Iterator[Outcome]:
    """Yield what comes of each attack."""
    for name, attack in attacks().items():
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            os.write(writing, json.dumps(_suffer(attack)).encode())
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:  # noqa: PTH123 -- a descriptor
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        error, steps = json.loads(said) if said else ("died", 0)
        yield Outcome(name, error, steps, status)


def _suffer(attack: Attack) -> tuple[str, int]:
    """Read one attack; return the class of the error, and the steps that it took."""
    data = attack.make()
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MORE_BYTES, mapped + MORE_BYTES))
    steps = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")
        if steps > MAX_STEPS:
            raise TimeoutError

    sys.setprofile(count)
    try:
        attack.read(data)
    except BaseException as error:  # noqa: BLE001 -- whatever it is, its name is told
        return type(error).__module__ + "." + type(error).__name__, steps
    finally:
        sys.setprofile(None)
    return "", steps


if __name__ == "__main__":
    for outcome in outcomes():
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
