import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.computers import Computer, Typed, exchange, new_computer, type_command
from tests.cli.terminal import at_terminal

Pair = tuple[Computer, Computer]


def peer_lines(computer: Computer) -> list[str]:
    lines = computer.types("status").lines
    (first,) = (index for index, line in enumerate(lines) if line.startswith("  peer "))
    return [line.strip() for line in lines[first:]]


def test_of_a_new_node_says_what_is_next(farm: Computer) -> None:
    lines = farm.types("status").lines
    assert lines[0].startswith("farm, node ")
    assert lines[0].endswith(f"in {farm.home}")
    assert lines[1:] == [
        "  no ledger yet: `pannier put` makes one, or a peer shares one",
        "  no peer yet: `pannier peer add NAME CARD`",
    ]


def test_what_waits_from_put_to_receipt(sharers: Pair, tmp_path: Path) -> None:
    farm, home = sharers
    assert peer_lines(farm) == ["peer home: 2 entries to go at the next exchange"]

    stick = tmp_path / "stick"
    stick.mkdir()
    farm.types("exchange", str(stick), "--label", "BLUE-2")
    (line, since, medium) = peer_lines(farm)
    assert line.startswith("peer home: 1 bundle, ")
    assert line.endswith(" bytes, kept until its receipt")
    assert since.startswith("waiting since 20")
    assert medium.startswith("on BLUE-2 since 20")

    farm.types("put", "x", "1")
    assert peer_lines(farm)[0].startswith("peer home: 1 entry to go at the next exchange; 1 bundle")

    exchange(stick, home, farm, home, farm)
    assert peer_lines(farm)[0].startswith("peer home: nothing waits for it")
    assert peer_lines(home)[0].startswith("peer farm: nothing waits for it")


def test_as_json(sharers: Pair) -> None:
    farm, _ = sharers
    asked = farm.asks("status")
    assert isinstance(asked, dict)
    assert asked["name"] == "farm"
    (ledger,) = asked["ledgers"]
    assert (ledger["name"], ledger["entries"], ledger["conflicts"]) == ("farm", 2, 0)
    (peer,) = asked["peers"]
    assert (peer["name"], peer["unpacked"], peer["bundles"]) == ("home", 2, 0)
    assert (peer["repeat"], peer["by_media"]) == (None, True)
    counts = ("incomplete", "held", "carried", "quarantined", "forged")
    assert [asked[key] for key in counts] == [0, 0, 0, 0, 0]


def test_settings_for_nobody_and_peers_that_nothing_serves_are_shown(sharers: Pair) -> None:
    farm, _ = sharers
    farm.configure('[peer.home]\ntransports = ["serial"]\n[peer.hmoe]\noneway = true\n')
    lines = [line.strip() for line in farm.types("status").lines]
    assert "no stick or folder serves it: see its `transports` in config.toml" in lines
    assert "config.toml has settings for hmoe, but no peer is called so" in lines


def test_a_peer_that_never_answers(sharers: Pair, tmp_path: Path) -> None:
    farm, _ = sharers
    farm.configure("[peer.home]\noneway = true\nrepeat = 2\n")
    farm.types("pack", "home", "--into", str(tmp_path / "out"))
    assert peer_lines(farm)[0].endswith(" bytes, to go out 2 times")


def test_fragments_that_lie_here(sharers: Pair, tmp_path: Path) -> None:
    farm, home = sharers
    out = tmp_path / "out"
    farm.types("pack", "home", "--into", str(out), "--mtu", "100")
    sorted(out.iterdir())[0].unlink()
    home.types("unpack", str(out))
    lines = [line.strip() for line in home.types("status").lines]
    assert "arrived: 1 bundle not whole yet: more fragments must come" in lines


def test_what_is_carried_for_others(sharers: Pair, tmp_path: Path) -> None:
    farm, _ = sharers
    third = new_computer(tmp_path, "third")
    exchange(tmp_path / "stick", farm, third)
    assert "  carried for others: 1 file" in third.types("status").lines


def test_watch_shows_it_again_until_stopped(farm: Computer, tmp_path: Path) -> None:
    home = new_computer(tmp_path, "home")
    with at_terminal(["--home", str(farm.home), "status", "--watch"]) as terminal:
        terminal.wait_for("no peer yet")
        farm.types("put", "x", "1")
        farm.types("peer", "add", "barn", home.types("card").out.strip())
        terminal.wait_for("ledger farm: 1 entry")
        terminal.wait_for("barn")
        farm.configure("[half a line")
        terminal.wait_for("config.toml")
        farm.configure("")
        farm.types("put", "x", "2")
        terminal.wait_for("ledger farm: 2 entries")
        terminal.process.send_signal(2)
        assert terminal.finish() == 1
        assert "Traceback" not in terminal.screen


def watched(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, *meanwhile: Callable[[], object]
) -> Typed:
    """Watch, let one thing happen before each look but the first, and stop it after the last."""
    left = list(meanwhile)

    def _sleep(_: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    with monkeypatch.context() as patched:
        patched.setattr("pannier.cli.status.time", SimpleNamespace(sleep=_sleep))
        return type_command("--home", str(computer.home), "status", "--watch")


def test_watch_goes_on_after_a_ledger_was_busy(
    farm: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store_file.BUSY_SECONDS", 0.1)
    farm.types("put", "x", "1")
    (path,) = (farm.home / "ledgers").glob("*.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")  # so that nobody else can read, either

        def _hold() -> None:
            other.execute("BEGIN EXCLUSIVE")
            other.execute("CREATE TABLE other (x)")

        done = watched(farm, monkeypatch, _hold, other.close)
    assert "is busy" in done.err
    assert done.out.count("ledger farm: 1 entry") == 2
    assert "stopped; " in done.err


def test_watch_goes_on_while_the_spool_cannot_be_read(
    farm: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, aside = farm.home / "spool", farm.home / "aside"

    def _take_away() -> None:
        spool.rename(aside)
        spool.write_bytes(b"")

    def _put_back() -> None:
        spool.unlink()
        aside.rename(spool)

    farm.types("status")
    done = watched(farm, monkeypatch, _take_away, _put_back)
    assert str(spool) in done.err
    assert done.out.count("no peer yet") == 2
    assert "stopped; " in done.err
