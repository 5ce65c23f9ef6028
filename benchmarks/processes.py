"""Running a step as a process of its own, so that its time and its memory are its own."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BLOCK_BYTES = 512


class FailedError(Exception):
    """A step did not do what it was to do; the message has what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a process took, its start included.

    Attributes:
        seconds: By the clock on the wall.
        cpu_seconds: In user and kernel mode, of all its threads and children.
        rss_bytes: The most memory that it had.
        written_bytes: Handed to the disk, by what Linux counts.
        output: Its standard output.
    """

    seconds: float
    cpu_seconds: float
    rss_bytes: int
    written_bytes: int
    output: bytes

    def __add__(self, other: "Spent") -> "Spent":
        """Return both, one after the other."""
        return Spent(
            seconds=self.seconds + other.seconds,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            rss_bytes=max(self.rss_bytes, other.rss_bytes),
            written_bytes=self.written_bytes + other.written_bytes,
            output=self.output + other.output,
        )


def in_sum(steps: Sequence[Spent]) -> Spent:
    """Return what *steps* took, one after the other."""
    total, *more = steps
    for one in more:
        total += one
    return total


def spend(command: Sequence[str | Path], *, cores: int = 2, stdin: Path | None = None) -> Spent:
    """Run *command* on so many cores and return what it took.

    Raises:
        FailedError: it ended with a status other than 0.
    """
    with _on(cores), _input(stdin) as given, tempfile.TemporaryFile() as out:
        os.sync()  # what others left to write is not written in our time
        started = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), stdin=given, stdout=out, stderr=out, env=_environment()
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read()
    if process.returncode != 0:
        said = output[-500:].decode(errors="replace").strip()
        raise FailedError(f"{' '.join(map(str, command))}: {said}")
    return Spent(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        rss_bytes=usage.ru_maxrss * 1024,
        written_bytes=usage.ru_oublock * _BLOCK_BYTES,
        output=output,
    )


def python(*words: str | Path) -> list[str | Path]:
    """Return the command that runs this interpreter."""
    return [sys.executable, *words]


def missing(tool: str, package: str) -> str | None:
    """Return what to say if *tool* is not here; None if it is."""
    return None if shutil.which(tool) else f"{tool} is not installed (apt-get install {package})"


def _environment() -> dict[str, str]:
    """Return the environment without what makes Python slower or other than it is for users."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@contextmanager
def _on(cores: int) -> Iterator[None]:
    """Let processes that start meanwhile run on so many cores, where the system knows how."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[-cores:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


@contextmanager
def _input(path: Path | None) -> Iterator[int]:
    fd = os.open(path or os.devnull, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)
