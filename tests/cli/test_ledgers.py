from pathlib import Path

import pytest

from tests.cli.computers import Computer, acquaint, exchange, new_computer

Pair = tuple[Computer, Computer]


def names(computer: Computer) -> dict[str, str]:
    """Return the ids of a computer's ledgers by name."""
    listed = computer.asks("ledger", "list")
    assert isinstance(listed, list)
    return {one["name"]: one["ledger"] for one in listed}


class TestNewAndList:
    def test_none_yet(self, farm: Computer) -> None:
        assert "None yet" in farm.types("ledger", "list").out
        assert farm.asks("ledger", "list") == []

    def test_new_names_it_and_its_id(self, farm: Computer) -> None:
        done = farm.types("ledger", "new", "weather")
        assert done.out == f"Made the ledger weather ({names(farm)['weather']}).\n"
        (line,) = farm.types("ledger", "list").lines
        assert line.split()[2:] == ["0", "entries", "1", "member"]

    def test_a_name_twice_is_refused(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather")
        assert "weather already" in farm.types("ledger", "new", "weather", status=2).err
        assert list(names(farm)) == ["weather"]

    @pytest.mark.parametrize("name", ["", "a/b", "x" * 65, "a\x1bb"])
    def test_a_name_that_is_none_is_refused(self, farm: Computer, name: str) -> None:
        farm.types("ledger", "new", name, status=1)
        assert names(farm) == {}


class TestShare:
    def test_is_a_writer_unless_said_otherwise(self, pair: Pair) -> None:
        farm, _ = pair
        farm.types("ledger", "new", "weather")
        done = farm.types("ledger", "share", "home")
        assert done.out == "home is a writer of weather from the next exchange on.\n"
        assert [line.split()[:2] for line in farm.types("ledger", "members").lines] == [
            ["farm", "admin"],
            ["home", "writer"],
        ]

    def test_again_or_for_less_does_nothing_and_says_so(self, pair: Pair) -> None:
        farm, _ = pair
        farm.types("ledger", "new", "weather")
        farm.types("ledger", "share", "home", "--role", "reader")
        farm.types("ledger", "share", "home", "--role", "writer")
        for role in ("writer", "reader"):
            done = farm.types("ledger", "share", "home", "--role", role)
            assert done.out == "home is a writer of weather already; nothing to do.\n"
        assert len(farm.types("ledger", "members").lines) == 2

    def test_with_nobody(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather")
        done = farm.types("ledger", "share", "home", status=2)
        assert "no peer is called home (known: nobody yet)" in done.err

    def test_only_by_an_admin(self, sharers: Pair, tmp_path: Path) -> None:
        farm, home = sharers
        exchange(tmp_path / "stick", farm, home)
        third = new_computer(tmp_path, "third")
        acquaint(home, third)
        done = home.types("ledger", "share", "third", status=2)
        assert "only an admin of farm can share it: ask farm" in done.err

    def test_a_reader_reads_and_may_not_write(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        farm.types("put", "x", "1")
        farm.types("ledger", "share", "home", "--role", "reader")
        farm.types("exchange", str(_folder(tmp_path)))
        joined = home.types("exchange", str(tmp_path / "stick"))
        assert "Joined the ledger farm, shared by farm; you may read it." in joined.lines
        assert home.types("get", "x").out == "1\n"
        for words in (["put", "x", "2"], ["delete", "x"]):
            done = home.types(*words, status=1)
            assert "you may read the ledger farm but not write to it" in done.err
            assert "ask one of its admins" in done.err
        assert home.types("get", "x").out == "1\n"


class TestWhich:
    @pytest.fixture
    def several(self, farm: Computer) -> Computer:
        for name in ("weather", "herd"):
            farm.types("ledger", "new", name)
            farm.types("put", "x", f'"{name}"', "--ledger", name)
        return farm

    def test_by_name_by_id_and_by_the_start_of_its_id(self, several: Computer) -> None:
        for name, number in names(several).items():
            for said in (name, number, number[:8], number[:4]):
                assert several.types("get", "x", "--ledger", said).out == f'"{name}"\n'

    def test_too_short_a_start_is_not_enough(self, several: Computer) -> None:
        start = names(several)["herd"][:3]
        several.types("get", "x", "--ledger", start, status=2)

    @pytest.mark.parametrize(
        "words",
        [
            ["get", "x"], ["log"], ["things"], ["put", "x", "1"], ["delete", "x"],
            ["ledger", "members"], ["ledger", "share", "y"], ["ledger", "backup", "/x/y"],
        ],
        ids=" ".join,
    )  # fmt: skip
    def test_nobody_to_ask_names_the_choices(self, several: Computer, words: list[str]) -> None:
        done = several.types(*words, status=2)
        assert "which ledger? say --ledger with one of: " in done.err
        for name, number in names(several).items():
            assert f"{name} ({number[:8]})" in done.err

    def test_one_that_is_not_there_names_the_choices(self, several: Computer) -> None:
        done = several.types("get", "x", "--ledger", "fields", status=2)
        assert "no ledger here is called fields; there is " in done.err
        assert "herd (" in done.err

    def test_none_at_all(self, farm: Computer) -> None:
        assert "no ledger yet" in farm.types("get", "x", status=2).err
        done = farm.types("put", "x", "1", "--ledger", "weather", status=2)
        assert "`pannier ledger new NAME` makes one" in done.err
        assert names(farm) == {}

    def test_the_configured_default(self, several: Computer) -> None:
        several.configure('ledger = "herd"')
        assert several.types("get", "x").out == '"herd"\n'
        assert several.types("get", "x", "--ledger", "weather").out == '"weather"\n'

    def test_a_default_that_is_not_there_is_said(self, several: Computer) -> None:
        several.configure('ledger = "fields"')
        assert "no ledger here is called fields" in several.types("get", "x", status=2).err

    def test_with_one_ledger_the_default_does_not_matter(self, farm: Computer) -> None:
        farm.types("put", "x", "1")
        farm.configure('ledger = "another"')
        assert farm.types("get", "x").out == "1\n"

    def test_verify_takes_all_unless_one_is_named(self, several: Computer) -> None:
        assert len(several.types("verify").lines) == 2
        assert len(several.types("verify", "--ledger", "herd").lines) == 1

    def test_two_of_one_name_are_told_apart_by_id(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        for computer in pair:
            computer.types("ledger", "new", "weather")
        farm.types("put", "x", '"of farm"')
        of_farm = names(farm)["weather"]
        farm.types("ledger", "share", "home")
        exchange(tmp_path / "stick", farm, home)
        done = home.types("get", "x", "--ledger", "weather", status=2)
        assert done.err.count("weather (") == 2
        assert home.types("get", "x", "--ledger", of_farm[:8]).out == '"of farm"\n'


class TestBackupAndRestore:
    def test_brings_back_what_was_there_in_a_new_incarnation(
        self, sharers: Pair, tmp_path: Path
    ) -> None:
        farm, home = sharers
        backup = tmp_path / "farm.backup"
        assert f"farm is in {backup}" in farm.types("ledger", "backup", str(backup)).out
        farm.types("put", "field/3", '{"moisture": 0.29}')
        exchange(tmp_path / "stick", farm, home)
        _lose_ledger(farm)

        restored = farm.types("ledger", "restore", str(backup))
        assert restored.out.startswith("farm is back, with 2 entries.")
        farm.types("put", "field/4", '"new"')
        incarnations = {one["incarnation"] for one in _history(farm)}
        assert len(incarnations) == 2
        farm.types("verify")

        exchange(tmp_path / "stick", home, farm, home, farm)
        for computer in (farm, home):
            data = [one["data"] for one in _history(computer)]
            assert sorted(map(str, data)) == ["new", "{'moisture': 0.29}", "{'moisture': 0.31}"]
            computer.types("verify")

    def test_over_an_existing_ledger_is_refused(self, farm: Computer, tmp_path: Path) -> None:
        farm.types("put", "x", "1")
        backup = tmp_path / "b"
        farm.types("ledger", "backup", str(backup))
        farm.types("put", "x", "2")
        done = farm.types("ledger", "restore", str(backup), status=2)
        assert "this node has the ledger farm" in done.err
        assert farm.types("get", "x").out == "2\n"

    def test_a_backup_never_replaces_a_file(self, farm: Computer, tmp_path: Path) -> None:
        farm.types("put", "x", "1")
        backup = tmp_path / "b"
        backup.write_bytes(b"precious")
        done = farm.types("ledger", "backup", str(backup), status=2)
        assert "exists already" in done.err
        assert backup.read_bytes() == b"precious"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "farm"]

    def test_a_backup_into_a_folder_that_is_not_there(self, farm: Computer, tmp_path: Path) -> None:
        farm.types("put", "x", "1")
        farm.types("ledger", "backup", str(tmp_path / "nix" / "b"), status=1)
        assert [path.name for path in tmp_path.iterdir()] == ["farm"]

    @pytest.mark.parametrize(
        "content", [b"", b"hello", b"SQLite format 3\0" + bytes(100)], ids=["empty", "text", "head"]
    )
    def test_what_is_no_backup_is_refused(
        self, farm: Computer, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "b").write_bytes(content)
        farm.types("ledger", "restore", str(tmp_path / "b"), status=1)
        assert names(farm) == {}
        assert "is not there" in farm.types("ledger", "restore", "/nix/b", status=2).err
        assert not list((farm.home / "ledgers").iterdir())

    def test_a_damaged_backup_is_refused_and_leaves_nothing(
        self, farm: Computer, tmp_path: Path
    ) -> None:
        farm.types("put", "x", '"the word is moisture"')
        backup = tmp_path / "b"
        farm.types("ledger", "backup", str(backup))
        _lose_ledger(farm)
        whole = backup.read_bytes()
        backup.write_bytes(whole.replace(b"moisture", b"moistore"))
        assert backup.read_bytes() != whole
        done = farm.types("ledger", "restore", str(backup), status=1)
        assert "does not verify" in done.err
        assert not list((farm.home / "ledgers").iterdir())
        backup.write_bytes(whole)
        farm.types("ledger", "restore", str(backup))
        assert farm.types("get", "x").out == '"the word is moisture"\n'


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def _lose_ledger(computer: Computer) -> None:
    for path in (computer.home / "ledgers").iterdir():
        path.unlink()


def _history(computer: Computer) -> list[dict[str, object]]:
    listed = computer.asks("log")
    assert isinstance(listed, list)
    return listed
