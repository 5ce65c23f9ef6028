import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tests.sim.relays import PATIENCE_SECONDS, relay

COUNT = 1000


def drained(sock: socket.socket, quiet_seconds: float) -> Iterator[int]:
    """Yield the numbers of what comes, until nothing does for so long."""
    sock.settimeout(quiet_seconds)
    with suppress(TimeoutError):
        while True:
            yield int.from_bytes(sock.recv(100)[:4], "big")


def numbers(folder: Path, *options: str, back: bool = False) -> tuple[list[int], Any]:
    """Send so many numbered datagrams, one after the other; return what came, and the counters."""
    with ExitStack() as stack:
        near, far = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in "ab"
        )
        far.bind(("127.0.0.1", 0))
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        port = str(far.getsockname()[1])
        simulator = stack.enter_context(relay("udpsim", folder, "--to", port, *options))
        front, rear = (("127.0.0.1", int(one)) for one in simulator.said)
        near.connect(front)
        came: list[int] = []
        for number in range(COUNT):
            near.send(number.to_bytes(4, "big"))
            if number % 64 == 63:
                came += drained(far, 0.01)
        if back:
            far.sendto(b"reply", rear)
            near.settimeout(PATIENCE_SECONDS)
            assert near.recv(100) == b"reply"
        came += drained(far, 0.3)
        return came, simulator.counters()


def test_a_clean_way_loses_nothing(tmp_path: Path) -> None:
    came, counters = numbers(tmp_path, back=True)
    assert came == list(range(COUNT))
    assert counters["b2a"]["bytes_out"] == 5


def test_loss_is_as_seeded(tmp_path: Path) -> None:
    runs = [numbers(tmp_path, "--loss", "0.2", "--seed", seed)[0] for seed in "112"]
    assert runs[0] == runs[1] != runs[2]
    assert 0.15 < 1 - len(runs[0]) / COUNT < 0.25


def test_bursts_doubles_and_disorder(tmp_path: Path) -> None:
    came, counters = numbers(tmp_path, "--burst-loss", "0.01,0.1", "--dup", "0.1")
    kept = sorted(set(came))
    gaps = [after - before - 1 for before, after in itertools.pairwise(kept) if after - before > 1]
    assert sum(gaps) / len(gaps) > 4
    assert len(came) - len(kept) == counters["a2b"]["duplicated"] > 0
    came, _ = numbers(tmp_path, "--reorder", "0.1")
    assert sorted(came) == list(range(COUNT)) != came
