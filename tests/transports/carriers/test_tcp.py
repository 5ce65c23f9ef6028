import errno
import os
import socket
import struct
from contextlib import closing
from threading import Thread

import pytest

from tests.transports.carriers.ends import LOOPBACK, a_bell, read, tcp_pair
from transports.carriers import tcp
from transports.carriers.address import Address, SocketAddress
from transports.carriers.bell import Bell
from transports.carriers.carrier import CarrierGoneError
from transports.carriers.tcp import TcpConnector, TcpListener

DATA = os.urandom(300_000)


@pytest.mark.parametrize("host", [LOOPBACK, "::1"])
def test_carries_both_ways(host: str) -> None:
    with tcp_pair(host=host) as (one, other):
        assert one.write(b"there") == 5
        assert read(other, 5) == b"there"
        assert other.write(b"back") == 4
        assert read(one, 4) == b"back"
        assert one.read() == b""
        assert one.backlog_us() == 0


def test_who_is_not_read_is_told_to_wait_soon() -> None:
    """What is urgent must not stand behind megabytes in the system's buffers."""
    with tcp_pair() as (one, other):
        with socket.socket(fileno=os.dup(other.fileno())) as copy:
            copy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        taken = 0
        while count := one.write(DATA[taken : taken + 8192]):
            taken += count
        assert 0 < taken < len(DATA)
        assert read(other, taken) == DATA[:taken]


def test_a_hang_up_and_a_reset_are_told() -> None:
    with tcp_pair() as (one, other):
        other.close()
        with pytest.raises(CarrierGoneError, match="hung up"):
            read(one)
    with tcp_pair() as (one, other):
        copy = socket.socket(fileno=os.dup(other.fileno()))
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()
        copy.close()
        with pytest.raises(CarrierGoneError, match="reset"):
            read(one)
        with pytest.raises(CarrierGoneError):
            one.write(b"x")


def test_nobody_there_is_told() -> None:
    with a_bell() as bell:
        listener = TcpListener(Address(LOOPBACK, 0))
        port = listener.listen()
        listener.close()
        with pytest.raises(CarrierGoneError, match="nobody listens"):
            TcpConnector(Address(LOOPBACK, port)).open(bell)
        with pytest.raises(CarrierGoneError, match=r"no\.such\.host\.invalid:1"):
            TcpConnector(Address("no.such.host.invalid", 1)).open(bell)


def test_two_cannot_listen_at_one_place() -> None:
    first = TcpListener(Address(LOOPBACK, 0))
    second = TcpListener(Address(LOOPBACK, first.listen()))
    with pytest.raises(CarrierGoneError, match="another program has that port"):
        second.listen()
    first.close()
    second.listen()
    second.close()


def test_listens_for_several_and_ends_when_told() -> None:
    with a_bell() as bell:
        listener = TcpListener(Address("", 0))
        port = listener.listen()
        callers = [socket.create_connection((LOOPBACK, port)) for _ in range(3)]
        answered = [listener.open(bell) for _ in callers]
        assert all(answered)
        thread = Thread(target=bell.stop)
        thread.start()
        assert listener.open(bell) is None
        thread.join()
        for one in [*callers, *answered]:
            assert one is not None
            one.close()
        listener.close()


def test_connecting_ends_when_told() -> None:
    """Nobody accepts, and the queue of those who wait is full: the system would wait minutes."""
    with a_bell() as bell, socket.create_server((LOOPBACK, 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((LOOPBACK, port))
            waiting.append(sock)
        bell.stop()
        assert TcpConnector(Address(LOOPBACK, port)).open(bell) is None
        for sock in waiting:
            sock.close()


def test_who_cannot_be_accepted_is_no_reason_to_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when this process may open no more files: the caller stays in the queue."""
    accept, left, waits = tcp._accept, [3], list[float]()

    def refuse(listener: socket.socket) -> tuple[socket.socket, Address] | None:
        left[0] -= 1
        return accept(listener) if left[0] < 0 else None

    class Counting(Bell):
        def wait(self, seconds: float) -> None:
            waits.append(seconds)

    monkeypatch.setattr(tcp, "_accept", refuse)
    listener = TcpListener(Address(LOOPBACK, 0))
    with closing(Counting()) as bell, closing(listener):
        with socket.create_connection((LOOPBACK, listener.listen())):
            carrier = listener.open(bell)
        assert carrier is not None
        carrier.close()
    assert len(waits) == 3
    assert min(waits) > 0.01


def test_where_there_is_only_one_protocol_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    make = socket.socket

    def without_ipv6(family: int = -1, *more: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return make(family, *more)

    def both(address: Address, _kind: int, **_: bool) -> list[tuple[int, SocketAddress]]:
        return [
            (socket.AF_INET6, ("::1", address.port)),
            (socket.AF_INET, (LOOPBACK, address.port)),
        ]

    monkeypatch.setattr(socket, "socket", without_ipv6)
    monkeypatch.setattr(tcp, "resolve", both)
    listener = TcpListener(Address("", 0))
    with a_bell() as bell, closing(listener):
        carrier = TcpConnector(Address("name", listener.listen())).open(bell)
        assert carrier is not None
        carrier.close()


def test_where_there_is_none_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "resolve", lambda *_, **__: [(socket.AF_INET, ("192.0.2.1", 0))])
    with pytest.raises(CarrierGoneError, match="this computer has no such address"):
        TcpListener(Address("", 0)).listen()
