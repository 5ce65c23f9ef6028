"""Two nodes, each in a process of its own, and a simulated line between them."""

import json
import os
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

from tests.cli.computers import Computer, acquaint, environment, exchange, new_computer
from tests.cli.terminal import at_terminal
from tests.sim.relays import relay, serial_line

Pair = tuple[Computer, Computer]
PATIENCE_SECONDS = 60


class Running:
    """`pannier link`, while it runs."""

    def __init__(self, computer: Computer, *words: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pannier", "--home", str(computer.home), "link", *words],
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
    """See both end by themselves; the one that is left may have had a last receipt to send."""
    ends = [(it.finish(), it.lines[-1]) for it in (one, other)]
    through = (0, "Both sides have everything.")
    assert through in ends, (one.lines, other.lines)
    assert {status for status, _ in ends} <= {0, 3}, (one.lines, other.lines)


def counters(computer: Computer) -> dict[str, Any]:
    asked = computer.asks("status")
    assert isinstance(asked, dict)
    (link,) = asked["links"]
    assert isinstance(link, dict)
    return link


def test_serial_survives_cuts_and_sends_little_twice(members: Pair, tmp_path: Path) -> None:
    farm, home = members
    size = 60_000
    put_on_both(members, size)
    with ExitStack() as stack:
        options = ("--baud", "230400", "--cut-every", "20000", "--down", "0.3")
        a, b, line = stack.enter_context(serial_line(tmp_path, *options))
        capture = ("--capture", str(tmp_path / "seen"))
        shared = ("--baud", "230400", "--once")
        one = stack.enter_context(running(farm, "serial", str(a), "home", *shared, *capture))
        other = stack.enter_context(running(home, "serial", str(b), "farm", *shared))
        both_finish(one, other)
        assert line.counters()["cuts"] >= 2
    assert_on_both(members, tmp_path)
    counted = counters(farm)
    assert (counted["kind"], counted["peer"]) == ("serial", "home")
    assert size < counted["payload_out"] < 1.2 * size
    assert home.types("status").out.count("  link serial") == 1
    frames = farm.types("link", "decode", str(tmp_path / "seen.sent"), "--json").out
    assert "hello" in frames.lower()


def test_tcp_inside_tls_with_whoever_calls(members: Pair, tmp_path: Path) -> None:
    farm, home = members
    put_on_both(members, 50_000)
    port = str(free_port())
    with ExitStack() as stack:
        other = stack.enter_context(running(home, "tcp", "--listen", port, "--tls", "--once"))
        other.wait_for("Stop with Ctrl-C")
        options = ("--to", port, "--cut-every", "30000")
        way = stack.enter_context(relay("tcpsim", tmp_path, *options))
        place = f"127.0.0.1:{way.said[0]}"
        one = stack.enter_context(running(farm, "tcp", place, "home", "--tls", "--once"))
        both_finish(one, other)
        assert way.counters()["resets"] >= 1
    assert_on_both(members, tmp_path)


def test_udp_through_loss_with_progress_at_a_terminal(members: Pair, tmp_path: Path) -> None:
    farm, home = members
    put_on_both(members, 50_000)
    port = str(free_port(socket.SOCK_DGRAM))
    with ExitStack() as stack:
        options = ("--to", port, "--loss", "0.1", "--reorder", "0.05", "--dup", "0.05")
        way = stack.enter_context(relay("udpsim", tmp_path, *options))
        other = stack.enter_context(running(home, "udp", "--listen", port, "farm", "--once"))
        place = f"127.0.0.1:{way.said[0]}"
        words = ["--home", str(farm.home), "link", "udp", place, "home", "--once"]
        terminal = stack.enter_context(at_terminal([*words, "--rate", "20000"]))
        for text in ("to go", "left", "nothing waits", "Both sides have everything."):
            terminal.wait_for(text)
        assert terminal.finish() == 0
        assert other.finish() in {0, 3}, other.lines
        assert way.counters()["a2b"]["lost"] > 0
    assert_on_both(members, tmp_path)


def test_killed_in_the_middle_goes_on_where_it_was(members: Pair, tmp_path: Path) -> None:
    farm, home = members
    size = 300_000
    put_on_both(members, size)
    port = str(free_port())
    sent = 0
    with running(home, "tcp", "--listen", port, "farm", "--once") as other:
        other.wait_for("Stop with Ctrl-C")
        words = ("tcp", f"127.0.0.1:{port}", "home", "--rate", "60000")
        with running(farm, *words, "--capture", str(tmp_path / "first")) as one:
            one.wait_for("home is there")
            while (tmp_path / "first.sent").stat().st_size < size // 3:
                assert one.process.poll() is None
            one.stop(signal.SIGKILL)
        sent += (tmp_path / "first.sent").stat().st_size
        rest = ("tcp", f"127.0.0.1:{port}", "home", "--once")
        with running(farm, *rest, "--capture", str(tmp_path / "second")) as one:
            both_finish(one, other)
        sent += (tmp_path / "second.sent").stat().st_size
    assert_on_both(members, tmp_path)
    # What was not yet on the disk goes again: a second's worth, at most.
    assert sent < size * 1.05 + 2 * 65_536


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
        (("serial", "ttyX", "home"), "usb must be"),
        (("serial", "/dev/ttyX", "home", "--baud", "1"), "baud must be"),
        (("serial", "/dev/ttyX", "nobody"), "no peer is called nobody"),
        (("tcp",), "say HOST:PORT PEER"),
        (("tcp", "here", "home"), "no HOST:PORT"),
        (("tcp", "h:1", "home", "--listen", "4000"), "say HOST:PORT PEER"),
        (("tcp", "h:1", "home", "--duty", "2.8"), "duty needs rate"),
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


def test_two_processes_cannot_run_one_link(pair: Pair) -> None:
    farm, _ = pair
    words = ("udp", "127.0.0.1:9", "home")
    with running(farm, *words) as one:
        one.wait_for("Stop with Ctrl-C")
        while not list((farm.home / "locks").glob("link-*")):
            assert one.process.poll() is None
        assert "running the link udp 127.0.0.1:9" in farm.types("link", *words, status=4).err


def test_counters_that_were_spoiled_are_as_if_never_counted(pair: Pair) -> None:
    farm, _ = pair
    folder = farm.home / "links"
    folder.mkdir()
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text(json.dumps([1]))
    (folder / "c.json").write_text(json.dumps({"name": 5}))
    (folder / "d.json").write_text(json.dumps({"name": "x\u001b[2J", "seen_us": "soon"}))
    asked = farm.asks("status")
    assert isinstance(asked, dict)
    assert [one["name"] for one in asked["links"]] == ["x\u001b[2J"]
    assert "\u001b" not in farm.types("status").out
