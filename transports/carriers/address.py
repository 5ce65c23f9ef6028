"""Where sockets are: addresses as people write them, and as the system means them."""

import errno
import socket
from typing import Any, NamedTuple

from transports.carriers.carrier import CarrierGoneError

SocketAddress = Any
"""Whatever the system's calls take and give for a family of addresses."""


class Address(NamedTuple):
    """Where a socket is: a host name or address ("" for any) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, any_host: bool = False) -> Address:
    """Return the address that *text* says: HOST:PORT, [IPV6]:PORT, with *any_host* PORT too.

    Raises:
        ValueError: it says none.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, like [fe80::1]:4000")
    if not (host or any_host) or (colon and not text.rpartition(":")[2]):
        raise ValueError(f"{text!r} is no HOST:PORT")
    if not port.isdecimal() or not port.isascii() or not 0 < int(port) < 65_536:
        raise ValueError(f"{text!r}: a port is a number of 1 to 65535")
    return Address(host, int(port))


def resolve(
    address: Address, kind: int, *, passive: bool = False
) -> list[tuple[int, SocketAddress]]:
    """Return the families and socket addresses that *address* means, as the system knows them.

    Raises:
        CarrierGoneError: its name is not known now.
    """
    flags = socket.AI_PASSIVE if passive else 0
    try:
        found = socket.getaddrinfo(address.host or None, address.port, type=kind, flags=flags)
    except (OSError, UnicodeError) as error:
        raise CarrierGoneError(f"{address}: {reason(error)}") from error
    return [(family, where) for family, _, _, _, where in found]


_WORDS = {
    errno.EADDRINUSE: "another program has that port",
    errno.EADDRNOTAVAIL: "this computer has no such address",
    errno.ECONNREFUSED: "nobody listens there",
    errno.ENETUNREACH: "there is no way there from this network",
    socket.EAI_NONAME: "no computer is called so",
}


def reason(error: OSError | UnicodeError) -> str:
    """Return in a few words why the system refused."""
    if isinstance(error, OSError) and error.errno in _WORDS:
        return _WORDS[error.errno]
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
