"""Two ends of real wires, for the tests of carriers."""

import select
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Thread

from transports.carriers.address import Address
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier
from transports.carriers.tcp import TcpConnector, TcpListener
from transports.carriers.tls import Tls

LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 30


@contextmanager
def a_bell() -> Iterator[Bell]:
    with closing(Bell()) as bell:
        yield bell


def giving(tls: Tls | None) -> Callable[[], Tls] | None:
    """Return what says the same at each connection."""
    return None if tls is None else lambda: tls


@contextmanager
def tcp_pair(
    client: Tls | None = None, server: Tls | None = None, host: str = LOOPBACK
) -> Iterator[tuple[Carrier, Carrier]]:
    """Yield who connected and whom it reached; nothing is agreed yet."""
    with a_bell() as bell, closing(TcpListener(Address(host, 0), giving(server))) as listener:
        connector = TcpConnector(Address(host, listener.listen()), giving(client))
        one = connector.open(bell)
        other = listener.open(bell)
        assert one is not None
        assert other is not None
        with closing(one), closing(other):
            yield one, other


def agree(one: Carrier, other: Carrier) -> None:
    """Let both agree at once; raises what the first one does."""
    with a_bell() as bell:
        thread = Thread(target=other.agree, args=(bell,))
        thread.start()
        try:
            assert one.agree(bell)
        finally:
            thread.join(PATIENCE_SECONDS)


def read(carrier: Carrier, count: int = 1) -> bytes:
    """Return at least so many bytes, or one datagram."""
    data = b""
    while len(data) < count:
        more = carrier.read()
        if not more:
            ready, _, _ = select.select([carrier], [], [], PATIENCE_SECONDS)
            assert ready, f"only {len(data)} bytes came"
        data += more
    return data
