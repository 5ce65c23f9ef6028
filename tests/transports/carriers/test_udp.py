import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.transports.carriers.ends import LOOPBACK, a_bell, read
from tests.transports.carriers.names import NAME, Clock, NameServer, a_name_server
from transports.carriers.address import Address
from transports.carriers.carrier import Carrier, CarrierGoneError
from transports.carriers.lookup import AGAIN_SECONDS
from transports.carriers.udp import (
    UdpCarrier,
    UdpConnector,
    UdpListener,
    open_oneway_receiver,
    open_oneway_sender,
)


def listening(host: str = LOOPBACK) -> UdpCarrier:
    with a_bell() as bell:
        carrier = UdpListener(Address(host, 0)).open(bell)
    assert carrier is not None
    return carrier


def connected(port: int, host: str = LOOPBACK) -> UdpCarrier:
    with a_bell() as bell:
        carrier = UdpConnector(Address(host, port)).open(bell)
    assert isinstance(carrier, UdpCarrier)
    return carrier


@pytest.mark.parametrize("host", [LOOPBACK, "::1"])
def test_a_frame_is_a_datagram(host: str) -> None:
    with closing(listening(host)) as home, closing(connected(home.port, host)) as farm:
        for frame in (b"one", b"", b"x" * 65_000):
            assert farm.write(frame) == len(frame)
        assert read(home) == b"one"
        assert read(home) == b"x" * 65_000
        assert home.read() == b""


def test_who_listens_answers_only_who_was_vouched_for() -> None:
    with closing(listening()) as home, closing(connected(home.port)) as stranger:
        stranger.write(b"garbage")
        read(home)
        home.write(b"lost")
        with closing(connected(home.port)) as farm:
            farm.write(b"hello")
            read(home)
            home.believe()
            stranger.write(b"garbage")
            read(home)
            home.write(b"answer")
            assert read(farm) == b"answer"
        with closing(connected(home.port)) as moved:
            moved.write(b"genuine")
            read(home)
            home.believe()
            home.write(b"follows")
            assert read(moved) == b"follows"
        assert stranger.read() == b""


def test_a_hello_is_answered_where_it_came_from_and_diverts_nothing() -> None:
    hello, data = b"\x10\x00hello", b"\x80data"
    with closing(listening()) as home, closing(connected(home.port)) as farm:
        farm.write(data)
        read(home)
        home.believe()
        with closing(connected(home.port)) as replayer:
            replayer.write(hello)
            read(home)
            home.greet()
            home.write(data)
            home.write(hello)
            assert read(farm) == data
            assert read(farm) == read(replayer) == hello
            for _ in range(20):
                home.write(hello)
            copies = [replayer.read() for _ in range(20)]
            assert len([one for one in copies if one]) == 15
            assert len([one for one in (farm.read() for _ in range(21)) if one]) == 20


def open_calling(place: Address, clock: Clock) -> Carrier:
    with a_bell() as bell:
        carrier = UdpConnector(place, clock).open(bell)
    assert carrier is not None
    return carrier


def open_one_way(place: Address, clock: Clock) -> Carrier:
    return open_oneway_sender(place, seconds=clock)


Open = Callable[[Address, Clock], Carrier]
either_way = pytest.mark.parametrize("open_named", [open_calling, open_one_way])


def send_after_silence(carrier: Carrier, clock: Clock, server: NameServer, data: bytes) -> None:
    """Send once the name is old, and again once it was looked up."""
    clock.now += AGAIN_SECONDS
    with server.answering_after():
        carrier.write(b"early")
    carrier.write(data)


@either_way
def test_who_hears_nothing_follows_the_name(open_named: Open) -> None:
    clock = Clock()
    with closing(listening()) as old, closing(listening()) as new:
        there, moved = Address(LOOPBACK, old.port), Address(LOOPBACK, new.port)
        with (
            a_name_server(there) as server,
            closing(open_named(Address(NAME, old.port), clock)) as farm,
        ):
            farm.write(b"first")
            assert read(old) == b"first"
            server.places = (moved,)
            send_after_silence(farm, clock, server, b"follows")
            assert read(old) == b"early"
            assert read(new) == b"follows"
            server.places = (there, moved)
            send_after_silence(farm, clock, server, b"stays")
            assert [read(new), read(new)] == [b"early", b"stays"]
            assert old.read() == b""


def test_who_is_answered_stays() -> None:
    clock = Clock()
    with closing(listening()) as old, closing(listening()) as new:
        there, moved = Address(LOOPBACK, old.port), Address(LOOPBACK, new.port)
        with (
            a_name_server(there) as server,
            closing(open_calling(Address(NAME, old.port), clock)) as farm,
        ):
            farm.write(b"hello")
            read(old)
            old.believe()
            server.places = (moved,)
            for _ in range(3):
                clock.now += AGAIN_SECONDS - 1
                old.write(b"genuine")
                assert read(farm) == b"genuine"
                farm.believe()
                farm.write(b"answer")
                assert read(old) == b"answer"
        assert server.count == 1
        assert new.read() == b""


@either_way
def test_an_address_of_another_kind_takes_another_socket(open_named: Open) -> None:
    clock = Clock()
    with (
        a_name_server(Address(LOOPBACK, 9)) as server,
        closing(open_named(Address(NAME, 9), clock)) as farm,
    ):
        server.places = (Address("::1", 9),)
        with pytest.raises(CarrierGoneError, match="of another kind now"):
            send_after_silence(farm, clock, server, b"lost")


def test_nobody_there_is_as_if_lost_on_the_way() -> None:
    with closing(listening()) as gone:
        port = gone.port
    with closing(connected(port)) as farm:
        for _ in range(3):
            assert farm.write(b"x") == 1
            assert farm.read() == b""


def test_too_long_a_datagram_is_lost_and_nothing_else() -> None:
    with closing(listening()) as home, closing(connected(home.port)) as farm:
        assert farm.write(bytes(70_000)) == 70_000
        farm.write(b"next")
        assert read(home) == b"next"


def test_two_cannot_listen_at_one_place() -> None:
    with closing(listening()) as home, a_bell() as bell:
        with pytest.raises(CarrierGoneError, match="another program has that port"):
            UdpListener(Address(LOOPBACK, home.port)).open(bell)
        with pytest.raises(CarrierGoneError, match="another program has that port"):
            open_oneway_receiver(Address(LOOPBACK, home.port))


def test_one_way_to_one() -> None:
    with (
        closing(open_oneway_receiver(Address(LOOPBACK, 0))) as receiver,
        closing(open_oneway_sender(Address(LOOPBACK, receiver.port))) as sender,
    ):
        sender.write(b"symbol")
        assert read(receiver) == b"symbol"


def test_one_way_to_all() -> None:
    with (
        closing(open_oneway_receiver(Address("", 0))) as receiver,
        closing(open_oneway_sender(Address("127.255.255.255", receiver.port))) as sender,
    ):
        sender.write(b"symbol")
        assert read(receiver) == b"symbol"


def test_one_way_what_cannot_be_sent_is_told() -> None:
    """Nobody asks for it again."""
    told = pytest.raises(CarrierGoneError, match=f"udp {LOOPBACK}:9: .*too long")
    with closing(open_oneway_sender(Address(LOOPBACK, 9))) as sender, told:
        sender.write(bytes(70_000))


@pytest.mark.parametrize("host", [LOOPBACK, "::1"])
def test_who_listens_anywhere_is_reached_by_either_protocol(host: str) -> None:
    with closing(listening("")) as home, closing(connected(home.port, host)) as farm:
        farm.write(b"hello")
        assert read(home) == b"hello"
        home.believe()
        home.write(b"answer")
        assert read(farm) == b"answer"


def has_multicast() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("239.255.77.7", 9))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not has_multicast(), reason="this computer has no way for multicast")
def test_one_way_to_many() -> None:
    group = "239.255.77.7"
    with closing(open_oneway_receiver(Address(group, 0))) as first:
        place = Address(group, first.port)
        with (
            closing(open_oneway_receiver(place)) as second,
            closing(open_oneway_sender(place, ttl=0)) as sender,
        ):
            sender.write(b"symbol")
            assert read(first) == read(second) == b"symbol"
