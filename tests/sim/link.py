"""Two links and what is between them, in virtual time; nothing here waits or reads a clock."""

import hashlib
import hmac
import random
from collections.abc import Callable, Sequence

from tests.sim.wire import SECOND_US, Air, DatagramWay, Ills, RadioWay, SerialWay, Way
from transports.link import events
from transports.link.airtime import Limit
from transports.link.machine import Link
from transports.link.ranges import Ranges
from transports.link.settings import LinkSettings
from transports.link.wares import FRAGMENTS, Ware


class Double:
    """An identity without real keys: what it seals has the size of what HPKE seals."""

    def __init__(self, node_id: bytes, peer: bytes | None) -> None:
        self.node_id = node_id
        self.peer = peer

    def is_expected(self, peer: bytes) -> bool:
        return self.peer is None or peer == self.peer

    def seal(self, peer: bytes, hello: bytes) -> bytes:
        return bytes(40) + peer + hello

    def open(self, sealed: bytes) -> bytes | None:
        return sealed[48:] if sealed[40:48] == self.node_id else None

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.node_id, message, "sha512")

    def verify(self, peer: bytes, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(peer, message, "sha512"), signature)


def ware(data: bytes, priority: int = 3) -> Ware:
    digest = hashlib.sha256(data).digest()
    return Ware(
        key=digest,
        kind=FRAGMENTS,
        priority=priority,
        expiry_days=1000,
        hint=b"hint",
        bundle_id=digest[8:16],
        size=len(data),
        payload_id=0,
        digest=digest[:8],
    )


def small(data: bytes, priority: int = 3) -> Ware:
    digest = hashlib.sha256(data).digest()
    return Ware(
        key=digest,
        kind=0,
        priority=priority,
        expiry_days=1000,
        hint=b"hint",
        bundle_id=digest[8:16],
        size=len(data),
        symbol_bytes=1024,
    )


class Side:
    """A link and a node of few wits: it has files, and wants all that it does not have."""

    def __init__(
        self,
        name: bytes,
        peer: bytes,
        settings: LinkSettings,
        *,
        seed: int = 0,
        limits: Sequence[Limit] = (),
    ) -> None:
        self.rng = random.Random(f"{seed}/{name!r}")
        self.name, self.peer, self.settings, self.limits = name, peer, settings, limits
        self.files: dict[object, bytes] = {}
        self.parts: dict[bytes, tuple[bytearray, Ranges]] = {}
        self.got: dict[bytes, bytes] = {}
        self.wholes: list[bytes] = []
        self.delivered: list[object] = []
        self.log: list[tuple[int, events.Event]] = []
        self.arrivals: list[tuple[int, int]] = []
        self.doubled = 0
        self.now_us = 0
        self.link = self.new_link()
        self.handles: dict[int, Ware] = {}

    def new_link(self) -> Link:
        identity = Double(self.name, self.peer)
        return Link(self.settings, identity, self.rng.randbytes, self.limits)

    def restart(self, now_us: int) -> None:
        """Begin again with nothing in memory but what is on the disk."""
        wares = [ware(data) for key, data in self.files.items() if key not in self.delivered]
        self.link = self.new_link()
        self.link.offer(wares)
        self.link.opened(now_us)

    def offer(self, *datas: bytes, priority: int = 3) -> None:
        wares = [ware(data, priority) for data in datas]
        self.files.update((one.key, data) for one, data in zip(wares, datas, strict=True))
        self.link.offer(wares)

    def offer_wares(self, wares: Sequence[Ware], datas: Sequence[bytes]) -> None:
        self.files.update((one.key, data) for one, data in zip(wares, datas, strict=True))
        self.link.offer(wares)

    def attend(self, now_us: int) -> int | None:
        """Do what is due; return when there is more to do, None if by an event."""
        return None

    def handle(self, now_us: int, event: events.Event) -> None:
        if not isinstance(event, events.Arrived):
            self.log.append((now_us, event))
        if isinstance(event, events.Offered):
            self.handles[event.handle] = event.ware
            self.ask(event.handle, event.ware)
        elif isinstance(event, events.Arrived):
            self.arrived(now_us, event)
        elif isinstance(event, events.Wanted):
            self.link.supply(event.handle, self.files[event.ware.key])
        elif isinstance(event, events.Delivered):
            self.delivered.append(event.key)
        elif isinstance(event, events.WholeArrived):
            self.wholes.append(event.sealed)

    def ask(self, handle: int, ware: Ware) -> None:
        name = ware.bundle_id
        if name in self.got:
            self.link.ask(handle, ())
            return
        _, have = self.parts.setdefault(name, (bytearray(ware.size), Ranges()))
        missing = Ranges([(0, ware.size)])
        for start, end in have:
            missing.remove(start, end)
        self.link.ask(handle, tuple(missing))

    def arrived(self, now_us: int, event: events.Arrived) -> None:
        ware = self.handles[event.handle]
        data, have = self.parts[ware.bundle_id]
        end = event.offset + len(event.data)
        before = have.total
        have.add(event.offset, end)
        self.doubled += len(event.data) - (have.total - before)
        data[event.offset : end] = event.data
        self.arrivals.append((now_us, len(event.data)))
        if have.total == ware.size:
            whole = bytes(data)
            assert hashlib.sha256(whole).digest()[8:16] == ware.bundle_id
            self.got[ware.bundle_id] = whole
            self.link.ask(event.handle, ())

    def notes(self) -> list[str]:
        return [one.text for _, one in self.log if isinstance(one, events.Noted)]

    def said(self, kind: type) -> list[tuple[int, events.Event]]:
        return [pair for pair in self.log if isinstance(pair[1], kind)]


class World:
    """Two sides, a way from each to the other, and the time."""

    def __init__(self, sides: tuple[Side, Side], ways: tuple[Way, Way]) -> None:
        self.sides, self.ways = sides, ways
        self.now_us = 0
        self.is_up = False
        self.cut_every: int | None = None
        self.down_us = SECOND_US
        self.cuts = 0
        self._since_cut = 0
        self._resume_us = 0
        self._idle_count = 0
        self.written: list[tuple[int, int, bytes]] | None = None

    def open(self) -> None:
        self.is_up = True
        self._since_cut = 0
        for side in self.sides:
            side.link.opened(self.now_us)

    def cut(self) -> None:
        self.is_up = False
        self.cuts += 1
        self._resume_us = self.now_us + self.down_us
        for side, way in zip(self.sides, self.ways, strict=True):
            way.cut()
            side.link.closed(self.now_us)
            self._tell(side)

    def _tell(self, side: Side) -> None:
        for event in side.link.events():
            side.handle(self.now_us, event)

    def _pump(self) -> bool:
        """Let both sides write; return whether any did."""
        has_written = False
        for index, (side, way) in enumerate(zip(self.sides, self.ways, strict=True)):
            self._tell(side)
            while (data := side.link.send(self.now_us)) is not None:
                has_written = True
                way.write(self.now_us, data)
                if self.written is not None:
                    self.written.append((self.now_us, index, data))
                self._tell(side)
            self._tell(side)
        return has_written

    def _deliver(self) -> None:
        for index, way in enumerate(self.ways):
            other = self.sides[1 - index]
            for data in way.read(self.now_us):
                self._since_cut += len(data)
                for event in other.link.receive(self.now_us, data):
                    other.handle(self.now_us, event)

    def step(self, end_us: int) -> None:
        if not self.is_up:
            self.now_us = max(self.now_us, self._resume_us)
            self.open()
        dues = [side.attend(self.now_us) for side in self.sides]
        while self._pump():
            dues = [side.attend(self.now_us) for side in self.sides]
        times = [due for due in dues if due is not None]
        times += [time for way in self.ways if (time := way.due()) is not None]
        times += [due for side in self.sides if (due := side.link.due(self.now_us)) is not None]
        assert times, "both sides wait for ever"
        soonest = min(*times, end_us)
        self._idle_count = self._idle_count + 1 if soonest <= self.now_us else 0
        assert self._idle_count < 1000, "a side says that it is due and does nothing"
        self.now_us = max(self.now_us, soonest)
        self._deliver()
        if self.cut_every is not None and self._since_cut >= self.cut_every:
            self.cut()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Go on for at most so many seconds; return whether *until* came true."""
        end_us = self.now_us + int(seconds * SECOND_US)
        while self.now_us < end_us:
            if until():
                return True
            self.step(end_us)
        return until()

    def write(self, sender: int, data: bytes) -> None:
        """Let something come out of the line that no link has written."""
        self.ways[sender].put(self.now_us, data)


A, B = b"node of a"[:8], b"node-is-b"[:8]


def serial(
    baud: int = 115_200, ber: float = 0, latency_us: int = 0, seed: int = 0, **other: object
) -> World:

    settings = LinkSettings(rate=baud // 10, adapts_frames=True, **other)  # type: ignore[arg-type]
    sides = (Side(A, B, settings, seed=seed), Side(B, A, settings, seed=seed))
    ways = tuple(SerialWay(baud, ber, latency_us, f"{seed}/{name}") for name in "ab")
    return World(sides, (ways[0], ways[1]))


def datagrams(ills: Ills, back: Ills | None = None, seed: int = 0, **other: object) -> World:
    settings = LinkSettings(framing="datagram", frame_bytes=1400, is_ordered=False, **other)  # type: ignore[arg-type]
    sides = (Side(A, B, settings, seed=seed), Side(B, A, settings, seed=seed))
    ways = (DatagramWay(ills, f"{seed}/a"), DatagramWay(back or ills, f"{seed}/b"))
    return World(sides, ways)


def radio(rate: int = 1_000, seed: int = 0, **other: object) -> World:
    """Two radios on one channel: what they send at the same time is destroyed."""
    settings = LinkSettings(
        framing="kiss",
        frame_bytes=255,
        rate=rate,
        half_duplex=True,
        **other,  # type: ignore[arg-type]
    )
    sides = (Side(A, B, settings, seed=seed), Side(B, A, settings, seed=seed))
    air = Air(rate)
    return World(sides, (RadioWay(air), RadioWay(air)))
