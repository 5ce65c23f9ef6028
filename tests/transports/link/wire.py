"""Two sides of a handshake and the channel between them, in simulated time.

The channel loses, repeats and reorders as it is told. With a session each side sends a ping a
second, as a link does that has something to say; a ping with a right MAC confirms.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from tests.transports.link.doubles import DoubleIdentity, entropy
from transports.link.encode import encode_short
from transports.link.errors import ForgedFrameError
from transports.link.frame import HelloPart, Kind
from transports.link.handshake import Greeting, Handshake
from transports.link.read import is_of_session, kind_of, read, read_open
from transports.link.session import Session

SECOND_US = 1_000_000


class Side:
    """One handshake, its pings, and what came of it."""

    def __init__(self, identity: DoubleIdentity, *, frame_bytes: int = 222, flags: int = 0) -> None:
        greeting = Greeting(frame_bytes=frame_bytes, flags=flags)
        self.handshake = Handshake(identity, entropy(identity), greeting)
        self.sessions: list[Session] = []
        self.hellos_sent = 0
        self._pings = count()
        self._ping_us = 0

    def start(self, now_us: int) -> None:
        self.handshake.start(now_us)

    def due_us(self) -> int | None:
        times = [self.handshake.due_us(), self._ping_us if self.handshake.session else None]
        return min((time for time in times if time is not None), default=None)

    def send(self, now_us: int) -> list[bytes]:
        frames = []
        while (frame := self.handshake.send(now_us)) is not None:
            frames.append(frame)
        self.hellos_sent += len(frames)
        if self.handshake.session and self._ping_us <= now_us:
            self._ping_us = now_us + SECOND_US
            key = self.handshake.session.keys.sending
            frames.append(encode_short(key, Kind.PING, next(self._pings)))
        return frames

    def receive(self, now_us: int, frame: bytes) -> None:
        if not is_of_session(kind_of(frame)):
            part = read_open(frame)
            assert isinstance(part, HelloPart)
            session = self.handshake.take(now_us, part)
            if session:
                assert session is self.handshake.session
                self.sessions.append(session)
                self._pings = count()
                self._ping_us = now_us
        elif self.handshake.session:
            try:
                read(frame, self.handshake.session.keys.receiving, 0, 0)
            except ForgedFrameError:
                return
            self.handshake.confirm()


Fate = Callable[[], list[int]]
"""What becomes of a frame: the delays, in us, after which it arrives; none: it is lost."""


def lossless(delay_us: int = 50_000) -> Fate:
    return lambda: [delay_us]


def lossy(seed: object, loss: float) -> Fate:
    """Return a channel that loses so much, repeats a tenth, and delays by up to 3 s."""
    draw = entropy(("channel", seed))

    def fate() -> list[int]:
        a, b, c, d = draw(4)
        arrivals = [] if a < 256 * loss else [b * 12_000]
        return [*arrivals, d * 12_000] if arrivals and c < 26 else arrivals

    return fate


@dataclass
class Wire:
    """The channel between side 0 and side 1, and the clock."""

    sides: tuple[Side, Side]
    fate: Fate = field(default_factory=lossless)
    now_us: int = 0
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    _arrivals: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)

    def start(self) -> None:
        for side in self.sides:
            side.start(self.now_us)

    def inject(self, to: int, frame: bytes, delay_us: int = 0) -> None:
        heappush(self._arrivals, (self.now_us + delay_us, next(self._order), to, frame))

    def run(self, seconds: float) -> None:
        end_us = self.now_us + int(seconds * SECOND_US)
        while self.now_us <= end_us:
            self._send()
            times = [side.due_us() for side in self.sides]
            if self._arrivals:
                times.append(self._arrivals[0][0])
            next_us = min((time for time in times if time is not None), default=end_us + 1)
            if next_us > end_us:
                break
            self.now_us = max(self.now_us, next_us)
            self._arrive()
        self.now_us = end_us

    def run_until(self, is_reached: Callable[[], bool], seconds: float) -> bool:
        """Run, at most for so long, until *is_reached*; return whether it was."""
        end_us = self.now_us + int(seconds * SECOND_US)
        while not is_reached() and self.now_us < end_us:
            self.run(0.1)
        return is_reached()

    def is_joined(self) -> bool:
        """Return whether both sides have the same session and know it."""
        one, two = (side.handshake for side in self.sides)
        return bool(
            one.session
            and two.session
            and one.session.keys.sending == two.session.keys.receiving
            and one.is_confirmed
            and two.is_confirmed
        )

    def _send(self) -> None:
        for index, side in enumerate(self.sides):
            for frame in side.send(self.now_us):
                self.sent.append((1 - index, frame))
                for delay_us in self.fate():
                    self.inject(1 - index, frame, delay_us)

    def _arrive(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self.now_us:
            _, _, to, frame = heappop(self._arrivals)
            self.sides[to].receive(self.now_us, frame)
