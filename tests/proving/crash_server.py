"""Runs commands as processes of their own, a tenth of a second cheaper each: it forks them.

``python -m tests.proving.crash_server SCRATCH`` imports all of pannier and then takes orders, one
JSON list a line: ``["ready?"]`` is answered with who started it; ``["start", words, [stdin, stdout,
stderr], environment]`` forks a process that waits, and answers with its number; ``["go", pid]``
lets it run; ``["wait", pid]`` answers with its exit status, negative for a signal.

When there are no more orders, however whoever gave them ended, no process and nothing in the folder
SCRATCH is left.
"""

import ctypes
import faulthandler
import io
import json
import os
import select
import shutil
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING, NoReturn

import bundler
import ledger
import pannier
import spool
import transports
from pannier.__main__ import main

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_ALL = (bundler, ledger, pannier, spool, transports)
_PR_SET_PDEATHSIG = 1
STRUCK = "PANNIER_STRUCK"
"""Stands in the environment of a process that faults may strike."""


class Voice(io.RawIOBase):
    """Writes to a file by a call that no fault strikes: what a process says is always heard."""

    def __init__(self, number: int) -> None:
        """Write to a file that is open."""
        super().__init__()
        self._number = number

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._number

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write what fits."""
        return os.writev(self._number, [data])


def import_all() -> None:
    """Import every module of the rooms, and what they bring."""
    for package in _ALL:
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    for name in ("asymmetric.padding", "asymmetric.rsa", "asymmetric.dsa", "asymmetric.mlkem"):
        import_module(f"cryptography.hazmat.primitives.{name}")


def serve() -> None:
    """Take orders until there are no more; then end all that has not ended."""
    gates: dict[int, int] = {}
    running: set[int] = set()
    for line in sys.stdin:
        match json.loads(line):
            case ["ready?"]:
                _answer(os.getppid())
            case ["start", words, files, environment]:
                gate, latch = os.pipe()
                here, there = os.pipe()
                pid = os.fork()
                if pid == 0:
                    os.close(latch)
                    _become((gate, there), words, files, environment)
                os.close(gate)
                os.close(there)
                os.read(here, 1)  # until it has come to the gate
                os.close(here)
                gates[pid] = latch
                running.add(pid)
                _answer(pid)
            case ["go", pid]:
                os.write(gates[pid], b"!")
                os.close(gates.pop(pid))
                _answer(pid)
            case ["wait", pid]:
                _, status = os.waitpid(pid, 0)
                running.remove(pid)
                _answer(os.waitstatus_to_exitcode(status))
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _become(
    ends: tuple[int, int],
    words: Sequence[str],
    files: Sequence[str],
    environment: Mapping[str, str],
) -> NoReturn:
    """Be the process that runs a command, once the gate opens; first say that it is at the gate.

    It waits there by a call that nobody counts, and has done before all that would be counted.
    """
    gate, there = ends
    status = 1
    try:
        for number, (path, flags) in enumerate(
            zip(files, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_TRUNC] * 2), strict=True)
        ):
            os.dup2(os.open(path, flags), number)
        faulthandler.register(signal.SIGUSR1)
        _die_with_parent()
        _speak_apart()
        if STRUCK in environment:
            signal.set_wakeup_fd = _not_woken
        os.environ.update(environment)
        sys.argv = ["pannier", *words]
        for number in set(range(3, 256)) - {gate, there}:
            with suppress(OSError):
                os.close(number)
        os.close(there)
        select.select([gate], [], [])
        os.close(gate)
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(status)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _not_woken(_: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """Leave out what writes to a pipe by a call that strace cannot tell from one to a disk."""
    del warn_on_full_buffer
    return -1


def _speak_apart() -> None:
    """Let no fault of a disk strike what is said, and what goes through pipes."""
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.BufferedWriter(Voice(number)), "utf-8", line_buffering=True)
        for number in (1, 2)
    )
    to_file = os.write

    def write(number: int, data: "ReadableBuffer", /) -> int:
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            return os.writev(number, [data])
        return to_file(number, data)

    os.write = write


if __name__ == "__main__":
    import_all()
    try:
        serve()
    finally:
        shutil.rmtree(sys.argv[1], ignore_errors=True)
