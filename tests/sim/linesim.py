"""Two pseudo-terminals joined by a simulated serial line.

Prints both device paths on one line ("/dev/pts/3 /dev/pts/4") once they can be opened, and again
when the line comes back after a cut; --link-a and --link-b keep them under fixed names.  Bytes
are paced as 8N1, ten bits each.  Which bytes are hit depends on --seed and on the byte's position
in its direction, never on timing, so that a failing run can be repeated.

Unlike a real UART: noise flips data bits only (no framing errors, no break); tcdrain() returns at
once, and tcflush() cannot take back what is in the FIFO; stty speeds are ignored; a receiver that
does not read holds the line up (as with RTS/CTS) unless --no-flow is given; a program that writes
without a pause can get up to 20 KiB (the kernel's pty buffer) further ahead than --fifo says; and
a full FIFO can show as EAGAIN right after select() reported room.
"""

import argparse
import collections
import dataclasses
import math
import os
import random
import select
import signal
import struct
import sys
import termios
import time
import tty
from pathlib import Path
from typing import BinaryIO

from tests.sim.counters import save_counters, say

TICK, STEP = (
    0.001,
    4,
)  # bytes move a few at a time (a millisecond or 4 bytes), as from a UART's FIFO
MAX_TURN = 1.0  # half duplex: longest turn in seconds while the other side is waiting


@dataclasses.dataclass
class Counts:
    bytes_in: int = 0  # taken from the sending device
    bytes_out: int = 0  # handed to the receiving device
    bits_flipped: int = 0  # by --ber and --burst
    bursts: int = 0
    bytes_dropped: int = 0  # by --drop
    bytes_cut: int = 0  # under way when the line was cut
    bytes_overrun: int = 0  # lost because the receiver did not read (--no-flow)


class Trace:
    """Writes down when bytes enter and leave the line; `benchmarks.line_trace` reads it."""

    RECORD = struct.Struct(">dBBI")
    IN, OUT, UP = range(3)

    def __init__(self, path: str | None) -> None:
        self.file: BinaryIO | None = Path(path).open("wb") if path else None  # noqa: SIM115 -- as long as the line

    def note(self, way: int, kind: int, size: int, data: bytes = b"") -> None:
        if self.file:
            self.file.write(self.RECORD.pack(time.monotonic(), way, kind, size) + data)


class Gaps:
    """Places independent events of probability p per unit along a stream."""

    def __init__(self, p: float, seed: str) -> None:
        self.p, self.rng = p, random.Random(seed)
        self.left = self.draw()

    def draw(self) -> float:
        if self.p <= 0:
            return math.inf
        return 0 if self.p >= 1 else int(math.log(1 - self.rng.random()) / math.log1p(-self.p))

    def take(self, n: int) -> list[int]:
        """Offsets of the events within the next n units."""
        hits = []
        while self.left < n:
            hits.append(int(self.left))
            self.left += 1 + self.draw()
        self.left -= n
        return hits


class Noise:
    """Damages a stream of bytes; the result does not depend on how the stream is sliced."""

    def __init__(self, args: argparse.Namespace, name: str, counts: Counts) -> None:
        seed = f"{args.seed}/{name}/"
        self.counts = counts
        self.flips, self.drops = Gaps(args.ber, seed + "ber"), Gaps(args.drop, seed + "drop")
        self.bursts = Gaps(args.burst[1], seed + "burst")
        self.length = Gaps(1 / max(args.burst[0], 1), seed + "length")
        self.tail = bytearray()  # rest of a burst that goes on in the next slice

    def apply(self, data: bytes) -> bytes:
        n = len(data)
        masks = self.tail.ljust(n, b"\0")
        for bit in self.flips.take(8 * n):
            masks[bit >> 3] ^= 1 << (bit & 7)
        for start in self.bursts.take(n):
            burst = self.length.rng.randbytes(1 + int(self.length.draw()))
            masks.extend(bytes(max(start + len(burst) - len(masks), 0)))
            for i, mask in enumerate(burst, start):
                masks[i] ^= mask
            self.counts.bursts += 1
        self.tail = masks[n:]
        damage = int.from_bytes(masks[:n], "big")
        self.counts.bits_flipped += damage.bit_count()
        out = bytearray((int.from_bytes(data, "big") ^ damage).to_bytes(n, "big"))
        for i in reversed(self.drops.take(n)):
            del out[i]
            self.counts.bytes_dropped += 1
        return bytes(out)


class Port:
    """A raw pty; the simulator keeps the slave open so that programs may come and go."""

    def __init__(self, link: str | None) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path, self.link, self.held = os.ttyname(self.slave), link, False
        if link:
            draft = Path(link + ".new")
            draft.symlink_to(self.path)
            draft.replace(link)

    def hold(self, stop: bool) -> None:
        """Stop or restart the program's output, so that not every pty takes 20 KiB ahead."""
        if stop != self.held:
            termios.tcflow(self.slave, termios.TCOOFF if stop else termios.TCOON)
            self.held = stop

    def close(self) -> None:
        if self.link and is_link_to(Path(self.link), self.path):
            Path(self.link).unlink()
        os.close(self.slave)
        os.close(self.master)


def is_link_to(link: Path, target: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == target


class Way:
    """One direction of the line: transmit FIFO, paced wire, noise, delay, receiver."""

    def __init__(self, args: argparse.Namespace, name: str, trace: Trace) -> None:
        self.args, self.counts = args, Counts()
        self.trace, self.index = trace, int(name == "b2a")
        self.rate = args.baud / 10 if args.baud else math.inf
        self.noise = Noise(args, name, self.counts)
        self.fifo = bytearray()  # accepted, not yet on the wire
        self.clock = 0.0  # when the last byte sent had left
        self.flying: collections.deque[tuple[float, bytes]] = collections.deque()
        self.arrived = bytearray()  # waiting for room in the receiver

    def accept(self, port: Port, now: float) -> None:
        """Take what the program wrote, as far as there is room."""
        while len(self.fifo) < self.args.fifo:
            try:
                got = os.read(port.master, 4096)
            except BlockingIOError:
                break
            if not self.fifo:
                self.clock = max(self.clock, now)
            self.counts.bytes_in += len(got)
            self.trace.note(self.index, Trace.IN, len(got), got)
            self.fifo += got

    def send(self, now: float, most: float) -> int:
        """Put on the wire what had time to leave by now, at most `most` bytes."""
        if self.arrived:  # the receiver is full
            self.clock = now
        ready = (now - self.clock) * self.rate if self.args.baud else math.inf
        n = 0 if self.arrived else int(min(len(self.fifo), max(ready, 0), most))
        if n:
            self.clock += n / self.rate
            data = self.noise.apply(bytes(self.fifo[:n]))
            self.flying.append((now + self.args.latency / 1000, data))
            del self.fifo[:n]
        return n

    def deliver(self, port: Port, now: float) -> None:
        while self.flying and self.flying[0][0] <= now:
            self.arrived += self.flying.popleft()[1]
        try:
            while self.arrived:
                n = os.write(port.master, self.arrived)
                self.counts.bytes_out += n
                self.trace.note(self.index, Trace.OUT, n)
                del self.arrived[:n]
        except BlockingIOError:
            if self.args.no_flow:
                self.counts.bytes_overrun += len(self.arrived)
                self.arrived.clear()

    def cut(self) -> None:
        self.counts.bytes_cut += len(self.fifo + self.arrived + b"".join(d for _, d in self.flying))
        for queue in (self.fifo, self.arrived, self.flying):
            queue.clear()


class Line:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.start, self.stop = args, time.monotonic(), False
        self.trace = Trace(args.trace)
        self.ways = [Way(args, name, self.trace) for name in ("a2b", "b2a")]
        self.ports = list[Port]()
        self.sent = self.cuts = 0  # bytes sent since the line came up, cuts so far
        self.holder, self.turn = 0, 0.0  # half duplex: who may send, and since when

    def up(self) -> None:
        self.sent = 0
        self.trace.note(0, Trace.UP, 0)
        self.ports = [Port(self.args.link_a), Port(self.args.link_b)]
        say(*(port.path for port in self.ports))

    def down(self) -> None:
        for way in self.ways:
            way.cut()
        while self.ports:
            self.ports.pop().close()

    def limit(self) -> float:
        """Bytes that may pass before the line is cut."""
        limits = (self.args.cut_every, None if self.cuts else self.args.cut_after)
        return min(filter(None, limits), default=math.inf)

    def step(self, now: float) -> None:
        """Move everything that is due."""
        for port, way in zip(self.ports, self.ways, strict=True):
            way.accept(port, now)
        holder, waiter = self.ways[self.holder], self.ways[1 - self.holder]
        if (
            self.args.half_duplex
            and waiter.fifo
            and (not holder.fifo or now - self.turn > MAX_TURN)
        ):
            self.holder, self.turn = 1 - self.holder, now + self.args.turnaround / 1000
            waiter.clock = self.turn
        for i, way in enumerate(self.ways):
            if not self.args.half_duplex or i == self.holder:
                self.sent += way.send(now, self.limit() - self.sent)
            way.deliver(self.ports[1 - i], now)
            port = self.ports[i]
            port.hold(len(way.fifo) >= self.args.fifo / (4 if port.held else 1))

    def wait(self, now: float) -> None:
        poll = select.poll()
        for port, way, back in zip(self.ports, self.ways, reversed(self.ways), strict=True):
            room = len(way.fifo) < self.args.fifo
            poll.register(port.master, select.POLLIN * room | select.POLLOUT * bool(back.arrived))
        busy = any(way.fifo for way in self.ways)
        due = [now + (max(TICK, STEP / self.ways[0].rate) if busy else 0.1)]
        due += [way.flying[0][0] for way in self.ways if way.flying]
        poll.poll(max(math.ceil((min(due) - now) * 1000), 0))

    def run(self) -> None:
        resume = saved = 0.0
        while not self.stop and (now := time.monotonic()) < self.start + self.args.max_seconds:
            if self.ports:
                self.step(now)
                self.wait(now)
                if self.sent >= self.limit():
                    self.cuts, resume = self.cuts + 1, now + self.args.down
                    self.down()
            elif now >= resume:
                self.up()
            else:
                time.sleep(min(resume - now, 0.1))
            if now > saved + 1:
                self.save()
                saved = now

    def save(self) -> None:
        if self.trace.file:
            self.trace.file.flush()
        a2b, b2a = (dataclasses.asdict(way.counts) for way in self.ways)
        seconds = round(time.monotonic() - self.start, 3)
        counters = {"seconds": seconds, "cuts": self.cuts, "a2b": a2b, "b2a": b2a}
        save_counters(self.args.stats, counters)


def burst(text: str) -> tuple[float, float]:
    length, rate = text.split(",")
    return float(length), float(rate)


def parse() -> argparse.Namespace:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = ap.add_argument
    add(
        "--baud",
        type=int,
        default=115200,
        help="bits per second each way, ten per byte; 0: unpaced (115200)",
    )
    add("--ber", type=float, default=0, help="probability that a data bit is flipped")
    add("--drop", type=float, default=0, help="probability that a byte is lost")
    add(
        "--burst",
        type=burst,
        default=(1.0, 0.0),
        metavar="LEN,RATE",
        help="bursts of random"
        " bytes: mean length in bytes, probability that one starts at a given byte",
    )
    add(
        "--cut-after",
        type=int,
        metavar="BYTES",
        help="hang up once, after BYTES (both ways summed)",
    )
    add(
        "--cut-every", type=int, metavar="BYTES", help="hang up after each BYTES (both ways summed)"
    )
    add(
        "--down",
        type=float,
        default=1,
        metavar="S",
        help="seconds until new devices come up after a cut (1)",
    )
    add("--latency", type=float, default=0, metavar="MS", help="propagation delay each way")
    add(
        "--half-duplex",
        action="store_true",
        help="one side sends at a time, the other waits for the line",
    )
    add(
        "--turnaround",
        type=float,
        default=20,
        metavar="MS",
        help="half duplex: silence when sides change (20)",
    )
    add(
        "--fifo",
        type=int,
        default=4096,
        help="transmit buffer in bytes; writes block when it is full (4096)",
    )
    add("--no-flow", action="store_true", help="a receiver that does not read loses bytes")
    add("--link-a", metavar="PATH", help="symbolic link to the first device")
    add("--link-b", metavar="PATH", help="symbolic link to the second device")
    add("--seed", default="0", help="seed of all random choices (0)")
    add("--stats", metavar="FILE", help="JSON counters, written each second and at the end")
    add("--trace", metavar="FILE", help="when which bytes entered the line, and how many left it")
    add(
        "--max-seconds",
        type=float,
        default=600,
        metavar="S",
        help="stop by itself after S seconds (600)",
    )
    args = ap.parse_args()
    for link in filter(None, (args.link_a, args.link_b)):
        if os.path.lexists(link) and not Path(link).is_symlink():
            ap.error(f"{link} exists and is not a symbolic link")
    return args


def main() -> int:
    line = Line(parse())

    def stop(*_: object) -> None:
        line.stop = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        line.run()
    finally:
        line.down()
        line.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
