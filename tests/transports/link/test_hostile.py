"""A peer with the right keys that lies: it is bounded, noted once, and harms itself alone."""

import random
from collections.abc import Callable

from tests.sim.link import Side, World, datagrams, radio, serial
from tests.sim.wire import Ills
from transports.link import encode, events, frame_cbor
from transports.link.frame import Ack, Kind, LinkKeys
from transports.link.framing import framing_named
from transports.link.offers import Lack

HUGE = 1 << 60


class Liar:
    """Writes frames of `sides[0]`'s session that its link never would."""

    def __init__(self, world: World) -> None:
        world.run(5)
        self.world = world
        self.victim = world.sides[1]
        conversation = world.sides[0].link._conversation
        assert conversation is not None
        self.keys: LinkKeys = conversation.session.keys
        self.take_number: Callable[[], int] = conversation.sending.take_number

    def say(self, body: bytes) -> None:
        self.world.write(0, framing_named("cobs").frame(body))

    def control(self, kind: Kind, value: object) -> None:
        body = frame_cbor.encode(value)
        self.say(encode.encode_control(self.keys.sending, kind, self.take_number(), body))

    def data(self, handle: int, offset: int, data: bytes) -> None:
        number = self.take_number()
        self.say(encode.encode_data(self.keys.sending, number, handle, offset, data))


def offer(handle: int, size: int, bundle_id: bytes = b"bundleid") -> list[object]:
    return [handle, 0, 3, 1000, b"hint", bundle_id, size, 1024]


def still_works(world: World, victim: Side) -> bool:
    data = random.Random(1).randbytes(5_000)
    victim.offer(data)
    return world.run(100, lambda: data in world.sides[0].got.values())


def test_who_acknowledges_what_was_never_sent_is_told_once_and_barred() -> None:
    world = serial()
    liar = Liar(world)
    for _ in range(20):
        liar.say(encode.encode_ack(liar.keys.sending, Ack(((0, 30_000),), 0)))
    world.run(10)
    (note,) = liar.victim.notes()
    assert "never sent" in note
    assert len(liar.victim.said(events.Ended)) == 1
    assert len(liar.victim.said(events.Established)) == 1
    world.run(90)
    assert len(liar.victim.said(events.Established)) == 2
    assert still_works(world, liar.victim)


def test_what_is_too_large_is_dropped_and_noted_once() -> None:
    world = serial()
    liar = Liar(world)
    for size in (HUGE, (1 << 24) + 1, 0):
        liar.control(Kind.OFFER, [offer(1, size)])
    world.run(2)
    assert len(liar.victim.notes()) == 1
    assert not liar.victim.said(events.Offered)
    assert still_works(world, liar.victim)


def test_a_flood_of_offers_keeps_to_the_handles() -> None:
    world = serial()
    liar = Liar(world)
    for number in range(2_000):
        name = number.to_bytes(8, "big")
        liar.control(Kind.OFFER, [offer(number % 128, 5_000, name)])
    for handle in (128, 1000, HUGE):
        liar.control(Kind.OFFER, [offer(handle, 100)])
    world.run(5)
    incoming = liar.victim.link._books.incoming
    assert len(incoming._by_wire) == len(incoming._by_handle) == 128
    assert len(incoming._untold) <= 128
    assert len(liar.victim.notes()) == 1
    assert still_works(world, liar.victim)


def test_data_that_nobody_asked_for_goes_nowhere() -> None:
    world = serial()
    liar = Liar(world)
    for _ in range(100):
        liar.data(7, 0, bytes(1000))
    world.run(2)
    (note,) = liar.victim.notes()
    assert "not offered" in note
    liar.control(Kind.OFFER, [offer(7, 3_000)])
    liar.victim.ask = lambda handle, ware: liar.victim.link.ask(handle, None)  # type: ignore[method-assign]
    for at in (0, 2_900, 1 << 20):
        liar.data(7, at, bytes(1000))
    world.run(2)
    assert liar.victim.arrivals == []
    assert still_works(world, liar.victim)


def test_data_beyond_the_size_is_dropped() -> None:
    world = serial()
    liar = Liar(world)
    liar.control(Kind.OFFER, [offer(7, 3_000)])
    world.run(1)
    for at in (2_001, 2_999, 3_000, (1 << 24) - 500):
        liar.data(7, at, bytes(1000))
    world.run(2)
    assert liar.victim.arrivals == []
    liar.data(7, 2_000, bytes(1000))
    world.run(1)
    assert [size for _, size in liar.victim.arrivals] == [1000]
    assert liar.victim.link.stats.to_come == 2_000


def test_nobody_gets_what_was_not_offered_or_beyond_its_end() -> None:
    world = serial()
    liar = Liar(world)
    data = bytes(range(256)) * 400
    world.sides[0].ask = lambda handle, ware: None  # type: ignore[method-assign]
    liar.victim.offer(data)
    world.run(1)
    for handle in (5, 127):
        liar.control(Kind.LACK, [[handle, 0, [0, 100]]])
    world.run(1)
    for end in (len(data) + 1, 1 << 24):
        liar.control(Kind.LACK, [[0, 1, [0, end]]])
    liar.control(Kind.LACK, [[0, 1, [0, HUGE]]])
    world.run(5)
    assert len(liar.victim.notes()) == 2
    assert liar.victim.link.stats.is_established


def test_a_late_answer_to_an_older_offer_does_not_count() -> None:
    world = serial()
    liar = Liar(world)
    data = random.Random(1).randbytes(100_000)
    liar.victim.offer(data)
    world.run(3)
    (offering,) = liar.victim.link._books.outgoing._handles.by_wire.values()
    assert offering.numbers is not None
    handle, number = offering.wire_handle or 0, offering.numbers[0]
    for older in (number - 1, number - 1000):
        liar.say(
            encode.encode_control(
                liar.keys.sending,
                Kind.LACK,
                liar.take_number(),
                frame_cbor.array([Lack(handle, older % 65536, ()).to_bytes()]),
            )
        )
    world.run(2)
    assert liar.victim.delivered == []
    assert world.run(20, lambda: bool(liar.victim.delivered))
    assert list(world.sides[0].got.values()) == [data]


def test_who_comes_and_goes_is_met_once_a_second() -> None:
    world = serial(baud=1_000_000)
    fickle, victim = world.sides
    while world.now_us < 10_000_000:
        world.run(0.0025)
        fickle.link._handshake._answers = type(fickle.link._handshake._answers)()
        if fickle.link.stats.is_established:
            fickle.link.leave()
            world._pump()
            fickle.link.opened(world.now_us)
    # Either side's hello may be the one that counts: of each kind there is one a second.
    assert 5 <= len(victim.said(events.Established)) <= 22


def test_only_a_hello_that_gets_an_answer_says_where_it_goes() -> None:
    world = datagrams(Ills())
    world.written = []
    world.run(5)
    opening = next(data for _, index, data in world.written if index == 0)
    assert opening[0] == Kind.HELLO
    victim = world.sides[1].link
    world.sides[0].link.opened(world.now_us)
    world.run(5)
    heard, greeted = victim._handshake.heard, victim.greeted_count
    for _ in range(100):
        victim.receive(world.now_us, opening)
    assert victim._handshake.heard - heard == 100
    assert victim.greeted_count - greeted == 1


def test_nobody_is_sent_the_same_for_ever() -> None:
    world = serial()
    liar = Liar(world)
    data = random.Random(1).randbytes(5_000)
    world.sides[0].ask = lambda handle, ware: None  # type: ignore[method-assign]
    liar.victim.offer(data)
    for _ in range(100):
        world.run(1)
        offered = liar.victim.link._books.outgoing._handles.by_wire
        if not offered:
            break
        (offering,) = offered.values()
        assert offering.numbers is not None
        low = offering.numbers[0] % 65536
        liar.control(Kind.LACK, [[offering.wire_handle, low, [0, len(data)]]])
    assert liar.victim.link.stats.counts.payload_out <= 10 * len(data)
    refused = [one for _, one in liar.victim.said(events.Refused)]
    assert refused == [events.Refused(key) for key in liar.victim.files]
    assert any("again and again" in note for note in liar.victim.notes())
    assert liar.victim.link.stats.is_established


def test_noise_without_end_keeps_no_radio_silent() -> None:
    world = radio()
    one, other = world.sides
    data = random.Random(1).randbytes(3_000)
    one.offer(data)
    noise = random.Random(2)

    def is_through() -> bool:
        for side in world.sides:
            side.link.receive(world.now_us, noise.randbytes(3))
        return data in other.got.values()

    for _ in range(4_000):
        if world.run(0.05, is_through):
            break
    assert is_through()


def test_a_stranger_gets_silence() -> None:
    world = serial()
    one, other = world.sides
    stranger = Side(b"stranger", other.name, one.settings)
    world.sides = (stranger, other)
    world.written = []
    world.run(100)
    assert not other.link.stats.is_established
    (note,) = other.notes()
    assert "not expected" in note
    hello = [data for _, index, data in world.written if index == 1]
    assert len(hello) < 10  # those that it sends to whom it expects, and no more for being asked
