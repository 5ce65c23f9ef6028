import json

import pytest

from benchmarks.rows import Row, from_json, group_json, group_lines, to_json

SLOWER = Row(label="x", ours=2, unit="s", theirs=1, rival="it", target_ratio=1)
QUICKER = Row(label="x", ours=200, unit="entries/s", theirs=10, rival="it", more=True)
ALONE = Row(label="x", ours=200, unit="MB", rival="nix is not installed", target_ratio=3)


def test_a_ratio_is_how_many_times_better_ours_is() -> None:
    assert (SLOWER.ratio, QUICKER.ratio, ALONE.ratio) == (0.5, 20, None)


@pytest.mark.parametrize(
    ("target", "target_ratio", "met"),
    [
        (None, None, None),
        (200, None, True),
        (201, None, False),
        (None, 20, True),
        (None, 21, False),
        (200, 21, False),
        (201, 20, False),
    ],
)
def test_all_that_was_promised_is_to_be_kept(
    target: float | None, target_ratio: float | None, met: bool | None
) -> None:
    row = Row(
        label="x",
        ours=200,
        unit="entries/s",
        theirs=10,
        rival="it",
        more=True,
        target=target,
        target_ratio=target_ratio,
    )
    assert row.is_met is met


def test_less_is_better_where_it_is() -> None:
    for ours, met in ((5.5, True), (5.6, False)):
        assert Row(label="x", ours=ours, unit="B", target=5.5).is_met is met


def test_without_a_rival_nothing_is_said_of_a_ratio_and_who_is_missing_is() -> None:
    assert ALONE.is_met is None
    assert "nix is not installed" in group_lines("", [ALONE])[-1]


def test_lines_say_whether_it_is_met() -> None:
    title, one, other = group_lines("Title", [SLOWER, QUICKER])[1:]
    assert title == "Title"
    assert one.split() == ["x", "2.00", "1.00", "s", "0.500", "1", "x", "NOT", "it"]
    assert other.split() == ["x", "200", "10.0", "entries/s", "20.0", "it"]


def test_rows_come_back_from_another_process_as_they_were() -> None:
    assert from_json(to_json([SLOWER, QUICKER, ALONE])) == [SLOWER, QUICKER, ALONE]


def test_json_has_what_follows_from_the_figures() -> None:
    shown = json.loads(json.dumps(group_json("Title", [SLOWER])))
    (row,) = shown["rows"]
    assert (row["ours"], row["ratio"], row["met"]) == (2, 0.5, False)
