"""What a command did to files, call by call, as strace saw it.

strace and not a file system of our own: nothing has to be mounted, it sees the calls of SQLite, of
threads and past the system's memory (O_DIRECT) alike, in the order in which they ended, and what
was said to people stands between them. It cannot see what is written through shared memory: that
is the ``-shm`` file of SQLite alone, which is made anew when nobody has it open.

dm-log-writes, which sees what reaches a disk, needs a device mapper; `tests.proving.power_machine`
compares what it made of the calls with what lies on the disk in the end instead.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cli.computers import ROOT, environment

_CALLS = (
    "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,"
    "fallocate,copy_file_range,sendfile,splice,rename,renameat,renameat2,link,linkat,symlink,"
    "symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sync,syncfs,clone,clone3"
)
_LONGEST_BYTES = 1 << 27
_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$", re.DOTALL)
_RESULT = re.compile(r"\) += (-?\d+|\?)[^()]*(?:\([^()]*\))?$")
_UNFINISHED = " <unfinished ...>"
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_OPENED = re.compile(r"(AT_FDCWD|\d+)<([^>]*)>")
_CWD = -100


@dataclass(frozen=True, slots=True)
class Opened:
    """A descriptor as a call names it: its number and what it is of (a path, or what it is)."""

    number: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that succeeded.

    Attributes:
        process: Whose; threads count as their process.
        name: Of the call.
        opened: The descriptors that it names.
        texts: The strings and buffers that it names.
        rest: All arguments as they were printed.
        result: What it returned.
    """

    process: int
    name: str
    opened: tuple[Opened, ...]
    texts: tuple[bytes, ...]
    rest: str
    result: int

    @property
    def numbers(self) -> list[int]:
        """The arguments that are numbers, in their order."""
        return [int(one, 0) for one in re.findall(r"(?:(?<=, )|^)(-?\d+)(?=,|$)", self.rest)]


def has_strace() -> bool:
    """Return whether calls can be seen here."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode == 0


def record(
    module: str, words: Sequence[str], log: Path, *, env: Mapping[str, str], stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a module of Python in a process of its own; what it calls is written to *log*."""
    strace = ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", str(_LONGEST_BYTES)]
    return subprocess.run(
        [*strace, "-e", f"trace={_CALLS}", "-o", str(log), sys.executable, "-m", module, *words],
        input=stdin,
        capture_output=True,
        env={**environment(), "PYTHONDONTWRITEBYTECODE": "1", **env},
        cwd=ROOT,
        timeout=300,
        check=False,
    )


def calls(log: Path) -> Iterator[Call]:
    """Yield the calls that succeeded, in the order in which they ended."""
    lines = log.read_text("ascii").splitlines()
    processes = _processes(lines)
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue  # a signal, or an exit
        thread, name, rest = found.groups()
        if rest.endswith(_UNFINISHED):
            begun[thread] = rest.removesuffix(_UNFINISHED)
            continue
        if "resumed>" in line[:60]:
            rest = begun.pop(thread) + rest
        call = _call(processes.get(int(thread), int(thread)), name, rest)
        if call is not None:
            yield call


def _processes(lines: Sequence[str]) -> dict[int, int]:
    """Return the process of each thread."""
    found: dict[int, int] = {}
    flags: dict[str, bool] = {}
    for line in lines:
        thread, _, rest = line.partition(" ")
        if not re.match(r" *(<\.\.\. )?clone3?\b", rest):
            continue
        is_thread = "CLONE_THREAD" in rest or ("resumed>" in rest and flags.get(thread, False))
        flags[thread] = is_thread
        result = re.search(r"= (\d+)$", rest)
        if result is not None and is_thread:
            found[int(result[1])] = found.get(int(thread), int(thread))
    return found


def _call(process: int, name: str, rest: str) -> Call | None:
    result = _RESULT.search(rest if len(rest) < 400 else rest[-400:])
    opened = result is None and re.search(r"\) += (\d+)<[^>]*>$", rest)
    if opened:
        value, rest = int(opened[1]), rest[: opened.start()]
    elif result is not None and result[1] not in ("?", "-1"):
        value = int(result[1])
        rest = rest[: rest.rindex(")", 0, len(rest) - (len(result[0]) - 1))]
    else:
        return None
    texts = _TEXT.findall(rest)
    if any(more for _, more in texts):
        raise ValueError(f"{name} wrote more at once than is recorded")
    return Call(
        process=process,
        name=name,
        opened=tuple(
            Opened(_CWD if number == "AT_FDCWD" else int(number), _bytes(path).decode())
            for number, path in _OPENED.findall(_TEXT.sub('""', rest))
        ),
        texts=tuple(_bytes(text) for text, _ in texts),
        rest=_OPENED.sub(r"\1", _TEXT.sub('""', rest)),
        result=value,
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()
