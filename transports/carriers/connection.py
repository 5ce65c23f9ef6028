"""What connections have in common, encrypted or not: bytes of a stream, in order, until it ends."""

import socket
from typing import ClassVar

from transports.carriers.address import reason
from transports.carriers.carrier import CarrierGoneError

_READ_BYTES = 65_536


class Connection:
    """A carrier over a connected socket; see `Carrier`."""

    not_now: ClassVar[tuple[type[OSError], ...]] = (BlockingIOError, InterruptedError)
    """What the socket raises when there is nothing to read, or no room to write."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        """Take over a connected socket that does not block."""
        self.name = name
        self._socket = sock

    def fileno(self) -> int:
        """See `Carrier`."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """See `Carrier`."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except self.not_now:
            return b""
        except OSError as error:
            raise CarrierGoneError(f"{self.name}: {reason(error)}") from error
        if not data:
            raise CarrierGoneError(f"{self.name}: the other side hung up")
        return data

    def write(self, data: bytes) -> int:
        """See `Carrier`."""
        try:
            return self._socket.send(data)
        except self.not_now:
            return 0
        except OSError as error:
            raise CarrierGoneError(f"{self.name}: {reason(error)}") from error

    def backlog_us(self) -> int:
        """See `Carrier`: TCP slows its writers down itself."""
        return 0

    def believe(self) -> None:
        """See `Carrier`: a connection has one other end."""

    def greet(self) -> None:
        """See `Carrier`: a connection has one other end."""

    def close(self) -> None:
        """See `Carrier`."""
        self._socket.close()
