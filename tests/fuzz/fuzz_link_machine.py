"""What a peer may say in a session of its own, frame after frame: every MAC is right.

An input is frames without their MACs, a byte with the length before each.
"""

import pickle
from collections.abc import Iterator
from functools import cache

from tests.fuzz.harness import Target, vectors
from tests.sim.link import A, B, Side, World, serial, small, ware
from transports.link import events
from transports.link.check import MAC_BYTES, mac
from transports.link.errors import LinkError, MalformedFrameError
from transports.link.frame import MAX_HANDLE, Kind
from transports.link.framing import framing_named
from transports.link.incoming import MOST_RANGES
from transports.link.read import kind_of, split_number

STEP_US = 50_000
MOST_FRAMES = 32
COBS = framing_named("cobs")


@cache
def established() -> bytes:
    """Return a side in a session with a peer that gets all, and has offered nothing yet.

    Pickled: to make it anew of that takes a quarter of the time of a deep copy.
    """
    world: World = serial()
    victim = world.sides[0]
    datas = [bytes([each]) * 5_000 for each in range(2)]
    tiny = b"a small bundle"
    victim.offer_wares([*map(ware, datas), small(tiny)], [*datas, tiny])
    assert world.run(5, lambda: all(side.link.stats.is_established for side in world.sides))
    world.sides = (victim, Side(B, A, victim.settings))  # who says nothing more by itself
    return pickle.dumps(victim)


def answer(side: Side, found: list[events.Event]) -> None:
    for event in found:
        if isinstance(event, events.Offered):
            whole = ((0, event.ware.size),)
            side.link.ask(event.handle, (whole, (), None)[event.handle % 3])
        elif isinstance(event, events.Wanted):
            side.link.supply(event.handle, bytes(event.ware.size))
        elif isinstance(event, events.Arrived):
            assert event.data


def frames_of(data: bytes) -> Iterator[bytes]:
    while data:
        size = data[0] + 1
        yield data[1:size]
        data = data[size:]


def signed(side: Side, frame: bytes) -> bytes:
    """Return *frame* with the MAC that the peer would put under it.

    Raises:
        MalformedFrameError: it needs none, or is too short for one.
    """
    conversation = side.link._conversation
    kind = kind_of(frame)
    if conversation is None or kind not in MAC_BYTES:
        raise MalformedFrameError("no frame of a session")
    following = conversation._received.following
    if kind is Kind.ACK:
        following = conversation.sending.flight.largest_acked + 1
    number, body = split_number(frame + bytes(MAC_BYTES[kind]), kind, following)
    return body + mac(conversation.session.keys.receiving, number, body, MAC_BYTES[kind])


def take(data: bytes) -> None:
    side: Side = pickle.loads(established())  # noqa: S301 -- our own
    now_us, link = 10_000_000, side.link
    before = link.stats.counts.frames_in
    for frame in list(frames_of(data))[:MOST_FRAMES]:
        try:
            body = signed(side, frame)
        except LinkError:
            body = frame
        answer(side, link.receive(now_us, b"\0" + COBS.frame(body)))
        while link.send(now_us) is not None:
            answer(side, link.events())
        answer(side, link.events())
        now_us += STEP_US
        assert_bounded(side)
    if link.stats.counts.frames_in == before:
        raise MalformedFrameError("nothing that a peer may say")


def assert_bounded(side: Side) -> None:
    incoming = side.link._books.incoming
    assert len(incoming._by_wire) == len(incoming._by_handle) <= MAX_HANDLE + 1
    assert len(incoming._untold) <= MAX_HANDLE + 1
    held = [one.missing for one in incoming._by_wire.values() if one.missing is not None]
    assert sum(map(len, held)) <= MOST_RANGES
    assert all(one.total == sum(end - start for start, end in one) for one in held)
    stats = side.link.stats
    assert stats.to_come >= 0
    assert stats.to_send >= 0
    due_us = side.link.due(0)
    assert due_us is None or due_us >= 0


def packed(*frames: bytes) -> bytes:
    return b"".join(bytes((len(frame),)) + frame for frame in frames)


def seeds() -> Iterator[bytes]:
    bodies = [body for body in vectors("link", "body") if len(body) < 200]
    for number, body in enumerate(bodies):
        for kind in (Kind.OFFER, Kind.LACK, Kind.WITHDRAW):
            yield packed(bytes((kind, 0, number)) + body)
    data = bytes((Kind.DATA | 1, 0, 60, 0, 0, 0)) + bytes(100)
    yield packed(
        *(bytes((Kind.OFFER, 0, 20 + each)) + one for each, one in enumerate(bodies)), data
    )
    yield packed(
        data, bytes((Kind.PING, 0, 9)), bytes((Kind.TURN, 0, 10)), bytes((Kind.BYE, 0, 11, 0))
    )
    yield packed(data, bytes((Kind.REST, 0, 60, 0, 7)), bytes((Kind.REST, 0, 9, 0xFF, 0xFF)))
    yield packed(bytes((Kind.ACK, 0, 3, 0, 3)), bytes((Kind.ACK, 0xFF, 0xFF, 0, 0)))
    yield packed(bytes((Kind.WHOLE, 0, 7, 3, 0, 9)) + b"hint" + b"sealed")


TARGET = Target(take, (LinkError,), seeds, longest=96)
