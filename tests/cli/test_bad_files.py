"""Files of a home that are not as they were written: one line says so, they stay as they are."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pannier.cli.passphrase import PASSPHRASE
from tests.cli.computers import Computer, is_one_line, new_computer, type_command

COMMANDS = (["put", "x", "2"], ["get", "x"], ["verify"], ["status"], ["things"])


def key_file(computer: Computer) -> Path:
    return computer.home / "keys" / "node.key"


def ledger_file(computer: Computer) -> Path:
    (path,) = (computer.home / "ledgers").glob("*.db")
    return path


def check_refused(computer: Computer, path: Path, says: str = "") -> None:
    """All commands say in one line what is wrong with *path*, and leave it as it is."""
    before = path.read_bytes()
    for words in COMMANDS:
        done = type_command("--home", str(computer.home), *words)
        assert done.status in (1, 2, 3), (words, done)
        assert done.out == "" or words in (["verify"], ["status"])
        assert is_one_line(done.err) or words == ["verify"], (words, done.err)
        assert says in done.err, (words, done.err)
    assert path.read_bytes() == before


@pytest.fixture
def written(farm: Computer) -> Computer:
    farm.types("put", "x", '"the word"')
    return farm


@pytest.mark.parametrize("size", [0, 1, 20, -1])
def test_a_key_file_that_was_cut_off(written: Computer, size: int) -> None:
    path = key_file(written)
    path.write_bytes(path.read_bytes()[:size])
    check_refused(written, path, f"{path} is damaged")
    assert type_command("--home", str(written.home), "init").status == 2


def test_a_key_file_that_is_gone_while_its_ledgers_are_there(written: Computer) -> None:
    path = key_file(written)
    path.unlink()
    for words in (*COMMANDS, ["init"]):
        done = type_command("--home", str(written.home), *words)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith(f"pannier: {path} is gone: put a copy of it back")
    assert not path.exists()


def test_a_file_among_the_ledgers_that_is_none(written: Computer) -> None:
    path = written.home / "ledgers" / "copy.db"
    path.write_text("a letter")
    check_refused(written, path, f"{path} has not the name of a ledger file")


@pytest.mark.parametrize("place", range(0, 140, 9))
def test_a_key_file_under_a_passphrase_with_a_flipped_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setenv(PASSPHRASE, "old")
    computer = Computer(tmp_path / "node")
    shutil.copytree(_sealed_home(tmp_path), computer.home)
    path = key_file(computer)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1
    path.write_bytes(bytes(data))
    computer.types("get", "x", status=1)
    assert path.read_bytes() == bytes(data)


_made: dict[str, Path] = {}


def _sealed_home(tmp_path: Path) -> Path:
    """Make one home under the passphrase "old" for all cases: that takes a while."""
    if "home" not in _made:
        computer = Computer(tmp_path.parent / "sealed")
        computer.types("init", "--name", "node")
        computer.types("put", "x", "1")
        _made["home"] = computer.home
    return _made["home"]


@pytest.mark.parametrize("size", [0, 15, 100, 4096, 5000, 20_000])
def test_a_ledger_file_that_was_cut_off(written: Computer, size: int) -> None:
    path = ledger_file(written)
    path.write_bytes(path.read_bytes()[:size])
    check_refused(written, path)


def test_a_ledger_file_of_another_node(written: Computer, tmp_path: Path) -> None:
    other = new_computer(tmp_path, "other")
    other.types("put", "x", '"a secret"')
    theirs = ledger_file(other)
    ledger_file(written).unlink()
    mine = written.home / "ledgers" / theirs.name
    shutil.copy(theirs, mine)
    check_refused(written, mine, "is of another node, or of this one under other keys")


def test_other_keys_in_the_home_open_none_of_its_ledgers(written: Computer, tmp_path: Path) -> None:
    other = new_computer(tmp_path, "other")
    shutil.copy(key_file(other), key_file(written))
    check_refused(written, ledger_file(written), "only the keys that wrote it open it")


def test_something_else_with_the_name_of_a_ledger(written: Computer) -> None:
    path = ledger_file(written)
    path.write_text("a letter" * 1000)
    check_refused(written, path)


class TestOneOfSeveralLedgersThatCannotBeRead:
    bad: Path

    @pytest.fixture(params=["damaged", "of a later version"])
    def farm(self, farm: Computer, request: pytest.FixtureRequest) -> Computer:
        """Have two ledgers, one that is good and one that is not."""
        for name in ("good", "bad"):
            farm.types("ledger", "new", name)
            farm.types("put", "x", "1", "--ledger", name)
        with farm.node() as node:
            (bad,) = [one.path for one in node.ledgers() if one.genesis.name == "bad"]
        if request.param == "damaged":
            bad.write_bytes(b"nothing of a ledger")
        else:
            with closing(sqlite3.connect(bad)) as db:
                db.execute("PRAGMA user_version = 2")
        self.bad = bad
        return farm

    def test_keeps_nobody_from_the_others(self, farm: Computer) -> None:
        farm.types("put", "x", "2", "--ledger", "good")
        assert farm.types("get", "x", "--ledger", "good").out == "2\n"
        assert farm.types("things", "--ledger", "good").lines == ["x"]
        assert len(farm.types("log", "--ledger", "good").lines) == 2
        farm.configure('ledger = "good"\n')
        farm.types("put", "x", "3")
        assert farm.types("get", "x").out == "3\n"

    def test_is_the_one_that_is_meant_if_no_other_is(self, farm: Computer) -> None:
        for name in ("bad", self.bad.stem, self.bad.stem[:8]):
            for words in (("get", "x"), ("put", "x", "2")):
                assert str(self.bad) in farm.types(*words, "--ledger", name, status=1).err

    def test_is_not_passed_over_where_none_is_named(self, farm: Computer) -> None:
        for words in (("get", "x"), ("put", "x", "2")):
            done = farm.types(*words, status=2)
            assert "which ledger? say --ledger with one of: good (" in done.err
            assert f"one that cannot be read ({self.bad.stem[:8]})" in done.err

    def test_is_told_of_where_all_are_shown(self, farm: Computer) -> None:
        done = farm.types("status", status=3)
        assert "  ledger good: 1 entry" in done.lines
        assert f"  CANNOT BE READ: {self.bad}" in done.out
        assert str(self.bad) in done.err
        asked = farm.asks("status", status=3)
        assert isinstance(asked, dict)
        assert [one["name"] for one in asked["ledgers"]] == ["good"]
        assert len(asked["unreadable"]) == 1
        done = farm.types("ledger", "list", status=3)
        assert done.out.startswith("good ")
        assert "1 ledger cannot be read" in done.err
        listed = farm.asks("ledger", "list", status=3)
        assert isinstance(listed, list)
        assert len(listed) == 1

    def test_is_not_taken_for_none_by_an_exchange(self, farm: Computer, tmp_path: Path) -> None:
        """What acts on what there is goes on with the others, and says what it left."""
        before = self.bad.read_bytes()
        (tmp_path / "stick").mkdir()
        done = farm.types("exchange", str(tmp_path / "stick"), status=3)
        assert str(self.bad) in done.err
        assert "until then all that is of it waits" in done.err
        assert "is safe to remove" in done.out
        assert self.bad.read_bytes() == before


def test_inner_damage_of_one_ledger_is_told_by_status(farm: Computer) -> None:
    farm.types("put", "x", "1")
    with closing(sqlite3.connect(ledger_file(farm))) as db, db:
        db.execute("UPDATE log SET frontier = x'00'")
    assert "CANNOT BE READ" in farm.types("status", status=3).out
