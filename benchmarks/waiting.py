"""How long one who writes waits for a long import into the same ledger.

``python -m benchmarks.waiting ENTRIES``: prints a line of JSON for `benchmarks.run`. While one
process imports, another writes entry after entry and hears of each when it would survive a power
cut; its start is not counted, since it is up before the import begins.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.computers import Computers
from benchmarks.processes import FailedError, python
from benchmarks.rows import Row, to_json
from benchmarks.workloads import BY_NAME

_ALONE = 200
_PAUSE_SECONDS = 0.005
_LONGEST_MS = 1000


def rows(entries: int) -> Iterator[Row]:
    """Yield the longest wait and the usual one of puts, beside an import and alone."""
    with TemporaryDirectory() as folder:
        computers = Computers.make(Path(folder) / "computers")
        computers.make_friends()
        lines = Path(folder) / "lines.ndjson"
        BY_NAME["shuffled"](lines, entries)
        computers.types("farm", "put", "--ndjson", lines)
        computers.exchange("farm")
        with ExitStack() as stack:
            writer = _Writer(computers, stack)
            alone = sorted(writer.put(number) for number in range(_ALONE))
            beside = sorted(_waits_beside_import(computers, writer))
    for label, place, target in (("longest", 1.0, _LONGEST_MS), ("usual", 0.5, None)):
        yield Row(
            label=f"put beside an import of {entries:,}, {label}",
            ours=_at(beside, place),
            unit="ms",
            theirs=_at(alone, place),
            rival=f"alone (of {len(beside):,} and {_ALONE} puts)",
            target=target,
        )


def _at(waits: list[float], place: float) -> float:
    """Return the wait in milliseconds than which that share of *waits*, which ascend, is less."""
    return 1000 * waits[round(place * (len(waits) - 1))]


class _Writer:
    """A process at home that writes what it is told."""

    def __init__(self, computers: Computers, stack: ExitStack) -> None:
        words = python("-m", "pannier", "--home", computers.folder / "home", "put")
        process = stack.enter_context(
            subprocess.Popen(
                [*words, "--ndjson", "-", "--each"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
        if process.stdin is None or process.stdout is None:
            raise FailedError("there are no pipes to the writer")
        self._to, self._from = process.stdin, process.stdout

    def put(self, number: int) -> float:
        """Write an entry; return after how many seconds it was said to be kept."""
        line = json.dumps({"thing": f"seen/{number % 100}", "data": number})
        started = time.perf_counter()
        self._to.write(line.encode() + b"\n")
        self._to.flush()
        if not self._from.readline():
            raise FailedError("the writer ended")
        return time.perf_counter() - started


def _waits_beside_import(computers: Computers, writer: _Writer) -> list[float]:
    """Put the stick in at home, and write until all that is on it has been taken in."""
    words = python("-m", "pannier", "--home", computers.folder / "home", "exchange")
    reader = subprocess.Popen([*words, computers.stick], stdout=subprocess.DEVNULL)
    waits: list[float] = []
    while reader.poll() is None:
        waits.append(writer.put(len(waits)))
        time.sleep(_PAUSE_SECONDS)
    if reader.returncode != 0:
        raise FailedError(f"the exchange ended with status {reader.returncode}")
    return waits


if __name__ == "__main__":
    print(to_json(rows(int(sys.argv[1]))))
