"""Links over TCP: who connects, and who listens for any number of peers.

Little is kept in the socket's buffer, so that what is urgent overtakes.
"""

import errno
import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

from transports.carriers.address import Address, SocketAddress, reason, resolve
from transports.carriers.backoff import LONGEST_SECONDS
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier, CarrierGoneError
from transports.carriers.connection import Connection
from transports.carriers.tls import Tls
from transports.carriers.waiting import wait_for

CONNECT_SECONDS = 30.0
# Linux doubles it for its own bookkeeping, and refuses less than about 4.6 kB.
SEND_BUFFER_BYTES = 16_384
_PAUSE_SECONDS = 0.1
_NOT_HERE = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)  # as IPv6 is not on many computers
# A peer that lost power is noticed by the link's own timers; these clear what they left behind.
_KEEPALIVE = (("TCP_KEEPIDLE", 300), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5))


class TcpCarrier(Connection):
    """One connection in clear."""

    def agree(self, bell: Bell) -> bool:
        """See `Carrier`: there is nothing to agree on."""
        return True


class TcpConnector:
    """Connects to an address, each time anew."""

    longest_wait_seconds = LONGEST_SECONDS

    def __init__(self, address: Address, tls: Callable[[], Tls] | None = None) -> None:
        """Prepare to connect; inside encrypted connections, as *tls* says at each."""
        self.name = f"tcp {address}"
        self._address, self._tls = address, tls

    def open(self, bell: Bell) -> Carrier | None:
        """See `Opener`: tries each address that the name has."""
        problem = CarrierGoneError(f"{self.name}: has no address")
        for family, where in resolve(self._address, socket.SOCK_STREAM):
            try:
                carrier = self._connected(family, where, bell)
            except OSError as error:
                problem = CarrierGoneError(f"{self.name}: {reason(error)}")
                continue
            if carrier is not None:
                return carrier
            if bell.is_stopped:
                return None
        raise problem

    def close(self) -> None:
        """See `Opener`."""

    def _connected(self, family: int, where: SocketAddress, bell: Bell) -> Carrier | None:
        sock = socket.socket(family, socket.SOCK_STREAM)
        with ExitStack() as undo:
            undo.callback(sock.close)
            if not _connect(sock, where, bell):
                return None
            carrier = _carrier(sock, self.name, self._tls, is_server=False)
            undo.pop_all()
        return carrier


class TcpListener:
    """Accepts connections at an address: each is a carrier of its own."""

    longest_wait_seconds = LONGEST_SECONDS

    def __init__(self, address: Address, tls: Callable[[], Tls] | None = None) -> None:
        """Prepare to listen.

        Args:
            address: Where; port 0 takes a free one.
            tls: Says, at each connection, whom to accept inside TLS; None: connections in clear.
        """
        self.name = f"tcp listening at {address}"
        self._address, self._tls = address, tls
        self._sockets: list[socket.socket] = []

    def listen(self) -> int:
        """Begin to listen; return the port. Does nothing more when it listens already.

        Raises:
            CarrierGoneError: somebody else listens there, or the address is not ours now.
        """
        if not self._sockets:
            self._listen_everywhere()
        port: int = self._sockets[0].getsockname()[1]
        return port

    def _listen_everywhere(self) -> None:
        """Listen at each address of the name that this computer has, and one at least."""
        lacking: OSError | None = None
        for family, where in resolve(self._address, socket.SOCK_STREAM, passive=True):
            try:
                self._sockets.append(_listening(family, where))
            except OSError as error:
                lacking = error
                if error.errno not in _NOT_HERE:
                    self.close()
                    break
        if not self._sockets and lacking is not None:
            raise CarrierGoneError(f"{self.name}: {reason(lacking)}") from lacking

    def open(self, bell: Bell) -> Carrier | None:
        """See `Opener`: waits for the next connection."""
        self.listen()
        while not bell.is_stopped:
            waiting = wait_for(None, reading=[bell, *self._sockets])
            bell.hush()
            for one in self._sockets:
                accepted = _accept(one) if one.fileno() in waiting else None
                if accepted is not None and (carrier := self._carrier(*accepted)) is not None:
                    return carrier
            if any(one.fileno() in waiting for one in self._sockets):
                bell.wait(_PAUSE_SECONDS)  # it went away again, or this process is full
        return None

    def close(self) -> None:
        """See `Opener`."""
        while self._sockets:
            self._sockets.pop().close()

    def _carrier(self, sock: socket.socket, caller: Address) -> Carrier | None:
        """Return what came of a connection; None if it is gone again."""
        try:
            return _carrier(sock, f"tcp {caller}", self._tls, is_server=True)
        except OSError:
            sock.close()
            return None


def _carrier(
    sock: socket.socket, name: str, tls: Callable[[], Tls] | None, *, is_server: bool
) -> Carrier:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return TcpCarrier(sock, name) if tls is None else tls().wrap(sock, name, is_server=is_server)


def _connect(sock: socket.socket, where: SocketAddress, bell: Bell) -> bool:
    """Connect; return False if *bell* stops it.

    Raises:
        OSError: nobody is there, or does not answer.
    """
    sock.setblocking(False)
    end = time.monotonic() + CONNECT_SECONDS
    status = sock.connect_ex(where)
    while status in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        done = wait_for(left, reading=[bell], writing=[sock])
        if bell.is_stopped:
            return False
        bell.hush()
        if sock.fileno() in done:
            status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if status:
        raise OSError(status, os.strerror(status))
    return True


def _listening(family: int, where: SocketAddress) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: it cannot.
    """
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen()
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _accept(listener: socket.socket) -> tuple[socket.socket, Address] | None:
    """Return the next connection and whose it is; None if it went away meanwhile."""
    try:
        sock, where = listener.accept()
    except OSError:
        return None
    return sock, Address(where[0], where[1])
