"""Nodes that meet by wire or by radio, in virtual time, through the machines that a link has."""

from collections.abc import Callable, Sequence

from pannier.links.carousel import Carousel, Terms
from pannier.links.listening import Listener
from tests.pannier.links.wire import Wire
from tests.proving.network_life import Life
from transports.link.oneway import OneWayListener, OneWaySender
from transports.link.settings import LinkSettings

_FRAME_BYTES = (222, 1000)
_HEARERS = 4
_MOST_FRAMES = 400
_MOST_IMPORTS = 200
_LOSSES = (0.0, 0.1, 0.4)
_FRAME_US = 50_000


class _Line(Wire):
    """A wire by which nothing is said again and again."""

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; see `Wire.run`."""

        def checked() -> bool:
            most = max(len(end.reports) for end in self.ends)
            assert most < _MOST_IMPORTS, "two nodes say the same again and again"
            return until()

        return super().run(seconds, checked)


def link(life: Life, home: str, what: int) -> None:
    """Two nodes are joined by a wire until they have nothing left to say."""
    other = partner(life, home, what)
    if other is not None:
        meet(life, home, other)


def hang_up(life: Life, home: str, what: int) -> None:
    """Two nodes are joined by a bad wire, which is pulled in the midst of it, and again."""
    other = partner(life, home, what)
    if other is None:
        return
    wire = _Line(life.world, home, other, rate=20_000)
    wire.spoil = lambda data: _spoilt(life, data)
    wire.open()
    for _ in range(1 + what % 3):
        wire.run(1 + what % 7 / 2)
        wire.cut()
    wire.run(2)
    _end(life, wire, home, other)
    life.seen["hung up"] += 1


def meet(life: Life, home: str, other: str) -> None:
    """Join two nodes by a wire until they have nothing left to say."""
    wire = _Line(life.world, home, other)
    wire.open()
    wire.settle()
    _end(life, wire, home, other)
    life.seen["linked"] += 1


def partner(life: Life, home: str, what: int) -> str | None:
    """Return a node that *home* knows, and can reach now."""
    known = [
        peer.name
        for peer in life.world[home].peers.values()
        if peer.name in life.plan.names and not (life.parted and _parity(life, home, peer.name))
    ]
    return known[what % len(known)] if known else None


def _parity(life: Life, home: str, other: str) -> int:
    names = life.plan.names
    return (names.index(life.node_of(home)) + names.index(other)) % 2


def _spoilt(life: Life, data: bytes) -> bytes:
    if life.draw.random() > 0.05:
        return data
    damaged = bytearray(data)
    damaged[life.draw.randrange(len(data))] ^= 1 << life.draw.randrange(8)
    return bytes(damaged)


def _end(life: Life, wire: Wire, home: str, other: str) -> None:
    wire.close()
    life.world.clock.now_us += wire.now_us
    for end in wire.ends:
        for report in end.reports:
            life.count(report.outcomes.values())
            life.seen["by wire"] += len(report.outcomes)
    for one in (home, other):
        life.note_meeting(one)
    life.look(home, other)


# -- by radio -------------------------------------------------------------------------------------


def broadcast(life: Life, home: str, what: int) -> None:
    """A node says what some lack so that all may hear it; everybody hears something else of it."""
    node = life.world[home]
    peers = [peer for peer in node.peers.values() if peer.name in life.plan.names][:_HEARERS]
    if not peers:
        return
    size = _FRAME_BYTES[what % 2]
    carousel = Carousel(node, peers, Terms(frame_bytes=size, rounds=1 + what % 2), medium="air")
    try:
        said = _said(carousel, size)
    finally:
        carousel.close()
    life.note_meeting(home)
    life.look(home)
    loss = _LOSSES[what % len(_LOSSES)]
    for hearer in (*(peer.name for peer in peers), *life.plan.mules):
        _hear(life, hearer, [data for data in said if life.draw.random() >= loss], size)
    life.seen["broadcasts"] += 1
    life.seen["frames"] += len(said)


def _said(carousel: Carousel, frame_bytes: int) -> list[bytes]:
    """Return what goes over the air, until there is nothing left or for a while."""
    sender = OneWaySender(_settings(frame_bytes), carousel.supply)
    sender.opened(0)
    found: list[bytes] = []
    while len(found) < _MOST_FRAMES and (data := sender.send(len(found) * _FRAME_US)) is not None:
        found.append(data)
    return found


def _hear(life: Life, hearer: str, said: Sequence[bytes], frame_bytes: int) -> None:
    machine, listener = OneWayListener(_settings(frame_bytes)), Listener(life.world[hearer])
    machine.opened(0)
    for number, data in enumerate(said):
        for frame in machine.receive(number * _FRAME_US, _spoilt(life, data)):
            listener.take(frame, number * _FRAME_US)
    listener.flush()
    life.count(listener.report.outcomes.values())
    life.seen["by air"] += len(listener.report.outcomes)
    if hearer in life.plan.names:
        life.note_meeting(hearer)
        life.look(hearer)


def _settings(frame_bytes: int) -> LinkSettings:
    return LinkSettings(framing="cobs", frame_bytes=frame_bytes)


MEETINGS = {"link": link, "hang-up": hang_up, "broadcast": broadcast}
"""By the name by which a deed is typed."""
