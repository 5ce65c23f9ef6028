import logging
import os
import queue
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from spool import watcher as watcher_module
from spool.errors import WatchError
from spool.watcher import Watcher

# See `spool.watcher`: pytest brings filters of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")

HOUR = 3600.0
PATIENCE_SECONDS = 20


class Arrivals:
    """What a watcher told, waited for without looking at a clock."""

    def __init__(self) -> None:
        self._told: queue.Queue[Path] = queue.Queue()

    def __call__(self, path: Path) -> None:
        self._told.put(path)

    def next(self) -> Path:
        return self._told.get(timeout=PATIENCE_SECONDS)

    def rest(self) -> list[Path]:
        return [self._told.get() for _ in range(self._told.qsize())]


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "watched").mkdir()
    return tmp_path / "watched"


def ready(folder: Path, arrivals: Arrivals) -> None:
    """Wait until the watcher has begun: it tells of what is there at the start."""
    assert arrivals.next() == folder / "first"


def _write(path: Path) -> None:
    path.write_bytes(b"x")


def _rename_from_outside(path: Path) -> None:
    """Let a file appear whole: a rescan must not meet it between its creation and its bytes."""
    outside = path.parents[1] / "outside"
    outside.write_bytes(b"x")
    outside.rename(path)


def _rename_inside(path: Path) -> None:
    temp = path.with_name(".temp")
    temp.write_bytes(b"x")
    temp.rename(path)


@pytest.mark.parametrize("arrive", [_write, _rename_from_outside, _rename_inside])
def test_an_event_tells_of_a_finished_file(
    folder: Path, arrivals: Arrivals, arrive: Callable[[Path], None]
) -> None:
    _write(folder / "first")
    with Watcher(folder, arrivals, rescan_seconds=HOUR):
        ready(folder, arrivals)
        arrive(folder / "second")
        assert arrivals.next() == folder / "second"
    assert arrivals.rest() == []


def test_files_in_new_folders_are_told_of(folder: Path, arrivals: Arrivals) -> None:
    _write(folder / "first")
    with Watcher(folder, arrivals, rescan_seconds=HOUR):
        ready(folder, arrivals)
        (folder / "a/b").mkdir(parents=True)
        _rename_inside(folder / "a/b/second")
        assert arrivals.next() == folder / "a/b/second"
        outside = folder.parent / "outside"
        outside.mkdir()
        _write(outside / "third")
        outside.rename(folder / "moved")
        assert arrivals.next() == folder / "moved/third"


def test_a_file_still_open_is_not_told_of_and_a_change_is(folder: Path, arrivals: Arrivals) -> None:
    _write(folder / "first")
    with Watcher(folder, arrivals, rescan_seconds=HOUR):
        ready(folder, arrivals)
        with (folder / "open").open("wb") as file:
            file.write(b"half")
            file.flush()
            _write(folder / "second")
            assert arrivals.next() == folder / "second"
        assert arrivals.next() == folder / "open"
        (folder / "open").write_bytes(b"more than half")
        assert arrivals.next() == folder / "open"


@pytest.mark.parametrize("events", [True, False])
def test_the_rescan_finds_what_events_missed_and_tells_once(
    folder: Path, arrivals: Arrivals, events: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "_EVENTS", [])
    _write(folder / "first")
    with Watcher(folder, arrivals, rescan_seconds=0.01, events=events):
        ready(folder, arrivals)
        _rename_from_outside(folder / "second")
        assert arrivals.next() == folder / "second"
        os.utime(folder / "first", ns=(1, 1))
        assert arrivals.next() == folder / "first"
        _rename_from_outside(folder / "third")
        assert arrivals.next() == folder / "third"
    assert arrivals.rest() == []


def test_lost_hints_lead_to_a_look_at_everything(
    folder: Path, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "_MAX_HINTS", 1)
    _write(folder / "first")
    with Watcher(folder, arrivals, rescan_seconds=HOUR):
        ready(folder, arrivals)
        paths = {folder / f"file-{number}" for number in range(300)}
        for path in paths:
            _write(path)
        # The last event may be the one that is lost; any later one brings all to light.
        told: set[Path] = set()
        number = 0
        while not paths <= told:
            _write(folder / f"nudge-{number}")
            number += 1
            told.add(arrivals.next())


def test_links_fifos_and_hidden_files_are_not_told_of(folder: Path, arrivals: Arrivals) -> None:
    _write(folder.parent / "target")
    (folder / "link").symlink_to(folder.parent / "target")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "fifo")
    _write(folder / ".hidden")
    _write(folder / "first")
    with Watcher(folder, arrivals, rescan_seconds=0.01):
        ready(folder, arrivals)
        _rename_from_outside(folder / "second")
        assert arrivals.next() == folder / "second"
    assert arrivals.rest() == []


def test_a_folder_may_be_missing_and_come_back(folder: Path, arrivals: Arrivals) -> None:
    folder.rmdir()
    with Watcher(folder, arrivals, rescan_seconds=0.01):
        for name in ("one", "two"):
            folder.mkdir()
            _rename_from_outside(folder / name)
            assert arrivals.next() == folder / name
            (folder / name).unlink()
            folder.rmdir()


def test_a_folder_full_of_rubbish_costs_bounded_time(
    folder: Path, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "_MAX_ENTRIES", 10)
    for number in range(50):
        _write(folder / f"{number}")
    with Watcher(folder, arrivals, rescan_seconds=HOUR, events=False):
        arrivals.next()
    assert len(arrivals.rest()) <= 9


def test_folders_in_folders_cost_bounded_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    list_names = watcher_module._names

    def counted(path: str, limit: int) -> list[str]:
        names = list_names(path, limit)
        listed.extend(names)
        return names

    monkeypatch.setattr(watcher_module, "_MAX_ENTRIES", 10)
    monkeypatch.setattr(watcher_module, "_names", counted)
    for path in product("abcde", repeat=3):
        (folder / "/".join(path)).mkdir(parents=True)
    assert list(watcher_module._walk(str(folder))) == []
    assert 5 <= len(listed) < 10


def test_a_failing_callback_ends_the_watcher_with_an_error(folder: Path) -> None:
    def fail(path: Path) -> None:
        raise ZeroDivisionError(path)

    _write(folder / "first")
    with pytest.raises(WatchError) as caught, Watcher(folder, fail):
        pass
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_what_watchdog_says_while_it_stops_is_not_for_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    Watcher(tmp_path, lambda _: None)
    logging.getLogger("watchdog.observers.inotify").error("called when the thread is inactive")
    assert capsys.readouterr().err == ""


def test_what_watchdog_is_told_twice_no_user_hears_of(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, warnings, spool.watcher\n"
        "spool.watcher.Watcher(pathlib.Path(sys.argv[1]), print)\n"
        "warnings.warn_explicit('Callback with id 1', RuntimeWarning, 'inotify.py', 1)\n"
        "warnings.warn_explicit('any other', RuntimeWarning, 'inotify.py', 2)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "Callback" not in ended.stderr
    assert "any other" in ended.stderr
