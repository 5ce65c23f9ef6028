import subprocess
import sys
from pathlib import Path

import pytest

from pannier import __main__ as main
from tests.cli.computers import ROOT, environment


def run_with_first_on_path(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run pannier with *folder* before the checkout on the path."""
    return subprocess.run(
        [sys.executable, "-m", "pannier", "--version"],
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env=environment(PYTHONPATH=f"{folder}:{ROOT}"),
        timeout=60,
        check=False,
    )


def test_all_rooms_lie_side_by_side() -> None:
    assert main.misplaced_room() is None


@pytest.mark.parametrize("room", [room for room in main.ROOMS if room != "pannier"])
def test_a_package_that_took_a_name_is_told_of(tmp_path: Path, room: str) -> None:
    (tmp_path / "site" / room).mkdir(parents=True)
    (tmp_path / "site" / room / "__init__.py").touch()
    done = run_with_first_on_path(tmp_path / "site")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert (
        f"the package {room!r} ({tmp_path}/site/{room}/__init__.py) is not pannier's" in done.stderr
    )
    assert "pipx install pannier" in done.stderr


def test_a_single_module_that_took_a_name_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "spool.py").touch()
    done = run_with_first_on_path(tmp_path / "site")
    assert done.returncode == 1
    assert f"the package 'spool' ({tmp_path}/site/spool.py) is not pannier's" in done.stderr


def test_a_folder_of_that_name_without_a_package_does_no_harm(tmp_path: Path) -> None:
    """Python prefers a real package to a folder that only has the name."""
    (tmp_path / "site" / "ledger").mkdir(parents=True)
    done = run_with_first_on_path(tmp_path / "site")
    assert (done.returncode, done.stdout) == (0, "pannier, version 0.1.0\n")


def test_a_room_that_is_missing_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "ROOMS", ("ledger", "attic"))
    problem = main.misplaced_room()
    assert problem is not None
    assert "the package 'attic' (it is missing)" in problem
