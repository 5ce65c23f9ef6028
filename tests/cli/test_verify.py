import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.computers import Computer, exchange


def ledger_file(computer: Computer) -> Path:
    (path,) = (computer.home / "ledgers").glob("*.db")
    return path


def test_nothing_to_verify_is_said(farm: Computer) -> None:
    assert farm.types("verify").out == "There is no ledger yet; nothing to verify.\n"
    assert farm.asks("verify") == []
    farm.types("ledger", "new", "weather")
    assert farm.types("verify").out == "good: weather, no entries yet\n"


def test_what_is_whole_is_good(sharers: tuple[Computer, Computer], tmp_path: Path) -> None:
    farm, home = sharers
    exchange(tmp_path / "stick", farm, home)
    home.types("put", "x", "1")
    *lines, meaning = home.types("verify").lines
    assert meaning == (
        "farm is distributed: each entry is proven to be by the one under whose name it stands."
    )
    assert [line.split(" (")[0] for line in lines] == [
        "good: farm, 2 entries by farm",
        "good: farm, 1 entry by home",
    ] or [line.split(" (")[0] for line in lines][::-1] == [
        "good: farm, 2 entries by farm",
        "good: farm, 1 entry by home",
    ]
    (asked,) = _list(home.asks("verify"))
    assert (asked["ok"], asked["entries"], asked["faults"]) == (True, 3, [])
    logs = asked["logs"]
    assert isinstance(logs, list)
    assert {log["by"]: log["size"] for log in logs} == {"farm": 2, "home": 1}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entry SET time = time + 1",
        "UPDATE entry SET payload = x'02'",
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET signature = zeroblob(64)",
    ],
)
def test_what_was_changed_is_found(farm: Computer, change: str) -> None:
    farm.types("put", "x", "1")
    with sqlite3.connect(ledger_file(farm)) as db:
        assert db.execute(change).rowcount == 1
    db.close()
    done = farm.types("verify", status=1)
    assert "farm: " in done.err
    assert "good" not in done.out
    (asked,) = _list(farm.asks("verify", status=1))
    assert asked["ok"] is False
    assert asked["faults"]


def test_one_bad_ledger_does_not_hide_the_others(farm: Computer) -> None:
    farm.types("put", "x", "1")
    bad = ledger_file(farm)
    farm.types("ledger", "new", "weather")
    farm.types("put", "x", "1", "--ledger", "weather")
    with sqlite3.connect(bad) as db:
        db.execute("UPDATE entry SET payload = x'02'")
    db.close()
    done = farm.types("verify", status=1)
    assert "good: weather" in done.out
    assert "BAD: farm" in done.out
    farm.types("verify", "--ledger", "weather")


def test_of_a_centralized_ledger_it_says_what_is_the_admins_word(farm: Computer) -> None:
    farm.types("ledger", "new", "weather", "--centralized")
    farm.types("put", "x", "1", "--as", "sensor-7")
    farm.types("put", "x", "2", "--as", "sensor-8")
    farm.types("put", "y", "3")
    line, meaning = farm.types("verify").lines
    assert line.endswith("3 signatures; 2 entries for devices, on the word of farm")
    assert meaning == (
        "weather is centralized: each entry is proven to be by the admin who signed it; "
        "which device said it is the admin's word."
    )
    (asked,) = _list(farm.asks("verify"))
    assert asked["mode"] == "centralized"
    assert [log["on_behalf"] for log in _list(asked["logs"])] == [2]


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_file_that_is_cut_off_is_told_of(farm: Computer, size: int) -> None:
    farm.types("put", "x", "1")
    path = ledger_file(farm)
    path.write_bytes(path.read_bytes()[:size])
    for words in (["verify"], ["get", "x"], ["status"], ["put", "x", "2"]):
        farm.types(*words, status=3 if words == ["status"] else 1)


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def test_node_db_is_looked_at(farm: Computer) -> None:
    farm.types("put", "x", "1")
    farm.types("status")
    path = farm.home / "node.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    done = farm.types("verify", status=1)
    assert f"BAD: {path}" in done.out
    assert "good: farm" in done.out
    assert done.err.count("`pannier verify --repair`") == 1
    bad, good = _list(farm.asks("verify", status=1))
    assert (bad["file"], bad["ok"], good["ledger"], good["ok"]) == (str(path), False, "farm", True)
    path.write_bytes(whole)
    assert "BAD" not in farm.types("verify").out


def test_what_a_peer_cannot_hold_is_a_fault_and_asked_anew(
    sharers: tuple[Computer, Computer], tmp_path: Path
) -> None:
    farm, home = sharers
    for _ in range(2):
        exchange(tmp_path / "stick", farm, home)
    with closing(sqlite3.connect(farm.home / "node.db")) as db, db:
        assert db.execute("UPDATE held SET size = size + 64").rowcount == 1
    farm.types("put", "x", "1")
    assert "home cannot hold" in farm.types("verify", status=1).err
    assert "asked anew: home, what it holds" in farm.types("verify", "--repair").out
    for _ in range(2):
        exchange(tmp_path / "stick", farm, home)
    assert home.types("get", "x").out == "1\n"
    farm.types("verify")


def test_ledgers_of_a_later_version_keep_nobody_from_looking_at_the_others(farm: Computer) -> None:
    files = []
    for name in ("one", "two"):
        farm.types("ledger", "new", name)
        farm.types("put", "x", "1", "--ledger", name)
    for path in sorted((farm.home / "ledgers").glob("*.db")):
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 2")
        done = farm.types("verify", status=1)
        files.append(path)
        assert [f"BAD: {one}" in done.out for one in files] == [True] * len(files)
        assert done.out.count("good: ") == 2 - len(files)
        assert "saves what it can" not in done.err
        asked = _list(farm.asks("verify", status=1))
        assert [one["ok"] for one in asked].count(False) == len(files)
        assert len(asked) == 2
