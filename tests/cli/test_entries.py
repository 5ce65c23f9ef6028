import json
import os
import tracemalloc
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from ledger.append import Draft, append
from pannier.cli.root import run
from tests.cli.computers import Computer, exchange, new_computer

Pair = tuple[Computer, Computer]


def put_at(computer: Computer, *times: int, thing: str = "x") -> None:
    """Put the numbers 1, 2, ... at *times*, in microseconds."""
    lines = [
        json.dumps({"thing": thing, "data": number, "time": time})
        for number, time in enumerate(times, start=1)
    ]
    computer.types("put", "--ndjson", "-", stdin="\n".join(lines).encode())


def shown(computer: Computer, *words: str) -> list[object]:
    """Return the data of the entries that a log shows."""
    listed = computer.asks("log", *words)
    assert isinstance(listed, list)
    return [one["data"] for one in listed]


def after(said: str) -> str:
    """Return with what a log says that one goes on."""
    return said.partition("--after ")[2].partition(",")[0]


def peak_of(*words: str) -> int:
    """Return how many bytes a command takes at most, but for what it prints."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        assert run(words) == 0  # what is imported once counts for nobody
        tracemalloc.start()
        try:
            assert run(words) == 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


class TestGet:
    def test_as_json_has_all_there_is_to_know(self, farm: Computer) -> None:
        farm.types("put", "x", '{"a": 1}', "--kind", "k", "--time", "1000000")
        asked = farm.asks("get", "x")
        assert isinstance(asked, dict)
        (head,) = asked["heads"]
        assert (asked["thing"], asked["missing"]) == ("x", 0)
        assert head.keys() == {
            "thing", "kind", "data", "deleted", "time", "time_text", "by", "device", "sealed",
            "readable", "author", "incarnation", "number", "file", "bytes",
        }  # fmt: skip
        wanted = ("k", {"a": 1}, False, 1_000_000, "1970-01-01 00:00:01", "farm", 0)
        keys = ("kind", "data", "deleted", "time", "time_text", "by", "number")
        assert (head["device"], head["sealed"], head["readable"]) == (None, False, True)
        assert tuple(head[key] for key in keys) == wanted

    def test_what_is_not_there_or_was_deleted_fails_and_is_said(self, farm: Computer) -> None:
        farm.types("put", "x", "1")
        done = farm.types("get", "y", status=1)
        assert done.err == (
            "pannier: nothing is known of y: `pannier things` lists what there is\n"
        )
        nothing = {"thing": "y", "heads": [], "missing": 0, "missing_bytes": 0}
        assert farm.asks("get", "y", status=1) == nothing
        farm.types("delete", "x")
        assert farm.types("get", "x", status=1).err == "pannier: x was deleted\n"
        asked = farm.asks("get", "x", status=1)
        assert isinstance(asked, dict)
        assert [one["deleted"] for one in asked["heads"]] == [True]

    def test_at_an_earlier_time(self, farm: Computer) -> None:
        put_at(farm, 1_000_000, 3_000_000)
        for at, data in (("1000000", 1), ("1970-01-01T00:00:02", 1), ("3000000", 2)):
            assert farm.types("get", "x", "--at", at).out == f"{data}\n"
        done = farm.types("get", "x", "--at", "999999", status=1)
        assert "nothing is known of x at 1970-01-01 00:00:00" in done.err

    def test_at_a_time_after_it_was_deleted(self, farm: Computer) -> None:
        put_at(farm, 1)
        farm.types("delete", "x")
        assert farm.types("get", "x", "--at", "1").out == "1\n"
        done = farm.types("get", "x", "--at", "2200-01-01", status=1)
        assert done.err == "pannier: x was deleted by then\n"

    def test_a_conflict_is_shown_and_the_next_put_settles_it(
        self, sharers: Pair, tmp_path: Path
    ) -> None:
        farm, home = sharers
        exchange(tmp_path / "stick", farm, home)
        farm.types("put", "field/3", '"farm"')
        home.types("delete", "field/3")
        exchange(tmp_path / "stick", home, farm, home)
        for computer in sharers:
            done = computer.types("get", "field/3")
            assert "field/3 has 2 versions in conflict; your next put settles it:" in done.lines[0]
            assert sorted(line.partition("  ")[2] for line in done.lines[1:]) == [
                'farm: "farm"',
                "home: deleted",
            ]
            asked = computer.asks("get", "field/3")
            assert isinstance(asked, dict)
            assert len(asked["heads"]) == 2
            assert "1 conflict" in computer.types("status").out
        farm.types("put", "field/3", '"settled"')
        exchange(tmp_path / "stick", farm, home)
        for computer in sharers:
            assert computer.types("get", "field/3").out == '"settled"\n'
            assert "1 conflict" not in computer.types("status").out

    def test_data_of_others_does_nothing_to_a_terminal(self, farm: Computer) -> None:
        data = "\x1b[31m\x9b31m\u202eevil\U000e0041"
        farm.types("put", "x", json.dumps(data))
        for words in (["get", "x"], ["log"], ["get", "x", "--json"], ["log", "--json"]):
            out = farm.types(*words).out
            assert out.rstrip("\n").isprintable()
            assert json.loads(out[out.index('"\\u001b') :].partition("evil")[0] + '"')
        assert shown(farm) == [data]


def test_names_of_others_do_nothing_to_a_terminal(pair: Pair, tmp_path: Path) -> None:
    """All that people see of things, ledgers and members is escaped, and JSON says the same."""
    farm, home = Computer(tmp_path / "e\u202evil"), pair[1]
    farm.types("init", "--name", "e\u202evil", "--no-passphrase")
    home.types("peer", "add", "evil", farm.types("card").out.strip())
    farm.types("peer", "add", "home", home.types("card").out.strip())
    things = ["dose", "dose\u200b", "pay\u202e 05 :mada\u2028"]
    lines = [json.dumps({"thing": thing, "data": 1}) for thing in things]
    farm.types("put", "--ndjson", "-", stdin="\n".join(lines).encode())
    farm.types("ledger", "share", "home")
    exchange(tmp_path / "stick", farm)
    took = home.types("exchange", str(tmp_path / "stick"))
    seen = [
        took.out,
        *(home.types(*words).out for words in (["things"], ["log"], ["status"])),
        *(home.types("ledger", word).out for word in ("list", "members")),
        *(home.types("peer", *words).out for words in (["list"], ["show", "evil", "--trust"])),
        home.types("put", things[1], "2").out,
        home.types("verify").out,
        farm.types("status").out,
    ]
    for out in seen:
        assert out.replace("\n", "").isprintable(), ascii(out)
    assert home.types("things").lines == ["dose", "dose\\u200b", "pay\\u202e 05 :mada\\u2028"]
    assert home.asks("things") == things


class TestLog:
    def test_of_everything_goes_by_time(self, farm: Computer) -> None:
        put_at(farm, 3_000_000, 1_000_000, 2_000_000)
        assert farm.types("log").lines == [
            "1970-01-01 00:00:01  farm: x  2",
            "1970-01-01 00:00:02  farm: x  3",
            "1970-01-01 00:00:03  farm: x  1",
        ]
        assert farm.types("log", "x").lines[0] == "1970-01-01 00:00:03  farm: 1"

    @pytest.mark.parametrize("words", [[], ["x"]], ids=["everything", "thing"])
    def test_since_and_until_are_inclusive(self, farm: Computer, words: list[str]) -> None:
        put_at(farm, *range(10, 60, 10))
        assert shown(farm, *words, "--since", "20", "--until", "40") == [2, 3, 4]
        assert shown(farm, *words, "--since", "21") == [3, 4, 5]
        assert shown(farm, *words, "--until", "39") == [1, 2, 3]
        assert shown(farm, *words, "--since", "1970-01-02") == []

    @pytest.mark.parametrize("words", [[], ["x"]], ids=["everything", "thing"])
    def test_the_limit_says_that_there_is_more_and_how_to_go_on(
        self, farm: Computer, words: list[str]
    ) -> None:
        put_at(farm, *range(10, 60, 10))
        first = farm.types("log", *words, "--limit", "2", "--json")
        assert [one["data"] for one in _list(first.json)] == [1, 2]
        assert first.err.startswith("There are more: go on with --after ")
        assert first.err.endswith("/1, or raise --limit.\n")
        last = farm.types("log", *words, "--limit", "3", "--after", after(first.err), "--json")
        assert [one["data"] for one in _list(last.json)] == [3, 4, 5]
        assert last.err == ""

    @pytest.mark.parametrize("words", [[], ["x"]], ids=["everything", "thing"])
    @pytest.mark.parametrize("times", [[7] * 12, [5, 100, 3, 4, 200, 4, 1], [3, 2, 1, 1, 1]])
    def test_going_on_leaves_nothing_out_and_says_nothing_twice(
        self, farm: Computer, words: list[str], times: list[int]
    ) -> None:
        put_at(farm, *times)
        found, further = [], list[str]()
        while True:
            done = farm.types("log", *words, "--limit", "2", "--json", *further)
            found += [one["data"] for one in _list(done.json)]
            if not done.err:
                break
            further = ["--after", after(done.err)]
        assert found == shown(farm, *words)
        assert sorted(map(str, found)) == sorted(str(one) for one in range(1, len(times) + 1))

    def test_going_on_stays_within_the_times(self, farm: Computer) -> None:
        put_at(farm, *range(10, 60, 10))
        done = farm.types("log", "--since", "20", "--until", "40", "--limit", "1")
        further = ["--after", after(done.err)]
        assert shown(farm, "--since", "20", "--until", "40", *further) == [3, 4]
        assert shown(farm, "--since", "40", *further) == [4, 5]
        done = farm.types("log", "--until", "20", *further)
        assert done.err == f"No entry in that time after {further[1]}.\n"

    def test_what_is_no_entry_is_refused(self, farm: Computer) -> None:
        put_at(farm, 1, 2)
        put_at(farm, 1, 2, thing="y")
        known = after(farm.types("log", "--limit", "1").err)
        log, _, _ = known.rpartition("/")
        for entry in ("", "x", "/", known[1:], log, f"{log}/", f"{log}/4", f"{log}/{'9' * 5000}"):
            done = farm.types("log", "--after", entry, status=2)
            assert done.err.startswith(f"pannier: no entry here is called {entry}: ")
        assert "is not about y" in farm.types("log", "y", "--after", known, status=2).err

    def test_programs_are_told_by_the_status_that_there_are_more(self, farm: Computer) -> None:
        put_at(farm, *range(1001))
        done = farm.types("log", "--json", status=3)
        assert len(_list(done.json)) == 1000
        assert "There are more: go on with --after " in done.err
        assert len(_list(farm.asks("log", "--limit", "1001"))) == 1001
        assert len(farm.types("log").lines) == 1000

    def test_long_data_is_cut_and_its_length_is_said(self, farm: Computer) -> None:
        for thing, length in (("fits", 998), ("cut", 999)):
            farm.types("put", thing, json.dumps("x" * length))
        fits, cut = (line.partition("  ")[2] for line in farm.types("log").lines)
        assert fits == f'farm: fits  "{"x" * 998}"'
        assert cut == f'farm: cut  "{"x" * 999}… (1,001 characters)'
        assert farm.types("get", "cut").out == f'"{"x" * 999}"\n'
        assert shown(farm) == ["x" * 998, "x" * 999]

    @pytest.mark.parametrize("words", [["log"], ["log", "x"], ["log", "--json"]], ids=" ".join)
    def test_takes_the_memory_of_one_entry_however_many_there_are(
        self, tmp_path: Path, words: list[str]
    ) -> None:
        """Empty lists take a byte each on a stick, less once compressed, and 64 in memory."""
        peaks = []
        for count in (1, 8):
            computer = new_computer(tmp_path, f"computer-{count}")
            computer.types("put", "x", "1")
            lists = b"\x99" + (40_000).to_bytes(2, "big") + b"\x80" * 40_000
            with computer.node() as node:
                (store,) = node.ledgers()
                drafts = (Draft("x", lists, time_us) for time_us in range(count))
                assert list(append(store, node.author, drafts))
            peaks.append(peak_of("--home", str(computer.home), *words))
        assert peaks[1] < 1.5 * peaks[0]

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_as_json_is_one_list_on_one_line(self, farm: Computer, count: int) -> None:
        farm.types("ledger", "new", "farm")
        put_at(farm, *range(count))
        out = farm.types("log", "--json").out
        assert out == json.dumps(json.loads(out), ensure_ascii=False) + "\n"
        assert len(json.loads(out)) == count

    def test_nothing_is_said(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather")
        for words, said in (
            ([], "No entry.\n"),
            (["y"], "No entry about y.\n"),
            (["y", "--since", "2026-01-01"], "No entry about y in that time.\n"),
        ):
            done = farm.types("log", *words)
            assert (done.out, done.err) == ("", said)
            assert farm.asks("log", *words) == []


class TestThings:
    def test_all_or_those_that_begin_so(self, farm: Computer) -> None:
        for thing in ("field/3", "field/12", "fields", "Ä%_"):
            farm.types("put", thing, "1")
        assert farm.types("things").lines == ["field/12", "field/3", "fields", "Ä%_"]
        assert farm.types("things", "field/").lines == ["field/12", "field/3"]
        assert farm.types("things", "Ä%").lines == ["Ä%_"]
        assert farm.asks("things", "field/") == ["field/12", "field/3"]

    def test_those_in_conflict_are_found_and_what_two_deleted_is_none(
        self, sharers: Pair, tmp_path: Path
    ) -> None:
        farm, home = sharers
        farm.types("put", "well/1", '"farm"')
        farm.types("put", "alone", "1")
        exchange(tmp_path / "stick", farm, home, farm)
        for computer in sharers:
            computer.types("delete", "field/3")
        farm.types("delete", "well/1")
        home.types("put", "well/1", '"home"')
        home.types("put", "well/2", '"home"')
        farm.types("put", "well/2", '"farm"')
        exchange(tmp_path / "stick", farm, home, farm, home)
        for computer in sharers:
            assert computer.types("things", "--conflicts").lines == ["well/1", "well/2"]
            assert computer.asks("things", "--conflicts", "well/2") == ["well/2"]
            assert ", 2 conflicts\n" in computer.types("status").out
            assert "field/3 is not there" in computer.types("delete", "field/3").out
            assert "was deleted" in computer.types("get", "field/3", status=1).err
            assert "has 2 deletions: say" in computer.types("prove", "field/3", status=2).err
        home.types("delete", "well/1")
        home.types("put", "well/2", "2")
        none = home.types("things", "--conflicts")
        assert (none.lines, none.err) == ([], "No thing is in conflict.\n")
        said = home.types("things", "well/", "--conflicts").err
        assert said == "No thing begins with well/ and is in conflict.\n"
        assert " conflict" not in home.types("status").out
        home.types("verify")

    def test_none_is_said(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather")
        assert farm.types("things").err == "No thing is there yet: `pannier put` makes one.\n"
        assert farm.types("things", "%").err == "No thing begins with %.\n"
        assert farm.asks("things", "%") == []


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
