"""Computers of people who type commands: homes in scratch folders, driven through the real CLI."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from pannier.cli.root import run
from pannier.cli.session import clock
from pannier.home import Home, open_keys
from pannier.node import Node

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Typed:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> object:
        return json.loads(self.out)


def type_command(*words: str, stdin: bytes = b"") -> Typed:
    """Run a command in this process, with *stdin* from a pipe and nobody at a terminal."""
    out, err = io.StringIO(), io.StringIO()
    kept, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = run(words)
    finally:
        sys.stdin = kept
    return Typed(status, out.getvalue(), err.getvalue())


def environment(**more: str) -> dict[str, str]:
    """Return the environment for a process of its own: this checkout, and nothing of ours."""
    ours = ("PANNIER_", "PYTHON")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "dumb", **more}


def spawn(
    *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pannier", *words],
        input=stdin,
        capture_output=True,
        env={**environment(), **(env or {})},
        timeout=60,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class Computer:
    """A home and whoever sits before it."""

    home: Path

    def types(self, *words: str, stdin: bytes = b"", status: int = 0) -> Typed:
        """Run a command; it must end with *status*, and say in one line what is wrong if not 0."""
        done = type_command("--home", str(self.home), *words, stdin=stdin)
        assert done.status == status, done
        assert status == 0 or is_one_line(done.err), done.err
        return done

    def asks(self, *words: str, status: int = 0) -> object:
        """Run a command with ``--json`` and return what it says."""
        return self.types(*words, "--json", status=status).json

    def configure(self, text: str) -> None:
        (self.home / "config.toml").write_text(text)

    @contextmanager
    def node(self) -> Iterator[Node]:
        where = Home(self.home)
        with Node.open(where, open_keys(where, None), clock=clock, entropy=os.urandom) as node:
            yield node


def is_one_line(text: str) -> bool:
    """Return whether *text* is an error as a user should see it."""
    return text.startswith("pannier: ") and text.count("\n") == 1 and "Traceback" not in text


def new_computer(folder: Path, name: str, *options: str) -> Computer:
    computer = Computer(folder / name)
    computer.types("init", "--name", name, "--no-passphrase", *options)
    return computer


def acquaint(one: Computer, other: Computer) -> None:
    """Let two computers know each other, by the names of their home folders."""
    for here, there in ((one, other), (other, one)):
        card = there.types("card").out.strip()
        here.types("peer", "add", there.home.name, card)


def new_pair(folder: Path) -> tuple[Computer, Computer]:
    """Make ``farm`` and ``home``, who know each other."""
    farm, home = new_computer(folder, "farm"), new_computer(folder, "home")
    acquaint(farm, home)
    return farm, home


def new_sharers(folder: Path) -> tuple[Computer, Computer]:
    """Make a pair; the farm has a ledger with one entry, that home may write, too."""
    farm, home = new_pair(folder)
    farm.types("put", "field/3", '{"moisture": 0.31}')
    farm.types("ledger", "share", "home")
    return farm, home


def exchange(folder: Path, *computers: Computer) -> None:
    """Carry a medium past *computers*, one after the other."""
    folder.mkdir(exist_ok=True)
    for computer in computers:
        computer.types("exchange", str(folder))
