"""Who listens on TCP, in this process, and who calls it."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from pannier.cli.reports import import_news
from pannier.cli.session import opener_with
from pannier.home import Home, open_keys
from pannier.link_config import TcpLink
from pannier.links import connections, ending
from pannier.links import run_link as running
from pannier.links.connections import Served
from pannier.links.run_link import run_link
from pannier.links.side import LinkRun, LinkTelling, Side
from tests.cli.computers import Computer, acquaint, exchange, new_computer, new_sharers
from transports.carriers.bell import Bell

PATIENCE_SECONDS = 60


@pytest.fixture
def members(tmp_path: Path) -> tuple[Computer, Computer]:
    sharers = new_sharers(tmp_path)
    exchange(tmp_path / "stick", *sharers, *sharers)
    return sharers


def link_run(computer: Computer, config: TcpLink, said: list[str], *, once: bool) -> LinkRun:
    where = Home(computer.home)
    return LinkRun(
        name="link",
        config=config,
        open_node=opener_with(where, open_keys(where, None)),
        telling=LinkTelling(say=said.append, progress=None, imported=import_news),
        count=lambda *_: None,
        once=once,
    )


@contextmanager
def listening(computer: Computer, config: TcpLink, *, once: bool = False) -> Iterator[list[str]]:
    """Listen while the block runs."""
    said: list[str] = []
    with closing(Bell()) as bell:
        run = link_run(computer, config, said, once=once)
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


def to_the_end(caller: socket.socket) -> bytes:
    """Return all that was said to *caller*, who was hung up on, however roughly."""
    heard = b""
    with suppress(ConnectionResetError):
        while some := caller.recv(1000):
            heard += some
    return heard


@pytest.mark.parametrize(("most", "peer"), [(1, ""), (3, ""), (2, "farm")])
def test_callers_who_say_nothing_or_garbage_hear_nothing_and_keep_nobody_out(
    members: tuple[Computer, Computer], monkeypatch: pytest.MonkeyPatch, most: int, peer: str
) -> None:
    farm, home = members
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", most)
    farm.types("put", "well", "1")
    port = free_port()
    config = TcpLink(peer=peer, listen=f"127.0.0.1:{port}")
    with ExitStack() as stack:
        with listening(home, config) as said:
            callers = [stack.enter_context(dial(port)) for _ in range(most + 2)]
            for caller in callers[-2:]:
                caller.sendall(b"\0garbage\0" * 100)
            served = call(farm, port)
            assert (served.had_session, served.is_idle, served.reasons) == (True, True, ())
            # Those who came first were hung up on, without a word.
            assert callers[0].recv(100) == b""
        assert [to_the_end(caller) for caller in callers] == [b""] * len(callers)
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
    listener = Listening(monkeypatch)
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
    """Who listens takes no session for known but the third: the first was none, one was cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.told = Served.of
        monkeypatch.setattr(Served, "of", self.of)

    def of(self, side: Side) -> Served:
        served = self.told(side)
        if not side._run.config.listens:
            return served
        self.asked += 1
        return replace(served, is_known=self.asked > 2)


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


def test_who_listens_until_all_has_passed_ends_no_session_of_another_peer(
    members: tuple[Computer, Computer], tmp_path: Path
) -> None:
    farm, home = members
    mill = new_computer(tmp_path, "mill")
    acquaint(mill, home)
    farm.types("put", "noise", f'"{os.urandom(30_000).hex()}"')
    port = free_port()
    with listening(home, TcpLink(listen=f"127.0.0.1:{port}"), once=True) as said:
        slow, came = TcpLink(peer="home", address=f"127.0.0.1:{port}", rate=20_000), list[Served]()
        with closing(Bell()) as bell:
            run = link_run(farm, slow, [], once=True)
            thread = Thread(target=lambda: came.append(run_link(run, bell)))
            thread.start()
            while "farm is there." not in said:
                assert thread.is_alive()
            assert call(mill, port).is_idle
            thread.join(PATIENCE_SECONDS)
    assert [one.is_idle for one in came] == [True]
    assert home.types("get", "noise").out == farm.types("get", "noise").out


def test_a_peer_that_comes_again_is_served_though_its_last_wire_seems_to_be_there(
    members: tuple[Computer, Computer], monkeypatch: pytest.MonkeyPatch
) -> None:
    farm, home = members
    monkeypatch.setattr(ending, "SILENT_US", 2_000_000)
    home.types("put", "noise", f'"{os.urandom(100_000).hex()}"')
    port = free_port()
    with listening(home, TcpLink(listen=f"127.0.0.1:{port}")), ExitStack() as stack:
        black_hole = stack.enter_context(swallowing(port, after_bytes=20_000))
        with closing(Bell()) as bell:
            first = TcpLink(peer="home", address=f"127.0.0.1:{black_hole.port}")
            run = link_run(farm, first, [], once=True)
            thread = Thread(target=run_link, args=(run, bell))
            thread.start()
            assert black_hole.is_full.wait(PATIENCE_SECONDS)
            bell.stop()
            thread.join(PATIENCE_SECONDS)
        assert call(farm, port).is_idle
        assert farm.types("get", "noise").out == home.types("get", "noise").out


class Swallowing:
    """A wire that takes everything, and of what comes from the one who listens gives a little."""

    def __init__(self, listens: int, after_bytes: int) -> None:
        self.is_full = Event()
        self._listens, self._left = listens, after_bytes
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._ends: list[socket.socket] = []

    def serve(self) -> None:
        with suppress(OSError):
            caller, _ = self._server.accept()
            called = socket.create_connection(("127.0.0.1", self._listens))
            self._ends = [caller, called]
            back = Thread(target=self._pass_on, args=(called, caller), daemon=True)
            back.start()
            while data := caller.recv(4096):
                if not self.is_full.is_set():
                    called.sendall(data)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                self._left -= len(data)
                if self._left < 0:
                    self.is_full.set()
                else:
                    target.sendall(data)

    def close(self) -> None:
        for one in (self._server, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def swallowing(listens: int, after_bytes: int) -> Iterator[Swallowing]:
    with closing(Swallowing(listens, after_bytes)) as wire:
        Thread(target=wire.serve, daemon=True).start()
        yield wire


def test_a_caller_for_whom_no_thread_begins_ends_no_other(
    members: tuple[Computer, Computer], monkeypatch: pytest.MonkeyPatch
) -> None:
    farm, home = members
    farm.types("put", "well", "1")
    port = free_port()
    starts = iter([RuntimeError("can't start new thread"), OSError(24, "Too many open files")])

    def start(self: connections.Connections, one: object) -> None:
        if (error := next(starts, None)) is not None:
            raise error
        started(self, one)  # type: ignore[arg-type]

    started = connections.Connections._start
    monkeypatch.setattr(connections.Connections, "_start", start)
    with listening(home, TcpLink(listen=f"127.0.0.1:{port}")) as said:
        for _ in range(2):
            with closing(dial(port)) as refused:
                assert refused.recv(1) == b""
        assert call(farm, port).is_idle
    assert home.types("get", "well").out == "1\n"
    assert len([line for line in said if "a caller cannot be served" in line]) == 2


def test_who_calls_until_all_has_passed_ends_where_sessions_begin_and_end_in_vain(
    members: tuple[Computer, Computer], monkeypatch: pytest.MonkeyPatch
) -> None:
    farm, home = members
    monkeypatch.setattr(running, "PATIENCE_US", 2_000_000)
    farm.types("put", "noise", f'"{os.urandom(30_000).hex()}"')
    monkeypatch.setattr(connections.Connections, "_came", hanging_up)
    port = free_port()
    with listening(home, TcpLink(listen=f"127.0.0.1:{port}")):
        served = call(farm, port)
    assert (served.had_session, served.is_idle) == (True, False)


def hanging_up(_: object, connection: connections._Connection, peer: bytes) -> None:
    connection.carrier.close()
    raise OSError("it hangs up")
