import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.computers import Computer, Typed, acquaint, environment, exchange, new_computer
from tests.cli.terminal import at_terminal

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

    @pytest.mark.parametrize("options", [["--clear"], ["--clear", "--centralized"]])
    def test_what_is_agreed_is_in_the_genesis(self, farm: Computer, options: list[str]) -> None:
        farm.types("ledger", "new", "weather", *options)
        with farm.node() as node:
            (store,) = node.ledgers()
            assert {f"--{term.value}" for term in store.genesis.terms} == set(options)

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
        hint = "; for less, `pannier ledger revoke home` first"
        for words, said in (([], ""), (["--role", "writer"], ""), (["--role", "reader"], hint)):
            done = farm.types("ledger", "share", "home", *words)
            assert done.out == f"home is a writer of weather already; nothing to do{said}.\n"
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
        assert "only an admin of farm can do this: ask farm" in done.err

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


class TestRevoke:
    @pytest.fixture
    def joined(self, sharers: Pair, tmp_path: Path) -> Pair:
        """Farm shared its ledger; home wrote one entry that farm has, and one that it has not."""
        farm, home = sharers
        exchange(tmp_path / "stick", farm, home)
        home.types("put", "kept", "1")
        exchange(tmp_path / "stick", home, farm)
        home.types("put", "void", "2")
        return sharers

    def test_says_what_it_means_and_does_it(self, joined: Pair, tmp_path: Path) -> None:
        farm, home = joined
        done = farm.types("ledger", "revoke", "home", "--yes")
        assert done.out.startswith("Removed home. home may read nothing of farm that is written")
        assert "What it wrote counts up to now: 1 entry." in done.out
        assert done.out.endswith("Others have to hear of it first: carry it to them.\n")
        farm.types("put", "secret", "3")
        exchange(tmp_path / "stick", farm)
        exchange(tmp_path / "stick", home, farm, home, farm)
        assert farm.types("things").lines == ["field/3", "kept", "secret"]
        assert home.types("things").lines == ["field/3", "kept", "void"], "it hears nothing more"
        for computer in joined:
            computer.types("verify")

    def test_members_shows_who_was_removed_and_share_takes_back(self, joined: Pair) -> None:
        farm, _ = joined
        first, second = farm.types("ledger", "members").lines
        assert first.split()[:2] == ["farm", "admin"]
        assert first.endswith("from the beginning")
        assert second.split()[:2] == ["home", "writer"]
        assert second.endswith("granted by farm")
        farm.types("ledger", "revoke", "home", "--yes")
        _, gone = farm.types("ledger", "members").lines
        assert gone.split()[:2] == ["home", "removed"]
        assert gone.endswith("1 of its entries count")
        listed = farm.asks("ledger", "members")
        assert isinstance(listed, list)
        assert [(one["name"], one["role"]) for one in listed] == [("farm", "admin"), ("home", None)]
        assert listed[1]["removed_by"] == "farm"
        done = farm.types("ledger", "share", "home", "--role", "reader")
        assert done.out == "home is a reader of farm from the next exchange on.\n"
        assert farm.types("ledger", "members").lines[1].split()[:2] == ["home", "reader"]

    def test_asks_first_and_where_nobody_can_be_asked_does_nothing(self, joined: Pair) -> None:
        farm, _ = joined
        done = farm.types("ledger", "revoke", "home", status=2)
        assert "say --yes where nobody can be asked" in done.err
        words = ("--home", str(farm.home), "ledger", "revoke", "home")
        for answer, status in (("n", 2), ("y", 0)):
            assert len(farm.types("ledger", "members").lines) == 2
            assert farm.asks("ledger", "members") != []
            with at_terminal(words) as terminal:
                terminal.wait_for("Remove home? [y/N]:")
                terminal.type(answer)
                assert terminal.finish() == status
        assert "removed" in farm.types("ledger", "members").out

    def test_nobody_and_oneself_are_refused(self, joined: Pair) -> None:
        farm, home = joined
        nobody = farm.types("ledger", "revoke", "cow", "--yes", status=2)
        assert "no member of farm is called cow; there is farm, home" in nobody.err
        itself = farm.types("ledger", "revoke", "farm", "--yes", status=2)
        assert "nobody removes itself" in itself.err
        assert "only an admin" in home.types("ledger", "revoke", "farm", "--yes", status=2).err

    def test_nobody_is_made_a_writer_where_only_admins_write(self, pair: Pair) -> None:
        farm, _ = pair
        farm.types("ledger", "new", "hub", "--centralized")
        done = farm.types("ledger", "share", "home", "--role", "writer", status=2)
        assert "share it with home as reader or admin" in done.err
        assert "home is a reader of hub" in farm.types("ledger", "share", "home").out


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
        assert several.types("verify").out.count("good: ") == 2
        assert several.types("verify", "--ledger", "herd").out.count("good: ") == 1

    def test_two_of_one_name_are_told_apart_by_id(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        for computer in pair:
            computer.types("ledger", "new", "weather")
        farm.types("put", "x", '"of farm"')
        of_farm = names(farm)["weather"]
        farm.types("ledger", "share", "home")
        exchange(tmp_path / "stick", farm, home)
        done = home.types("get", "x", "--ledger", "weather", status=2)
        assert done.err.count(" (called weather)") == 2
        assert home.types("get", "x", "--ledger", of_farm[:8]).out == '"of farm"\n'


class TestNamesThatMislead:
    """A ledger of home, that home shared with farm, is called like another one of farm."""

    @staticmethod
    def shared(pair: Pair, folder: Path, called: str) -> tuple[Computer, Typed]:
        """Return the farm, and what it saw when it joined home's ledger of that name."""
        farm, home = pair
        home.types("ledger", "new", called)
        home.types("ledger", "share", "farm", "--ledger", names(home)[called])
        exchange(folder, home)
        return farm, farm.types("exchange", str(folder))

    @pytest.mark.parametrize("digits", [4, 8, 9, 31])
    def test_digits_that_are_also_a_name_are_refused_and_what_is_advised_works(
        self, pair: Pair, tmp_path: Path, digits: int
    ) -> None:
        pair[0].types("ledger", "new", "ward")
        ward = names(pair[0])["ward"]
        farm, joined = self.shared(pair, tmp_path / "stick", ward[:digits])
        assert f"{ward[:digits]}: this may mean another ledger, too; say --ledger " in joined.out
        done = farm.types("put", "x", "1", "--ledger", ward[:digits], status=2)
        _, _, listed = done.err.rstrip("\n").partition("means more than one ledger: say --ledger")
        advised = [one.split()[0] for one in listed.removeprefix(" with one of: ").split(", ")]
        assert len(advised) == 2
        for word in advised:
            farm.types("put", "x", f'"{word}"', "--ledger", word)
        for number in names(farm).values():
            (said,) = farm.types("get", "x", "--ledger", number).lines
            assert said.strip('"') in advised

    def test_a_whole_id_is_never_a_name(self, pair: Pair, tmp_path: Path) -> None:
        pair[0].types("ledger", "new", "ward")
        ward = names(pair[0])["ward"]
        farm, joined = self.shared(pair, tmp_path / "stick", ward)
        theirs = names(farm)[ward]
        assert f"say --ledger {theirs[:8]} for this one" in joined.out
        assert farm.types("put", "x", "1", "--ledger", ward).out == "x is in ward.\n"
        assert farm.asks("things", "--ledger", theirs) == []

    def test_nor_where_the_ledger_with_that_id_is_not_here(
        self, pair: Pair, tmp_path: Path
    ) -> None:
        farm, _ = self.shared(pair, tmp_path / "stick", "ab" * 16)
        done = farm.types("put", "x", "1", "--ledger", "ab" * 16, status=2)
        assert "no ledger here is called" in done.err

    def test_the_configured_default_is_refused_too(self, pair: Pair, tmp_path: Path) -> None:
        pair[0].types("ledger", "new", "ward")
        start = names(pair[0])["ward"][:8]
        pair[0].configure(f'ledger = "{start}"')
        farm, _ = self.shared(pair, tmp_path / "stick", start)
        assert f"{start} means more than one" in farm.types("put", "x", "1", status=2).err

    def test_a_ledger_that_cannot_be_read_may_be_meant(self, pair: Pair, tmp_path: Path) -> None:
        pair[0].types("ledger", "new", "ward")
        ward = names(pair[0])["ward"]
        farm, _ = self.shared(pair, tmp_path / "stick", ward[:8])
        (farm.home / "ledgers" / f"{ward}.db").write_bytes(b"nothing of a ledger")
        done = farm.types("put", "x", "1", "--ledger", ward[:8], status=2)
        assert f"one that cannot be read ({ward[:9]})" in done.err
        assert ward in farm.types("put", "x", "1", "--ledger", ward, status=1).err

    def test_the_list_shows_digits_that_work(self, pair: Pair, tmp_path: Path) -> None:
        pair[0].types("ledger", "new", "ward")
        ward = names(pair[0])["ward"]
        farm, _ = self.shared(pair, tmp_path / "stick", ward[:8])
        shown = {line.split()[0]: line.split()[1] for line in farm.types("ledger", "list").lines}
        assert shown["ward"] == ward[:9]
        for digits in shown.values():
            farm.types("things", "--ledger", digits)

    def test_a_join_says_nothing_of_a_name_that_is_plain(self, pair: Pair, tmp_path: Path) -> None:
        pair[0].types("ledger", "new", "ward")
        _, joined = self.shared(pair, tmp_path / "stick", "weather")
        assert "Joined the ledger weather" in joined.out
        assert "--ledger" not in joined.out


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.mark.parametrize(
    ("hard", "status", "said"),
    [(200, 0, b"l24"), (50, 1, b"let more files be open")],
    ids=["low until it is raised", "low"],
)
def test_a_home_may_have_more_ledgers_than_files_may_be_open(
    tmp_path: Path, hard: int, status: int, said: bytes
) -> None:
    computer = new_computer(tmp_path, "farm")
    for number in range(25):
        computer.types("ledger", "new", f"l{number}")
    words = [sys.executable, "-m", "pannier", "--home", str(computer.home), "ledger", "list"]
    shell = ["sh", "-c", f'set -e; ulimit -Sn 50; ulimit -Hn {hard}; exec "$@"', "sh", *words]
    done = subprocess.run(shell, check=False, capture_output=True, env=environment(), timeout=60)
    assert done.returncode == status, done
    assert said in done.stdout + done.stderr
