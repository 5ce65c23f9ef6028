"""Take each defence away in a copy of the project and see that a test notices (`make mutants`).

`python -m tests.mutants.run [NAME ...]`. A mutant that survives twice, or that breaks more than a
test can say, fails the run. Beside them the same tests run on the project as it is: they must pass.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.mutants.patch_file import ROOT, Mutant, mutants

_PARTS = ("ledger", "bundler", "spool", "transports", "pannier", "tests", "docs", "pyproject.toml")
_SECONDS = 300
_PASSED, _FAILED = 0, 1


class _Tested(NamedTuple):
    """What pytest said: its exit status, and the end of its output."""

    status: int
    output: str


class _Verdict(NamedTuple):
    """What came of a mutant: in a word, and what to read where it was not killed at once."""

    word: str
    output: str = ""

    @property
    def is_killed(self) -> bool:
        return self.word == "killed"


def main(names: Sequence[str]) -> int:
    """Run the mutants called *names*, or all; return the exit status."""
    chosen = [one for one in mutants() if not names or one.name in names]
    if not chosen:
        print("no such mutant")
        return 2
    tests = sorted({test for one in chosen for test in one.killed_by})
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="pannier-mutants-") as scratch:
        copies = SimpleQueue[Path]()
        for number in range(workers):
            copies.put(_copy(Path(scratch) / str(number)))
        with ThreadPoolExecutor(workers) as pool:
            sound = pool.submit(_pytest, _copy(Path(scratch) / "sound"), tests)
            verdicts = list(pool.map(lambda one: _try(one, copies), chosen))
        if sound.result().status != _PASSED:
            print(sound.result().output, "the tests that should kill the mutants fail without them")
            return 1
        verdicts = [
            first if first.is_killed else _again(first, _try(one, copies))
            for one, first in zip(chosen, verdicts, strict=True)
        ]
    # The worst last: of a long output the end is what is kept.
    for verdict, one in sorted(zip(verdicts, chosen, strict=True), key=_worst_last):
        print(f"{verdict.word:10} {one.name}: {one.promise}{verdict.output}")
    killed = sum(one.is_killed for one in verdicts)
    print(f"{killed} of {len(chosen)} mutants killed")
    return 0 if killed == len(chosen) else 1


def _worst_last(tried: tuple[_Verdict, Mutant]) -> tuple[bool, bool, str]:
    verdict, mutant = tried
    return (not verdict.is_killed, verdict.output != "", mutant.name)


def _try(mutant: Mutant, copies: SimpleQueue[Path]) -> _Verdict:
    """Take the defence away in a copy that nobody uses, and put it back there."""
    folder = copies.get()
    try:
        mutant.apply(folder)
    except subprocess.CalledProcessError:
        verdict = _Verdict("MISFIT")
    else:
        verdict = _verdict(_pytest(folder, mutant.killed_by))
        mutant.take_back(folder)
    copies.put(folder)
    return verdict


def _verdict(tested: _Tested) -> _Verdict:
    if tested.status == _FAILED:
        return _Verdict("killed")
    word = "SURVIVED" if tested.status == _PASSED else f"BROKEN ({tested.status})"
    return _Verdict(word, f"\n{tested.output}")


def _again(first: _Verdict, second: _Verdict) -> _Verdict:
    """Return what came of a mutant that was not killed at once: some tests need their moment.

    That is told, and to be mended: such a test may say nothing at its first failure, too.
    """
    return _Verdict(second.word, f" ({first.word} at the first try){first.output}{second.output}")


def _copy(folder: Path) -> Path:
    """Copy the project with its bytecode, which stays valid for all that no mutant changes."""
    folder.mkdir()
    for part in _PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part)
        else:
            shutil.copy(source, folder / part)
    return folder


def _pytest(folder: Path, tests: Sequence[str]) -> _Tested:
    """Run tests; the status is 1 only if some ran and at least one of them failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    # Of a file that was changed and put back within a second the bytecode could be taken for valid.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _Tested(_FAILED, "")  # what never ends is noticed, too
    return _Tested(done.returncode, done.stdout[-2000:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
