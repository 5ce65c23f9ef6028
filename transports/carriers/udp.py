"""Links over UDP: one frame a datagram, between two addresses or from one to many.

Either side learns where its peer is from datagrams that prove to come from it, and follows it when
that changes. A hello may be a replay: its answer goes where it came from, and nothing else. Who
hears nothing from where a name was found looks the name up again.
"""

import errno
import socket
import struct
import time
from collections.abc import Callable

from transports.carriers.address import Address, SocketAddress, reason, resolve
from transports.carriers.backoff import LONGEST_SECONDS
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier, CarrierGoneError
from transports.carriers.lookup import Lookup
from transports.link.frame import MAX_HELLO_PARTS, Kind

LARGEST_BYTES = 65_507
BUFFER_BYTES = 1 << 20
"""Of what arrives while we are busy; the system may grant less."""

_ANY = "::"
_NOT_NOW = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS)


class UdpCarrier:
    """A socket for datagrams; see `Carrier`."""

    def __init__(self, sock: socket.socket, name: str, peer: SocketAddress = None) -> None:
        """Take over a socket.

        Args:
            sock: Bound, or of the family of *peer*.
            name: What people call it.
            peer: Where the other side is; None: whoever vouches for itself first.
        """
        self.name = name
        self._socket = sock
        self._peer = peer
        self._last: SocketAddress = None
        self._greeted: SocketAddress = None
        self._answers_left = 0
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)

    @property
    def port(self) -> int:
        """Where it can be reached."""
        port: int = self._socket.getsockname()[1]
        return port

    def agree(self, bell: Bell) -> bool:
        """See `Carrier`: there is nothing to agree on."""
        return True

    def fileno(self) -> int:
        """See `Carrier`."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """See `Carrier`: one datagram; empty ones are nothing."""
        while True:
            try:
                data, self._last = self._socket.recvfrom(LARGEST_BYTES)
            except (BlockingIOError, InterruptedError):
                return b""
            except ConnectionError:  # one that we sent was refused: nobody listens there now
                continue
            except OSError as error:
                raise CarrierGoneError(f"{self.name}: {reason(error)}") from error
            if data:
                return data

    def write(self, data: bytes) -> int:
        """See `Carrier`: what cannot be sent is lost, as on the way."""
        if self._answers_left and data[0] == Kind.HELLO:
            self._answers_left -= 1
            self._send(data, self._greeted)
            if self._greeted == self._peer:
                return len(data)
        return len(data) if self._peer is None else self._send(data, self._peer)

    def backlog_us(self) -> int:
        """See `Carrier`: the system sends at once, or not at all."""
        return 0

    def believe(self) -> None:
        """See `Carrier`: from now on we send there."""
        self._peer = self._last
        self._answers_left = 0

    def greet(self) -> None:
        """See `Carrier`: one hello, in however many parts, goes there."""
        self._greeted = self._last
        self._answers_left = MAX_HELLO_PARTS

    def close(self) -> None:
        """See `Carrier`."""
        self._socket.close()

    def _send(self, data: bytes, where: SocketAddress) -> int:
        try:
            return self._socket.sendto(data, where)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return len(data)


class _Caller(UdpCarrier):
    """A socket that sends to a name, wherever that is by now."""

    def __init__(self, sock: socket.socket, name: str, lookup: Lookup) -> None:
        """Take over a socket of the family of what *lookup* found."""
        super().__init__(sock, name, lookup.found[0][1])
        self._lookup = lookup

    def write(self, data: bytes) -> int:
        """See `Carrier`."""
        self._follow()
        return super().write(data)

    def believe(self) -> None:
        """See `Carrier`: whoever answers is not looked for."""
        super().believe()
        self._lookup.confirm()

    def _follow(self) -> None:
        """Send elsewhere from now on if the name means something else.

        Raises:
            CarrierGoneError: that takes a socket of another family.
        """
        found = self._lookup.later()
        if found is None:
            return
        family = self._socket.family
        if found[0][0] != family:
            raise CarrierGoneError(f"{self.name}: its address is of another kind now")
        meant = [where for one, where in found if one == family]
        if self._peer not in meant:
            self._peer = meant[0]


class _OneWaySender(_Caller):
    """A socket that only sends: nobody asks again for what the system did not take."""

    def _send(self, data: bytes, where: SocketAddress) -> int:
        try:
            return self._socket.sendto(data, where)
        except OSError as error:
            if error.errno in _NOT_NOW:
                return 0
            raise CarrierGoneError(f"{self.name}: {reason(error)}") from error


class UdpConnector:
    """Sends to an address that is known."""

    longest_wait_seconds = LONGEST_SECONDS

    def __init__(self, address: Address, seconds: Callable[[], float] = time.monotonic) -> None:
        """Prepare to send there; *seconds* is a clock that never steps."""
        self.name = f"udp {address}"
        self._address, self._seconds = address, seconds

    def open(self, bell: Bell) -> Carrier | None:
        """See `Opener`."""
        lookup = Lookup(self._address, self._seconds)
        return _Caller(_socket(lookup.found[0][0], self.name), self.name, lookup)

    def close(self) -> None:
        """See `Opener`."""


class UdpListener:
    """Waits at an address for one peer, from wherever it sends."""

    longest_wait_seconds = LONGEST_SECONDS

    def __init__(self, address: Address) -> None:
        """Prepare to listen; port 0 takes a free one."""
        self.name = f"udp listening at {address}"
        self._address = address

    def open(self, bell: Bell) -> UdpCarrier | None:
        """See `Opener`."""
        family, where = _ours(self._address)
        return UdpCarrier(_bound(family, where, self.name), self.name)

    def close(self) -> None:
        """See `Opener`."""


def open_oneway_sender(
    address: Address, ttl: int = 1, seconds: Callable[[], float] = time.monotonic
) -> UdpCarrier:
    """Return what sends to one computer or, by a multicast address, to many; and hears nothing.

    Args:
        address: Where to.
        ttl: How many routers multicast may pass, plus one.
        seconds: A clock that never steps.

    Raises:
        CarrierGoneError: the address is not known now. `write` raises it, too, for what is not
            sent.
    """
    name = f"udp {address}"
    lookup = Lookup(address, seconds)
    family = lookup.found[0][0]
    sock = _socket(family, name)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    return _OneWaySender(sock, name, lookup)


def open_oneway_receiver(address: Address) -> UdpCarrier:
    """Return what receives at an address of ours, or of a multicast group; it sends nothing.

    Several programs on one computer may receive from the same group.

    Raises:
        CarrierGoneError: the address is not ours now, or in use.
    """
    name = f"udp listening at {address}"
    family, where = _ours(address)
    sock = _bound(family, where, name, is_shared=_is_multicast(family, where))
    try:
        if _is_multicast(family, where):
            _join(sock, family, where)
    except OSError as error:
        sock.close()
        raise CarrierGoneError(f"{name}: {reason(error)}") from error
    return UdpCarrier(sock, name)


def _ours(address: Address) -> tuple[int, SocketAddress]:
    """Return family and address to receive at: where any will do, one socket for IPv6 and IPv4.

    Raises:
        CarrierGoneError: the name is not known now.
    """
    if not address.host and socket.has_dualstack_ipv6():
        return socket.AF_INET6, (_ANY, address.port)
    return resolve(address, socket.SOCK_DGRAM, passive=True)[0]


def _socket(family: int, name: str) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise CarrierGoneError(f"{name}: {reason(error)}") from error


def _bound(
    family: int, where: SocketAddress, name: str, *, is_shared: bool = False
) -> socket.socket:
    sock = _socket(family, name)
    try:
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and where[0] == _ANY:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(where)
    except OSError as error:
        sock.close()
        raise CarrierGoneError(f"{name}: {reason(error)}") from error
    return sock


def _is_multicast(family: int, where: SocketAddress) -> bool:
    packed = socket.inet_pton(family, where[0].partition("%")[0])
    return packed[0] == 0xFF if family == socket.AF_INET6 else packed[0] >> 4 == 0xE


def _join(sock: socket.socket, family: int, where: SocketAddress) -> None:
    if family == socket.AF_INET6:
        group = socket.inet_pton(family, where[0].partition("%")[0])
        request = group + struct.pack("@I", where[3])
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:
        any_interface = bytes(4)
        request = socket.inet_pton(family, where[0]) + any_interface
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
