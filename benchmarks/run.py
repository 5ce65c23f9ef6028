"""``make bench``: what pannier takes beside what others take for the same; prints a table.

Every row has a rival or a limit from the same run beside it. ``--full`` (``make bench-full``) adds
the sizes that take an hour, ``--small`` shows in a minute that every row works. The
table goes to ``build/bench.txt``, too, and JSON with all figures to ``build/bench.json``.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import bulk, files, small_batches, small_files, start_up
from benchmarks.processes import FailedError, python, spend
from benchmarks.rows import Row, from_json, group_json, group_lines, header

RESULT = Path("build/bench.json")
_WEATHER = 26_115


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured.

    Attributes:
        entries: Of the main job; the first is all that there is of weather records.
        others: Of the other workloads.
        growth: To compare the cost of an entry.
        lacking: Entries of ledgers of which a peer lacks 100, to compare.
        waiting: Entries that are imported while somebody writes.
        batches: To compare bytes.
        runs: Of records for one frame.
        mebibytes: Of a large file.
        small_files: How many.
        links: Words for `benchmarks.link`.
    """

    entries: tuple[int, ...]
    others: int
    growth: tuple[tuple[int, int], ...]
    lacking: tuple[int, int]
    waiting: int
    batches: tuple[int, ...]
    runs: int
    mebibytes: int
    small_files: int
    links: tuple[str, ...] = ("200000",)


SMALL = Scale(
    entries=(2_000,),
    others=2_000,
    growth=((1_000, 2_000),),
    lacking=(1_000, 2_000),
    waiting=2_000,
    batches=(1, 20),
    runs=3,
    mebibytes=4,
    small_files=50,
    links=("60000",),
)
USUAL = Scale(
    entries=(_WEATHER, 100_000),
    others=100_000,
    growth=(),
    lacking=(10_000, 200_000),
    waiting=100_000,
    batches=(1, 20, 1_000),
    runs=12,
    mebibytes=256,
    small_files=2_000,
)
FULL = Scale(
    entries=(_WEATHER, 100_000),
    others=1_000_000,
    growth=((100_000, 1_000_000), (100_000, 5_000_000)),
    lacking=(10_000, 1_000_000),
    waiting=1_000_000,
    batches=(1, 20, 1_000, 100_000),
    runs=200,
    mebibytes=256,
    small_files=2_000,
    links=("1000000", "all"),
)
_SCALES = {"usual": USUAL, "full": FULL, "small": SMALL}


def groups(scale: Scale) -> Iterator[tuple[str, Callable[[], Iterable[Row]]]]:
    """Yield the title of each group of rows and what measures it."""
    yield "Start-up", start_up.rows
    for entries in scale.entries:
        title = f"{entries:,} weather records, 13 values each, 3 things"
        yield title, partial(bulk.rows, "weather", entries, both=True)
    yield f"{scale.others:,} of them, 500 things", partial(bulk.rows, "shuffled", scale.others)
    yield f"{scale.others:,} lines of a log", partial(bulk.rows, "log lines", scale.others)
    yield f"{scale.others:,} times 100 random bytes", partial(bulk.rows, "blobs", scale.others)
    for counts in scale.growth:
        yield f"Growth, {counts[1]:,} entries", partial(bulk.growth_rows, counts)
    words = map(str, scale.lacking)
    yield "A little of much, and what is said of it", partial(_rows_of, "growth", *words)
    yield "Writing while much comes in", partial(_rows_of, "waiting", str(scale.waiting))
    yield "Few weather records to a known peer", partial(small_batches.rows, scale.batches)
    yield "One frame, to a known peer", partial(small_batches.frame_rows, scale.runs)
    yield "A file over a slow link", partial(small_batches.line_rows, 200)
    yield "A large file", partial(files.rows, scale.mebibytes)
    yield "Small things", partial(small_files.rows, scale.small_files)
    yield "Links", partial(_rows_of, "link", *scale.links)
    for title, module in (
        ("Keys against quantum computers", "post_quantum"),
        ("Fragments", "fragments"),
    ):
        yield title, partial(_rows_of, module)


def _rows_of(module: str, *words: str) -> list[Row]:
    """Return the rows of a module that imports pannier, from a process of its own.

    What this process has of memory is counted as that of the steps, too.
    """
    return from_json(spend(python("-m", f"benchmarks.{module}", *words)).output)


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    where = f"{platform.machine()}, {platform.system()}, {cores} cores"
    return f"Python {platform.python_version()}, {where}"


def _options() -> str:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Measure what pannier takes beside what others take for the same.",
    )
    sizes = parser.add_mutually_exclusive_group()
    for size, said in (("full", "the sizes that take an hour, too"), ("small", "a minute's worth")):
        sizes.add_argument(f"--{size}", dest="scale", action="store_const", const=size, help=said)
    parser.set_defaults(scale="usual")
    chosen: str = parser.parse_args().scale
    return chosen


def main() -> int:
    """Measure, print each group when it is done, and keep the figures; 1 if one could not be."""
    scale = _SCALES[_options()]
    said = [_machine(), header()]
    kept: list[Mapping[str, object]] = []
    status = 0
    print(*said, sep="\n")
    for title, measure in groups(scale):
        rows: list[Row] = []
        try:
            for row in measure():
                rows.append(row)  # noqa: PERF402 -- those before a failure stay
        except Exception as error:  # noqa: BLE001 -- the figures of the other groups stay
            status = 1
            what = "" if isinstance(error, FailedError) else f"{type(error).__name__}: "
            print(f"{title}: {what}{error}", file=sys.stderr)
        lines = group_lines(title, rows)
        print(*lines, sep="\n", flush=True)
        said += lines
        kept.append(group_json(title, rows))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"machine": _machine(), "groups": kept}, indent=1) + "\n")
    RESULT.with_suffix(".txt").write_text("".join(f"{line}\n" for line in said))
    return status


if __name__ == "__main__":
    sys.exit(main())
