import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from threading import Timer

import pytest

from ledger import views
from ledger.append import Draft
from ledger.errors import DamagedError
from ledger.store import Store
from pannier import ledgers
from pannier.node import Node
from tests.cli.computers import (
    Computer,
    acquaint,
    environment,
    exchange,
    is_one_line,
    new_computer,
    type_command,
)
from tests.vectors import load

MEBIBYTE = 1 << 20


def only(computer: Computer) -> Mapping[str, object]:
    """Return the one entry of a computer's ledger."""
    listed = computer.asks("log")
    assert isinstance(listed, list)
    (entry,) = listed
    assert isinstance(entry, dict)
    return entry


def has_ledger(computer: Computer) -> bool:
    return computer.asks("ledger", "list") != []


class TestOne:
    def test_the_first_makes_a_ledger_and_says_so(self, farm: Computer) -> None:
        assert farm.types("put", "x", "1").lines == ["Made the ledger farm.", "x is in farm."]
        assert farm.types("put", "x", "2").lines == ["x is in farm."]
        assert farm.types("get", "x").out == "2\n"

    @pytest.mark.parametrize(
        "data",
        ['{"a": [1, -2.5, true, null, "ü"]}', '"text"', "0", "-9223372036854775808",
         "18446744073709551615", "[]", "1e300", '"\\u00e9\\ud83d\\ude00"'],
    )  # fmt: skip
    def test_json_comes_back_as_it_was(self, farm: Computer, data: str) -> None:
        farm.types("put", "x", data)
        assert json.loads(farm.types("get", "x").out) == json.loads(data)

    @pytest.mark.parametrize("words", [("x", "--frob"), ("--frob", "x"), ("x", "1", "--frob")])
    def test_an_option_that_is_none_is_not_taken_for_data(
        self, farm: Computer, words: tuple[str, ...]
    ) -> None:
        done = type_command("--home", str(farm.home), "put", *words)
        assert done.status in (1, 2)
        assert is_one_line(done.err)
        assert not has_ledger(farm)

    def test_from_standard_input_and_from_a_file(self, farm: Computer, tmp_path: Path) -> None:
        farm.types("put", "a", "-", stdin=b' {"n": 1}\n')
        (tmp_path / "data.json").write_text('{"n": 2}')
        farm.types("put", "b", f"@{tmp_path}/data.json")
        assert farm.types("get", "a").out == '{"n": 1}\n'
        assert farm.types("get", "b").out == '{"n": 2}\n'

    def test_bytes(self, farm: Computer) -> None:
        farm.types("put", "a", "-", "--bytes", stdin=bytes(range(256)))
        assert farm.types("get", "a").out == f"256 bytes: {bytes(range(32)).hex()}…\n"
        assert only(farm)["data"] == bytes(range(256)).hex()

    def test_bytes_come_out_as_they_went_in_and_are_told_from_their_digits(
        self, farm: Computer
    ) -> None:
        farm.types("put", "a", "-", "--bytes", stdin=bytes(range(256)))
        farm.types("put", "b", f'"{bytes(range(256)).hex()}"')
        command = [sys.executable, "-m", "pannier", "--home", str(farm.home), "get", "a", "--bytes"]
        done = subprocess.run(command, capture_output=True, env=environment(), check=True)
        assert (done.stdout, done.stderr) == (bytes(range(256)), b"")
        told = farm.asks("log")
        assert isinstance(told, list)
        assert [(one["thing"], one["bytes"]) for one in told] == [("a", True), ("b", False)]
        assert "is not bytes" in farm.types("get", "b", "--bytes", status=1).err
        assert "not both" in farm.types("get", "a", "--bytes", "--json", status=2).err

    def test_kind_and_time(self, farm: Computer) -> None:
        farm.types("put", "x", "1", "--kind", "reading", "--time", "2013-01-01T01:00+01:00")
        entry = only(farm)
        assert (entry["kind"], entry["time"]) == ("reading", 1_356_998_400_000_000)
        assert entry["time_text"] == "2013-01-01 00:00:00"

    def test_times_before_1970_and_at_the_ends(self, farm: Computer) -> None:
        for when in ("-1", str(2**63 - 1), str(-(2**63))):
            farm.types("put", "x", "1", f"--time={when}")
        listed = farm.asks("log", "x")
        assert isinstance(listed, list)
        assert [one["time"] for one in listed] == [-1, 2**63 - 1, -(2**63)]

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("nix", "not JSON"),
            ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
            ("NaN", "NaN is not a number that JSON allows"),
            ("-Infinity", "-Infinity is not a number"),
            ("1e400", "inf is not a finite number"),
            ('"\\ud800"', "surrogates not allowed"),
            ("18446744073709551616", "beyond 64 bits"),
            ("-9223372036854775809", "beyond 64 bits"),
            ("[" * 17 + "]" * 17, "nested deeper than 16"),
            ("[" * 100_000, "nested deeper than 16"),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_data_beyond_the_bounds_is_refused(self, farm: Computer, data: str, said: str) -> None:
        assert said in farm.types("put", "x", data, status=1).err
        assert not has_ledger(farm)

    def test_data_too_large_is_refused(self, farm: Computer) -> None:
        for more in ([], ["--bytes"]):
            data = b'"' + b"x" * MEBIBYTE + b'"'
            assert "at most 1048576" in farm.types("put", "x", "-", *more, stdin=data, status=1).err
        data = b" " * (9 << 20) + b"1"
        assert "at most" in farm.types("put", "x", "-", stdin=data, status=1).err
        assert not has_ledger(farm)

    def test_what_is_not_utf8_points_to_bytes(self, farm: Computer) -> None:
        done = farm.types("put", "x", "-", stdin=b'"\xe9"', status=2)
        assert "for bytes say --bytes" in done.err

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["x" * 256, "1"], "a thing of 256 bytes; 1 to 255 are allowed"),
            (["ü" * 128, "1"], "a thing of 256 bytes"),
            (["", "1"], "a thing of 0 bytes"),
            (["a\nb", "1"], "control character"),
            (["x", "1", "--kind", "k" * 64], "a kind of 64 bytes; 0 to 63 are allowed"),
            (["x", "1", "--kind", "\x07"], "control character"),
            (["x", "@/nix/nix"], "/nix/nix: No such file"),
        ],
        ids=lambda value: str(value[0])[:20] if isinstance(value, list) else "",
    )
    def test_names_beyond_the_bounds_are_refused(
        self, farm: Computer, words: list[str], said: str
    ) -> None:
        assert said in farm.types("put", *words, status=1).err
        assert not has_ledger(farm)

    def test_the_longest_names_are_taken(self, farm: Computer) -> None:
        farm.types("put", "ü" * 127 + "x", "1", "--kind", "k" * 63)
        assert farm.types("things").out == "ü" * 127 + "x\n"


LINES = b"""{"thing": "a", "data": 1}

{"thing": "b", "data": {"x": null}, "time": 5, "kind": "reading"}\r
{"data": "\xc3\xbc", "thing": "c"}"""


class TestMany:
    def test_from_standard_input_and_from_a_file(self, farm: Computer, tmp_path: Path) -> None:
        path = tmp_path / "lines.ndjson"
        path.write_bytes(LINES)
        first = farm.types("put", "--ndjson", "-", stdin=LINES)
        assert first.lines == ["Made the ledger farm.", "3 entries put into farm."]
        assert farm.types("put", "--ndjson", str(path)).out == "3 entries put into farm.\n"
        assert farm.types("things").lines == ["a", "b", "c"]
        assert farm.types("get", "c").out == '"ü"\n'
        (entry, _) = _entries(farm, "b")
        assert (entry["time"], entry["kind"], entry["data"]) == (5, "reading", {"x": None})

    def test_from_a_line_on(self, farm: Computer) -> None:
        done = farm.types("put", "--ndjson", "-", "--from-line", "3", stdin=LINES)
        assert done.lines[-1] == "2 entries put into farm."
        assert farm.types("things").lines == ["b", "c"]

    @pytest.mark.parametrize("content", [b"", b"\n \n", LINES])
    def test_nothing_to_put_is_said_and_makes_no_ledger(
        self, farm: Computer, content: bytes
    ) -> None:
        done = farm.types("put", "--ndjson", "-", "--from-line", "5", stdin=content)
        assert done.out == "- has no entry from line 5 on; nothing was put.\n"
        assert not has_ledger(farm)

    def test_a_file_that_is_not_there(self, farm: Computer) -> None:
        assert "/nix: No such file" in farm.types("put", "--ndjson", "/nix", status=1).err

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (b"nix", "not JSON"),
            (b'{"thing": "x", "data": 1', "not JSON"),
            (b"[1]", 'a line is {"thing": NAME, "data": VALUE}'),
            (b'{"thing": "x"}', 'a line is {"thing": NAME, "data": VALUE}'),
            (b'{"data": 1}', 'a line is {"thing": NAME, "data": VALUE}'),
            (b'{"thing": "x", "data": 1, "unit": "C"}', "unknown key 'unit'"),
            (b'{"thing": "x", "thing": "y", "data": 1}', "the key 'thing' stands twice"),
            (b'{"thing": "x", "data": {"a": 1, "a": 1}}', "the key 'a' stands twice"),
            (b'{"thing": "x", "data": NaN}', "NaN is not a number"),
            (b'{"thing": "x", "data": 1e400}', "not a finite number"),
            (b'{"thing": "x", "data": "\\ud800"}', "surrogates not allowed"),
            (b'{"thing": "x", "data": 18446744073709551616}', "beyond 64 bits"),
            (b'{"thing": "x", "data": -9223372036854775809}', "beyond 64 bits"),
            (b'{"thing": "x", "data": %s}' % (b"[" * 17 + b"]" * 17), "nested deeper than 16"),
            (b'{"thing": "%s", "data": 1}' % (b"x" * 256), "a thing of 256 bytes"),
            (b'{"thing": "", "data": 1}', "a thing of 0 bytes"),
            (b'{"thing": "a\\u0000", "data": 1}', "control character"),
            (b'{"thing": 5, "data": 1}', "thing and kind are texts"),
            (b'{"thing": "x", "data": 1, "kind": null}', "thing and kind are texts"),
            (b'{"thing": "x", "data": 1, "kind": "%s"}' % (b"k" * 64), "a kind of 64 bytes"),
            (b'{"thing": "x", "data": 1, "time": "noon"}', "time is an integer"),
            (b'{"thing": "x", "data": 1, "time": 1.5}', "time is an integer"),
            (b'{"thing": "x", "data": 1, "time": true}', "time is an integer"),
            (b'{"thing": "x", "data": 1, "time": 9223372036854775808}', "64-bit"),
            (b'{"thing": "x", "data": "\xe9"}', "not UTF-8"),
            (b'{"thing": "\xe9", "data": 1}', "not UTF-8"),
            (b'\xff\xfe{"thing": "x", "data": 1}', "not UTF-8"),
            (b'{"thing": "x", "data": "%s"}' % (b"y" * MEBIBYTE), "at most 1048576"),
        ],
        ids=lambda value: value[:40].decode(errors="replace") if isinstance(value, bytes) else "",
    )
    def test_a_bad_line_is_named_with_its_reason(
        self, farm: Computer, line: bytes, said: str
    ) -> None:
        good = b'{"thing": "a", "data": 1}\n'
        done = farm.types("put", "--ndjson", "-", stdin=good + b"\n" + line + b"\n", status=1)
        assert done.err.startswith("pannier: -: line 3: ")
        assert said in done.err
        assert done.err.endswith("(nothing was put)\n")
        assert farm.asks("log") == []
        alone = farm.types(
            "put", "--ndjson", "-", "--from-line", "3", stdin=b"\n\n" + line, status=1
        )
        assert "line 3: " in alone.err

    def test_a_bad_first_line_makes_no_ledger(self, farm: Computer) -> None:
        farm.types("put", "--ndjson", "-", stdin=b"nix\n", status=1)
        assert not has_ledger(farm)

    def test_what_was_written_before_is_said_and_can_be_gone_on_from(
        self, farm: Computer, tmp_path: Path
    ) -> None:
        large = json.dumps({"thing": "x", "data": "y" * 1_000_000}) + "\n"
        path = tmp_path / "lines.ndjson"
        path.write_text(large * 12 + "nix\n")
        done = farm.types("put", "--ndjson", str(path), status=1)
        written = len(_entries(farm, "x"))
        assert 0 < written < 12
        assert f"{path}: line 13: not JSON" in done.err
        assert done.err.endswith(f"({written} entries before it stay)\n")
        path.write_text(large * 12)
        farm.types("put", "--ndjson", str(path), "--from-line", str(written + 1))
        assert len(_entries(farm, "x")) == 12
        farm.types("verify")

    def test_a_busy_ledger_is_told_apart_from_a_bad_line(
        self, farm: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ledger.store_file.BUSY_SECONDS", 0.05)
        farm.types("put", "x", "1")
        with farm.node() as node:
            (store,) = node.ledgers()
            with store.transaction():
                line = b'{"thing": "x", "data": 2}\n'
                done = farm.types("put", "--ndjson", "-", stdin=line, status=4)
                farm.types("put", "x", "2", status=4)
        assert "the ledger farm is busy" in done.err
        assert "nothing was put" in done.err
        assert farm.types("get", "x").out == "1\n"


class TestEach:
    """A line is acknowledged when its entry survives a power cut, before the next one is read."""

    def test_a_line_is_acknowledged_before_the_next_one_comes(self, farm: Computer) -> None:
        farm.types("put", "x", "0")
        words = ["--home", str(farm.home), "put", "--ndjson", "-", "--each"]
        with subprocess.Popen(
            [sys.executable, "-m", "pannier", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            killing = Timer(20, process.kill)  # else who waits for all of it waits for ever
            killing.start()
            for number in (1, 2, 3):
                process.stdin.write(b'\n{"thing": "x", "data": %d}\n' % number)
                process.stdin.flush()
                assert process.stdout.readline() == b"x is in farm.\n"
                assert farm.types("get", "x").out == f"{number}\n"  # another process's
            killing.cancel()
            process.kill()
        assert farm.types("get", "x").out == "3\n"

    def test_each_is_a_batch_of_its_own_with_its_own_time(
        self, farm: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        times = count(1_000_000)
        monkeypatch.setattr("pannier.cli.session.clock", lambda: next(times))
        done = farm.types("put", "--ndjson", "-", "--each", stdin=LINES)
        assert done.lines == ["a is in farm.", "b is in farm.", "c is in farm."]
        assert done.err == "Made the ledger farm.\n"
        (first,), (last,) = _entries(farm, "a"), _entries(farm, "c")
        assert first["time"] != last["time"]
        with farm.node() as node:
            (store,) = node.ledgers()
            (state,) = store.logs()
            assert store.rows("SELECT size FROM checkpoint ORDER BY size") == [(1,), (2,), (3,)]
            assert state.size == 3

    def test_what_could_not_be_kept_is_not_acknowledged(
        self, farm: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = ledgers.put
        turns = iter([True, False])

        def put(node: Node, store: Store, drafts: Iterable[Draft]) -> int:
            if next(turns):
                return kept(node, store, drafts)
            raise DamagedError("the disk said no")

        farm.types("ledger", "new", "farm")
        monkeypatch.setattr(ledgers, "put", put)
        done = farm.types("put", "--ndjson", "-", "--each", stdin=LINES, status=1)
        assert done.lines == ["a is in farm."]
        assert done.err == "pannier: -: the disk said no (1 entry before it stay)\n"
        assert farm.types("things").lines == ["a"]

    def test_a_bad_line_leaves_what_was_acknowledged(self, farm: Computer) -> None:
        farm.types("ledger", "new", "farm")
        bad = LINES.replace(b'"thing": "c"', b'"thing": 5')
        done = farm.types("put", "--ndjson", "-", "--each", stdin=bad, status=1)
        assert done.lines == ["a is in farm.", "b is in farm."]
        assert done.err.startswith("pannier: -: line 4: thing and kind are texts")
        assert done.err.endswith("(2 entries before it stay)\n")
        farm.types("put", "--ndjson", "-", "--each", "--from-line", "4", stdin=LINES)
        assert farm.types("things").lines == ["a", "b", "c"]

    @pytest.mark.parametrize("content", [b"", b"\n \n"])
    def test_nothing_is_acknowledged_where_nothing_came(
        self, farm: Computer, content: bytes
    ) -> None:
        done = farm.types("put", "--ndjson", "-", "--each", stdin=content)
        assert (done.out, has_ledger(farm)) == ("", False)

    def test_it_is_for_lines(self, farm: Computer) -> None:
        for more in (["--each"], ["--from-line", "2"]):
            said = farm.types("put", "x", "1", *more, status=2).err
            assert "for lines: say --ndjson FILE" in said


class TestAs:
    """A centralized ledger: its admins speak for devices that hold no key."""

    def test_what_a_device_said_is_shown_as_its_own_by_the_hub(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather", "--centralized")
        farm.types("put", "x", '{"t": 1}', "--as", "sensor-7", "--time", "1000000")
        assert farm.types("get", "x").out == '{"t": 1}\n'
        assert farm.types("log", "x").out == '1970-01-01 00:00:01  sensor-7 (by farm): {"t": 1}\n'
        entry = only(farm)
        assert (entry["data"], entry["device"], entry["by"]) == ({"t": 1}, "sensor-7", "farm")

    def test_many_at_once(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather", "--centralized")
        lines = b"""{"thing": "a", "data": {"t": 1}, "as": "s1"}
{"thing": "b", "data": [1], "as": "s2"}
{"thing": "c", "data": 3}"""
        farm.types("put", "--ndjson", "-", stdin=lines)
        listed = farm.asks("log")
        assert isinstance(listed, list)
        found = [(one["thing"], one["device"], one["data"]) for one in listed]
        assert sorted(found, key=str) == [("a", "s1", {"t": 1}), ("b", "s2", [1]), ("c", None, 3)]
        farm.types("verify")

    def test_in_a_distributed_ledger_it_is_refused(self, farm: Computer) -> None:
        farm.types("put", "x", "1")
        said = "farm is a distributed ledger, where each writes under its own key"
        assert said in farm.types("put", "x", "2", "--as", "sensor-7", status=2).err
        line = b'{"thing": "x", "data": 2, "as": "sensor-7"}'
        done = farm.types("put", "--ndjson", "-", stdin=line, status=1)
        assert f"line 1: {said}" in done.err
        assert farm.types("get", "x").out == "1\n"

    def test_a_form_that_the_ledger_does_not_have_is_no_data(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        """A member who writes such an entry all the same speaks for nobody."""
        farm, home = sharers
        with farm.node() as node:
            (store,) = node.ledgers()
            payload = bytes.fromhex(load("on_behalf")["number"]["payload"])
            ledgers.put(node, store, [Draft(thing="x", payload=payload, time_us=0)])
        exchange(tmp_path / "stick", farm, home)
        assert home.types("get", "x").out == "(of a form that is not known here)\n"
        asked = home.asks("log", "x")
        assert isinstance(asked, list)
        assert [(one["data"], one["device"], one["readable"]) for one in asked] == [
            (None, None, False)
        ]
        home.types("verify")

    @pytest.mark.parametrize("more", [["--as", ""], ["--to", "farm"], ["--kind", ""], ["x"]])
    def test_with_ndjson_each_line_says_its_own(self, farm: Computer, more: list[str]) -> None:
        done = farm.types("put", "--ndjson", "-", *more, stdin=LINES, status=2)
        assert "each line says its own" in done.err

    @pytest.mark.parametrize("device", ["7", "null", '""', '"a/b"'])
    def test_odd_names_in_a_line_are_refused(self, farm: Computer, device: str) -> None:
        farm.types("ledger", "new", "weather", "--centralized")
        line = f'{{"thing": "x", "data": 2, "as": {device}}}'.encode()
        assert "line 1: " in farm.types("put", "--ndjson", "-", stdin=line, status=1).err
        assert farm.asks("log") == []

    def test_it_needs_a_ledger_made_for_it(self, farm: Computer) -> None:
        farm.types("put", "x", "1", "--as", "sensor-7", status=2)
        assert not has_ledger(farm)

    @pytest.mark.parametrize("name", ["", "n" * 65, "a\nb", "a/b"])
    def test_odd_names_are_refused(self, farm: Computer, name: str) -> None:
        farm.types("ledger", "new", "weather", "--centralized")
        assert "device name" in farm.types("put", "x", "1", "--as", name, status=1).err

    def test_only_admins_write(self, pair: tuple[Computer, Computer], tmp_path: Path) -> None:
        farm, home = pair
        farm.types("ledger", "new", "weather", "--centralized")
        farm.types("ledger", "share", "home", "--role", "writer", status=2)
        farm.types("ledger", "share", "home", "--role", "reader")
        exchange(tmp_path / "stick", farm, home)
        home.types("put", "x", "1", status=1)
        farm.types("ledger", "share", "home", "--role", "admin")
        exchange(tmp_path / "stick", farm, home)
        home.types("put", "x", "1", "--as", "sensor-7")
        exchange(tmp_path / "stick", home, farm)
        assert "sensor-7 (by home): 1" in farm.types("log", "x").out


@pytest.fixture
def three(tmp_path: Path) -> tuple[Computer, Computer, Computer]:
    """The farm, which shares its ledger with home and with the vet."""
    farm, home, vet = (new_computer(tmp_path, name) for name in ("farm", "home", "vet"))
    acquaint(farm, home)
    acquaint(farm, vet)
    farm.types("put", "field/3", "1")
    farm.types("ledger", "share", "home")
    farm.types("ledger", "share", "vet")
    exchange(tmp_path / "stick", farm, home, vet, farm)
    return farm, home, vet


class TestTo:
    """Entries that all members carry and prove, and some read."""

    def test_only_those_members_and_the_writer_read(
        self, three: tuple[Computer, Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home, vet = three
        farm.types("put", "cow/12", '{"hb": 9.1}', "--to", "vet", "--kind", "blood")
        exchange(tmp_path / "stick", farm, home, vet)
        for reader in (farm, vet):
            assert reader.types("get", "cow/12").out == '{"hb": 9.1}\n'
            assert _sealed(reader) == ({"hb": 9.1}, True, True)
        assert home.types("get", "cow/12").out == "(sealed for others)\n"
        assert home.types("log", "cow/12").out.endswith("farm: (sealed for others)\n")
        assert _sealed(home) == (None, True, False)
        for computer in three:
            computer.types("verify")
            assert "cow/12" in computer.types("things").lines

    def test_several_by_name_or_node_id_also_of_peers_that_are_called_otherwise(
        self, three: tuple[Computer, Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home, vet = three
        number = vet.types("card", "--json").json
        assert isinstance(number, dict)
        farm.types("put", "cow/12", "1", "--to", f"home,{number['node']}")
        home.types("put", "cow/12", "2", "--to", "vet", "--to", "farm")
        exchange(tmp_path / "stick", farm, home, vet, farm, home)
        for computer in three:
            assert "sealed" not in computer.types("log", "cow/12").out

    def test_who_is_no_member_is_refused_and_members_are_named(
        self, three: tuple[Computer, Computer, Computer]
    ) -> None:
        farm, *_ = three
        for word in ("ann", "home,ann", "field"):
            done = farm.types("put", "x", "1", "--to", word, status=2)
            assert "is no member of farm; say one of: farm (" in done.err
            assert "home (" in done.err
        assert "commas" in farm.types("put", "x", "1", "--to", "home,,vet", status=2).err
        assert "x" not in farm.types("things").lines

    def test_many_at_once(self, three: tuple[Computer, Computer, Computer], tmp_path: Path) -> None:
        farm, home, vet = three
        lines = b"""{"thing": "a", "data": 1, "to": ["home"]}
{"thing": "b", "data": 2, "to": ["home", "vet"]}
{"thing": "c", "data": 3}"""
        farm.types("put", "--ndjson", "-", stdin=lines)
        exchange(tmp_path / "stick", farm, home, vet)
        assert [vet.types("get", thing).out for thing in "abc"] == [
            "(sealed for others)\n",
            "2\n",
            "3\n",
        ]
        bad = b'{"thing": "a", "data": 1, "to": "home"}'
        done = farm.types("put", "--ndjson", "-", stdin=bad, status=1)
        assert 'line 1: "to" is a list of members' in done.err

    def test_a_sealed_payload_that_another_copies_opens_for_nobody(
        self, three: tuple[Computer, Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home, vet = three
        farm.types("put", "cow/12", '"a secret"', "--to", "vet")
        exchange(tmp_path / "stick", farm, home)
        with home.node() as node:
            (store,) = node.ledgers()
            (copied,) = [one.entry.payload for one in views.history(store, "cow/12")]
            assert copied is not None
            ledgers.put(node, store, [Draft(thing="cow/12", payload=copied, time_us=0)])
        exchange(tmp_path / "stick", home, farm, vet)
        lines = [line.partition("  ")[2] for line in vet.types("log", "cow/12").lines]
        assert sorted(lines) == ['farm: "a secret"', "home: (sealed for others)"]

    def test_a_device_may_be_sealed_too(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather", "--centralized")
        farm.types("put", "x", "1", "--as", "sensor-7", "--to", "farm")
        entry = only(farm)
        assert (entry["data"], entry["device"], entry["sealed"]) == (1, "sensor-7", True)

    def test_a_member_with_post_quantum_keys_reads(self, farm: Computer, tmp_path: Path) -> None:
        quinn = Computer(tmp_path / "quinn")
        quinn.types("init", "--name", "quinn", "--no-passphrase", "--pq")
        acquaint(farm, quinn)
        farm.types("put", "x", "1")
        farm.types("ledger", "share", "quinn")
        farm.types("put", "x", "2", "--to", "quinn")
        exchange(tmp_path / "stick", farm, quinn)
        assert quinn.types("get", "x").out == "2\n"


def _sealed(computer: Computer) -> tuple[object, object, object]:
    """Return (data, sealed, readable) of the newest entry about cow/12."""
    asked = computer.asks("get", "cow/12")
    assert isinstance(asked, dict)
    (head,) = asked["heads"]
    return head["data"], head["sealed"], head["readable"]


class TestDelete:
    def test_hides_the_thing_and_keeps_its_history(self, farm: Computer) -> None:
        farm.types("put", "x", "1")
        assert "`pannier log x` still shows" in farm.types("delete", "x").out
        assert "x was deleted" in farm.types("get", "x", status=1).err
        assert [line.partition("farm: ")[2] for line in farm.types("log", "x").lines] == [
            "1",
            "deleted",
        ]
        farm.types("put", "x", "2")
        assert farm.types("get", "x").out == "2\n"

    def test_what_is_not_there_is_said(self, farm: Computer) -> None:
        farm.types("put", "x", "1")
        assert farm.types("delete", "y").out == "y is not there; nothing to do.\n"
        farm.types("delete", "x")
        assert farm.types("delete", "x").out == "x is not there; nothing to do.\n"
        assert len(_entries(farm, "x")) == 2


def _entries(computer: Computer, thing: str) -> list[dict[str, object]]:
    listed = computer.asks("log", thing)
    assert isinstance(listed, list)
    return listed
