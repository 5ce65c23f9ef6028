from collections import deque

from tests.sim.link import small, ware
from transports.link import events
from transports.link.offers import FragmentsOffer, Lack, Offer, read_offers, read_withdrawn
from transports.link.outgoing import OfferLoad, Outgoing
from transports.link.wares import Ware, offered

ROOM = 100_000


def begun(*wares: Ware) -> Outgoing:
    outgoing = Outgoing(deque())
    outgoing.replace(wares)
    outgoing.begin(2048)
    return outgoing


def wares(count: int, priority: int = 3) -> list[Ware]:
    return [ware(number.to_bytes(2, "big") * 200, priority) for number in range(count)]


def said(outgoing: Outgoing, number: int) -> tuple[tuple[Offer, ...], OfferLoad]:
    body, load = outgoing.offers(number, ROOM)
    return read_offers(body), load


def settle(outgoing: Outgoing, number: int, offer: Offer, ranges: tuple[()] | None = ()) -> None:
    assert outgoing.take_lack(number, Lack(offer.handle, number, ranges))


def test_what_is_offered_is_what_the_other_side_sees() -> None:
    for one in (ware(b"abc", 2), small(b"d" * 3000)):
        (offer,), _ = said(begun(one), 1)
        seen = offered(offer)
        assert seen.key is None
        assert (seen.label, seen.bundle_id, seen.size) == (one.label, one.bundle_id, one.size)
        assert seen.offer(3) == one.offer(3)


def test_handles_go_to_the_most_urgent() -> None:
    outgoing = begun(*wares(200), *wares(50, priority=1), *wares(10, priority=7))
    # The last ones have the same keys as the first: one of each key counts.
    offers, _ = said(outgoing, 1)
    assert len(offers) == 128
    assert len({offer.handle for offer in offers}) == 128
    urgent = ware(b"urgent", 0)
    outgoing.replace([*wares(200), urgent])
    more, _ = said(outgoing, 2)
    assert urgent.digest in {one.digest for one in more if isinstance(one, FragmentsOffer)}


def test_a_lost_offer_is_said_again_while_it_counts() -> None:
    outgoing = begun(*wares(3))
    offers, load = said(outgoing, 1)
    settle(outgoing, 1, offers[0])
    load.lost()
    again, newer = said(outgoing, 2)
    assert {one.handle for one in again} == {one.handle for one in offers[1:]}
    load.lost()
    assert not outgoing.has_offers
    newer.lost()
    assert outgoing.has_offers


def test_what_was_delivered_or_refused_is_not_offered_again() -> None:
    both = wares(2)
    outgoing = begun(*both)
    offers, _ = said(outgoing, 1)
    settle(outgoing, 1, offers[0])
    settle(outgoing, 1, offers[1], None)
    assert list(outgoing.events) == [events.Delivered(both[0].key), events.Refused(both[1].key)]
    outgoing.replace(both)
    assert not outgoing.has_offers
    # A new session may be with a peer that has more room, and never with one that has less.
    outgoing.end()
    outgoing.replace(both)
    outgoing.begin(2048)
    offers, _ = said(outgoing, 1)
    assert [offered(one).digest for one in offers] == [both[1].digest]


def test_an_answer_that_was_overtaken_does_not_count() -> None:
    outgoing = begun(*wares(1))
    (offer,), _ = said(outgoing, 7)
    assert outgoing.take_lack(5, Lack(offer.handle, 7, ((0, 100),)))
    assert outgoing.take_lack(4, Lack(offer.handle, 7, ()))
    assert outgoing.supply.to_send == 100
    assert outgoing.take_lack(6, Lack(offer.handle, 7, ()))
    assert outgoing.supply.to_send == 0


def test_an_answer_to_any_saying_of_the_offer_counts() -> None:
    outgoing = begun(*wares(1))
    (offer,), load = said(outgoing, 65_530)
    load.lost()
    said(outgoing, 65_540)
    assert outgoing.take_lack(1, Lack(offer.handle, 65_529, ()))
    assert not outgoing.events
    assert outgoing.take_lack(2, Lack(offer.handle, 65_540 % 65_536, ()))
    assert len(outgoing.events) == 1


def test_a_withdrawal_is_said_again_unless_the_handle_has_something_new() -> None:
    outgoing = begun(*wares(128))
    said(outgoing, 1)
    outgoing.replace(wares(127))
    body, load = outgoing.withdrawals()
    (handle,) = read_withdrawn(body)
    load.lost()
    assert read_withdrawn(outgoing.withdrawals()[0]) == (handle,)
    outgoing.replace([*wares(127), ware(b"another")])
    said(outgoing, 2)
    load.lost()
    assert not outgoing.has_withdrawals


def test_without_a_session_everything_waits() -> None:
    outgoing = begun(*wares(5))
    said(outgoing, 1)
    outgoing.end()
    assert not outgoing.has_offers
    outgoing.begin(2048)
    assert len(said(outgoing, 1)[0]) == 5


def test_a_lost_withdrawal_goes_again_before_the_handle_has_something_new() -> None:
    outgoing = begun(*wares(128))
    said(outgoing, 1)
    outgoing.replace(wares(127))
    body, load = outgoing.withdrawals()
    (handle,) = read_withdrawn(body)
    outgoing.replace([*wares(127), ware(b"another")])
    load.lost()
    outgoing.replace(wares(127))
    assert read_withdrawn(outgoing.withdrawals()[0]) == (handle,)


def test_what_was_delivered_does_not_wait_whoever_offers_it_still() -> None:
    both = wares(2)
    outgoing = begun(*both)
    offers, _ = said(outgoing, 1)
    assert (outgoing.waiting, outgoing.waiting_bytes) == (2, 800)
    settle(outgoing, 1, offers[0])
    outgoing.replace(both)
    assert (outgoing.waiting, outgoing.waiting_bytes) == (1, 400)
    settle(outgoing, 1, offers[1], None)
    outgoing.replace(both)
    assert (outgoing.waiting, outgoing.waiting_bytes) == (0, 0)
    outgoing.end()
    assert outgoing.waiting == 0
