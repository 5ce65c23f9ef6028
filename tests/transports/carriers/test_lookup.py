import socket
from collections.abc import Iterator

import pytest

from tests.transports.carriers.ends import LOOPBACK
from tests.transports.carriers.names import NAME, Clock, NameServer, a_name_server
from transports.carriers.address import Address
from transports.carriers.carrier import CarrierGoneError
from transports.carriers.lookup import AGAIN_SECONDS, Lookup

OLD, NEW = Address(LOOPBACK, 1), Address(LOOPBACK, 2)


@pytest.fixture
def server() -> Iterator[NameServer]:
    with a_name_server(OLD) as server:
        yield server


def a_lookup(clock: Clock) -> Lookup:
    return Lookup(Address(NAME, 9), clock)


def test_asks_again_once_the_answer_is_old_and_keeps_nobody_waiting(server: NameServer) -> None:
    clock = Clock()
    lookup = a_lookup(clock)
    assert lookup.found == [(socket.AF_INET, OLD)]
    server.places = (NEW,)
    clock.now += AGAIN_SECONDS - 1
    assert lookup.later() is None
    assert server.count == 1
    for count in (2, 3):
        clock.now += AGAIN_SECONDS
        with server.answering_after():
            assert lookup.later() is None
            assert lookup.later() is None
        assert lookup.later() == [(socket.AF_INET, NEW)]
        assert lookup.later() is None
        assert server.count == count


def test_nobody_is_asked_about_who_is_there(server: NameServer) -> None:
    clock = Clock()
    lookup = a_lookup(clock)
    for _ in range(3):
        clock.now += AGAIN_SECONDS - 1
        lookup.confirm()
        with server.answering_after():
            assert lookup.later() is None
    assert server.count == 1


def test_an_answer_that_comes_too_late_counts_for_nothing(server: NameServer) -> None:
    clock = Clock()
    lookup = a_lookup(clock)
    clock.now += AGAIN_SECONDS
    with server.answering_after():
        lookup.later()
        lookup.confirm()
    assert server.count == 2
    assert lookup.later() is None


def test_a_name_that_is_not_known_for_a_while_ends_nothing(server: NameServer) -> None:
    clock = Clock()
    lookup = a_lookup(clock)
    server.places = ()
    with pytest.raises(CarrierGoneError, match=NAME):
        a_lookup(clock)
    for places in ((), (), (NEW,)):
        server.places = places
        clock.now += AGAIN_SECONDS
        with server.answering_after():
            assert lookup.later() is None
        assert bool(lookup.later()) == bool(places)
