import random
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.sim.relays import PATIENCE_SECONDS, Relay, relay

DATA = random.Random(7).randbytes(300_000)


@contextmanager
def way(folder: Path, *options: str) -> Iterator[tuple[Relay, socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with relay("tcpsim", folder, "--to", port, *options) as simulator:
            near = socket.create_connection(("127.0.0.1", int(simulator.said[0])))
            with near, closing(server.accept()[0]) as far:
                far.settimeout(PATIENCE_SECONDS)
                yield simulator, near, far


def send(sock: socket.socket) -> Thread:
    def work() -> None:
        with suppress(OSError):
            sock.sendall(DATA)
            sock.shutdown(socket.SHUT_WR)

    thread = Thread(target=work)
    thread.start()
    return thread


def read_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65_536), b""))


def read_into(came: bytearray, sock: socket.socket) -> None:
    while data := sock.recv(65_536):
        came += data


@pytest.mark.parametrize("options", [(), ("--stall", "100000,0.2")])
def test_carries_everything(tmp_path: Path, options: tuple[str, ...]) -> None:
    with way(tmp_path, *options) as (simulator, near, far):
        thread = send(near)
        assert read_all(far) == DATA
        thread.join()
        counters = simulator.counters()
    assert counters["bytes_a2b"] == len(DATA)
    assert counters["stalls"] == (3 if options else 0)


def test_resets_after_so_many_bytes(tmp_path: Path) -> None:
    with way(tmp_path, "--cut-every", "100000") as (simulator, near, far):
        thread = send(near)
        came = bytearray()
        with pytest.raises(ConnectionResetError):
            read_into(came, far)
        assert came == DATA[:100_000]
        thread.join()
        assert simulator.counters()["resets"] == 1
