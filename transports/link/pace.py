"""How fast to send: as told, or as is found out (docs/link.md section 5.4). Pure."""

from transports.link.round_trip import RoundTrip

_SECOND_US = 1_000_000
_LEAST_RATE = 4_000
# Where the carrier has a congestion control of its own, as TCP has, there is no need to be shy.
_FIRST_RATE, _FIRST_ORDERED_RATE = 32_000, 1_000_000
_QUEUE_US = 25_000
_UP, _DOWN, _OVER_DELIVERED = 1.25, 0.85, 2.5
# So many round trips have to be seen before anything is concluded from them.
_SAMPLES = 4


class Rate:
    """Bytes a second: given, or fitted to the queues that build up; a loss alone changes nothing.

    Once a round trip: a quarter more while answers take hardly longer than the shortest did, else
    15 % less; at most 2.5 times what the other side got.
    """

    def __init__(self, given: int | None, frame_bytes: int, *, is_ordered: bool) -> None:
        """Keep to *given*; None: find out, with frames of *frame_bytes*."""
        self._frame_bytes = frame_bytes
        self.is_given = given is not None
        self.bytes_per_second = given or (_FIRST_ORDERED_RATE if is_ordered else _FIRST_RATE)
        self._began_us = 0
        self._delivered = 0
        self._shortest_us = 1 << 62
        self._samples = 0
        self._was_full = False

    def was_full(self) -> None:
        """Sending had to wait for the rate or for answers: more might have been sent."""
        self._was_full = True

    def acked(self, now_us: int, size: int, sample_us: int | None, trip: RoundTrip) -> None:
        """The other side got *size* bytes; *sample_us* is what round trip that showed."""
        if self.is_given:
            return
        self._delivered += size
        if sample_us is not None:
            self._shortest_us = min(self._shortest_us, sample_us)
            self._samples += 1
        elapsed_us = now_us - self._began_us
        if elapsed_us < max(trip.srtt_us, 1_000) or self._samples < _SAMPLES:
            return
        self._adapt(elapsed_us, trip.shortest_us)
        self._began_us, self._delivered = now_us, 0
        self._shortest_us, self._samples, self._was_full = 1 << 62, 0, False

    def _adapt(self, elapsed_us: int, shortest_us: int) -> None:
        rate = float(self.bytes_per_second)
        delivered = self._delivered * _SECOND_US / elapsed_us
        # The shortest may have been that of a short packet, which takes the line less time.
        frames_us = int(2 * self._frame_bytes * _SECOND_US / rate)
        if self._shortest_us >= shortest_us + max(_QUEUE_US, shortest_us // 2) + frames_us:
            # A queue gives out what the line carries: a little less than that empties it.
            rate = min(rate, max(rate, delivered) * _DOWN)
        elif self._was_full:
            rate = max(min(rate * _UP, delivered * _OVER_DELIVERED), rate * _DOWN)
        self.bytes_per_second = max(int(rate), _LEAST_RATE)


class Line:
    """Hands bytes out no further ahead of the line than said, so that what waits can overtake.

    Attributes:
        free_us: When the line will have sent all that was handed out.
    """

    def __init__(self, rate: Rate, lead_us: int) -> None:
        """Pace by *rate*."""
        self._rate = rate
        self._lead_us = lead_us
        self.free_us = 0

    def ready_us(self) -> int:
        """Return when the next frame may be handed out."""
        return self.free_us - self._lead_us

    def spend(self, now_us: int, size: int) -> None:
        """Take note of *size* bytes that are handed out now."""
        took_us = size * _SECOND_US // self._rate.bytes_per_second
        self.free_us = max(self.free_us, now_us) + took_us

    def cut(self, now_us: int) -> None:
        """Forget what the line had: it is gone."""
        self.free_us = now_us
