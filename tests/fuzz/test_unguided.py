"""Fuzzing without a guide tries as often as it says, and keeps what broke something."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.computers import ROOT, environment
from tests.fuzz import unguided
from tests.fuzz.harness import Target, examples, load_target

SEEDS = (b"\x83\x01\x02\x03", b"some text")


def test_the_same_number_gives_the_same_inputs(tmp_path: Path) -> None:
    def inputs(number: int) -> list[bytes]:
        found: list[bytes] = []
        target = Target(found.append, (), lambda: iter(SEEDS), longest=6)
        unguided.fuzz(target, SEEDS, number, 600, 500, tmp_path / "x")
        return found

    found = inputs(1)
    assert len(found) == 500
    assert inputs(1) == found != inputs(2)
    assert len(set(found)) > 100
    assert max(map(len, found)) == 6


def test_what_breaks_something_is_kept_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = 0

    def take(data: bytes) -> None:
        nonlocal tried
        tried += 1
        if data[:1] != SEEDS[0][:1]:
            raise KeyError("no array of three")

    target = Target(take, (ValueError,), lambda: iter(SEEDS))
    with pytest.raises(KeyError):
        unguided.fuzz(target, SEEDS, 1, 600, 1000, tmp_path / "target-")
    assert capsys.readouterr().out == f"stat::number_of_executed_units: {tried}\n"
    (kept,) = tmp_path.iterdir()
    with pytest.raises(KeyError):
        target.run(kept.read_bytes())


def test_what_takes_too_long_is_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(_data: bytes) -> None:
        time.sleep(60)

    monkeypatch.setattr(unguided, "SECONDS_AN_INPUT", 1)
    was = signal.signal(signal.SIGALRM, unguided._too_slow)
    try:
        target = Target(take, (Exception,), lambda: iter(SEEDS))
        with pytest.raises(unguided.TooSlowError):
            unguided.fuzz(target, SEEDS, 1, 600, 1, tmp_path / "target-")
    finally:
        signal.signal(signal.SIGALRM, was)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_goes_on_until_there_were_so_many(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--unguided", "--kept", str(tmp_path)]
    for executions in (300, 500):
        subprocess.run(
            [*command, "--executions", str(executions), "card"],
            cwd=ROOT,
            env=environment(),
            check=True,
            capture_output=True,
        )
        assert json.loads((tmp_path / "unguided.json").read_text()) == {"card": [executions, 0, 0]}


def test_it_begins_with_more_than_the_seeds() -> None:
    target = load_target("section")
    assert len(examples(target)) > 1000 + len(list(target.seeds()))
