"""The main job: many records from NDJSON into a ledger, over a medium, into another ledger.

Each step is a process of its own, on one core, and for weather once more on two. The rates leave
out what starting Python costs, which `benchmarks.start_up` shows.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.computers import Computers, folder_bytes
from benchmarks.processes import missing, python, spend
from benchmarks.rows import Row
from benchmarks.workloads import BY_NAME

MTU = 1400
MEDIUM = "medium"
"""The folder that the step ``pack`` writes and ``unpack`` reads."""
LIBRARY = "program"
"""The home of the step ``put values``."""

_STEPS = ("put", "put values", "pack", "unpack", "verify")
_SQLITE = ("sqlite put", "sqlite copy", "sqlite hash")
_WEATHER, _ALL_OF_IT = "weather", 26_115
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Promise:
    """How a step is named and what is promised of it.

    Attributes:
        label: For people.
        limit: The step of SQLite that it stands beside, or "".
        limit_label: The same for people.
        rate: Entries a second on one core; None: nothing was promised.
    """

    label: str
    limit: str
    limit_label: str
    rate: float | None


_PROMISES = {
    "put": Promise("put --ndjson", "sqlite put", "SQLite alone: insert", 60_000),
    "put values": Promise("put of values by a program", "", "", 100_000),
    "pack": Promise("pack", "", "", 80_000),
    "unpack": Promise("unpack", "sqlite copy", "SQLite alone: copy", 60_000),
    "verify": Promise("verify", "sqlite hash", "SQLite alone: read, hash each", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all steps over so many entries took on so many cores.

    Attributes:
        workload: A name of `BY_NAME`.
        entries: How many.
        cores: How many.
        seconds: Of each step.
        rss_bytes: The most memory of each step.
        medium_bytes: All that lies on the medium.
        stored_bytes: The ledger file at the other end.
    """

    workload: str
    entries: int
    cores: int
    seconds: Mapping[str, float]
    rss_bytes: Mapping[str, int]
    medium_bytes: int
    stored_bytes: int

    def rate(self, step: str) -> float:
        """Return the entries a second of a step."""
        return self.entries / self.seconds[step]


def rows(workload: str, entries: int, *, both: bool = False) -> Iterator[Row]:
    """Run the main job over one workload; *both*: once more on two cores."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = folder / "lines.ndjson"
        BY_NAME[workload](lines, entries)
        one = _measured(folder / "one", lines, workload, entries, cores=1)
        yield from _rates(one)
        if both:
            yield from _rates(_measured(folder / "two", lines, workload, entries, cores=2))
        yield _memory(one)
        yield from _sizes(one, lines)


def growth_rows(counts: tuple[int, int]) -> Iterator[Row]:
    """Show what an entry costs in a ledger of the second size, beside the first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = []
        for number, entries in enumerate(counts):
            lines = folder / f"{number}.ndjson"
            BY_NAME[_WEATHER](lines, entries)
            runs.append(_measured(folder / str(number), lines, _WEATHER, entries, cores=1))
        small, large = runs
        for step in _STEPS:
            if step in large.seconds:
                yield _grown(step, small, large)
        yield _memory(large)


def _grown(step: str, small: Run, large: Run) -> Row:
    promise = _PROMISES[step]
    return Row(
        label=f"{promise.label}, cost at {large.entries:,}",
        ours=1e6 / large.rate(step),
        theirs=1e6 / small.rate(step),
        rival=f"at {small.entries:,}",
        unit="us/entry",
        target_ratio=1 / 1.3,
    )


def _measured(folder: Path, lines: Path, workload: str, entries: int, *, cores: int) -> Run:
    computers = Computers.make(folder)
    computers.types(LIBRARY, "init", "--name", "farm", "--no-passphrase")
    (folder / lines.name).symlink_to(lines)
    steps = [*_STEPS, *_SQLITE]
    if entries > 1_000_000:
        steps.remove("put values")  # all values at once are more memory than there is
    spent = {step: _step(step, folder, cores) for step in steps}
    return Run(
        workload=workload,
        entries=entries,
        cores=cores,
        seconds={step: one["seconds"] for step, one in spent.items()},
        rss_bytes={step: int(one["rss_bytes"]) for step, one in spent.items()},
        medium_bytes=folder_bytes(folder / MEDIUM),
        stored_bytes=folder_bytes(folder / "home" / "ledgers"),
    )


def _step(step: str, folder: Path, cores: int) -> dict[str, float]:
    spent = spend(python("-m", "benchmarks.step", step, folder), cores=cores)
    figures: dict[str, float] = json.loads(spent.output)
    return figures


def _rates(run: Run) -> Iterator[Row]:
    where = "one core" if run.cores == 1 else "two cores"
    for step, promise in _PROMISES.items():
        if step not in run.seconds:
            continue
        yield Row(
            label=f"{promise.label}, {where}",
            ours=run.rate(step),
            theirs=run.rate(promise.limit) if promise.limit else None,
            rival=promise.limit_label,
            unit="entries/s",
            more=True,
            target=promise.rate if _is_promised(run) else None,
        )


def _is_promised(run: Run) -> bool:
    return run.workload == _WEATHER and run.cores == 1


def _memory(run: Run) -> Row:
    step = max(_STEPS, key=lambda one: run.rss_bytes.get(one, 0) if one != "put values" else 0)
    return Row(
        label=f"memory at most ({step})",
        ours=run.rss_bytes[step] / 1e6,
        theirs=run.rss_bytes["sqlite put"] / 1e6,
        rival="SQLite alone: insert, by Python",
        unit="MB",
        target=150,
    )


def _sizes(run: Run, lines: Path) -> Iterator[Row]:
    whole = run.workload == _WEATHER and run.entries == _ALL_OF_IT
    for label, size, (rival_bytes, rival) in (
        ("on the medium, all of it", run.medium_bytes, _under_zstd(lines)),
        ("on the medium, all of it", run.medium_bytes, _under_xz(lines)),
        ("in the ledger file", run.stored_bytes, (lines.stat().st_size, "NDJSON")),
    ):
        yield Row(
            label=label,
            ours=size / run.entries,
            theirs=None if rival_bytes is None else rival_bytes / run.entries,
            rival=rival,
            unit="B/entry",
            target=5.5 if whole and size == run.medium_bytes else None,
        )


def _under_zstd(path: Path) -> tuple[int | None, str]:
    """Return the size of a file under ``zstd -19``, or None, and what that is."""
    long = ["--long=27"] if path.stat().st_size > 8 * _MEBIBYTE else []
    absent = missing("zstd", "zstd")
    size = None if absent else _compressed(path, ["zstd", "-q", "-19", *long, "-T1", "-c"])
    return size, absent or f"zstd -19 of the NDJSON{' (long)' if long else ''}"


def _under_xz(path: Path) -> tuple[int | None, str]:
    absent = missing("xz", "xz-utils")
    size = None if absent else _compressed(path, ["xz", "-9", "-T1", "-k", "-c"])
    return size, absent or "xz -9 of the NDJSON"


def _compressed(path: Path, command: list[str]) -> int:
    return len(spend([*command, path]).output)
