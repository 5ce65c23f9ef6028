"""A scene: what people type, one command after another, and what a power cut leaves of it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import shake_256
from pathlib import Path

from ledger.keys import NodeKeys
from tests.cli.computers import Computer, Typed
from tests.proving.power_ground import NODE

FARM, HOME, MULE = "farm", "home", "mule"
STICK = "stick"
"""A disk that others see, too; a stick has no journal."""
OUT = "out"
"""A disk of the user's, for copies."""
FILES = "files"
"""A folder of the user's, on no disk that loses power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command.

    Attributes:
        who: Whose computer.
        words: What is typed; TOP/ is the folder of the disks, REVIEW what waits for review.
        operation: How the results call it, if the power is cut during it.
        stdin: What it reads.
        env: More of its environment.
        days: How far its clock is ahead.
        kind: What `tests.proving.power_command` is to do.
        again: What is typed after a cut, if not the same; nothing if empty.
    """

    who: str
    words: tuple[str, ...]
    operation: str = ""
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    days: int = 0
    kind: str = "type"
    again: tuple[str, ...] | None = None

    def spelled(self, top: Path, words: tuple[str, ...]) -> list[str]:
        return [word.replace("TOP/", f"{top}/") for word in words]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruin:
    """What a power cut left.

    Attributes:
        top: Where the disks lie now.
        step: What was interrupted, or had just ended.
        said: What it had said.
        before: What was in each ledger before it, by who: how often each thing.
        number: Another one for each ruin.
    """

    top: Path
    step: Step
    said: bytes
    before: Mapping[str, Mapping[str, int]]
    number: int

    def computer(self, who: str) -> Computer:
        return Computer(self.top / who / NODE)

    def types(self, *words: str, status: int = 0) -> Typed:
        return self.computer(self.step.who).types(*words, status=status)


Check = Callable[[Ruin], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Some commands, one after another; the power is cut during those that are operations."""

    name: str
    steps: tuple[Step, ...]
    check: Check
    disks: tuple[str, ...] = (FARM, HOME, STICK)

    @property
    def computers(self) -> list[str]:
        return [name for name in self.disks if name in (FARM, HOME, MULE)]


def noise(size: int) -> bytes:
    """Bytes that nothing makes shorter."""
    return shake_256(b"power").digest(size)


def make_files(top: Path) -> None:
    """What is to be added: a long file, a short one and one that is executable; and a card."""
    folder = top / FILES / "maps"
    (folder / "old").mkdir(parents=True)
    (folder / "north").write_bytes(noise(2_600_000))
    (folder / "south").write_bytes(b"short")
    (folder / "old" / "tool").write_bytes(b"#!/bin/sh\n")
    (folder / "old" / "tool").chmod(0o755)
    card = NodeKeys.generate(HOME, os.urandom).card
    (top / FILES / "home.card").write_text(card.to_text())
