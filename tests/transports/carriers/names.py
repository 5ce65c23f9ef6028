"""Names of computers that mean what a test says, and the time that passes meanwhile."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from tests.transports.carriers.ends import PATIENCE_SECONDS
from transports.carriers.address import Address
from transports.carriers.lookup import THREAD_NAME

NAME = "home.example"

_getaddrinfo = socket.getaddrinfo


class NameServer:
    """Answers for `NAME`; every other name is the system's.

    Attributes:
        places: Where it is now; none: nobody knows it.
        count: How often that was asked for.
    """

    def __init__(self, *places: Address) -> None:
        self.places = places
        self.count = 0
        self._is_awake = threading.Event()
        self._is_awake.set()

    def answer(
        self,
        host: str | None,
        port: int,
        type: int,  # noqa: A002 -- as the system calls it
        flags: int,
    ) -> list[object]:
        if host != NAME:
            return [*_getaddrinfo(host, port, type=type, flags=flags)]
        self.count += 1
        assert self._is_awake.wait(PATIENCE_SECONDS)
        if not self.places:
            raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")
        found = [_getaddrinfo(*place, type=type, flags=flags) for place in self.places]
        return [one for each in found for one in each]

    @contextmanager
    def answering_after(self) -> Iterator[None]:
        """Let those who ask beside wait for the end of the block, and have them all answered."""
        self._is_awake.clear()
        yield
        self._is_awake.set()
        for thread in threading.enumerate():
            if thread.name == THREAD_NAME:
                thread.join(PATIENCE_SECONDS)
                assert not thread.is_alive()


@contextmanager
def a_name_server(*places: Address) -> Iterator[NameServer]:
    server = NameServer(*places)
    with patch.object(socket, "getaddrinfo", server.answer):
        yield server


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
