"""How many inputs each fuzz target had, in all runs of a checkout."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tests.proving.results import DOCS, Result, record, recorded

LABORATORY = "fuzzing"
GUIDED = "hostile bytes"
UNGUIDED = "hostile bytes, unguided"


@dataclass(frozen=True, slots=True)
class Count:
    """What came of one target.

    Attributes:
        executions: Inputs that it had.
        broken: How many of them broke something.
        recorded: How many of the executions docs/reliability.json knows of.
    """

    executions: int = 0
    broken: int = 0
    recorded: int = 0


class Tally:
    """The counts of all targets, kept in a file."""

    def __init__(self, path: Path, fault: str = GUIDED) -> None:
        """Go on with what is in *path*; all of it is recorded as *fault*."""
        self._path = path
        self._fault = fault
        self._command = "make fuzz" if fault == GUIDED else "make fuzz GUIDE=--unguided"
        self._counts = self._read()

    def __getitem__(self, name: str) -> Count:
        """Return the count of one target."""
        return self._counts.get(name, Count())

    def add(self, name: str, more: Count) -> None:
        """Count *more* of one target."""
        self._counts = self._read()  # another process may have recorded it meanwhile
        was = self[name]
        self._counts[name] = Count(
            was.executions + more.executions, was.broken + more.broken, was.recorded
        )
        self._write()

    def next_of(self, targets: Collection[str], executions: int) -> str | None:
        """Return whose turn it is: first all that had nothing, then who has least to go."""
        left = sorted(name for name in targets if self[name].executions < executions)
        new = [name for name in left if not self[name].executions]
        return min(new) if new else max(left, key=lambda one: self[one].executions, default=None)

    def record(self, docs: Path = DOCS) -> None:
        """Add what was not recorded yet to the results of all laboratories."""
        known = {one.subject: one for one in recorded(docs)}
        results = []
        for name, count in self._counts.items():
            new = count.executions - count.recorded
            before = known.get((LABORATORY, name, self._fault))
            tried = new + (before.tried if before else 0)
            lost = count.broken + (before.tried - before.survived if before else 0)
            if new or count.broken:
                results.append(
                    Result(LABORATORY, name, self._fault, tried, tried - lost, self._command)
                )
            self._counts[name] = Count(count.executions, 0, count.executions)
        record(results, docs)
        self._write()

    def _read(self) -> dict[str, Count]:
        if not self._path.exists():
            return {}
        known = json.loads(self._path.read_text())
        return {name: Count(*numbers) for name, numbers in known.items()}

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        known = {
            name: (one.executions, one.broken, one.recorded)
            for name, one in sorted(self._counts.items())
        }
        self._path.write_text(json.dumps(known, indent=1) + "\n")
