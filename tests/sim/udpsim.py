"""A UDP relay that loses, delays, reorders, repeats, damages and limits datagrams.

Side A sends to --listen; what arrives there is passed on to --to (side B).  Datagrams that B sends
to the address they come from (--back, or a free port) go back to A, that is to --client or else to
whoever sent to --listen last.  Both ports are printed on one line once they are open.

What happens to a datagram depends on --seed and on its number in its direction, never on timing.
Order of events: --oneway, --mtu, loss, damage, repetition, queue and --rate, --latency, reordering.
"""

import argparse
import dataclasses
import heapq
import math
import random
import select
import signal
import socket
import sys
import time

from tests.sim.counters import save_counters, say

Address = tuple[str, int]


@dataclasses.dataclass
class Counts:
    datagrams_in: int = 0
    bytes_in: int = 0
    datagrams_out: int = 0
    bytes_out: int = 0
    lost: int = 0  # by --loss
    lost_in_bursts: int = 0  # by --burst-loss
    too_large: int = 0  # by --mtu
    wrong_way: int = 0  # by --oneway
    queue_full: int = 0  # by --rate and --queue
    corrupted: int = 0
    duplicated: int = 0
    reordered: int = 0
    undeliverable: int = 0  # no client known yet, or refused by the system


class Way:
    """One direction: decides what happens to each datagram, and when it leaves."""

    def __init__(self, args: argparse.Namespace, name: str) -> None:
        self.args, self.counts = args, Counts()
        self.rng = random.Random(f"{args.seed}/{name}")
        self.closed = args.oneway and name == "b2a"
        self.bad = False  # state of the Gilbert-Elliott model
        self.free = 0.0  # when the link has sent all it was given
        self.waiting: list[tuple[float, int, bytes]] = []  # heap: due, number, datagram
        self.number = 0

    def fate(self, data: bytes) -> list[tuple[bytes, float]]:
        """The copies of a datagram that get through, each with its extra delay in seconds."""
        args, counts = self.args, self.counts
        counts.datagrams_in += 1
        counts.bytes_in += len(data)
        dice = random.Random(self.rng.getrandbits(64))  # the same draws whatever the options
        to_bad, to_good, bad_loss = args.burst_loss
        draw = [dice.random() for _ in range(7)]
        self.bad = draw[0] >= to_good if self.bad else draw[0] < to_bad
        if self.closed:
            counts.wrong_way += 1
        elif len(data) > args.mtu:
            counts.too_large += 1
        elif draw[1] < args.loss:
            counts.lost += 1
        elif self.bad and draw[2] < bad_loss:
            counts.lost_in_bursts += 1
        else:
            if data and draw[3] < args.corrupt:
                counts.corrupted += 1
                damaged = bytearray(data)
                for bit in dice.sample(
                    range(8 * len(data)), min(dice.randint(1, 8), 8 * len(data))
                ):
                    damaged[bit >> 3] ^= 1 << (bit & 7)
                data = bytes(damaged)
            late = 0.0
            if draw[4] < args.reorder:
                counts.reordered += 1
                late = args.reorder_delay / 1000 * (0.5 + draw[5] / 2)
            if draw[6] < args.dup:
                counts.duplicated += 1
                return [(data, late), (data, 0.0)]
            return [(data, late)]
        return []

    def accept(self, data: bytes, now: float) -> None:
        for copy, late in self.fate(data):
            start = max(self.free, now)
            if self.args.rate:
                if (start - now) * self.args.rate / 8 + len(copy) > self.args.queue:
                    self.counts.queue_full += 1
                    continue
                start += len(copy) * 8 / self.args.rate
                self.free = start
            self.number += 1
            heapq.heappush(
                self.waiting, (start + self.args.latency / 1000 + late, self.number, copy)
            )


def address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


def rate(text: str) -> float:
    scale = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:], 0)
    return float(text[:-1]) * scale if scale else float(text)


def burst_loss(text: str) -> tuple[float, float, float]:
    to_bad, to_good, *loss = (float(x) for x in text.split(","))
    return to_bad, to_good, loss[0] if loss else 1.0


class Relay:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.start, self.stop = args, time.monotonic(), False
        self.ways = [Way(args, "a2b"), Way(args, "b2a")]
        self.sockets = [self.open(args.listen), self.open(args.back)]
        self.peers: list[Address | None] = [args.client, args.to]  # side A, side B

    @staticmethod
    def open(where: Address) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 1 << 22)
        sock.bind(where)
        sock.setblocking(False)
        return sock

    def receive(self, side: int, now: float) -> None:
        """Take in what one side has sent; at most 64 datagrams at a time."""
        for _ in range(64):
            try:
                data, sender = self.sockets[side].recvfrom(65535)
            except BlockingIOError:
                return
            except ConnectionError:  # an earlier datagram was refused
                continue
            if side == 0 and not self.args.client:
                self.peers[0] = sender
            self.ways[side].accept(data, now)

    def deliver(self, side: int, now: float) -> None:
        """Hand over what is due for the side opposite to `side`."""
        way, sock, peer = self.ways[side], self.sockets[1 - side], self.peers[1 - side]
        while way.waiting and way.waiting[0][0] <= now:
            data = heapq.heappop(way.waiting)[2]
            try:
                if peer is None:
                    raise ConnectionError("no client yet")
                sock.sendto(data, peer)
                way.counts.datagrams_out += 1
                way.counts.bytes_out += len(data)
            except OSError:
                way.counts.undeliverable += 1

    def run(self) -> None:
        say(*(sock.getsockname()[1] for sock in self.sockets))
        saved = 0.0
        poll = select.poll()
        for sock in self.sockets:
            poll.register(sock, select.POLLIN)
        while not self.stop and (now := time.monotonic()) < self.start + self.args.max_seconds:
            for side in (0, 1):
                self.receive(side, now)
                self.deliver(side, now)
            if now > saved + 1:
                self.save()
                saved = now
            due = min([now + 0.1] + [way.waiting[0][0] for way in self.ways if way.waiting])
            poll.poll(max(math.ceil((due - time.monotonic()) * 1000), 0))

    def save(self) -> None:
        a2b, b2a = (dataclasses.asdict(way.counts) for way in self.ways)
        seconds = round(time.monotonic() - self.start, 3)
        save_counters(self.args.stats, {"seconds": seconds, "a2b": a2b, "b2a": b2a})


def parse() -> argparse.Namespace:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = ap.add_argument
    name = "[HOST:]PORT"
    add(
        "--listen",
        type=address,
        default="0",
        metavar=name,
        help="where A sends to (a free port of 127.0.0.1)",
    )
    add("--to", type=address, required=True, metavar=name, help="address of side B")
    add(
        "--back",
        type=address,
        default="0",
        metavar=name,
        help="where B sends to (a free port of 127.0.0.1)",
    )
    add(
        "--client",
        type=address,
        metavar=name,
        help="address of side A (the last sender to --listen)",
    )
    add(
        "--rate",
        type=rate,
        metavar="BPS",
        help="payload bits per second each way, e.g. 9600, 64k, 10M",
    )
    add(
        "--queue",
        type=int,
        default=65536,
        metavar="BYTES",
        help="queue in front of --rate; what does not fit is lost",
    )
    add("--latency", type=float, default=0, metavar="MS", help="delay each way")
    add("--loss", type=float, default=0, metavar="P", help="probability that a datagram is lost")
    add(
        "--burst-loss",
        type=burst_loss,
        default=(0.0, 1.0, 1.0),
        metavar="P,R[,H]",
        help="Gilbert-Elliott loss: probability of good to bad, of bad to good, of loss while bad"
        " (1); P=0.01,R=0.2 loses 4.8%% in runs of 5",
    )
    add(
        "--reorder",
        type=float,
        default=0,
        metavar="P",
        help="probability that a datagram is held back",
    )
    add(
        "--reorder-delay",
        type=float,
        default=20,
        metavar="MS",
        help="longest time it is held back (20)",
    )
    add(
        "--dup",
        type=float,
        default=0,
        metavar="P",
        help="probability that a datagram is sent twice",
    )
    add(
        "--corrupt",
        type=float,
        default=0,
        metavar="P",
        help="probability that 1 to 8 bits are flipped",
    )
    add("--mtu", type=int, default=65535, help="larger payloads are dropped")
    add("--oneway", action="store_true", help="drop everything from B to A")
    add("--seed", default="0", help="seed of all random choices (0)")
    add("--stats", metavar="FILE", help="JSON counters, written each second and at the end")
    add(
        "--max-seconds",
        type=float,
        default=600,
        metavar="S",
        help="stop by itself after S seconds (600)",
    )
    return ap.parse_args()


def main() -> int:
    relay = Relay(parse())

    def stop(*_: object) -> None:
        relay.stop = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        relay.run()
    finally:
        relay.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
