"""Who listens on TCP, in this process, and who calls it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from pannier.cli.reports import import_news
from pannier.cli.session import opener_with
from pannier.home import Home
from pannier.link_config import TcpLink
from pannier.links import connections
from pannier.links import run_link as running
from pannier.links.connections import Served
from pannier.links.run_link import run_link
from pannier.links.side import LinkRun, LinkTelling, Side
from tests.cli.computers import Computer, exchange, new_sharers
from transports.carriers.bell import Bell

PATIENCE_SECONDS = 60


@pytest.fixture
def members(tmp_path: Path) -> tuple[Computer, Computer]:
    sharers = new_sharers(tmp_path)
    exchange(tmp_path / "stick", *sharers, *sharers)
    return sharers


def link_run(computer: Computer, config: TcpLink, said: list[str], *, once: bool) -> LinkRun:
    return LinkRun(
        name="link",
        config=config,
        open_node=opener_with(Home(computer.home), None),
        telling=LinkTelling(say=said.append, progress=None, imported=import_news),
        count=lambda *_: None,
        once=once,
    )


@contextmanager
def listening(computer: Computer, config: TcpLink) -> Iterator[list[str]]:
    """Listen while the block runs."""
    said: list[str] = []
    with closing(Bell()) as bell:
        run = link_run(computer, config, said, once=False)
        thread = Thread(target=run_link, args=(run, bell))
        thread.start()
        try:
            yield said
        finally:
            bell.stop()
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


def call(computer: Computer, port: int, *, tls: bool = False) -> Served:
    with closing(Bell()) as bell:
        config = TcpLink(peer="home", address=f"127.0.0.1:{port}", tls=tls)
        return run_link(link_run(computer, config, [], once=True), bell)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def dial(port: int) -> socket.socket:
    """Connect, as soon as somebody listens."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        except ConnectionRefusedError:
            continue


@pytest.mark.parametrize(("most", "peer"), [(1, ""), (3, ""), (2, "farm")])
def test_callers_who_say_nothing_or_garbage_hear_nothing_and_keep_nobody_out(
    members: tuple[Computer, Computer], monkeypatch: pytest.MonkeyPatch, most: int, peer: str
) -> None:
    farm, home = members
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", most)
    farm.types("put", "well", "1")
    port = free_port()
    config = TcpLink(peer=peer, listen=f"127.0.0.1:{port}")
    with listening(home, config) as said, ExitStack() as stack:
        callers = [stack.enter_context(dial(port)) for _ in range(most + 2)]
        for caller in callers[-2:]:
            caller.sendall(b"\0garbage\0" * 100)
        served = call(farm, port)
        assert (served.had_session, served.is_idle, served.reasons) == (True, True, ())
        # Those who came first were hung up on, without a word.
        assert callers[0].recv(100) == b""
        callers[-1].setblocking(False)
        with suppress(BlockingIOError, ConnectionResetError):
            assert callers[-1].recv(100) == b""
    assert home.types("get", "well").out == "1\n"
    assert "farm is there." in said


def test_a_peer_for_whom_the_link_is_not_gets_silence(
    members: tuple[Computer, Computer], tmp_path: Path
) -> None:
    _, home = members
    other = Computer(tmp_path / "other")
    other.types("init", "--name", "other", "--no-passphrase")
    other.types("peer", "add", "home", home.types("card").out.strip())
    home.types("peer", "add", "other", other.types("card").out.strip())
    port = free_port()
    with listening(home, TcpLink(peer="farm", listen=f"127.0.0.1:{port}")) as said:
        dial(port).close()
        with closing(Bell()) as bell:
            run = link_run(other, TcpLink(peer="home", address=f"127.0.0.1:{port}"), [], once=False)
            came: list[Served] = []
            thread = Thread(target=lambda: came.append(run_link(run, bell)))
            thread.start()
            while not any("not expected" in line for line in said):
                assert thread.is_alive()
            bell.stop()
            thread.join(PATIENCE_SECONDS)
    assert came == [Served()]


def test_who_listens_until_all_has_passed_is_there_for_a_peer_that_may_not_know_it(
    members: tuple[Computer, Computer], monkeypatch: pytest.MonkeyPatch
) -> None:
    farm, home = members
    monkeypatch.setattr(running, "PATIENCE_US", 5_000_000)
    port = free_port()
    listener = Listening()
    monkeypatch.setattr(connections, "Served", listener)
    with closing(Bell()) as bell:
        config = TcpLink(listen=f"127.0.0.1:{port}")
        run = link_run(home, config, [], once=True)
        thread = Thread(target=run_link, args=(run, bell))
        thread.start()
        dial(port).close()
        assert call(farm, port).is_known
        farm.types("put", "well", "2")
        assert call(farm, port).is_known
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    assert listener.asked == 3
    assert home.types("get", "well").out == "2\n"


class Listening:
    """Takes no session for known but the third: the first was none, the second was cut."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Served:
        return Served()

    def of(self, side: Side) -> Served:
        self.asked += 1
        return replace(Served.of(side), is_known=self.asked > 2)


def test_who_calls_until_all_has_passed_ends_where_each_call_is_hung_up_on(
    members: tuple[Computer, Computer], monkeypatch: pytest.MonkeyPatch
) -> None:
    farm, _ = members
    monkeypatch.setattr(running, "PATIENCE_US", 2_000_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=hang_up, args=(server,), daemon=True)
        thread.start()
        served = call(farm, server.getsockname()[1], tls=True)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_SECONDS)
    assert not served.had_session
    assert served.problem


def hang_up(server: socket.socket) -> None:
    """Hang up on all who call."""
    with suppress(OSError):
        while True:
            server.accept()[0].close()
