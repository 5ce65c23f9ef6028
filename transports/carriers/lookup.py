"""What a host name means, for as long as somebody sends there: addresses change under their names.

Asking a name server can take a minute where none answers, so it is asked in a thread beside.
"""

import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from transports.carriers.address import Address, SocketAddress, resolve
from transports.carriers.carrier import CarrierGoneError

AGAIN_SECONDS = 300.0
"""So long what was found, or confirmed, is good. A session is never silent for longer, while the
other side is there."""

THREAD_NAME = "looking up a name"

Found = list[tuple[int, SocketAddress]]
"""Families and socket addresses, the best first."""


class Lookup:
    """Looks up where datagrams for a name go, now and again later.

    Attributes:
        found: What the name meant at first.
    """

    def __init__(self, address: Address, seconds: Callable[[], float] = time.monotonic) -> None:
        """Look it up, waiting for the answer.

        Args:
            address: The name, or an address, and a port.
            seconds: A clock that never steps.

        Raises:
            CarrierGoneError: the name is not known now.
        """
        self._address, self._seconds = address, seconds
        self.found: Found = resolve(address, socket.SOCK_DGRAM)
        self._asked = seconds()
        self._answers: deque[Found] = deque()

    def confirm(self) -> None:
        """Learn that the other side is known to be where we send: nobody need be asked for now."""
        self._asked = self._seconds()
        # An answer that is under way comes too late, and goes where nobody looks.
        self._answers = deque()

    def later(self) -> Found | None:
        """Return what the name means if that was just learnt anew; never waits.

        Call it again and again: it asks once the last answer is old. While no name server answers,
        what was known stays.
        """
        if self._seconds() - self._asked >= AGAIN_SECONDS:
            self._asked = self._seconds()
            asking = Thread(target=self._ask, args=(self._answers,), name=THREAD_NAME, daemon=True)
            asking.start()
        return self._answers.popleft() if self._answers else None

    def _ask(self, answers: deque[Found]) -> None:
        with suppress(CarrierGoneError):
            answers.append(resolve(self._address, socket.SOCK_DGRAM))
