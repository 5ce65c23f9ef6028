"""`ledger backup` while the daemon runs and others write: real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.computers import Computer, environment, new_computer

BACKUPS = 4
WRITERS = 2
_PUT_LOOP = """
import contextlib, io, sys
from pannier.cli.root import run
number = 0
while True:
    number += 1
    with contextlib.redirect_stdout(io.StringIO()):
        status = run(["--home", sys.argv[1], "put", f"{sys.argv[2]}/{number}", str(number)])
    print(number if status == 0 else "failed", flush=True)
"""


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, *words], env=environment(), stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[Computer, list[subprocess.Popen[bytes]]]]:
    """A home at which a daemon serves and others put without end."""
    farm = new_computer(tmp_path, "farm")
    farm.types("ledger", "new", "farm")
    drop = tmp_path / "drop"
    drop.mkdir()
    farm.configure(f'[transport.drop]\nkind = "directory"\npath = "{drop}"\n')
    home = str(farm.home)
    with running("-m", "pannier", "--home", home, "run") as daemon:
        assert daemon.stdout is not None
        assert b"Serving" in daemon.stdout.readline()
        with (
            running("-c", _PUT_LOOP, home, "one") as one,
            running("-c", _PUT_LOOP, home, "other") as other,
        ):
            yield farm, [one, other]


def acknowledged(writer: subprocess.Popen[bytes]) -> int:
    """Wait for the next put of a writer, and return its number."""
    assert writer.stdout is not None
    line = writer.stdout.readline()
    assert line.strip().isdigit(), line
    return int(line)


def test_each_backup_holds_all_that_was_acknowledged_before_it(
    busy: tuple[Computer, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    farm, writers = busy
    known: list[list[int]] = []
    for number in range(BACKUPS):
        known.append([acknowledged(writer) for writer in writers])
        farm.types("ledger", "backup", str(tmp_path / f"{number}.backup"))
    for number, counts in enumerate(known):
        restored = Computer(tmp_path / f"restored {number}")
        (restored.home / "keys").mkdir(parents=True)
        key = restored.home / "keys" / "node.key"
        key.write_bytes((farm.home / "keys" / "node.key").read_bytes())
        for folder in ("ledgers", "cards"):
            (restored.home / folder).mkdir()
        restored.types("ledger", "restore", str(tmp_path / f"{number}.backup"))
        restored.types("verify")
        things = {line.split()[0] for line in restored.types("things").lines}
        for name, count in zip(("one", "other"), counts, strict=True):
            held = {int(one.partition("/")[2]) for one in things if one.startswith(f"{name}/")}
            assert held == set(range(1, len(held) + 1)), "a prefix of what was written"
            assert len(held) >= count
