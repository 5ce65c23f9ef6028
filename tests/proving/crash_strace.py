"""What a process does to files, call by call, and harm done to it at one of them (strace).

Source: strace(1), tampering. ``when=N`` counts the calls of one name and of one thread. A process
that is killed at a call dies before it; a call that fails does nothing.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.cli.computers import environment

TAKING_ROOM = frozenset(
    (
        *("write", "pwrite64", "pwritev", "pwritev2", "fallocate", "copy_file_range", "sendfile"),
        *("splice", "fsync", "fdatasync", "mkdir", "mkdirat", "symlink", "symlinkat", "setxattr"),
    )
)
"""Calls that a full disk refuses; that it has no room some disks say only when they are synced."""

CHANGING = TAKING_ROOM | frozenset(
    (
        *("ftruncate", "truncate", "syncfs"),
        *("rename", "renameat", "renameat2", "link", "linkat"),
        *("unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat"),
        *("chown", "fchown", "fchownat", "utimensat", "fsetxattr"),
    )
)
"""Calls that change files; with them goes ``openat`` where it may make one.

Without ``writev``, by which `crash_server` lets processes speak: what they say is always heard.
"""

READING = frozenset(("openat", "read", "pread64", "getdents64", "flock", "fstatfs", "statfs"))
PATIENCE_SECONDS = 150.0
_LOOK_SECONDS = 0.01
_TELLING_SECONDS = 5.0
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_DIGITS = re.compile("[0-9a-f]{8,}")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that touches a file of ours.

    Attributes:
        syscall: Its name.
        number: The how many-th of that name in its thread, from 1.
        is_changing: Whether it changes anything.
        place: What it touches, with digits left out.
        before: How many of each name its thread made before it.
    """

    syscall: str
    number: int
    is_changing: bool
    place: str
    before: Mapping[str, int] = field(default_factory=dict, repr=False, hash=False)

    def __str__(self) -> str:
        """Return what a person has to know to find it."""
        return f"{self.syscall} number {self.number}, {self.place}"

    def struck(self, harm: str) -> list[str]:
        """Return how strace is told to do harm at it alone."""
        return [f"{self.syscall}:{harm}:when={self.number}"]

    def struck_from_here(self, harm: str, names: frozenset[str]) -> list[str]:
        """Return how strace is told to do harm at it and, in each thread, at all that follows.

        Only calls with one of *names* are harmed after it.
        """
        alone = [] if self.syscall in names else self.struck(harm)
        return alone + [
            f"{name}:{harm}:when={self.before.get(name, 0) + 1}+" for name in sorted(names)
        ]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: negative numbers are signals."""

    status: int
    out: str
    err: str


class Process:
    """A process that waits, runs and ends."""

    def __init__(self, launcher: "Launcher", pid: int, files: Sequence[Path]) -> None:
        """Use `Launcher.start`."""
        self.pid = pid
        self._launcher = launcher
        self._files = files

    def go(self) -> None:
        """Let it run."""
        self._launcher.order("go", self.pid)

    def wait(self) -> Ended:
        """Return how it ended; who does not end says where it is, is killed, and has failed."""
        watch = os.pidfd_open(self.pid)
        try:
            is_over = bool(select.select([watch], [], [], PATIENCE_SECONDS)[0])
            if not is_over:
                os.kill(self.pid, signal.SIGUSR1)
                select.select([watch], [], [], _TELLING_SECONDS)
                os.kill(self.pid, signal.SIGKILL)
        finally:
            os.close(watch)
        status = self._launcher.order("wait", self.pid)
        out, err = (path.read_text(errors="replace") for path in self._files)
        assert is_over, f"it hangs: {out} {err}"
        return Ended(status, out, err)

    def wait_for(self, text: str) -> None:
        """Return when it has printed *text*."""
        self._look_until(lambda out: text in out)

    def stop(self) -> Ended:
        """Ask it to end, and return how it did."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def stop_when(self, is_over: Callable[[str], bool]) -> None:
        """Ask it to end as soon as what it has printed says that it may."""
        if self._look_until(is_over):
            os.kill(self.pid, signal.SIGTERM)

    def _look_until(self, is_over: Callable[[str], bool]) -> bool:
        """Wait until what it has printed is enough; return False if it ends before."""
        watch = os.pidfd_open(self.pid)
        try:
            for _ in range(round(PATIENCE_SECONDS / _LOOK_SECONDS)):
                if is_over(self._files[0].read_text(errors="replace")):
                    return True
                if select.select([watch], [], [], _LOOK_SECONDS)[0]:
                    return False
        finally:
            os.close(watch)
        raise AssertionError("it never says what it should")


class Launcher:
    """Starts commands as processes that are forked from one that has imported everything."""

    def __init__(self, scratch: Path) -> None:
        """Start the server; what processes say goes below *scratch*, which goes at the end."""
        self.scratch = scratch
        self._count = 0
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.proving.crash_server", str(scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment(),
            start_new_session=True,  # whoever kills a group leaves it to sweep
        )
        assert self.order("ready?") == os.getpid(), "the server does not start"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def order(self, *words: object) -> int:
        """Tell the server something and return the number that it answers with."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(words) + "\n")
        answer = self._server.stdout.readline()
        assert answer, "the server of processes has ended: see what it said"
        return int(answer)

    def start(
        self, words: Sequence[str], *, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Process:
        """Make a process that will run ``pannier`` with *words* when it is told to go."""
        self._count += 1
        files = [self.scratch / f"{self._count % 8}.{name}" for name in ("in", "out", "err")]
        for path, data in zip(files, (stdin, b"", b""), strict=True):
            path.write_bytes(data)
        pid = self.order("start", list(words), list(map(str, files)), dict(env or {}))
        return Process(self, pid, files[1:])


@contextmanager
def strace(process: Process, log: Path, *options: str) -> Iterator[None]:
    """Follow a process, from before it runs until it has ended."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-s0", "-o", str(log), *options, "-p", str(process.pid)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr
    with tracer.stderr:
        assert "attached" in tracer.stderr.readline()
        process.go()
        try:
            yield
        finally:
            tracer.wait(PATIENCE_SECONDS)


@contextmanager
def unharmed(process: Process) -> Iterator[None]:
    """Let a process run by itself."""
    process.go()
    yield


def tracing(*faults: str) -> list[str]:
    """Return the options by which strace sees all calls that matter, and tampers with some."""
    names = ",".join(sorted(CHANGING | READING))
    injections = [word for fault in faults for word in ("-e", f"inject={fault}")]
    return ["-e", f"trace={names}", *injections]


def calls(log: Path, root: Path) -> list[Call]:
    """Return the calls in *log* that touch something below *root*, in their order."""
    found: dict[tuple[str, int], Call] = {}
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    below = re.compile(rf"{re.escape(str(root))}(/[^>\"]*)")
    for line in log.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, syscall, rest = match.groups()
        counts[thread][syscall] += 1
        place = below.search(rest)
        if place is None:
            continue
        is_changing = syscall in CHANGING or "O_CREAT" in rest or "O_TRUNC" in rest
        name = re.findall(r'"([^"]*)"', rest)
        text = place.group(1) + (f" {name[0]}" if name else "")
        number = counts[thread][syscall]
        before = counts[thread] - Counter([syscall])
        call = Call(syscall, number, is_changing, _DIGITS.sub("#", text), before)
        found.setdefault((syscall, number), call)
    return list(found.values())


def was_struck(log: Path) -> bool:
    """Return whether what was asked for happened."""
    text = log.read_text(errors="replace")
    return "INJECTED" in text or "killed by SIGKILL" in text
