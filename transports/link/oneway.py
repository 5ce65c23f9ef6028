"""Links without a way back: frames that anybody may hear, and nobody answers (docs/link.md 7).

Two machines, one for each end. Neither knows what is in a frame: the one asks for the next when the
line and the limits have room for it, the other hands on what came whole.
"""

from collections.abc import Callable, Iterable, Sequence

from transports.link.airtime import SECOND_US, Limit, RateLimit
from transports.link.encode import encode_one_way
from transports.link.errors import LinkError
from transports.link.frame import OneWay
from transports.link.framing import framing_named
from transports.link.read import read_open
from transports.link.settings import LinkSettings

Supply = Callable[[int], OneWay | None]
"""From now, in microseconds, to the next frame; None if there is nothing to send."""


class _NoWayBack:
    """What machines that are heard and not answered, or answer nobody, have in common."""

    greeted_count = vouched_count = 0
    """Nobody says hello, and nobody has to be believed."""

    def closed(self, now_us: int) -> None:
        """Note that the wire is gone."""

    def leave(self) -> None:
        """There is nobody to say goodbye to."""

    def events(self) -> Iterable[OneWay]:
        """Return nothing: all there is to tell was told at once."""
        return ()


class OneWaySender(_NoWayBack):
    """Sends what it is supplied with, as fast as the line and the limits allow, for ever.

    Attributes:
        frames: How many were sent.
        bytes_out: How many bytes that was, with framing.
    """

    def __init__(
        self, settings: LinkSettings, supply: Supply, limits: Sequence[Limit] = ()
    ) -> None:
        """Ask *supply* for a frame whenever there is room for one; none is lost when asked for."""
        self._framing = framing_named(settings.framing, settings.frame_bytes)
        self._supply = supply
        self._limits = list(limits)
        if settings.rate is not None:
            ahead = settings.rate * settings.lead_us // SECOND_US
            self._limits.append(RateLimit(settings.rate, max(ahead, 1)))
        self._next = b""
        self._before = b""
        self.frames = self.bytes_out = 0

    def opened(self, now_us: int) -> None:
        """Note that the wire is there."""
        self._before = self._framing.opening

    def receive(self, now_us: int, data: bytes) -> tuple[()]:
        """Drop what comes."""
        return ()

    def send(self, now_us: int) -> bytes | None:
        """Return the next bytes to write; None if there are none, or no room for them yet."""
        if not self._next:
            frame = self._supply(now_us)
            if frame is None:
                return None
            self._next = self._framing.frame(encode_one_way(frame.label, frame.body))
        data = self._before + self._next
        if self._ready_us(now_us) > now_us:
            return None
        for limit in self._limits:
            limit.spend(now_us, len(data))
        self._next = self._before = b""
        self.frames += 1
        self.bytes_out += len(data)
        return data

    def due(self, now_us: int) -> int | None:
        """Return when there is room for the next frame; None if there is none to be sent."""
        return self._ready_us(now_us) if self._next else None

    def _ready_us(self, now_us: int) -> int:
        size = len(self._before) + len(self._next)
        return max((limit.ready_us(now_us, size) for limit in self._limits), default=now_us)


class OneWayListener(_NoWayBack):
    """Takes frames out of what is heard, from whomever.

    Attributes:
        frames: How many came whole.
        dropped: How many were damaged, or no frames of this kind.
    """

    def __init__(self, settings: LinkSettings) -> None:
        """Listen to a line as *settings* say."""
        self._settings = settings
        self._deframer = framing_named(settings.framing, settings.frame_bytes).deframer()
        self.frames = self.dropped = 0

    def opened(self, now_us: int) -> None:
        """Note that the wire is there: what was begun is over."""
        settings = self._settings
        self._deframer = framing_named(settings.framing, settings.frame_bytes).deframer()

    def receive(self, now_us: int, data: bytes) -> Iterable[OneWay]:
        """Return the frames that end in *data*: bytes of a pipe, or one datagram."""
        found: list[OneWay] = []
        for body in self._deframer.feed(data):
            try:
                frame = read_open(body)
            except LinkError:
                self.dropped += 1
                continue
            if isinstance(frame, OneWay):
                found.append(frame)
        self.frames += len(found)
        return found

    def send(self, now_us: int) -> None:
        """Send nothing, ever."""

    def due(self, now_us: int) -> None:
        """Wait for nothing but bytes."""
