from collections import deque

import pytest

from tests.sim.link import ware
from transports.link import events
from transports.link.offering import Offering
from transports.link.supply import Supply

MIB = 1 << 20


def wanted(handle: int, size: int, priority: int = 3) -> Offering:
    offering = Offering(handle, handle, ware(bytes([handle]) * size, priority))
    offering.want([(0, size)])
    return offering


def asked(said: deque[events.Event]) -> list[int]:
    handles = [event.handle for event in said if isinstance(event, events.Wanted)]
    said.clear()
    return handles


def test_four_large_ones_are_in_memory_and_the_others_wait() -> None:
    supply = Supply(deque())
    offerings = [wanted(handle, 2 * MIB) for handle in range(6)]
    for one in offerings:
        supply.update(one)
    assert asked(supply.events) == [0, 1, 2, 3]
    supply.supply(0, bytes(2 * MIB))
    offerings[0].acked(0, 2 * MIB)
    supply.update(offerings[0])
    assert offerings[0].data is None
    assert asked(supply.events) == [4]
    assert supply.to_send == 5 * 2 * MIB


def test_many_small_ones_fit() -> None:
    supply = Supply(deque())
    for handle in range(100):
        supply.update(wanted(handle, 1000))
    assert len(asked(supply.events)) == 100


def test_the_more_urgent_and_the_smaller_take_the_place_of_the_last() -> None:
    supply = Supply(deque())
    large = [wanted(handle, 2 * MIB + handle) for handle in range(4)]
    for one in large:
        supply.update(one)
        supply.supply(one.handle, bytes(2 * MIB + one.handle))
    asked(supply.events)
    supply.update(wanted(9, 3 * MIB, priority=0))
    assert asked(supply.events) == [9]
    assert large[3].data is None
    supply.update(wanted(8, 5000))
    assert asked(supply.events) == [8]
    assert large[2].data is None
    supply.update(wanted(7, 3 * MIB))
    assert asked(supply.events) == []


def test_the_most_urgent_goes_first_and_then_what_is_done_soonest() -> None:
    supply = Supply(deque())
    sizes = {1: (300, 3), 2: (100, 3), 3: (500, 1), 4: (200, 3)}
    for handle, (size, priority) in sizes.items():
        supply.update(wanted(handle, size, priority))
        supply.supply(handle, bytes(size))
    order = []
    while (one := supply.next()) is not None:
        order.append(one.handle)
        one.take(1000)
    assert order == [3, 2, 4, 1]


def test_bytes_of_another_number_than_offered_are_refused() -> None:
    supply = Supply(deque())
    supply.update(wanted(1, 100))
    with pytest.raises(ValueError, match="99 bytes"):
        supply.supply(1, bytes(99))
    supply.supply(2, bytes(99))  # of something that is not wanted any more
    assert supply.next() is None
