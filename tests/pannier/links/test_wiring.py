from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.errors import BusyError, UsageError
from pannier.link_config import LinkConfig, SerialLink, TcpLink, UdpLink
from pannier.links.airtime_book import AirtimeBook
from pannier.links.wiring import limits_of, opener_of, peer_of, settings_of
from pannier.node import Node
from tests.cli.computers import Computer, new_pair
from transports.carriers.serial_port import SerialOpener
from transports.carriers.tcp import TcpConnector, TcpListener
from transports.carriers.udp import UdpConnector, UdpListener
from transports.link.airtime import RateLimit


@pytest.fixture
def farm(tmp_path: Path) -> Computer:
    return new_pair(tmp_path)[0]


@pytest.fixture
def node(farm: Computer) -> Iterator[Node]:
    with farm.node() as node:
        yield node


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (SerialLink(peer="home", usb="0403:6001"), SerialOpener),
        (TcpLink(peer="home", address="h:1", tls=True), TcpConnector),
        (TcpLink(listen="1"), TcpListener),
        (UdpLink(peer="home", address="h:1"), UdpConnector),
        (UdpLink(peer="home", listen="1"), UdpListener),
    ],
)
def test_each_kind_is_opened_in_its_way(node: Node, config: LinkConfig, kind: type) -> None:
    assert isinstance(opener_of(node, config, print), kind)


def test_a_line_is_known_and_a_network_is_not(node: Node) -> None:
    line = settings_of(node, SerialLink(baud=9600, xonxoff=True, half_duplex=True, mtu=222))
    assert (line.framing, line.rate, line.frame_bytes) == ("cobs-xonxoff", 960, 222)
    assert (line.is_ordered, line.adapts_frames, line.half_duplex) == (True, True, True)
    assert line.carries
    tcp = settings_of(node, TcpLink(rate=4000))
    assert (tcp.framing, tcp.rate, tcp.is_ordered, tcp.adapts_frames) == ("cobs", None, True, False)
    udp = settings_of(node, UdpLink())
    assert (udp.framing, udp.rate, udp.is_ordered) == ("datagram", None, False)
    assert settings_of(node, UdpLink(rate=500, half_duplex=True)).rate == 500


def test_who_carries_nothing_says_so(farm: Computer) -> None:
    farm.configure("[spool]\ncarry_bytes = 0\n")
    with farm.node() as node:
        assert not settings_of(node, TcpLink()).carries


def test_limits_are_as_said_and_airtime_has_one_user(node: Node) -> None:
    with limits_of(node, TcpLink(), lambda: 0) as none:
        assert none == ()
    radio = UdpLink(address="h:1", rate=1000, duty=2.8)
    with limits_of(node, radio, lambda: 0) as (rate, book):
        assert isinstance(rate, RateLimit)
        assert isinstance(book, AirtimeBook)
        # 2.8 % of an hour are 100.8 s, exactly.
        assert book.ready_us(0, 100_800) == 0
        assert book.ready_us(0, 100_801) > 3_600_000_000
        with pytest.raises(BusyError, match="sending on udp h:1"), limits_of(node, radio, int):
            pass


def test_a_peer_is_known_or_anybody(node: Node) -> None:
    assert peer_of(node, TcpLink(listen="1")) is None
    known = peer_of(node, TcpLink(peer="home", listen="1"))
    assert known is not None
    assert known.name == "home"
    with pytest.raises(UsageError, match="nobody"):
        peer_of(node, TcpLink(peer="nobody", listen="1"))
