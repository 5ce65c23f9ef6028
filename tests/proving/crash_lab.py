"""One operation, harmed at one call after another.

Harm is to be killed before the call, that the call fails, or that it fails and, until the process
has ended, all that a full disk, or one that is read-only, refuses. But opening a file fails at that
call alone: strace cannot tell a file that is opened for writing from others.

A command that fails says so in one line and ends with a status that is not 0; one that could do
without the call, or do it otherwise, may end well. In both cases `crash_checks` must hold
afterwards, and after the next run.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from unittest import mock

from tests.cli.computers import Computer, is_one_line
from tests.proving.crash_checks import Names, State, names_in
from tests.proving.crash_scene import Operation, Scene
from tests.proving.crash_strace import (
    CHANGING,
    TAKING_ROOM,
    Call,
    Ended,
    Launcher,
    calls,
    tracing,
    was_struck,
)

_PARTLY = 3
_KILLED = -9


class Fault(Enum):
    """What happens at a call."""

    KILLED = "killed"
    FULL = "ENOSPC"
    BROKEN = "EIO"
    READ_ONLY = "EROFS"
    STAYS_FULL = "ENOSPC from there on"
    STAYS_READ_ONLY = "EROFS from there on"

    @property
    def is_lasting(self) -> bool:
        """Whether it stays until the process ends."""
        return self in (Fault.STAYS_FULL, Fault.STAYS_READ_ONLY)

    def at(self, call: Call) -> list[str]:
        """Return how strace is told."""
        match self:
            case Fault.KILLED:
                return call.struck("signal=KILL")
            case Fault.STAYS_FULL:
                return call.struck_from_here("error=ENOSPC", TAKING_ROOM)
            case Fault.STAYS_READ_ONLY:
                return call.struck_from_here("error=EROFS", CHANGING)
            case _:
                return call.struck(f"error={self.value}")


@dataclass(frozen=True, slots=True)
class _Left:
    """What there is in the end.

    Attributes:
        names: Of the files that were there after one more run.
        state: When all is delivered.
    """

    names: Names
    state: State


class NotReachedError(Exception):
    """The process ended before it came to the call."""


class Lab:
    """Harms one operation."""

    def __init__(self, operation: Operation, launcher: Launcher, folder: Path) -> None:
        """Make the state it begins in, see what it does there, and how all ends if it may."""
        self.operation = operation
        self._made = folder / "made"
        self._log = folder / "log"
        self.scene = Scene(folder=folder / "used", launcher=launcher)
        self.scene.folder.mkdir()
        with self._environment():
            operation.prepare(self.scene)
        self.scene.folder.rename(self._made)
        self.calls, self._clean = self._undisturbed()

    def points(self, fault: Fault, every: int = 1) -> list[Call]:
        """Return where harm is done: at all changes, and for EIO at every tenth reading, too.

        With *every* only at each so many-th of them, but at all that give a name, unless the fault
        stays and so strikes them too.
        """
        changes = [call for call in self.calls if call.is_changing]
        found = [
            call
            for index, call in enumerate(changes)
            if index % every == 0
            or (call.syscall.startswith(("rename", "link")) and not fault.is_lasting)
        ]
        if fault is Fault.BROKEN:
            found += [call for call in self.calls if not call.is_changing][:: 10 * every]
        return found

    def harm(self, call: Call, fault: Fault) -> Ended:
        """Do harm at a call and see that all comes out right; return how the process ended.

        Raises:
            AssertionError: it does not.
            NotReachedError: this time that call was not made.
        """
        with self._environment():
            self._begin()
            faults = tracing(*fault.at(call))
            is_lasting = fault.is_lasting
            ended = self.operation.run(self.scene, self._log, *faults, is_lasting=is_lasting)
            if not was_struck(self._log):
                raise NotReachedError(str(call))
            self._judge(ended, fault)
            if self.operation.is_sound:
                Computer(self.scene.folder / self.operation.victim).types("verify")
            left = self._go_on()
            self.operation.compare(left.state, self._clean.state, ended)
            assert left.names <= self._clean.names, f"left: {left.names - self._clean.names}"
        return ended

    def _judge(self, ended: Ended, fault: Fault) -> None:
        if fault is Fault.KILLED:
            assert ended.status == _KILLED, ended
        elif ended.status != self.operation.status:
            assert ended.status > 0, ended
            *said, last = ended.err.splitlines(keepends=True)
            assert not said or ended.status == _PARTLY, ended.err
            assert all(": " in line for line in said), ended.err  # what was left out, and why
            assert is_one_line(last), ended.err
            assert "a bug in pannier" not in ended.err, ended.err
        elif ended.status == 0:
            assert ended.err == "", ended.err

    def _undisturbed(self) -> tuple[list[Call], _Left]:
        with self._environment():
            self._begin()
            ended = self.operation.run(self.scene, self._log, *tracing())
            assert ended.status == self.operation.status, ended
            found = calls(self._log, self.scene.folder)
            return found, self._go_on()

    def _go_on(self) -> _Left:
        self.operation.run_again(self.scene)
        names = names_in(self.scene.folder)
        return _Left(names, self.operation.finish(self.scene))

    def _begin(self) -> None:
        shutil.rmtree(self.scene.folder, ignore_errors=True)
        shutil.copytree(self._made, self.scene.folder)

    @contextmanager
    def _environment(self) -> Iterator[None]:
        nowhere = {"PANNIER_HOME": str(self.scene.folder / "nobody")}
        with mock.patch.dict(os.environ, {**nowhere, **self.operation.env}):
            yield
