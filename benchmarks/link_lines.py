"""Two nodes and a simulated line between them, until what they have for each other has passed."""

import json
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.line_trace import Way, read_trace
from benchmarks.linked import PATIENCE_SECONDS, Linked, all_ended, free_port
from benchmarks.processes import FailedError
from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.geometry import Geometry
from bundler.whole import START as WHOLE_START
from tests.sim.relays import Relay, relay, serial_line
from transports.link.errors import LinkError
from transports.link.frame import OneWay
from transports.link.framing import framing_named
from transports.link.read import read_open

_LOOK_SECONDS = 0.1
_LIFE_SECONDS = "900"
_HEADS = (b"*\x18C", b"*\x18A")
_ZDATA, _ZEOF = b"\x0a", b"\x0b"
_OTHER = {"farm": "home", "home": "farm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialRun:
    """What passed a serial line.

    Attributes:
        ways: From farm to home, and from home to farm.
        bytes_per_second: What the line carries each way.
        ups: How often the line came up.
        kills: Letters of the sides that were killed.
    """

    ways: tuple[Way, Way]
    bytes_per_second: float
    ups: int
    kills: str = ""

    def share(self, way: int, size: int) -> float:
        """Return the share of the line that *size* bytes were, from the first of them to the last.

        The time that the first frame took is part of it.
        """
        frames = self.ways[way].data_frames()
        first, last = frames[0], frames[-1]
        seconds = self.ways[way].left_at(last[1] - 1) - self.ways[way].left_at(first[0])
        return size / (self.bytes_per_second * seconds)

    def efficiency(self, way: int, size: int) -> float:
        """Return the share that *size* bytes were of those written: no other process has a part."""
        frames = self.ways[way].data_frames()
        return size / (frames[-1][1] - frames[0][0])

    def twice(self, way: int) -> float:
        """Return how many bytes of bundles were sent more than once, as a share of the others."""
        sent, again = self.ways[way].sent()
        return again / (sent - again)


def over_serial(
    linked: Linked, *options: str, baud: int = 115_200, kills: int = 0, seed: int = 1
) -> SerialRun:
    """Let all pass over a line with *options* of ``linesim``; end one side or the other meanwhile.

    Raises:
        FailedError: it did not arrive.
    """
    folder, trace, rng = linked.folder, linked.folder / "trace", random.Random(seed)
    size = linked.sent["farm"]
    places = sorted(rng.randrange(size // 50, size * 9 // 10) for _ in range(kills))
    given = ("--baud", str(baud), "--trace", str(trace), "--max-seconds", _LIFE_SECONDS)
    with ExitStack() as stack:
        *ends, line = stack.enter_context(serial_line(folder, *given, *options))
        ports = dict(zip(("farm", "home"), ends, strict=True))

        def start(name: str) -> subprocess.Popen[bytes]:
            words = ("serial", ports[name], _OTHER[name], "--baud", str(baud))
            return linked.start(name, *words)

        running = {name: start(name) for name in ports}
        stack.enter_context(all_ended(running.values()))
        killed = _kill(running, start, line, rng, places)
        _finish(linked, running.values())
        line.stop()
    linked.check()
    there, back, ups = read_trace(trace)
    return SerialRun(ways=(there, back), bytes_per_second=baud / 10, ups=len(ups), kills=killed)


def _kill(
    running: dict[str, subprocess.Popen[bytes]],
    start: Callable[[str], subprocess.Popen[bytes]],
    line: Relay,
    rng: random.Random,
    places: list[int],
) -> str:
    """Kill and start one side or the other when so many bytes have passed; say which."""
    killed = ""
    for place in places:
        while _passed(line) < place and all(one.poll() is None for one in running.values()):
            time.sleep(_LOOK_SECONDS)
        # What passed is counted each second.
        time.sleep(rng.random())
        name = rng.choice(sorted(running))
        running[name].kill()
        running[name].wait()
        running[name] = start(name)
        killed += name[0]
    return killed


def _passed(line: Relay) -> int:
    """Return how many bytes went from farm to home by now."""
    if not line.stats.exists():
        return 0
    count: int = json.loads(line.stats.read_text())["a2b"]["bytes_in"]
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class NetRun:
    """What passed a relay of datagrams or connections.

    Attributes:
        relay: What it counted.
        link: What the sender's link counted.
    """

    relay: Mapping[str, Any]
    link: Mapping[str, Any]

    @property
    def lost(self) -> float:
        """Which share of the sender's datagrams did not arrive, or not as it was."""
        way = self.relay["a2b"]
        gone = way["lost"] + way["lost_in_bursts"] + way["corrupted"] + way["queue_full"]
        return float(gone / way["datagrams_in"])


def over_network(linked: Linked, kind: str, *options: str) -> NetRun:
    """Let all that they have pass a relay, "udp" or "tcp", with *options* of its simulator.

    Raises:
        FailedError: it did not arrive.
    """
    port = str(free_port(socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM))
    life = ("--max-seconds", _LIFE_SECONDS)
    seen = ("--capture", linked.folder / "seen-home")
    with relay(f"{kind}sim", linked.folder, "--to", port, *life, *options) as between:
        place = f"127.0.0.1:{between.said[0]}"
        running = [
            linked.start("home", kind, "--listen", port, "farm", *seen),
            linked.start("farm", kind, place, "home"),
        ]
        with all_ended(running):
            _finish(linked, running)
        counted = between.counters()
    linked.check()
    return NetRun(relay=counted, link=_link_counters(linked))


def one_way(linked: Linked, *options: str) -> tuple[float, int]:
    """Let farm's carousel be heard through a relay of datagrams until all has come.

    Returns:
        Symbols that came until then for each that the bundle has; and how many it has.

    Raises:
        FailedError: it did not arrive.
    """
    port, capture = str(free_port(socket.SOCK_DGRAM)), linked.folder / "heard"
    life = ("--max-seconds", _LIFE_SECONDS, "--oneway")
    with relay("udpsim", linked.folder, "--to", port, *life, *options) as between:
        place = f"127.0.0.1:{between.said[0]}"
        listens = ("udp", "--listen", port, "--oneway", "--capture", capture)
        running = [linked.start("home", *listens)]
        with all_ended(running):
            time.sleep(1)
            running.append(linked.start("farm", "udp", place, "home", "--oneway"))
            # More is heard meanwhile: hence often.
            _wait_until(lambda: _has_taken(linked), look_seconds=0.01)
            heard = capture.with_suffix(".received").read_bytes()
    linked.check()
    return _symbols(heard)


def _symbols(heard: bytes) -> tuple[float, int]:
    """Return distinct symbols of the longest bundle in a capture, for each it has; and these."""
    seen: dict[bytes, set[int]] = {}
    counts: dict[bytes, int] = {}
    for body in framing_named("cobs").deframer().feed(heard):
        try:
            frame = read_open(body)
            if not isinstance(frame, OneWay) or frame.body.startswith(WHOLE_START):
                continue
            part = Fragment.from_bytes(frame.body, is_plausible)
        except (LinkError, BundleError):
            continue
        counts[part.bundle_id] = Geometry.of(part.transfer_bytes, part.symbol_bytes).symbols
        numbers = range(part.payload_id, part.payload_id + len(part.symbols) // part.symbol_bytes)
        seen.setdefault(part.bundle_id, set()).update(numbers)
    longest = max(counts, key=lambda one: counts[one])
    return len(seen[longest]) / counts[longest], counts[longest]


def zmodem_share(folder: Path, size: int, *options: str, baud: int = 115_200) -> float:
    """Return what share of a line *size* bytes of chance are with ZMODEM, first to last; 0: none.

    Raises:
        OSError: lrzsz is not installed.
    """
    folder.mkdir()
    path, trace = folder / "chance", folder / "trace"
    path.write_bytes(random.Random(1).randbytes(size))
    (folder / "in").mkdir()
    given = ("--baud", str(baud), "--trace", str(trace), "--max-seconds", _LIFE_SECONDS)
    with serial_line(folder, *given, *options) as (one, other, line):
        with one.open("r+b", buffering=0) as here, other.open("r+b", buffering=0) as there:
            running = [
                subprocess.Popen(["rz", "-q", "-b"], stdin=there, stdout=there, cwd=folder / "in"),
                subprocess.Popen(["sz", "-q", "-b", path], stdin=here, stdout=here),
            ]
            with all_ended(running), suppress(subprocess.TimeoutExpired):
                for process in running:
                    process.wait(PATIENCE_SECONDS)
        line.stop()
    received = folder / "in" / "chance"
    if not received.exists() or received.read_bytes() != path.read_bytes():
        return 0.0
    way, *_ = read_trace(trace)
    begin = min(place for head in _HEADS if (place := way.stream.find(head + _ZDATA)) >= 0)
    end = max(way.stream.rfind(head + _ZEOF) for head in _HEADS)
    return size / (baud / 10 * (way.left_at(end) - way.left_at(begin)))


def _finish(linked: Linked, running: Iterable[subprocess.Popen[bytes]]) -> None:
    """Wait until all has passed, and stop both sides."""
    _wait_until(lambda: _is_over(linked))
    for one in running:
        one.send_signal(signal.SIGINT)
        one.wait(PATIENCE_SECONDS)


def _is_over(linked: Linked) -> bool:
    """Return whether all arrived, and both sides know it."""
    is_known = all(
        counters.get("is_through") and counters.get("waiting") == 0
        for counters in (_link_counters(linked, one) for one in _OTHER)
    )
    return is_known and _has_all(linked)


def _has_all(linked: Linked) -> bool:
    """Look whether all arrived: a link is through before it has looked for the first time."""
    try:
        linked.check()
    except FailedError:
        return False
    return True


def _has_taken(linked: Linked) -> bool:
    return all(
        f"Took in 1 entry by {name}" in linked.said_by(_OTHER[name]).read_text()
        for name in linked.sent
    )


def _link_counters(linked: Linked, name: str = "farm") -> Mapping[str, Any]:
    """Return what the link of one of the two has counted."""
    for path in (linked.folder / name / "links").glob("*.json"):
        counters: Mapping[str, Any] = json.loads(path.read_text())
        return counters
    return {}


def _wait_until(is_so: Callable[[], bool], look_seconds: float = _LOOK_SECONDS) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise FailedError("nothing came through in ten minutes")
        time.sleep(look_seconds)
