"""The tally of fuzzing: it adds up, says whose turn it is, and is recorded once."""

from pathlib import Path

import pytest

from tests.fuzz.tally import GUIDED, LABORATORY, UNGUIDED, Count, Tally
from tests.proving.results import BEGIN, END, recorded


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "reliability.json").write_text("[]")
    (tmp_path / "reliability.md").write_text(f"{BEGIN}\n{END}\n")
    return tmp_path


def test_runs_add_up_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "tally.json"
    for executions, broken in ((5, 0), (7, 1)):
        Tally(path).add("card", Count(executions, broken))
    assert Tally(path)["card"] == Count(12, 1)
    assert Tally(path)["name"] == Count()


def test_first_comes_who_had_nothing_and_then_who_has_least_to_go(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally.json")
    tally.add("slow", Count(1))
    assert tally.next_of({"slow", "quick"}, 100) == "quick"
    tally.add("quick", Count(90))
    assert tally.next_of({"slow", "quick"}, 100) == "quick"
    tally.add("quick", Count(10))
    assert tally.next_of({"slow", "quick"}, 100) == "slow"
    tally.add("slow", Count(99))
    assert tally.next_of({"slow", "quick"}, 100) is None


def test_what_is_recorded_is_recorded_once_and_added_to(tmp_path: Path, docs: Path) -> None:
    for kept in ("one checkout", "another"):
        tally = Tally(tmp_path / kept / "tally.json")
        tally.add("card", Count(10, 1))
        tally.record(docs)
        tally.record(docs)
        Tally(tmp_path / kept / "tally.json").record(docs)
    (result,) = recorded(docs)
    assert (result.laboratory, result.operation) == (LABORATORY, "card")
    assert (result.tried, result.survived) == (20, 18)


def test_what_nothing_guided_is_recorded_apart(tmp_path: Path, docs: Path) -> None:
    for fault in (GUIDED, UNGUIDED):
        tally = Tally(tmp_path / fault, fault)
        tally.add("card", Count(10))
        tally.record(docs)
    assert [(one.fault, one.tried) for one in recorded(docs)] == [(GUIDED, 10), (UNGUIDED, 10)]


def test_what_broke_at_once_is_recorded(tmp_path: Path, docs: Path) -> None:
    tally = Tally(tmp_path / "tally.json")
    tally.add("card", Count(10))
    tally.record(docs)
    tally.add("card", Count(0, 1))
    tally.record(docs)
    assert [(one.tried, one.survived) for one in recorded(docs)] == [(10, 9)]
