"""From what the configuration says of a link to its parts: what opens it, and what it may do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

from pannier.home import Peer
from pannier.link_config import (
    LinkConfig,
    NetworkLink,
    SerialLink,
    TcpLink,
    UdpLink,
    parse_address,
)
from pannier.links.airtime_book import airtime_of
from pannier.links.current_tls import CurrentTls
from pannier.links.offering import is_served
from pannier.node import Node
from transports.carriers.address import Address
from transports.carriers.carrier import Opener
from transports.carriers.serial_port import SerialOpener, SerialSettings
from transports.carriers.tcp import TcpConnector, TcpListener
from transports.carriers.tls import Person, Pinned, Tls
from transports.carriers.udp import UdpConnector, UdpListener
from transports.link.airtime import Air, Limit, RateLimit
from transports.link.framing import DATAGRAM
from transports.link.settings import LinkSettings


def opener_of(node: Node, config: LinkConfig, say: Callable[[str], None]) -> Opener:
    """Return what opens a link.

    Args:
        node: Whose link; stays open as long as this is used.
        config: Its settings.
        say: Is told, each thing once, what goes wrong when peers or certificates change later.

    Raises:
        CarrierUnusableError: what it needs is not installed, or a certificate cannot be used.
        PannierError: a card cannot be read.
        UsageError: nobody is called as its peer is.
    """
    match config:
        case SerialLink():
            return SerialOpener(config.usb or config.path, _serial_settings(config))
        case TcpLink():
            tls = _current_tls(node, config, say) if config.tls else None
            if config.listen:
                return TcpListener(_address(config), tls)
            return TcpConnector(_address(config), tls)
        case UdpLink():
            return (UdpListener if config.listen else UdpConnector)(_address(config))
        case _:
            raise TypeError(f"{config.kind} is no kind of link")


def settings_of(node: Node, config: LinkConfig) -> LinkSettings:
    """Return what the link is told about its line."""
    is_serial, is_udp = isinstance(config, SerialLink), isinstance(config, UdpLink)
    knows_rate = is_serial or config.half_duplex
    framing = DATAGRAM if is_udp else "cobs"
    return LinkSettings(
        framing=config.framing_name if isinstance(config, SerialLink) else framing,
        frame_bytes=config.mtu,
        is_ordered=not is_udp,
        rate=config.bytes_per_second if knows_rate else None,
        half_duplex=config.half_duplex,
        carries=node.config.spool.carry_bytes > 0,
        adapts_frames=is_serial,
    )


@contextmanager
def limits_of(
    node: Node, config: LinkConfig, monotonic_us: Callable[[], int]
) -> Iterator[tuple[Limit, ...]]:
    """Hold what limits a link while the block runs.

    Raises:
        BusyError: another process spends the airtime of this link.
        PannierError: ``node.db`` cannot be read or written.
    """
    rate: tuple[Limit, ...] = (RateLimit(config.rate),) if config.rate else ()
    if not config.duty:
        yield rate
        return
    share = Fraction(str(config.duty)) / 100
    air = Air(share=share, bytes_per_second=config.bytes_per_second)
    with airtime_of(node, f"{config.kind} {config.place}", air, monotonic_us) as book:
        yield (*rate, book)


def peer_of(node: Node, config: LinkConfig) -> Peer | None:
    """Return whom a link is for; None for any peer.

    Raises:
        UsageError: nobody is called so.
    """
    return node.peer_named(config.peer) if config.peer else None


def _serial_settings(config: SerialLink) -> SerialSettings:
    return SerialSettings(
        baud=config.baud,
        parity=config.parity,
        stop_bits=config.stop_bits,
        rtscts=config.rtscts,
        xonxoff=config.xonxoff,
    )


def _address(config: NetworkLink) -> Address:
    is_ours = bool(config.listen)
    return Address(*parse_address(config.listen or config.address, is_ours=is_ours))


def _current_tls(node: Node, config: TcpLink, say: Callable[[str], None]) -> CurrentTls:
    files = [Path(one) for one in (config.certificate, config.own_certificate) if one]
    return CurrentTls(node, partial(_tls, config=config), files, say)


def _tls(node: Node, config: TcpLink) -> Tls:
    peer = peer_of(node, config)
    known = [one for one in node.peers.values() if is_served(node, one, config.kind)]
    return Tls(
        Person(node.card.node_id, node.card.author),
        node.keys.signing.sign,
        [Person(one.node_id, one.card.author) for one in ([peer] if peer else known)],
        Pinned(
            other=Path(config.certificate) if config.certificate else None,
            own=Path(config.own_certificate) if config.own_certificate else None,
        ),
    )
