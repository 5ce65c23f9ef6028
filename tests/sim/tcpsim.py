"""A TCP relay that is slow, far away, stalls, and breaks connections.

Connections to --listen are passed on to --to.  Prints the port it listens on once it is open.
Limits apply to each connection on its own; bytes are counted as they are handed on, both ways
together, so a cut or a stall comes after exactly that many bytes.  A cut resets both ends (RST),
as does a target that cannot be reached.  An orderly end of one direction is passed on as such.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import fcntl
import math
import signal
import socket
import struct
import sys
import termios
import time

from tests.sim.counters import save_counters, say

Address = tuple[str, int]


@dataclasses.dataclass
class Counts:
    connections: int = 0
    refused: int = 0  # the target could not be reached
    resets: int = 0  # by --cut-every
    stalls: int = 0
    bytes_a2b: int = 0  # handed to the target
    bytes_b2a: int = 0


class Connection:
    """Two sockets and the two pumps between them."""

    def __init__(self, args: argparse.Namespace, counts: Counts) -> None:
        self.args, self.counts = args, counts
        self.writers: list[asyncio.StreamWriter] = []
        self.to_cut: float = args.cut_every or math.inf  # bytes until the next cut
        self.to_stall: float = args.stall[0] or math.inf  # bytes until the next stall
        self.resume = 0.0  # end of the present stall

    def reset(self) -> None:
        for writer in self.writers:
            sock = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):  # already closed
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def flush(self, writer: asyncio.StreamWriter) -> None:
        """Wait, for a second at most, until the peer has acknowledged all that was written."""
        for _ in range(1000):
            if not any(fcntl.ioctl(writer.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4))):
                break
            await asyncio.sleep(0.001)

    async def take(
        self, reader: asyncio.StreamReader, line: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        """Read at the line's rate; what is read is due after the latency."""
        rate = self.args.rate / 8 if self.args.rate else math.inf
        size = int(min(max(rate / 50, 1), 16384))  # steps of 20 ms
        clock = 0.0
        while data := await reader.read(size):
            clock = max(clock, time.monotonic()) + len(data) / rate
            await line.put((clock + self.args.latency / 1000, data))
            await asyncio.sleep(clock - time.monotonic())
        await line.put((time.monotonic() + self.args.latency / 1000, b""))

    async def give(
        self, line: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, way: str
    ) -> None:
        """Hand on what is due, up to the next cut or stall."""
        while True:
            due, data = await line.get()
            await asyncio.sleep(due - time.monotonic())
            if not data:
                break
            while data:
                while (pause := self.resume - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                part = data[: int(min(len(data), self.to_cut, self.to_stall))]
                data = data[len(part) :]
                self.to_cut -= len(part)
                self.to_stall -= len(part)
                writer.write(part)
                setattr(self.counts, way, getattr(self.counts, way) + len(part))
                if not self.to_stall:
                    self.counts.stalls += 1
                    self.to_stall, self.resume = (
                        self.args.stall[0],
                        time.monotonic() + self.args.stall[1],
                    )
                await writer.drain()
                if not self.to_cut:
                    self.counts.resets += 1
                    await self.flush(writer)
                    raise ConnectionResetError("cut")
        writer.write_eof()

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.connections += 1
        self.writers.append(writer)
        pumps: list[asyncio.Task[None]] = []
        try:
            try:
                sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.args.buffer)
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, self.args.to)
                reader2, writer2 = await asyncio.open_connection(sock=sock, limit=16384)
            except OSError:
                self.counts.refused += 1
                sock.close()
                raise
            self.writers.append(writer2)
            for source, sink, way in (
                (reader, writer2, "bytes_a2b"),
                (reader2, writer, "bytes_b2a"),
            ):
                sink.transport.set_write_buffer_limits(0)
                line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(
                    1024 if self.args.latency else 1
                )
                pumps += (
                    asyncio.create_task(self.take(source, line)),
                    asyncio.create_task(self.give(line, sink, way)),
                )
            await asyncio.gather(*pumps)
            for end in self.writers:
                end.close()
        except OSError:
            self.reset()
        finally:
            for pump in pumps:
                pump.cancel()


def address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


def rate(text: str) -> float:
    scale = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:], 0)
    return float(text[:-1]) * scale if scale else float(text)


def stall(text: str) -> tuple[int, float]:
    size, seconds = text.split(",")
    return int(size), float(seconds)


def parse() -> argparse.Namespace:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, name = ap.add_argument, "[HOST:]PORT"
    add(
        "--listen",
        type=address,
        default="0",
        metavar=name,
        help="where clients connect (a free port of 127.0.0.1)",
    )
    add(
        "--to", type=address, required=True, metavar=name, help="where connections are passed on to"
    )
    add("--rate", type=rate, metavar="BPS", help="bits per second each way, e.g. 9600, 64k, 10M")
    add("--latency", type=float, default=0, metavar="MS", help="delay each way")
    add("--cut-every", type=int, metavar="BYTES", help="reset a connection after BYTES")
    add(
        "--stall",
        type=stall,
        default=(0, 0.0),
        metavar="BYTES,S",
        help="after each BYTES pass nothing on for S seconds",
    )
    add(
        "--buffer",
        type=int,
        default=65536,
        metavar="BYTES",
        help="receive buffer of each socket (65536)",
    )
    add("--stats", metavar="FILE", help="JSON counters, written each second and at the end")
    add(
        "--max-seconds",
        type=float,
        default=600,
        metavar="S",
        help="stop by itself after S seconds (600)",
    )
    return ap.parse_args()


def save(path: str | None, start: float, counts: Counts) -> None:
    seconds = round(time.monotonic() - start, 3)
    save_counters(path, {"seconds": seconds, **dataclasses.asdict(counts)})


async def relay(args: argparse.Namespace) -> None:
    start, counts, stop, live = time.monotonic(), Counts(), asyncio.Event(), set[Connection]()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        live.add(connection := Connection(args, counts))
        await connection.run(reader, writer)
        live.discard(connection)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = socket.create_server(args.listen, backlog=64)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, args.buffer)
    server = await asyncio.start_server(client, sock=listener, limit=16384)
    say(listener.getsockname()[1])
    while not stop.is_set() and (left := start + args.max_seconds - time.monotonic()) > 0:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), min(left, 1))
        save(args.stats, start, counts)
    server.close()
    for connection in live:
        connection.reset()
    save(args.stats, start, counts)


if __name__ == "__main__":
    asyncio.run(relay(parse()))
    sys.exit(0)
