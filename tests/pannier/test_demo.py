import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from pannier.cli.passphrase import PASSPHRASE
from pannier.cli.root import run
from pannier.demo import story
from pannier.errors import PannierError, UsageError
from tests.cli.computers import Computer, environment, type_command


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scratch folders are made."""
    monkeypatch.setattr("pannier.demo.story.tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_runs_to_its_end_and_leaves_nothing(stages: Path) -> None:
    done = type_command("demo")
    assert (done.status, done.err) == (0, "")
    assert "Took in 604 entries by farm into weather." in done.lines
    assert "EWR has 2 versions in conflict; your next put settles it:" in done.lines
    assert re.search(
        r"log [0-9a-f]{16}/[0-9a-f]{16}: 605 entries, root [0-9a-f]{16}… on both", done.out
    )
    assert done.lines[-2].startswith("Yes: equal logs, equal roots")
    assert not list(stages.iterdir())


def test_every_command_that_it_shows_can_be_typed(stages: Path) -> None:
    """Nothing is shown that is not run: the story counts as documentation."""
    typed: list[list[str]] = []

    def note(words: list[str]) -> int:
        typed.append(words[2:])
        return run(words)

    lines: list[str] = []
    story.tell(note, lines.append)
    shown = [line.partition(" $ pannier ")[2] for line in lines if " $ pannier " in line]
    commands = [one for one in shown if not one.startswith("card > ")]
    assert [one.replace("'", "").split() for one in commands] == [
        " ".join(words).split() for words in typed
    ]


def test_kept_in_a_folder_that_must_be_new(tmp_path: Path) -> None:
    kept = tmp_path / "demo"
    assert type_command("demo", "--keep", str(kept)).status == 0
    home = Computer(kept / "home")
    assert len(home.types("things").lines) == 6
    home.types("verify")
    assert len(list(kept.rglob("*.pnr"))) == 1
    done = type_command("demo", "--keep", str(kept))
    assert (done.status, done.out) == (2, "")
    assert "is there already: name a new folder" in done.err


def test_leaves_the_users_own_node_alone(
    stages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANNIER_HOME", str(tmp_path / "own"))
    monkeypatch.setenv(PASSPHRASE, "secret")
    assert type_command("demo").status == 0
    assert not (tmp_path / "own").exists()


def test_a_step_that_fails_ends_it_and_leaves_nothing(stages: Path) -> None:
    def fail_at_verify(words: list[str]) -> int:
        return 1 if "verify" in words else run(words)

    with pytest.raises(PannierError, match="the demo's step on home failed with status 1"):
        story.tell(fail_at_verify, lambda _: None)
    assert not list(stages.iterdir())


@pytest.mark.parametrize(
    ("computer", "words", "said"),
    [
        ("home", ["put", "x", "1"], "do not hold the same logs"),
        ("farm", ["put", "EWR", "1"], "do not hold the same logs"),
        ("farm", ["pack", "home", "--into", "out"], None),
    ],
)
def test_nodes_that_end_up_unequal_are_noticed(
    stages: Path, computer: str, words: list[str], said: str | None
) -> None:
    """The story's last word is checked and not just said."""

    def meddle(typed: list[str]) -> int:
        if typed[2] == "status":
            home = Path(typed[1]).with_name(computer)
            place = [str(home.parent / word) if word == "out" else word for word in words]
            assert run(["--home", str(home), *place]) == 0
        return run(typed)

    if said is None:
        story.tell(meddle, lambda _: None)
        return
    with pytest.raises(PannierError, match=said):
        story.tell(meddle, lambda _: None)


def test_an_existing_folder_is_refused_before_anything_happens(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        story.tell(run, lambda _: None, keep=tmp_path)
    assert not list(tmp_path.iterdir())


def test_machine_readings_are_json() -> None:
    readings = story.machine_readings()
    assert readings
    for thing, reading in readings.items():
        assert thing.startswith("machine/")
        assert isinstance(json.loads(reading), dict)


def test_its_data_are_600_hours_of_three_stations() -> None:
    text = (files("pannier.demo") / "weather.ndjson").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 600
    assert {line["thing"] for line in lines} == {"EWR", "JFK", "LGA"}


def test_as_a_process_without_a_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pannier", "demo"],
        capture_output=True,
        env=environment(TMPDIR=str(tmp_path)),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert shutil.which("pannier") is None or b"pannier ledger share home" in done.stdout
    assert not list(tmp_path.iterdir())
