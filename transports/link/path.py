"""What is known of the line to the other side, whatever sessions come and go. Pure."""

from transports.link.encode import DATA_OVERHEAD_BYTES
from transports.link.frame_size import FrameSize
from transports.link.pace import Line, Rate
from transports.link.round_trip import RoundTrip
from transports.link.settings import SECOND_US, LinkSettings
from transports.link.stats import Counts

FRAMING_BYTES = 2
"""What framing adds to a frame, nearly always."""
_SHORTEST_BYTES = 32
_FRAMES, _LONG_FRAMES, _LONG_BYTES = 4, 2, 512
_LEAST_FRAMES, _LEAST_BYTES = 3, 2048
_QUICK_US, _SLOW_US, _SLOWEST_US = 5_000, 100_000, 500_000
# As long as no round trip was measured, and the rate is not known either.
_FIRST_FRAMES = 4
# What the window has besides the bytes of two round trips; more where whole windows get lost.
_SPARE_FRAMES, _SPARE_DATAGRAMS = 2, 8


class Path:
    """Rate, best length of frames, and what was counted.

    Attributes:
        settings: What was told of it.
        takes_turns: Whether one of the two sides hears nothing while it sends.
        rate: How fast to send.
        line: What was handed to it.
        frame_size: The best length of frames.
        counts: Totals.
    """

    def __init__(self, settings: LinkSettings) -> None:
        """Know nothing but *settings*."""
        self.settings = settings
        self.takes_turns = settings.half_duplex
        self.rate = Rate(settings.rate, settings.frame_bytes, is_ordered=settings.is_ordered)
        self.line = Line(self.rate, settings.lead_us)
        self.frame_size = FrameSize(
            min(_SHORTEST_BYTES, settings.frame_bytes),
            settings.frame_bytes + FRAMING_BYTES,
            DATA_OVERHEAD_BYTES + FRAMING_BYTES,
        )
        self.counts = Counts()

    @property
    def room(self) -> int:
        """How long a frame should be, without framing."""
        settings = self.settings
        return (
            self.frame_size.best - FRAMING_BYTES if settings.adapts_frames else settings.frame_bytes
        )

    @property
    def is_line(self) -> bool:
        """Whether what is sent comes in order, at a rate that is known, whoever sends besides."""
        settings = self.settings
        return settings.is_ordered and settings.rate is not None and not self.takes_turns

    def wait_us(self, trip: RoundTrip) -> int:
        """Return how long an acknowledgement may wait for more to acknowledge."""
        if self.takes_turns:
            return 0
        usual_us = min(max(trip.srtt_us // 2, _QUICK_US), _SLOW_US)
        if self.settings.rate is None:
            return usual_us
        size = _FRAMES * self.room
        if self.is_line:
            size = min(size, max(_LONG_FRAMES * self.room, self.room + _LONG_BYTES))
        frames_us = size * SECOND_US // self.settings.rate
        return max(usual_us, min(frames_us, _SLOWEST_US))

    def window(self, trip: RoundTrip) -> int:
        """Return how many bytes may be under way."""
        settings = self.settings
        if settings.rate is None and not trip.is_measured:
            return _FIRST_FRAMES * settings.frame_bytes
        round_us = trip.srtt_us + self.wait_us(trip)
        frames = _SPARE_FRAMES if settings.is_ordered else _SPARE_DATAGRAMS
        rate = self.rate.bytes_per_second
        if self.is_line:
            # One frame more goes beyond it: the line is busy, and if the other side dies little
            # is sent for nothing.
            round_us += trip.rttvar_us + settings.lead_us
            return max(rate * round_us // SECOND_US, _LEAST_FRAMES * self.room, _LEAST_BYTES)
        return rate * round_us * 2 // SECOND_US + frames * settings.frame_bytes

    def came(self, size: int) -> None:
        """A packet of *size* bytes came."""
        if self.settings.adapts_frames:
            self.frame_size.came(size)

    def lost(self, size: int) -> None:
        """A packet of *size* bytes was lost."""
        self.counts.lost += 1
        if self.settings.adapts_frames:
            self.frame_size.lost(size)

    def cut(self, now_us: int, size: int) -> None:
        """The line was cut with *size* bytes under way."""
        self.line.cut(now_us)
        self.broke(size)

    def broke(self, size: int) -> None:
        """A session broke off with *size* bytes under way."""
        if size and self.settings.adapts_frames:
            self.frame_size.lost(size, is_cut=True)
