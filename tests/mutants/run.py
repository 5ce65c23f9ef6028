"""Take each defence away in a copy of the project and see that a test notices (`make mutants`).

`python -m tests.mutants.run [NAME ...]`. A mutant that survives, or that breaks more than a test
can say, fails the run. Beside them the same tests run on the project as it is: they must pass.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.patch_file import ROOT, Mutant, mutants

_PARTS = ("ledger", "bundler", "spool", "transports", "pannier", "tests", "docs", "pyproject.toml")
_SECONDS = 300
_PASSED, _FAILED = 0, 1


def main(names: Sequence[str]) -> int:
    """Run the mutants called *names*, or all; return the exit status."""
    chosen = [one for one in mutants() if not names or one.name in names]
    if not chosen:
        print("no such mutant")
        return 2
    tests = sorted({test for one in chosen for test in one.killed_by})
    with tempfile.TemporaryDirectory(prefix="pannier-mutants-") as scratch:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            sound = pool.submit(_pytest, _copy(Path(scratch) / "sound"), tests)
            verdicts = list(pool.map(lambda one: _try(one, Path(scratch)), chosen))
        if sound.result() != _PASSED:
            print("the tests that should kill the mutants fail without them")
            return 1
    for one, verdict in zip(chosen, verdicts, strict=True):
        print(f"{verdict:10} {one.name}: {one.promise}")
    killed = verdicts.count("killed")
    print(f"{killed} of {len(chosen)} mutants killed")
    return 0 if killed == len(chosen) else 1


def _try(mutant: Mutant, scratch: Path) -> str:
    folder = _copy(scratch / mutant.name)
    try:
        mutant.apply(folder)
    except subprocess.CalledProcessError:
        return "MISFIT"
    status = _pytest(folder, mutant.killed_by)
    shutil.rmtree(folder)
    return {_PASSED: "SURVIVED", _FAILED: "killed"}.get(status, f"BROKEN ({status})")


def _copy(folder: Path) -> Path:
    folder.mkdir()
    for part in _PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder


def _pytest(folder: Path, tests: Sequence[str]) -> int:
    """Return pytest's exit status: 1 only if tests ran and at least one of them failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return _FAILED  # what never ends is noticed, too
    if done.returncode not in (_PASSED, _FAILED):
        print(done.stdout[-2000:], done.stderr[-2000:])
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
