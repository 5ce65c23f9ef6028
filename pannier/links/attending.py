"""What is done while a link runs: its node serves it, people hear of it, and it comes to an end."""

from collections.abc import Callable, Hashable, Sequence

from pannier.links.ending import Course, Ending
from pannier.links.progress import Progress
from pannier.links.serve import Serving
from transports.link.events import Delivered, Ended, Established, Event, Refused
from transports.link.machine import Link
from transports.link.stats import LinkStats
from transports.link.wares import Ware

_TICK_US = 1_000_000


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
        course: How it went so far.
        on_session: Called when a session begins.
        on_end: Called with the reason when one ends.
        on_tick: Called each second or so, with a line and the counters.
    """

    def __init__(self, link: Link, offered: Offered, serving: Serving, progress: Progress) -> None:
        """Wait for a session."""
        self._link, self._offered, self._serving = link, offered, serving
        self._progress = progress
        self._tick_us: int | None = None
        self.ending = Ending()
        self.course = Course()
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
            self.course.end(len(self.waiting))
        self._serving.take(event)
        match event:
            case Established():
                self.course.begin()
                self._tick_us = None
                self.on_session(event)
            case Ended(reason):
                self._tick_us = None
                self.on_end(reason)
            case Delivered(key) | Refused(key):
                self.waiting.pop(key, None)
            case _:
                pass

    def attend(self, now_us: int) -> int | None:
        """See `Attendant`."""
        due_us = self._serving.attend(now_us)
        stats = self._link.stats
        is_settled = self._serving.is_settled
        self.course.note(now_us, stats, len(self.waiting), is_settled=is_settled)
        if self._tick_us is None or now_us >= self._tick_us:
            self._tick_us = now_us + _TICK_US
            self.on_tick(self._progress.line(now_us, stats), stats)
        return self._tick_us if due_us is None else min(due_us, self._tick_us)

    def is_done(self) -> bool:
        """See `Attendant`."""
        return self.course.is_over(self.ending)
