"""What is done while a link runs: its node serves it, people hear of it, and it comes to an end."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from pannier.links.progress import Progress
from pannier.links.serve import Serving
from transports.link.events import Delivered, Ended, Established, Event, Refused
from transports.link.machine import Link
from transports.link.stats import LinkStats
from transports.link.wares import Ware

_TICK_US = 1_000_000
QUIET_US = 3_000_000
"""After so long in which nothing passed, and nothing is to, both sides have all they can get."""

PATIENCE_US = 60_000_000
"""So long a link that is to end by itself waits for the other side to come,"""

RETURN_US = 30_000_000
"""and so long for it to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When a link ends by itself.

    Attributes:
        when_quiet: Once both sides have nothing left.
        when_over: With its first session, as a connection does.
        when_alone: After so many microseconds without a first session; None: it waits for ever.
    """

    when_quiet: bool = False
    when_over: bool = False
    when_alone: int | None = None


class Offered:
    """Passes on what a node tells its link, and remembers what the other side did not take yet."""

    def __init__(self, link: Link) -> None:
        """Begin with nothing offered."""
        self._link = link
        self.waiting: dict[Hashable, int] = {}

    def offer(self, wares: Sequence[Ware]) -> None:
        """See `Link.offer`."""
        self.waiting = {ware.key: ware.size for ware in wares}
        self._link.offer(wares)

    def events(self) -> list[Event]:
        """See `Link.events`."""
        return self._link.events()

    def ask(self, handle: int, ranges: tuple[tuple[int, int], ...] | None) -> None:
        """See `Link.ask`."""
        self._link.ask(handle, ranges)

    def supply(self, handle: int, data: bytes) -> None:
        """See `Link.supply`."""
        self._link.supply(handle, data)


class Attending:
    """One link and its node; a `transports.carriers.drive.Attendant`.

    Attributes:
        ending: When it ends by itself.
        session: The present one, if there is one.
        had_session: Whether there ever was one.
        was_idle: Whether nothing was left to pass when there was one last.
        on_session: Called when one begins.
        on_end: Called with the reason when one ends.
        on_tick: Called each second or so, with a line and the counters.
    """

    def __init__(self, link: Link, offered: Offered, serving: Serving, progress: Progress) -> None:
        """Wait for a session."""
        self._link, self._offered, self._serving = link, offered, serving
        self._progress = progress
        self.ending = Ending()
        self._tick_us: int | None = None
        self._busy_us: int | None = None
        self._last: tuple[int, ...] = ()
        self._now_us = 0
        self._alone_us: int | None = None
        self._left = 0
        self.session: Established | None = None
        self.had_session = False
        self.was_idle = False
        self.on_session: Callable[[Established], None] = lambda _: None
        self.on_end: Callable[[str], None] = lambda _: None
        self.on_tick: Callable[[str, LinkStats], None] = lambda *_: None

    @property
    def waiting(self) -> dict[Hashable, int]:
        """Sizes of what the other side has not taken yet."""
        return self._offered.waiting

    def take(self, event: Event) -> None:
        """See `Attendant`."""
        if isinstance(event, Ended):
            # What is still looked up goes the next time.
            self.was_idle = not self._offered.waiting and not self._left
        self._serving.take(event)
        match event:
            case Established():
                self.session, self.had_session = event, True
                self._tick_us = None
                self.on_session(event)
            case Ended(reason):
                self.session, self._tick_us, self._alone_us = None, None, None
                self.on_end(reason)
            case Delivered(key) | Refused(key):
                self._offered.waiting.pop(key, None)
            case _:
                pass

    def attend(self, now_us: int) -> int | None:
        """See `Attendant`."""
        self._now_us = now_us
        due_us = self._serving.attend(now_us)
        stats = self._link.stats
        counts = stats.counts
        now = (counts.payload_in, counts.payload_out, len(self._offered.waiting))
        if self.session is not None:
            self._left = stats.to_send + stats.to_come
            self.was_idle = self._is_idle()
        elif self._alone_us is None:
            self._alone_us = now_us
        if self._busy_us is None or now != self._last or not self.was_idle:
            self._last, self._busy_us = now, now_us
        if self._tick_us is None or now_us >= self._tick_us:
            self._tick_us = now_us + _TICK_US
            self.on_tick(self._progress.line(now_us, stats), stats)
        return self._tick_us if due_us is None else min(due_us, self._tick_us)

    def is_done(self) -> bool:
        """See `Attendant`."""
        ending = self.ending
        if ending.when_quiet and self.is_quiet():
            return True
        if self.session is not None:
            return False
        alone_us = 0 if self._alone_us is None else self._now_us - self._alone_us
        if self.had_session:
            return ending.when_over or (ending.when_quiet and alone_us >= RETURN_US)
        return ending.when_alone is not None and alone_us >= ending.when_alone

    def is_quiet(self) -> bool:
        """Return whether there was a session, and nothing is left to pass."""
        since = self._now_us if self._busy_us is None else self._busy_us
        quiet_us = max(QUIET_US, 4 * self._link.stats.srtt_us)
        return self.had_session and self.was_idle and self._now_us - since >= quiet_us

    def _is_idle(self) -> bool:
        return self._serving.is_settled and not self._offered.waiting and not self._left
