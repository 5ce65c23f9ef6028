"""The loop, with a toy in the place of the link: it is the wire and the waiting that are tested."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from tests.transports.carriers.ends import PATIENCE_SECONDS, a_bell, read, tcp_pair
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier, CarrierGoneError
from transports.carriers.drive import Drive


def clock_us() -> int:
    return time.monotonic_ns() // 1000


class Toy:
    """A link that sends what it is told to, and hands on what comes, as it is."""

    def __init__(self) -> None:
        self.vouched_count = 0
        self.greeted_count = 0
        self.told: list[bytes] = []
        self.outgoing: list[bytes] = []
        self.calls: list[str] = []
        self.later: tuple[int, bytes] | None = None
        self.sends = 0

    def opened(self, now_us: int) -> None:
        self.calls.append("opened")

    def closed(self, now_us: int) -> None:
        self.calls.append("closed")

    def receive(self, now_us: int, data: bytes) -> list[bytes]:
        self.vouched_count += data.startswith(b"genuine")
        self.greeted_count += data.startswith(b"hello")
        return [data]

    def events(self) -> list[bytes]:
        told, self.told = self.told, []
        return told

    def leave(self) -> None:
        self.outgoing = [b"bye"]

    def send(self, now_us: int) -> bytes | None:
        self.sends += 1
        if self.later and now_us >= self.later[0]:
            self.outgoing.append(self.later[1])
            self.later = None
        return self.outgoing.pop(0) if self.outgoing else None

    def due(self, now_us: int) -> int | None:
        return self.later and self.later[0]


class Listener:
    """An attendant that keeps what comes, until it has so much."""

    def __init__(self, enough: int = 1 << 60) -> None:
        self.came = b""
        self.enough = enough
        self._grown = Event()
        self.on_attend: Callable[[], None] = lambda: None

    def take(self, event: bytes) -> None:
        self.came += event
        self._grown.set()

    def wait_for(self, count: int) -> None:
        while len(self.came) < count:
            assert self._grown.wait(PATIENCE_SECONDS), f"only {len(self.came)} bytes came"
            self._grown.clear()

    def attend(self, now_us: int) -> int | None:
        self.on_attend()
        return None

    def is_done(self) -> bool:
        return len(self.came) >= self.enough


@contextmanager
def driven(carrier: Carrier, toy: Toy, listener: Listener, bell: Bell) -> Iterator[list[Exception]]:
    """Run the loop in a thread; it must have ended by itself when the block has."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            Drive(carrier, toy, listener, bell, clock_us).run()
        except CarrierGoneError as error:
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    try:
        yield raised
    finally:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def test_carries_more_than_the_system_takes_at_once_both_ways() -> None:
    frames = [os.urandom(7000) for _ in range(60)]
    total = sum(map(len, frames))
    with a_bell() as bell, tcp_pair() as (one, other):
        here, there = Toy(), Toy()
        here.outgoing, there.outgoing = list(frames), list(reversed(frames))
        listeners = Listener(), Listener()
        with (
            a_bell() as second,
            driven(one, here, listeners[0], bell),
            driven(other, there, listeners[1], second),
        ):
            for listener in listeners:
                listener.wait_for(total)
            bell.stop()
            second.stop()
        assert listeners[1].came.removesuffix(b"bye") == b"".join(frames)
        assert listeners[0].came.removesuffix(b"bye") == b"".join(reversed(frames))
        assert here.calls == ["opened", "closed"]


def test_sends_what_is_due_when_it_is_due_and_sleeps_meanwhile() -> None:
    with a_bell() as bell, tcp_pair() as (one, other):
        toy = Toy()
        toy.later = (clock_us() + 300_000, b"later")
        with driven(one, toy, Listener(), bell):
            assert read(other, 5) == b"later"
            bell.stop()
        assert toy.sends < 20


def test_is_woken_by_the_bell_to_act_and_to_end() -> None:
    with a_bell() as bell, tcp_pair() as (one, other):
        toy, listener = Toy(), Listener()
        with driven(one, toy, listener, bell) as raised:
            listener.on_attend = lambda: toy.outgoing.append(b"news") if not toy.sends else None
            toy.sends = 0
            bell.ring()
            assert read(other, 4).startswith(b"news")
            bell.stop()
        assert raised == []
        assert toy.calls == ["opened", "closed"]


def test_a_hang_up_closes_the_link_and_is_raised() -> None:
    with a_bell() as bell, tcp_pair() as (one, other):
        toy = Toy()
        with driven(one, toy, Listener(), bell) as raised:
            other.write(b"last words")
            other.close()
        (error,) = raised
        assert "hung up" in str(error)
        assert toy.calls == ["opened", "closed"]


class Believer:
    """A carrier of datagrams that counts when it was told that one was genuine."""

    name = "toy"

    def __init__(self, sock: socket.socket, backlogs: list[int]) -> None:
        self._socket = sock
        self.backlogs = backlogs
        self.believed: list[bytes] = []
        self.greeted: list[bytes] = []
        self._last = b""
        sock.setblocking(False)

    def agree(self, bell: Bell) -> bool:
        return True

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        try:
            self._last = self._socket.recv(65_536)
        except BlockingIOError:
            return b""
        return self._last

    def write(self, data: bytes) -> int:
        return self._socket.send(data)

    def backlog_us(self) -> int:
        return self.backlogs.pop(0) if self.backlogs else 0

    def believe(self) -> None:
        self.believed.append(self._last)

    def greet(self) -> None:
        self.greeted.append(self._last)

    def close(self) -> None:
        self._socket.close()


def test_only_what_the_link_found_genuine_is_believed() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with a_bell() as bell, ours, theirs:
        frames = (b"noise", b"genuine 1", b"hello", b"genuine 2", b"end")
        for frame in frames:
            theirs.send(frame)
        carrier = Believer(ours, [])
        Drive(carrier, Toy(), Listener(len(b"".join(frames))), bell, clock_us).run()
        assert carrier.believed == [b"genuine 1", b"genuine 2"]
        assert carrier.greeted == [b"hello"]
        assert theirs.recv(100) == b"bye"


def test_nothing_is_asked_for_while_the_system_has_enough_to_send() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with a_bell() as bell, ours, theirs:
        toy, listener = Toy(), Listener()
        toy.outgoing = [b"urgent"]
        carrier = Believer(ours, [10_000_000, 70_000, 0])
        asked: list[int] = []
        listener.on_attend = lambda: asked.append(toy.sends)
        with driven(carrier, toy, listener, bell):
            bell.ring()
            theirs.settimeout(PATIENCE_SECONDS)
            assert theirs.recv(100) == b"urgent"
            bell.stop()
        assert asked[:2] == [0, 0]


class Written:
    def __init__(self) -> None:
        self.passed: list[tuple[str, bytes]] = []

    def sent(self, data: bytes) -> None:
        self.passed.append(("sent", data))

    def received(self, data: bytes) -> None:
        self.passed.append(("received", data))


def test_a_tap_hears_what_passes() -> None:
    with a_bell() as bell, tcp_pair() as (one, other):
        toy, tap = Toy(), Written()
        toy.outgoing = [b"question"]
        other.write(b"answer")
        Drive(one, toy, Listener(6), bell, clock_us, tap).run()
        assert tap.passed[:2] == [("sent", b"question"), ("received", b"answer")]


def test_what_the_attendant_raises_closes_the_link() -> None:
    with a_bell() as bell, tcp_pair() as (one, _):
        toy, listener = Toy(), Listener()

        def fail() -> None:
            raise RuntimeError("a disk")

        listener.on_attend = fail
        with pytest.raises(RuntimeError):
            Drive(one, toy, listener, bell, clock_us).run()
        assert toy.calls == ["opened", "closed"]
