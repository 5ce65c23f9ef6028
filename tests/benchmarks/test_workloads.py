import json
from collections import Counter
from pathlib import Path
from zlib import compress

import pytest

from benchmarks import weather, workloads

SAMPLE = [
    f'{{"thing":"{thing}","time":{number},"data":{{"year":2013,"temp":{number / 4}}}}}'
    for number, thing in enumerate(("EWR", "JFK", "LGA") * 100)
]


@pytest.fixture(autouse=True)
def _some_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weather, "_lines", lambda: SAMPLE)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", workloads.BY_NAME)
def test_each_writes_as_many_entries_as_asked_for_and_always_the_same(
    name: str, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        workloads.BY_NAME[name](path, 1_000)
    assert one.read_bytes() == other.read_bytes()
    assert len(lines(one)) == 1_000
    assert all(set(line) == {"thing", "time", "data"} for line in lines(one))


def test_weather_goes_on_in_later_years(tmp_path: Path) -> None:
    workloads.weather(tmp_path / "x", 700)
    found = lines(tmp_path / "x")
    years = [one["data"]["year"] for one in found if isinstance(one["data"], dict)]
    assert years == [2013] * 300 + [2014] * 300 + [2015] * 100
    assert len({(one["thing"], one["time"]) for one in found}) == 700


def test_shuffled_is_the_same_data_in_disorder_over_500_things(tmp_path: Path) -> None:
    workloads.weather(tmp_path / "x", 5_000)
    workloads.shuffled(tmp_path / "y", 5_000)
    straight, found = lines(tmp_path / "x"), lines(tmp_path / "y")
    assert len({one["thing"] for one in found}) == 500
    assert [one["time"] for one in found] != [one["time"] for one in straight]
    counted = [Counter(json.dumps(one["data"]) for one in side) for side in (straight, found)]
    assert counted[0] == counted[1]


def test_a_file_of_chance_has_its_size_and_nothing_compresses_it(tmp_path: Path) -> None:
    size = (1 << 20) + 5
    workloads.incompressible(tmp_path / "x", size)
    data = (tmp_path / "x").read_bytes()
    assert len(data) == size
    assert len(compress(data)) > size


def test_a_log_compresses_and_no_line_stands_twice(tmp_path: Path) -> None:
    workloads.log_file(tmp_path / "x", 200_000)
    data = (tmp_path / "x").read_bytes()
    assert 200_000 <= len(data) < 2_000_000
    assert len(compress(data)) < len(data) / 2
    found = data.splitlines()
    assert len(set(found)) == len(found)


def test_notes_as_files_are_the_notes_as_entries(tmp_path: Path) -> None:
    workloads.notes(tmp_path / "x", 3)
    workloads.note_files(tmp_path / "files", 3)
    texts = [path.read_text() for path in sorted((tmp_path / "files").iterdir())]
    assert texts == [one["data"] for one in lines(tmp_path / "x")]
    assert all(len(text) == 1024 for text in texts)
