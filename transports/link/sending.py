"""Own packets of one session: numbers, what is under way, what came, what goes again. Pure.

Specification: docs/link.md sections 5.2 to 5.4.
"""

from transports.link.frame import Ack
from transports.link.loss import InFlight, Load, Sent
from transports.link.path import FRAMING_BYTES, Path
from transports.link.probing import Probing
from transports.link.round_trip import RoundTrip
from transports.link.settings import SECOND_US

# RFC 9002 section 6.2.2. A probe is a few bytes, and nothing goes twice because of it.
_FIRST_US = SECOND_US // 3


class Sending:
    """The next number, and all before it."""

    def __init__(self, path: Path, now_us: int) -> None:
        """Begin with number 0."""
        settings = path.settings
        self.path = path
        self.number = 0
        self.trip = RoundTrip(_FIRST_US)
        self.flight = InFlight(is_ordered=settings.is_ordered or path.takes_turns)
        self.probing = Probing(settings, now_us)

    def take_number(self) -> int:
        """Return the next number."""
        self.number += 1
        return self.number - 1

    def sent(self, now_us: int, frame: bytes, load: Load | None) -> None:
        """Take note of the packet with the last number; it wants an acknowledgement."""
        self.flight.add(Sent(self.number - 1, now_us, len(frame) + FRAMING_BYTES, load))
        self.probing.asked(now_us)

    @property
    def has_window(self) -> bool:
        """Whether more may be under way."""
        return self.flight.size < self.path.window(self.trip) and not self.flight.is_full

    @property
    def timeout_us(self) -> int | None:
        """After what time without an answer to ask; None: none is due."""
        if not self.flight or self.path.takes_turns:
            return None
        return self.trip.timeout_us(self.path.wait_us(self.trip))

    def acked(self, now_us: int, ack: Ack) -> bool:
        """Take an acknowledgement of what was sent; return whether it says anything new."""
        came = self.flight.take(now_us, ack.ranges)
        sample_us: int | None = None
        size = 0
        for sent in came:
            size += sent.size
            self.path.came(sent.size)
            if sent.number == ack.largest:
                sample_us = self.trip.sample(now_us, now_us - sent.at_us, ack.delay_us)
            if sent.load is not None:
                sent.load.acked()
        if came:
            self.probing.answered()
            self.path.rate.acked(now_us, size, sample_us, self.trip)
        self.look(now_us)
        return bool(came)

    def look(self, now_us: int) -> None:
        """Give up what is lost by now."""
        for sent in self.flight.give_up(now_us, self.trip):
            self.path.lost(sent.size)
            if sent.load is not None:
                sent.load.lost()

    def check(self, now_us: int) -> None:
        """See what is due."""
        if self.flight.due_us is not None and now_us >= self.flight.due_us:
            self.look(now_us)
        if not self.probing.is_early(now_us):
            self.probing.check(now_us, self.timeout_us)
