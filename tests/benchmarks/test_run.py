import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.rows import Row


def test_says_how_it_is_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--help"])
    with pytest.raises(SystemExit, match="0"):
        run.main()
    assert "--full" in capsys.readouterr().out


def test_what_goes_wrong_in_one_group_leaves_the_figures_of_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Iterator[Row]:
        raise ZeroDivisionError("nothing took no time")

    result = tmp_path / "build" / "bench.json"
    monkeypatch.setattr(run, "RESULT", result)
    monkeypatch.setattr(run, "groups", lambda _: [("first", broken), ("second", list)])
    monkeypatch.setattr(sys, "argv", ["run", "--small"])
    assert run.main() == 1
    assert len(json.loads(result.read_text())["groups"]) == 2
    assert "first: ZeroDivisionError: nothing took no time" in capsys.readouterr().err
