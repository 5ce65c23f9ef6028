import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ledger.store import Store
from pannier import backup, ledgers
from pannier.cli.passphrase import BACKUP_PASSPHRASE, LEDGER_PASSPHRASE, PASSPHRASE
from tests.cli.computers import Computer, acquaint, exchange, new_computer
from tests.cli.terminal import at_terminal

Pair = tuple[Computer, Computer]


def lose_ledgers(computer: Computer) -> None:
    for path in (computer.home / "ledgers").iterdir():
        path.unlink()


def history(computer: Computer) -> list[dict[str, object]]:
    listed = computer.asks("log")
    assert isinstance(listed, list)
    return listed


@pytest.fixture
def kept(farm: Computer, tmp_path: Path) -> Path:
    """A backup of a ledger with one entry, under the keys of the farm."""
    farm.types("put", "x", '"the word is moisture"')
    path = tmp_path / "kept"
    farm.types("ledger", "backup", str(path))
    return path


def test_brings_back_what_was_there_in_a_new_incarnation(sharers: Pair, tmp_path: Path) -> None:
    farm, home = sharers
    backup = tmp_path / "farm.backup"
    assert f"farm is in {backup}, encrypted." in farm.types("ledger", "backup", str(backup)).out
    farm.types("put", "field/3", '{"moisture": 0.29}')
    exchange(tmp_path / "stick", farm, home)
    lose_ledgers(farm)

    restored = farm.types("ledger", "restore", str(backup))
    assert restored.out.startswith("farm is back, with ")
    farm.types("put", "field/4", '"new"')
    incarnations = {one["incarnation"] for one in history(farm)}
    assert len(incarnations) == 2
    farm.types("verify")

    exchange(tmp_path / "stick", home, farm, home, farm)
    for computer in (farm, home):
        data = [one["data"] for one in history(computer)]
        assert sorted(map(str, data)) == ["new", "{'moisture': 0.29}", "{'moisture': 0.31}"]
        computer.types("verify")


def test_a_backup_tells_nothing_to_who_finds_it(farm: Computer, kept: Path, tmp_path: Path) -> None:
    data = kept.read_bytes()
    for secret in (b"moisture", b"SQLite", b"farm", *(path.stem.encode() for path in _files(farm))):
        assert secret not in data
    assert kept.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["farm", "kept"]
    assert len(_files(farm)) == 1


def test_without_a_passphrase_only_the_keys_of_the_node_open_it(
    farm: Computer, kept: Path, tmp_path: Path
) -> None:
    other = new_computer(tmp_path, "other")
    done = other.types("ledger", "restore", str(kept), status=1)
    assert "the keys of another node" in done.err
    assert _files(other) == []
    again = farm.types("ledger", "backup", str(tmp_path / "again"))
    assert "Only the keys of this node open it: keep a copy of" in again.out


def test_under_the_passphrase_of_the_node_any_node_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    farm, backup = Computer(tmp_path / "farm"), tmp_path / "backup"
    farm.types("init", "--name", "farm")
    farm.types("put", "x", '"the word"')
    assert (
        "this node has now opens it, on any node" in farm.types("ledger", "backup", str(backup)).out
    )
    shutil.rmtree(farm.home)

    monkeypatch.setenv(PASSPHRASE, "battery staple")
    farm.types("init", "--name", "farm anew")
    assert (
        "wrong passphrase for the backup"
        in farm.types("ledger", "restore", str(backup), status=1).err
    )
    assert _files(farm) == []
    monkeypatch.setenv(BACKUP_PASSPHRASE, "correct horse")
    farm.types("ledger", "restore", str(backup))
    monkeypatch.delenv(BACKUP_PASSPHRASE)
    assert farm.types("get", "x").out == '"the word"\n'
    farm.types("verify")
    assert b"the word" not in b"".join(path.read_bytes() for path in _files(farm))


class TestOtherKeys:
    """Who takes a ledger back is not who wrote it: a new computer, and nobody kept the old keys."""

    @pytest.fixture(autouse=True)
    def secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(BACKUP_PASSPHRASE, "of the backup")

    def test_are_told_that_nothing_comes_and_who_can_help(
        self, sharers: Pair, tmp_path: Path
    ) -> None:
        farm, home = sharers
        farm.types("ledger", "share", "home", "--role", "admin")
        farm.types("ledger", "backup", str(tmp_path / "b"))
        other = new_computer(tmp_path, "other")
        acquaint(other, home)
        said = other.types("ledger", "restore", str(tmp_path / "b")).out
        assert said.startswith("farm is back, with ")
        assert "comes back from your peers" not in said
        assert "other keys than those that wrote there, and is no member of farm" in said
        assert "ask an admin (farm, home) for `ledger share`" in said
        assert other.types("things").lines == ["field/3"]
        other.types("put", "x", "1", status=1)

        acquaint(farm, other)
        farm.types("ledger", "share", "other")
        exchange(tmp_path / "stick", farm, other)
        other.types("put", "x", "1")

    def test_that_were_found_after_all_go_on_as_before(self, sharers: Pair, tmp_path: Path) -> None:
        """As the message says it is done."""
        farm, _ = sharers
        farm.types("ledger", "backup", str(tmp_path / "b"))
        other = new_computer(tmp_path, "other")
        said = other.types("ledger", "restore", str(tmp_path / "b")).out
        (path,) = _files(other)
        keys = other.home / "keys" / "node.key"
        assert f"in the place of {keys}, remove {path}, and restore again" in said
        shutil.copy(farm.home / "keys" / "node.key", keys)
        path.unlink()
        again = other.types("ledger", "restore", str(tmp_path / "b")).out
        assert "comes back from your peers" in again
        other.types("put", "x", "1")

    def test_of_who_was_removed_are_told_so(self, sharers: Pair, tmp_path: Path) -> None:
        farm, home = sharers
        exchange(tmp_path / "stick", farm, home, farm)
        farm.types("ledger", "revoke", "home", "--yes")
        farm.types("ledger", "backup", str(tmp_path / "b"))
        for path in (home.home / "ledgers").glob("*.db"):
            path.unlink()
        said = home.types("ledger", "restore", str(tmp_path / "b")).out
        assert "This node was removed from farm" in said

    def test_join_a_passphrase_ledger_again_by_its_passphrase(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(LEDGER_PASSPHRASE, "of the ledger")
        farm, other = new_computer(tmp_path, "farm"), new_computer(tmp_path, "other")
        farm.types("ledger", "new", "club", "--passphrase")
        farm.types("ledger", "backup", str(tmp_path / "b"))
        said = other.types("ledger", "restore", str(tmp_path / "b")).out
        assert 'or be a member again by "pannier ledger new club --passphrase"' in said
        other.types("put", "x", "1", status=1)
        other.types("ledger", "new", "club", "--passphrase")
        other.types("put", "x", "1")


def test_a_passphrase_of_its_own_goes_before_that_of_the_node(
    farm: Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.types("put", "x", "1")
    monkeypatch.setenv(BACKUP_PASSPHRASE, "of the backup")
    made = farm.types("ledger", "backup", str(tmp_path / "b"))
    assert "The passphrase of the backup opens it" in made.out
    monkeypatch.delenv(BACKUP_PASSPHRASE)
    lose_ledgers(farm)
    missing = farm.types("ledger", "restore", str(tmp_path / "b"), status=2)
    assert f"set {BACKUP_PASSPHRASE}" in missing.err
    monkeypatch.setenv(BACKUP_PASSPHRASE, "of the backup")
    farm.types("ledger", "restore", str(tmp_path / "b"))


def test_a_person_is_asked_for_it(farm: Computer, tmp_path: Path) -> None:
    farm.types("put", "x", "1")
    words = ["--home", str(farm.home), "ledger"]
    with at_terminal([*words, "backup", str(tmp_path / "b"), "--ask"]) as terminal:
        terminal.wait_for("Passphrase for the backup: ")
        terminal.type("soup")
        terminal.wait_for("Repeat for confirmation: ")
        terminal.type("soup")
        assert terminal.finish() == 0
        assert "soup" not in terminal.screen
    lose_ledgers(farm)
    with at_terminal([*words, "restore", str(tmp_path / "b")]) as terminal:
        terminal.wait_for(f"Passphrase of {tmp_path / 'b'}: ")
        terminal.type("soup")
        assert terminal.finish() == 0
        assert "farm is back" in terminal.screen
    nobody = farm.types("ledger", "backup", str(tmp_path / "c"), "--ask", status=2)
    assert f"set {BACKUP_PASSPHRASE}" in nobody.err


def test_over_an_existing_ledger_is_refused(farm: Computer, kept: Path) -> None:
    farm.types("put", "x", "2")
    done = farm.types("ledger", "restore", str(kept), status=2)
    assert "this node has the ledger farm" in done.err
    assert farm.types("get", "x").out == "2\n"
    assert len(list((farm.home / "ledgers").glob("*backup*"))) == 0


def test_a_ledger_that_comes_in_meanwhile_is_not_replaced(
    farm: Computer, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the backup is verified somebody at the same home makes the ledger, and writes to it."""
    with farm.node() as node:
        (genesis,) = (store.genesis for store in node.ledgers())
    lose_ledgers(farm)
    check = backup._check

    def slow(candidate: Store) -> None:
        check(candidate)
        with farm.node() as node:
            ledgers.put_values(node, node.make_ledger(genesis), [("y", 2, 0)])

    monkeypatch.setattr("pannier.backup._check", slow)
    done = farm.types("ledger", "restore", str(kept), status=2)
    assert "this node has the ledger farm" in done.err
    assert farm.types("things").lines == ["y"]
    farm.types("verify")
    assert len(_files(farm)) == 1


def test_nothing_is_taken_back_while_an_import_may_be_making_the_same_ledger(
    farm: Computer, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_ledgers(farm)
    monkeypatch.setattr("pannier.cli.session.PATIENCE_SECONDS", 0.0)
    with farm.node() as node, node.alone("import", "busy"):
        done = farm.types("ledger", "restore", str(kept), status=4)
    assert "another pannier is importing" in done.err
    assert _files(farm) == []
    farm.types("ledger", "restore", str(kept))


KILLED = """
import os, sys
from pathlib import Path
from pannier import ledgers
from tests.cli.computers import Computer
with Computer(Path(sys.argv[1])).node() as node:
    (store,) = node.ledgers()
    ledgers.put_values(node, store, [("last", 3, 0)])
    os._exit(9)
"""


def test_the_log_of_a_file_that_is_gone_is_kept_and_is_no_part_of_what_is_taken_back(
    farm: Computer, kept: Path
) -> None:
    farm.types("put", "--ndjson", "-", stdin=b'{"thing": "y", "data": 2}\n' * 500)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(farm.home)], capture_output=True, check=False
    )
    assert killed.returncode == 9, killed.stderr
    (path,) = (farm.home / "ledgers").glob("*.db")
    log = path.with_name(f"{path.name}-wal").read_bytes()
    assert log
    path.unlink()
    farm.types("ledger", "restore", str(kept))
    farm.types("verify")
    assert farm.types("things").lines == ["x"]
    assert path.with_name(f"{path.name}.damaged-1-wal").read_bytes() == log


def test_a_backup_takes_no_name_from_what_lies_beside_it(farm: Computer, tmp_path: Path) -> None:
    farm.types("put", "x", "1")
    other = tmp_path / "b-wal"
    other.write_bytes(b"of something else")
    farm.types("ledger", "backup", str(tmp_path / "b"))
    assert other.read_bytes() == b"of something else"


def test_a_backup_never_replaces_a_file(farm: Computer, tmp_path: Path) -> None:
    farm.types("put", "x", "1")
    backup = tmp_path / "b"
    backup.write_bytes(b"precious")
    done = farm.types("ledger", "backup", str(backup), status=2)
    assert "exists already" in done.err
    assert backup.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "farm"]


def test_a_backup_into_a_folder_that_is_not_there(farm: Computer, tmp_path: Path) -> None:
    farm.types("put", "x", "1")
    farm.types("ledger", "backup", str(tmp_path / "nix" / "b"), status=1)
    assert [path.name for path in tmp_path.iterdir()] == ["farm"]
    assert len(_files(farm)) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"SQLite format 3\0" + bytes(100),
        b"pannier backup 1\n",
        b"pannier backup 2\n",
    ],
    ids=["empty", "text", "SQLite", "cut", "later"],
)
def test_what_is_no_backup_is_refused(farm: Computer, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b").write_bytes(content)
    farm.types("ledger", "restore", str(tmp_path / "b"), status=1)
    assert farm.asks("ledger", "list") == []
    assert "there is no file" in farm.types("ledger", "restore", "/nix/b", status=2).err
    assert not list((farm.home / "ledgers").iterdir())


@pytest.mark.parametrize("place", [0, 20, 60, 100, -1])
def test_a_damaged_backup_is_refused_and_leaves_nothing(
    farm: Computer, kept: Path, place: int
) -> None:
    lose_ledgers(farm)
    whole = kept.read_bytes()
    damaged = bytearray(whole)
    damaged[place] ^= 1
    for data in (bytes(damaged), whole[:place], whole + b"x"):
        kept.write_bytes(data)
        farm.types("ledger", "restore", str(kept), status=1)
        assert not list((farm.home / "ledgers").iterdir())
    kept.write_bytes(whole)
    farm.types("ledger", "restore", str(kept))
    assert farm.types("get", "x").out == '"the word is moisture"\n'


def test_a_ledger_that_does_not_verify_is_not_taken_back(farm: Computer, tmp_path: Path) -> None:
    """The keys of the node, or the passphrase, make a backup; they do not make it true."""
    farm.types("put", "x", "1")
    (path,) = (farm.home / "ledgers").glob("*.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE entry SET time = time + 1")
    farm.types("ledger", "backup", str(tmp_path / "b"))
    lose_ledgers(farm)
    done = farm.types("ledger", "restore", str(tmp_path / "b"), status=1)
    assert "the backup does not verify" in done.err
    assert _files(farm) == []


def test_what_a_killed_backup_left_is_swept_by_the_next(farm: Computer, kept: Path) -> None:
    assert kept.exists()
    another = kept.with_name("another")
    left = [farm.home / "ledgers" / name for name in (".backup", ".backup-journal")]
    left.append(another.with_name(f".{another.name}.tmp"))
    for path in left:
        path.write_bytes(b"half of it")
    farm.types("ledger", "backup", str(another))
    assert not any(path.exists() for path in left)
    assert another.exists()


def test_a_backup_is_not_written_through_a_link_that_somebody_puts_there(
    farm: Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.types("put", "well", "1")
    path, other = tmp_path / "b", tmp_path / "other"
    other.write_bytes(b"of somebody else")
    unlink = Path.unlink

    def too_fast(draft: Path, missing_ok: bool = False) -> None:
        unlink(draft, missing_ok=missing_ok)
        if draft.name == ".b.tmp":
            draft.symlink_to(other)

    monkeypatch.setattr(Path, "unlink", too_fast)
    done = farm.types("ledger", "backup", str(path), status=1)
    assert "File exists" in done.err
    assert other.read_bytes() == b"of somebody else"


def test_of_two_backups_at_a_time_one_waits_for_the_other(
    farm: Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pannier.cli.session.PATIENCE_SECONDS", 0.0)
    farm.types("put", "well", "1")
    with farm.node() as node, node.alone("backup", "busy"):
        done = farm.types("ledger", "backup", str(tmp_path / "b"), status=4)
    assert "another pannier is making or taking back a backup" in done.err


def test_hidden_names_stay_hidden_in_another_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BACKUP_PASSPHRASE, "of the backup")
    farm, other = Computer(tmp_path / "farm"), new_computer(tmp_path, "other")
    farm.types("init", "--name", "farm", "--no-passphrase", "--hide-names")
    acquaint(farm, other)
    farm.types("put", "a secret well", "1")
    farm.types("ledger", "backup", str(tmp_path / "b"))
    other.types("ledger", "restore", str(tmp_path / "b"))
    assert other.asks("things") == ["a secret well"]
    assert b"a secret well" not in b"".join(path.read_bytes() for path in _files(other))


def _files(computer: Computer) -> list[Path]:
    return list((computer.home / "ledgers").iterdir())
