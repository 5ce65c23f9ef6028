from pathlib import Path

import pytest

from tests.proving.results import BEGIN, DOCS, END, Result, record, recorded, with_table


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "reliability.json").write_text("[]")
    (tmp_path / "reliability.md").write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    return tmp_path


def _result(operation: str, survived: int = 9) -> Result:
    return Result("crash points", operation, "killed", 9, survived, "make crash")


def test_the_page_shows_what_was_recorded() -> None:
    page = (DOCS / "reliability.md").read_text(encoding="utf-8")
    assert page == with_table(page, recorded()), "run `python -m tests.proving.results`"


def test_a_later_result_replaces_an_earlier_one_and_no_other(docs: Path) -> None:
    record([_result("put"), _result("pack", 7)], docs)
    record([_result("pack", 8)], docs)
    assert recorded(docs) == [_result("pack", 8), _result("put")]
    page = (docs / "reliability.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "| crash points | pack | killed | 9 | 8 | `make crash` |" in page
    assert "| **crash points** | all |  | **18** | **17** |  |" in page


def test_what_order_they_come_in_does_not_show(docs: Path) -> None:
    record([_result("put"), _result("pack")], docs)
    once = (docs / "reliability.json").read_bytes()
    record([_result("pack")], docs)
    record([_result("put")], docs)
    assert (docs / "reliability.json").read_bytes() == once


def test_a_page_without_markers_is_refused(docs: Path) -> None:
    with pytest.raises(ValueError, match="markers"):
        with_table("nothing", [])


@pytest.mark.parametrize(("tried", "survived"), [(0, 0), (3, 4), (3, -1)])
def test_what_was_not_tried_is_no_result(tried: int, survived: int) -> None:
    with pytest.raises(ValueError, match="no result"):
        Result("crash points", "put", "killed", tried, survived, "make crash")
