"""Every attack of the corpus is refused by its error, within bounds of memory and of steps."""

import json
import subprocess
import sys

from tests.cli.computers import ROOT, environment
from tests.proving.corpus import attacks
from tests.proving.corpus_run import MAX_STEPS, Outcome


def test_all_are_refused_as_they_should_be() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.proving.corpus_run"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=True,
    )
    found = [Outcome(**json.loads(line)) for line in done.stdout.splitlines()]
    wanted = attacks()
    assert [one.name for one in found] == list(wanted)
    for one in found:
        error = wanted[one.name].error
        named = f"{error.__module__}.{error.__name__}" if error else ""
        assert (one.error, one.status) == (named, 0), one
        assert one.steps < MAX_STEPS
