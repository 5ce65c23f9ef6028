"""One ledger file of the farm cannot be read: all else that moves goes on, and says which."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.errors import DamagedError
from tests.cli.computers import Computer, exchange
from tests.cli.test_link import Pair, free_port, running
from tests.pannier.test_daemon import serving

SAID = "until then all that is of it waits"


@pytest.fixture
def bad(sharers: Pair, tmp_path: Path) -> Path:
    """The file of the ledger "farm", which both have, beside "other"; spoilt on the farm."""
    farm, home = sharers
    farm.types("ledger", "new", "other")
    farm.types("ledger", "share", "home", "--ledger", "other")
    exchange(tmp_path / "first", *sharers, *sharers, *sharers)
    with farm.node() as node:
        (path,) = [one.path for one in node.ledgers() if one.genesis.name == "farm"]
    farm.types("put", "pump", "1", "--ledger", "other")
    for ledger in ("farm", "other"):
        home.types("put", "well", "2", "--ledger", ledger)
    path.write_bytes(b"nothing of a ledger" * 100)
    return path


def assert_on_both(sharers: Pair) -> None:
    farm, home = sharers
    assert home.types("get", "pump", "--ledger", "other").out == "1\n"
    assert farm.types("get", "well", "--ledger", "other").out == "2\n"


def held(computer: Computer) -> int:
    with computer.node() as node:
        return len(node.spool.held.names())


def test_an_exchange(sharers: Pair, bad: Path, tmp_path: Path) -> None:
    farm, home = sharers
    stick = tmp_path / "stick"
    stick.mkdir()
    exchange(stick, home)
    done = farm.types("exchange", str(stick), status=3)
    assert done.err.count(str(bad)) == 1
    assert SAID in done.err
    exchange(stick, home)
    assert_on_both(sharers)
    assert held(farm) == 1
    told = farm.asks("exchange", str(stick), status=3)
    assert isinstance(told, dict)
    assert [str(bad) in one for one in told["problems"]] == [True]


@pytest.mark.parametrize("words", [("verify",), ("verify", "--repair")])
def test_what_turns_out_to_be_sound(sharers: Pair, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Where it was not the disk that failed."""
    farm, stick = sharers[0], tmp_path / "stick"
    exchange(stick, *sharers)
    with farm.node() as node:
        (store,) = node.ledgers()
        error, path = DamagedError("an entry is not what it was"), str(store.path)
        error.path = store.path
        assert node.leave(error)
    assert path in farm.types("exchange", str(stick), status=3).err
    assert path in farm.types("status", status=3).err
    assert farm.types("get", "field/3", "--ledger", "farm").out == '{"moisture": 0.31}\n'
    farm.types(*words)
    farm.types("exchange", str(stick))


def test_single_files(sharers: Pair, bad: Path, tmp_path: Path) -> None:
    farm, home = sharers
    assert str(bad) in farm.types("pack", "home", "--into", str(tmp_path / "a"), status=3).err
    home.types("unpack", str(tmp_path / "a"))
    home.types("pack", "farm", "--into", str(tmp_path / "b"))
    assert str(bad) in farm.types("unpack", str(tmp_path / "b"), status=3).err
    assert_on_both(sharers)
    assert held(farm) == 1


def test_a_plan(sharers: Pair, bad: Path) -> None:
    done = sharers[0].types("plan", "home", "--rate", "1000", status=3)
    assert str(bad) in done.err
    assert "entries" in done.out


def test_what_is_known_of_a_peer(sharers: Pair, bad: Path) -> None:
    done = sharers[0].types("peer", "show", "home", "--trust", status=3)
    assert str(bad) in done.err
    assert "Ledgers shared: other" in done.lines


def test_a_link(sharers: Pair, bad: Path) -> None:
    farm, home = sharers
    port = str(free_port())
    with ExitStack() as stack:
        other = stack.enter_context(running(home, "tcp", "--listen", port, "farm", "--once"))
        other.wait_for("Stop with")
        place = f"127.0.0.1:{port}"
        one = stack.enter_context(running(farm, "tcp", place, "home", "--once"))
        assert (one.finish(), other.finish()) == (3, 0), (one.lines, other.lines)
    assert "Both sides have everything." in one.lines
    said = [line for line in one.lines if str(bad) in line]
    assert len([line for line in said if not line.startswith("pannier: ")]) == 1
    assert one.lines[-1].startswith("pannier: ")
    assert_on_both(sharers)
    assert held(farm) == 1


def test_a_link_without_a_way_back(sharers: Pair, bad: Path) -> None:
    farm, home = sharers
    port = str(free_port(socket.SOCK_DGRAM))
    with ExitStack() as stack:
        other = stack.enter_context(running(home, "udp", "--listen", port, "--oneway"))
        other.wait_for("Stop with")
        words = ("udp", f"127.0.0.1:{port}", "home", "--oneway", "--rounds", "2")
        one = stack.enter_context(running(farm, *words))
        assert one.finish() == 3, one.lines
        other.wait_for("Took in")
        other.stop()
    assert len([line for line in one.lines if str(bad) in line]) == 2, "once, and at the end"
    assert home.types("get", "pump", "--ledger", "other").out == "1\n"


def test_the_daemon_for_once(sharers: Pair, bad: Path, tmp_path: Path) -> None:
    farm, home = sharers
    drop = tmp_path / "drop"
    exchange(drop, home)
    farm.configure(f'[transport.drop]\npath = "{drop}"\n')
    done = farm.types("run", "--once", status=3)
    assert len([line for line in done.lines if str(bad) in line]) == 1
    exchange(drop, home)
    assert_on_both(sharers)


def test_the_daemon_says_it_once_and_goes_on(sharers: Pair, bad: Path, tmp_path: Path) -> None:
    farm, home = sharers
    drop = tmp_path / "drop"
    drop.mkdir()
    farm.configure(f'[transport.drop]\npath = "{drop}"\n')
    with serving(farm, rescan_seconds=0.05) as said:
        said.wait_for(str(bad))
        exchange(drop, home)
        said.wait_for(f"{drop}: Took in 1 entry by home into other.")
        said.wait_for(f"{drop}: Wrote 1 bundle for home.")
        exchange(drop, home)
    told = [line for line in said.lines + said.rest() if str(bad) in line]
    assert len(told) == 1
    assert_on_both(sharers)


def test_a_repair_brings_what_waited(sharers: Pair, bad: Path, tmp_path: Path) -> None:
    farm, home = sharers
    stick = tmp_path / "stick"
    exchange(stick, home)
    farm.types("exchange", str(stick), status=3)
    farm.types("verify", "--repair", status=3)  # nothing of it is left
    exchange(stick, home, farm, home, farm)
    assert farm.types("get", "well", "--ledger", "farm").out == "2\n"
    assert farm.types("get", "field/3", "--ledger", "farm").out == '{"moisture": 0.31}\n'
    assert held(farm) == 0
