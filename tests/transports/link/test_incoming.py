from collections import deque

import pytest

from tests.sim.link import ware
from transports.link import events
from transports.link.frame import Data
from transports.link.incoming import Incoming, LackLoad
from transports.link.offers import Lack, read_lacks

ROOM = 1_000


def offered(size: int = 1_000, number: int = 5, wire_handle: int = 1) -> Incoming:
    incoming = Incoming(deque())
    incoming.take_offers(number, [ware(bytes(size)).offer(wire_handle)])
    return incoming


def said(incoming: Incoming, room: int = ROOM) -> tuple[tuple[Lack, ...], LackLoad]:
    body, load = incoming.answers(0, room)
    return read_lacks(body), load


def test_an_answer_names_the_offer() -> None:
    incoming = offered(number=70_000)
    assert not incoming.has_answers
    incoming.ask(1, [(0, 10), (20, 30)])
    assert said(incoming)[0] == (Lack(1, 70_000 % 65_536, ((0, 10), (20, 30))),)
    assert not incoming.has_answers


def test_a_lost_answer_is_said_as_it_would_be_now() -> None:
    incoming = offered()
    incoming.ask(1, [(0, 1000)])
    _, load = said(incoming)
    assert incoming.take_data(0, Data(6, 1, 0, bytes(400))) == 400
    load.lost()
    assert said(incoming)[0][0].ranges == ((400, 1000),)
    incoming.ask(1, ())
    newest = said(incoming)[1]
    load.lost()
    assert not incoming.has_answers
    newest.lost()
    assert said(incoming)[0][0].ranges == ()


def test_an_answer_to_what_was_taken_back_is_none() -> None:
    incoming = offered()
    incoming.ask(1, [(0, 1000)])
    _, load = said(incoming)
    incoming.withdraw(9, [1])
    load.lost()
    incoming.ask(1, ())
    assert not incoming.has_answers
    assert events.Withdrawn(1) in incoming.events


def test_what_overtook_its_successor_is_left_alone() -> None:
    incoming = offered(number=5)
    other = ware(b"other" * 10)
    incoming.take_offers(9, [other.offer(1)])
    incoming.withdraw(8, [1])
    incoming.take_offers(7, [ware(bytes(1_000)).offer(1)])
    incoming.ask(2, [(0, 50)])
    assert said(incoming)[0] == (Lack(1, 9, ((0, 50),)),)
    # Bytes of what had the handle before, from before the new offer.
    assert incoming.take_data(0, Data(8, 1, 0, bytes(10))) == 0
    assert incoming.take_data(0, Data(10, 1, 0, bytes(10))) == 10


def test_the_same_offer_again_changes_nothing() -> None:
    incoming = offered(number=5)
    incoming.take_offers(9, [ware(bytes(1_000)).offer(1)])
    assert len(incoming.events) == 1
    incoming.ask(1, [(0, 1000)])
    assert incoming.take_data(0, Data(7, 1, 0, bytes(10))) == 10


def test_an_offer_that_is_made_again_is_answered_again() -> None:
    """The other side may have forgotten that it offered it, and waits."""
    incoming = offered(number=5)
    for number, ranges in enumerate((((0, 1000),), (), None), start=9):
        incoming.ask(1, ranges)
        said(incoming)
        incoming.take_offers(number, [ware(bytes(1_000)).offer(1)])
        assert said(incoming)[0] == (Lack(1, number, ranges),)
        incoming.take_offers(number, [ware(bytes(1_000)).offer(1)])
        assert not incoming.has_answers


def test_only_what_was_asked_for_is_taken() -> None:
    incoming = offered()
    incoming.events.clear()
    assert incoming.take_data(0, Data(6, 1, 0, bytes(10))) == 0
    incoming.ask(1, [(100, 200)])
    assert incoming.take_data(0, Data(7, 1, 0, bytes(100))) == 0
    assert incoming.take_data(0, Data(8, 1, 150, bytes(100))) == 50
    assert incoming.take_data(0, Data(9, 1, 150, bytes(100))) == 0
    assert list(incoming.events) == [events.Arrived(1, 150, bytes(100))]
    assert incoming.to_come == 50


def test_many_ranges_are_asked_for_in_parts() -> None:
    incoming = offered(size=10_000)
    wanted = [(at, at + 10) for at in range(0, 10_000, 100)]
    incoming.ask(1, wanted)
    number, asked = 6, set[tuple[int, int]]()
    while incoming.to_come:
        if incoming.has_answers:
            lacks, _ = said(incoming)
            assert len(lacks[0].ranges or ()) <= 32
            asked |= set(lacks[0].ranges or ())
        start, end = min(one for one in asked if incoming._by_wire[1].missing.has(one[0]))  # type: ignore[union-attr]
        assert incoming.take_data(0, Data(number, 1, start, bytes(end - start))) == 10
        number += 1
    assert asked == set(wanted)


def test_answers_keep_to_the_room() -> None:
    incoming = Incoming(deque())
    for handle in range(100):
        incoming.take_offers(handle, [ware(bytes([handle]) * 900).offer(handle)])
        incoming.ask(handle + 1, [(at, at + 1) for at in range(0, 900, 30)])
    count = 0
    while incoming.has_answers:
        body, _ = incoming.answers(0, 120)
        assert len(body) <= 120
        count += len(read_lacks(body))
    assert count == 100


def test_what_does_not_come_is_asked_for_again_ever_more_rarely() -> None:
    incoming = offered()
    assert incoming.due_us is None
    incoming.ask(1, [(0, 1000)])
    said(incoming)
    times = []
    for second in range(4000):
        incoming.check(second * 1_000_000)
        if incoming.has_answers:
            times.append(second)
            incoming.answers(second * 1_000_000, ROOM)
    assert times[:4] == [10, 30, 70, 150]
    assert times[-1] - times[-2] == 600


def test_ranges_are_within_the_size() -> None:
    incoming = offered()
    for wrong in ((0, 1001), (-1, 5), (7, 7)):
        with pytest.raises(ValueError, match="no range"):
            incoming.ask(1, [wrong])


def test_who_sends_every_other_byte_is_not_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transports.link.incoming.MOST_RANGES", 100)
    incoming = Incoming(deque())
    wares = [ware(bytes([each]) * 1_000) for each in range(4)]
    incoming.take_offers(5, [one.offer(each) for each, one in enumerate(wares)])
    for handle in range(1, 5):
        incoming.ask(handle, [(0, 1_000)])
    taken = [incoming.take_data(0, Data(6, each % 4, 2 * each + 1, b"x")) for each in range(400)]
    assert sum(len(one.missing or ()) for one in incoming._by_wire.values()) <= 100
    assert sum(taken) == len([one for one in incoming.events if isinstance(one, events.Arrived)])
    # What is in order comes all the same, and makes room for more.
    for wire_handle in range(4):
        for at in range(0, 1_000, 100):
            incoming.take_data(0, Data(7, wire_handle, at, bytes(100)))
    assert incoming.to_come == 0


def test_what_was_taken_back_is_not_offered_by_what_comes_late() -> None:
    """Nobody would answer who asks for it."""
    incoming = Incoming(deque())
    incoming.withdraw(8, [1])
    incoming.take_offers(7, [ware(bytes(1_000)).offer(1), ware(bytes(900)).offer(2)])
    assert [one.ware.size for one in incoming.events if isinstance(one, events.Offered)] == [900]
    incoming.take_offers(9, [ware(bytes(1_000)).offer(1)])
    incoming.ask(2, [(0, 1_000)])
    assert incoming.to_come == 1_000
    # The same, offered twice, of which the first saying comes last.
    incoming.withdraw(12, [1])
    incoming.take_offers(10, [ware(bytes(1_000)).offer(1)])
    assert incoming.to_come == 0
    incoming.end()
    incoming.take_offers(3, [ware(bytes(1_000)).offer(1)])
    assert incoming.is_known(1)
