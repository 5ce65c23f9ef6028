"""Two nodes, each in a process of its own, and a simulated line between them."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from pannier.link_counters import ever_worked, is_running, read_counters
from tests.cli.computers import Computer, acquaint, environment, exchange, new_computer
from tests.cli.terminal import at_terminal
from tests.sim.relays import relay, serial_line

Pair = tuple[Computer, Computer]
PATIENCE_SECONDS = 60
OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
COUNTERS = {
    name
    for row in re.findall(
        r"^\| counter \| counts \|\n\|---\|---\|\n((?:\|.*\n)+)", OPERATIONS.read_text(), re.M
    )[0].splitlines()
    for name in re.findall("`([a-z_]+)`", row.split("|")[1])
}
"""What docs/operations.md says that `status --json` has of each link."""


class Running:
    """`pannier link` with some words, or `pannier run`, while it runs."""

    def __init__(self, computer: Computer, *words: str) -> None:
        self.lines: list[str] = []
        home = str(computer.home)
        command = words if words == ("run",) else ("link", *words)
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pannier", "--home", home, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )

    def wait_for(self, text: str) -> None:
        """Read on until a line has *text* in it."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return
        raise AssertionError(f"never said {text!r}: {self.lines}")

    def finish(self) -> int:
        assert self.process.stdout
        self.lines += [line.rstrip("\n") for line in self.process.stdout]
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.finish()


@contextmanager
def running(computer: Computer, *words: str) -> Iterator[Running]:
    it = Running(computer, *words)
    # Whatever hangs fails, and says what it had said.
    watch = Timer(PATIENCE_SECONDS, it.process.kill)
    watch.start()
    try:
        yield it
    finally:
        watch.cancel()
        it.process.kill()
        it.process.wait()
        assert it.process.stdout
        it.process.stdout.close()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def members(sharers: Pair, tmp_path: Path) -> Pair:
    """Both have the ledger already."""
    exchange(tmp_path / "stick", *sharers, *sharers)
    return sharers


def put_on_both(members: Pair, size: int) -> None:
    farm, home = members
    (farm.home / "photo").write_bytes(os.urandom(size))
    farm.types("add", str(farm.home / "photo"))
    home.types("put", "well", '"from home"')


def assert_on_both(members: Pair, tmp_path: Path) -> None:
    farm, home = members
    assert farm.types("get", "well").out == '"from home"\n'
    home.types("checkout", str(tmp_path / "out"), "photo")
    assert (tmp_path / "out" / "photo").read_bytes() == (farm.home / "photo").read_bytes()


def both_finish(one: Running, other: Running) -> None:
    """See both end by themselves."""
    ends = [(it.finish(), it.lines[-1]) for it in (one, other)]
    assert ends == [(0, "Both sides have everything.")] * 2, (one.lines, other.lines)


def counters(computer: Computer) -> dict[str, Any]:
    asked = computer.asks("status")
    assert isinstance(asked, dict)
    (link,) = asked["links"]
    assert isinstance(link, dict)
    return link


def test_serial_survives_cuts_and_sends_little_twice(members: Pair, tmp_path: Path) -> None:
    """The system takes XON and XOFF for itself, as modems do, and frames come through it whole.

    What is under way at a cut goes again: what the line had taken and not given out, which it
    counts, and what lay in the buffers of the system on both sides of it. At this speed a round
    trip of 65 ms, which a busy machine has, is 3,000 bytes, and three cuts of a small file are no
    sample for a share. That of 1 MB, cut every 20,000 bytes at 115,200 baud, at most 3 % go twice
    is shown in simulated time by tests/transports/link/test_machine.py, and measured on ptys by
    benchmarks/link_lines.py.
    If all began anew with each cut, it would be some 15,000 bytes a cut.
    """
    farm, home = members
    size = 40_000
    put_on_both(members, size)
    with ExitStack() as stack:
        options = ("--baud", "460800", "--cut-every", "15000", "--down", "0.1")
        a, b, line = stack.enter_context(serial_line(tmp_path, *options))
        capture = ("--capture", str(tmp_path / "seen"))
        shared = ("--baud", "460800", "--once", "--xonxoff")
        one = stack.enter_context(running(farm, "serial", str(a), "home", *shared, *capture))
        other = stack.enter_context(running(home, "serial", str(b), "farm", *shared))
        both_finish(one, other)
        seen = line.counters()
        assert seen["cuts"] >= 2
    assert_on_both(members, tmp_path)
    counted = counters(farm)
    assert (counted["kind"], counted["peer"]) == ("serial", "home")
    assert counted["payload_out"] > size
    twice = counted["payload_out"] - counters(home)["payload_in"]
    assert 0 < twice <= counted["resent"] <= seen["a2b"]["bytes_cut"] + 3_000 * seen["cuts"]
    assert counted.keys() >= COUNTERS
    assert home.types("status").out.count("  link serial") == 1
    sent = tmp_path / "seen.sent"
    frames = farm.types("link", "decode", str(sent), "--framing", "cobs-xonxoff", "--json").out
    assert {"HELLO", "DATA", "ACK"} <= {json.loads(line)["kind"] for line in frames.splitlines()}
    assert not {0x11, 0x13} & set(sent.read_bytes())


def test_tls_with_whoever_calls_goes_on_after_cuts_and_a_kill(
    members: Pair, tmp_path: Path
) -> None:
    farm, home = members
    size = 200_000
    put_on_both(members, size)
    port = str(free_port())
    sent = 0
    with ExitStack() as stack:
        other = stack.enter_context(running(home, "tcp", "--listen", port, "--tls", "--once"))
        other.wait_for("Stop with Ctrl-C")
        options = ("--to", port, "--cut-every", "80000")
        way = stack.enter_context(relay("tcpsim", tmp_path, *options))
        words = ("tcp", f"127.0.0.1:{way.said[0]}", "home", "--tls")
        first = ("--rate", "80000", "--capture", str(tmp_path / "first"))
        with running(farm, *words, *first) as one:
            one.wait_for("home is there")
            while (tmp_path / "first.sent").stat().st_size < size // 3:
                assert one.process.poll() is None
            one.stop(signal.SIGKILL)
        sent += (tmp_path / "first.sent").stat().st_size
        second = ("--once", "--capture", str(tmp_path / "second"))
        one = stack.enter_context(running(farm, *words, *second))
        both_finish(one, other)
        sent += (tmp_path / "second.sent").stat().st_size
        assert way.counters()["resets"] >= 1
    assert_on_both(members, tmp_path)
    # What was not yet on the disk goes again: a second's worth, at most, each time.
    assert sent < size * 1.05 + 2 * 80_000


def test_udp_through_loss_with_progress_at_a_terminal(members: Pair, tmp_path: Path) -> None:
    farm, home = members
    put_on_both(members, 40_000)
    port = str(free_port(socket.SOCK_DGRAM))
    with ExitStack() as stack:
        ills = ("--loss", "0.1", "--reorder", "0.05", "--dup", "0.05", "--corrupt", "0.1")
        way = stack.enter_context(relay("udpsim", tmp_path, "--to", port, *ills))
        other = stack.enter_context(running(home, "udp", "--listen", port, "farm", "--once"))
        place = f"127.0.0.1:{way.said[0]}"
        words = ["--home", str(farm.home), "link", "udp", place, "home", "--once"]
        terminal = stack.enter_context(at_terminal([*words, "--rate", "15000"], columns=80))
        # How long, how fast, how much of what it may, how much twice, how much still: in a line.
        for text in (" left; out ", "of the rate", "% again", " to go"):
            terminal.wait_for(text)
        assert terminal.finish() == 0
        assert "Both sides have everything." in terminal.screen
        shown = [part for part in re.split("[\r\n]", terminal.screen) if " left; out " in part]
        assert max(map(len, shown)) < 80
        assert (other.finish(), other.lines[-1]) == (0, "Both sides have everything.")
        passed = way.counters()["a2b"]
        assert passed["lost"] > 0
        assert passed["corrupted"] > 0
    assert_on_both(members, tmp_path)


def test_a_radio_that_cannot_hear_while_it_sends(tmp_path: Path) -> None:
    """Behind a modem that speaks KISS, between nodes whose hellos take seven short frames."""
    members = farm, home = [new_computer(tmp_path, name, "--pq") for name in ("farm", "home")]
    acquaint(*members)
    farm.types("put", "field/3", "1")
    farm.types("ledger", "share", "home")
    exchange(tmp_path / "stick", *members, *members)
    put_on_both((farm, home), 5_000)
    with ExitStack() as stack:
        line = ("--baud", "115200", "--half-duplex", "--ber", "2e-6")
        a, b, _ = stack.enter_context(serial_line(tmp_path, *line))
        shared = ("--once", "--half-duplex", "--framing", "kiss", "--mtu", "222")
        capture = ("--capture", str(tmp_path / "seen"))
        one = stack.enter_context(running(farm, "serial", str(a), "home", *shared, *capture))
        other = stack.enter_context(running(home, "serial", str(b), "farm", *shared))
        both_finish(one, other)
    assert_on_both((farm, home), tmp_path)
    decoded = farm.types("link", "decode", str(tmp_path / "seen.sent"), "--framing", "kiss")
    kinds = [line.split()[2] for line in decoded.lines]
    assert kinds.count("HELLO") >= 6
    assert {"TURN", "DATA", "ACK"} <= set(kinds)


def test_two_who_never_meet_have_a_gateway_that_belongs_to_nothing(
    members: Pair, tmp_path: Path
) -> None:
    farm, home = members
    gate = new_computer(tmp_path, "gate")
    for member in members:
        acquaint(gate, member)
    port = str(free_port())
    farm.types("put", "pump", "1")
    home.types("put", "well", "2")
    with ExitStack() as stack:
        a, b, _ = stack.enter_context(serial_line(tmp_path, "--baud", "115200"))
        gate.configure(
            f'[transport.wire]\nkind = "serial"\npeer = "farm"\npath = "{b}"\n'
            f'[transport.net]\nkind = "tcp"\nlisten = "127.0.0.1:{port}"\n'
        )
        between = stack.enter_context(running(gate, "run"))
        between.wait_for("Serving")
        one = stack.enter_context(running(farm, "serial", str(a), "gate"))
        other = stack.enter_context(running(home, "tcp", f"127.0.0.1:{port}", "gate"))
        one.wait_for("Took in 1 entry by home into farm.")
        other.wait_for("Took in 1 entry by farm into farm.")
        assert between.stop() == 0
    asked = gate.asks("status")
    assert isinstance(asked, dict)
    assert asked["ledgers"] == []
    assert {link["name"] for link in asked["links"]} == {"wire", "net (home)"}
    assert farm.types("get", "well").out == "2\n"
    assert home.types("get", "pump").out == "1\n"


def test_a_line_that_nobody_can_answer_on(sharers: Pair, tmp_path: Path) -> None:
    farm, home = sharers
    farm.types("put", "noise", f'"{os.urandom(4_000).hex()}"')
    port = str(free_port(socket.SOCK_DGRAM))
    with ExitStack() as stack:
        options = ("--to", port, "--oneway", "--loss", "0.2", "--corrupt", "0.05")
        way = stack.enter_context(relay("udpsim", tmp_path, *options))
        other = stack.enter_context(running(home, "udp", "--listen", port, "--oneway"))
        other.wait_for("Stop with Ctrl-C")
        words = ("udp", f"127.0.0.1:{way.said[0]}", "home", "--oneway", "--mtu", "222")
        one = stack.enter_context(running(farm, *words, "--rate", "40000"))
        other.wait_for("Joined the ledger farm, shared by farm")
        assert one.stop() == other.stop() == 0
        counted = way.counters()
        assert counted["a2b"]["lost"] > 0
        assert counted["b2a"]["datagrams_in"] == 0
    assert "noise" in home.types("things").out
    assert counters(farm)["oneway"] == "sends"
    assert counters(home)["oneway"] == "listens"


def test_stopped_before_anybody_came(pair: Pair, tmp_path: Path) -> None:
    farm, _ = pair
    with running(farm, "serial", str(tmp_path / "ttyUSB0"), "home", "--once") as one:
        one.wait_for("there is no such device; is it plugged in?")
        assert one.stop() == 0
        assert one.lines[-1] == "Stopped."
    # What never worked and does not run is nothing to show.
    (counted,) = read_counters(farm.home)
    assert not is_running(counted, 0)
    assert not ever_worked(counted)


def test_a_stranger_gets_silence(pair: Pair, tmp_path: Path) -> None:
    _, home = pair
    stranger = new_computer(tmp_path, "stranger")
    acquaint(home, stranger)
    home.types("peer", "rm", "stranger")
    port = str(free_port(socket.SOCK_DGRAM))
    with (
        running(home, "udp", "--listen", port, "farm") as other,
        running(
            stranger, "udp", f"127.0.0.1:{port}", "home", "--capture", str(tmp_path / "heard")
        ) as one,
    ):
        other.wait_for("somebody who is not expected says hello")
        assert one.stop() == 0
        assert one.lines[-1] == "Stopped."
        assert (tmp_path / "heard.sent").stat().st_size > 0
        assert (tmp_path / "heard.received").stat().st_size == 0
        assert other.stop(signal.SIGTERM) == 0
        assert other.lines[-1] == "Stopped."
    assert not any("stranger" in line for line in other.lines)
    assert counters(home)["frames_in"] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("serial", "/dev/ttyX"), "peer must be"),
        (("serial", "ttyX", "home"), "write a path, like /dev/ttyX"),
        (("serial", "12:34", "home"), "usb must be"),
        (("serial", "/dev/ttyX", "home", "--baud", "1"), "baud must be"),
        (("serial", "/dev/ttyX", "nobody"), "no peer is called nobody"),
        (("tcp",), "say HOST:PORT PEER"),
        (("tcp", "here", "home"), "no HOST:PORT"),
        (("tcp", "h:1", "home", "--listen", "4000"), "say HOST:PORT PEER"),
        (("tcp", "h:1", "home", "--duty", "2.8%"), "duty needs rate"),
        (("tcp", "h:1", "home", "--duty", "x", "--rate", "9"), "write --duty 2.8"),
        (("udp", "h:1", "home", "--mtu", "50"), "mtu must be 64 to 65000"),
        (("udp", "--listen", "4000"), "say HOST:PORT PEER"),
        (("udp", "h:1", "home", "--half-duplex"), "half_duplex needs rate"),
    ],
)
def test_what_cannot_work_is_one_line(pair: Pair, words: tuple[str, ...], says: str) -> None:
    farm, _ = pair
    assert says in farm.types("link", *words, status=2).err


def test_what_cannot_be_used_is_one_line(pair: Pair, tmp_path: Path) -> None:
    farm, _ = pair
    words = ("link", "tcp", "127.0.0.1:1", "home", "--certificate", str(tmp_path / "none.pem"))
    assert "cannot read" in farm.types(*words, status=1).err
    device = farm.types("link", "serial", str(tmp_path), "home", status=1)
    assert device.err == f"pannier: serial {tmp_path}: that is no serial device\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = f"127.0.0.1:{server.getsockname()[1]}"
        taken = farm.types("link", "tcp", "--listen", here, status=1)
        assert taken.err == f"pannier: tcp listening at {here}: another program has that port\n"
        assert taken.out == ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        here = f"127.0.0.1:{sock.getsockname()[1]}"
        for which in ("home", "--oneway"):
            assert "that port" in farm.types("link", "udp", "--listen", here, which, status=1).err


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_two_processes_cannot_run_one_link(pair: Pair) -> None:
    """Whatever it is called in the settings."""
    farm, _ = pair
    farm.configure('[transport.far]\nkind = "udp"\npeer = "home"\naddress = "127.0.0.1:9"\n')
    words = ("link", "udp", "127.0.0.1:9", "home")
    with running(farm, "run") as one:
        one.wait_for("Serving far")
        while not any(map(_is_locked, (farm.home / "locks").glob("link-*"))):
            assert one.process.poll() is None
        assert "running the link udp 127.0.0.1:9" in farm.types(*words, status=4).err
        assert "running the link" in farm.types(*words, "--oneway", status=4).err


def test_counters_that_were_spoiled_are_as_if_never_counted(pair: Pair) -> None:
    farm, _ = pair
    folder = farm.home / "links"
    folder.mkdir()
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text(json.dumps([1]))
    (folder / "c.json").write_text(json.dumps({"name": 5}))
    (folder / "d.json").write_text(
        json.dumps({"name": "x\u001b[2J", "seen_us": 5, "payload_in": "soon"})
    )
    asked = farm.asks("status")
    assert isinstance(asked, dict)
    assert [one["name"] for one in asked["links"]] == ["x\u001b[2J"]
    assert "\u001b" not in farm.types("status").out
