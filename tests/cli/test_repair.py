"""`pannier verify --repair`, as people type it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pannier.cli.root import run
from tests.cli.computers import Computer, environment, exchange, is_one_line, type_command

DATE = "*.damaged-????-??-??T??????"


def ledger_file(computer: Computer) -> Path:
    (path,) = (computer.home / "ledgers").glob("*.db")
    return path


def spoil(path: Path, first: int = 1, end: int = 1000) -> bytes:
    """Write zeros over some pages; return what is there now."""
    data = bytearray(path.read_bytes())
    for at in range(first, min(end, len(data) // 4096)):
        data[at * 4096 : (at + 1) * 4096] = bytes(4096)
    path.write_bytes(data)
    return bytes(data)


def spoil_entries(computer: Computer) -> bytes:
    """Write zeros over what the entries lie on, and nothing else."""
    path = ledger_file(computer)
    db = sqlite3.connect(path)
    root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entry'").fetchone()[0]
    db.close()
    return spoil(path, root - 1, root)


@pytest.fixture
def shared(sharers: tuple[Computer, Computer], tmp_path: Path) -> tuple[Computer, Computer]:
    farm, home = sharers
    exchange(tmp_path / "stick", farm, home)
    farm.types("put", "x", '"early"')
    home.types("put", "y", '"by home"')
    exchange(tmp_path / "stick", farm, home)
    exchange(tmp_path / "stick", farm, home)
    return farm, home


def test_a_damaged_file_is_named_with_what_mends_it(farm: Computer) -> None:
    farm.types("put", "x", "1")
    path = ledger_file(farm)
    data = spoil(path)
    for words in (["put", "x", "2"], ["get", "x"], ["status"], ["things"], ["verify"]):
        done = type_command("--home", str(farm.home), *words)
        assert done.status == (3 if words == ["status"] else 1)
        assert str(path) in done.err
        assert "`pannier verify --repair`" in done.err
        assert is_one_line(done.err)
    assert path.read_bytes() == data


def test_what_is_lost_is_told_and_comes_back(
    shared: tuple[Computer, Computer], tmp_path: Path
) -> None:
    farm, home = shared
    path, data = ledger_file(farm), spoil_entries(farm)
    done = farm.types("verify", "--repair", status=3)
    assert "pannier: not all could be saved; exchange with peers, who send the rest" in done.err
    repaired, *lost = (line for line in done.lines if not line.startswith("kept: "))
    assert repaired == "repaired: farm, 0 entries saved"
    assert any("by farm (" in line and "numbers 0 to 2, or more" in line for line in lost)
    (damaged,) = path.parent.glob(DATE)
    assert f"kept: the damaged file, as {damaged}" in done.lines
    assert damaged.read_bytes() == data
    farm.types("verify")
    for _ in range(2):
        exchange(tmp_path / "stick", farm, home)
    assert farm.types("get", "x").out == '"early"\n'
    assert farm.types("get", "y").out == '"by home"\n'
    farm.types("put", "x", '"late"')
    exchange(tmp_path / "stick", farm, home)
    assert home.types("get", "x").out == '"late"\n'
    home.types("verify")


def test_nothing_is_done_where_nothing_is_wrong(farm: Computer) -> None:
    farm.types("put", "x", "1")
    before = ledger_file(farm).read_bytes()
    done = farm.types("verify", "--repair")
    assert "repaired" not in done.out
    assert "good: farm, 1 entry" in done.out
    assert ledger_file(farm).read_bytes() == before
    assert list((farm.home / "ledgers").iterdir()) == [ledger_file(farm)]


def test_programs_are_told_the_same(farm: Computer) -> None:
    farm.types("put", "x", "1")
    spoil_entries(farm)
    told = farm.asks("verify", "--repair", status=3)
    assert isinstance(told, dict)
    (repaired,), (ledger,) = told["repaired"], told["ledgers"]
    assert repaired["entries"] == 0
    assert [(one["by"], one["first"], one["end"]) for one in repaired["lost"]] == [("farm", 0, 1)]
    assert ledger["ok"] is True
    assert farm.asks("verify", "--repair") == {"repaired": [], "ledgers": [ledger]}


def test_a_damaged_file_does_not_hide_the_others(farm: Computer) -> None:
    farm.types("put", "x", "1")
    bad = ledger_file(farm)
    aside = bad.with_suffix(".aside")
    bad.rename(aside)
    farm.types("ledger", "new", "weather")
    aside.rename(bad)
    spoil(bad)
    done = farm.types("verify", status=1)
    assert "good: weather" in done.out
    assert f"BAD: {bad}" in done.out


def test_one_ledger_cannot_be_chosen(farm: Computer) -> None:
    farm.types("put", "x", "1")
    assert (
        "leave out --ledger" in farm.types("verify", "--repair", "--ledger", "farm", status=2).err
    )


def test_node_db_is_made_anew(shared: tuple[Computer, Computer], tmp_path: Path) -> None:
    farm, home = shared
    spoil(farm.home / "node.db", 0)
    # The number under which it counts anew begins with the second: with a later one than before.
    before = int(time.time())
    while int(time.time()) == before:
        time.sleep(0.01)
    done = farm.types("status", status=1)
    assert "`pannier verify --repair`" in done.err
    assert "repaired: node.db is made anew" in farm.types("verify", "--repair").out
    assert len(list(farm.home.glob(DATE))) == 1
    farm.types("put", "x", '"late"')
    for _ in range(2):
        exchange(tmp_path / "stick", farm, home)
    assert home.types("get", "x").out == '"late"\n'


def test_a_ledger_of_which_nothing_is_left_comes_back(
    shared: tuple[Computer, Computer], tmp_path: Path
) -> None:
    farm, home = shared
    path = ledger_file(home)
    path.write_bytes(b"not a ledger at all" * 1000)
    done = home.types("verify", "--repair", status=3)
    assert f"lost: all of {path.name}; a peer who is in that ledger sends it again" in done.out
    for _ in range(3):
        exchange(tmp_path / "stick", farm, home)
    assert home.types("get", "x").out == '"early"\n'
    assert home.types("get", "y").out == '"by home"\n'


def test_a_file_under_other_keys_is_left_alone(farm: Computer, tmp_path: Path) -> None:
    other = Computer(tmp_path / "other")
    other.types("init", "--name", "other", "--no-passphrase")
    other.types("put", "x", "1")
    theirs = ledger_file(other)
    mine = farm.home / "ledgers" / theirs.name
    mine.write_bytes(theirs.read_bytes())
    done = farm.types("verify", "--repair", status=1)
    assert "is of another node, or of this one under other keys" in done.err
    assert mine.read_bytes() == theirs.read_bytes()


@contextmanager
def served(computer: Computer, folder: Path) -> Iterator[None]:
    """Let the daemon run at a home."""
    folder.mkdir()
    text = f'[transport.drop]\nkind = "directory"\npath = "{folder}"\n'
    (computer.home / "config.toml").write_text(text)
    command = [sys.executable, "-m", "pannier", "--home", str(computer.home), "run"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        try:
            assert b"Serving" in daemon.stdout.readline()
            yield
        finally:
            os.kill(daemon.pid, signal.SIGTERM)


def test_not_while_the_daemon_runs(farm: Computer, tmp_path: Path) -> None:
    farm.types("put", "x", "1")
    with served(farm, tmp_path / "drop"):
        data = spoil_entries(farm)
        done = farm.types("verify", "--repair", status=4)
        assert "stop `pannier run` before a repair" in done.err
        assert ledger_file(farm).read_bytes() == data


def test_not_while_another_command_has_the_file_open(farm: Computer) -> None:
    farm.types("put", "x", "1")
    spoil_entries(farm)
    held = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
        "db.execute('SELECT count(*) FROM meta').fetchone(); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", held, str(ledger_file(farm))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        done = farm.types("verify", "--repair", status=4)
        assert f"another pannier uses {ledger_file(farm)}" in done.err
        other.stdin.write(b"\n")
        other.stdin.close()
        other.wait()
    farm.types("verify", "--repair", status=3)
    assert run(["--home", str(farm.home), "verify"]) == 0
