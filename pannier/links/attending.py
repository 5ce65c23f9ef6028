"""What is done while a link runs: its node serves it, people hear of it, and it comes to an end."""

from collections.abc import Callable

from pannier.links.ending import Course, Ending
from pannier.links.progress import Progress
from pannier.links.serve import Serving
from transports.link.events import Ended, Established, Event, Noted
from transports.link.machine import Link
from transports.link.stats import LinkStats

_TICK_US = 1_000_000


class Attending:
    """One link and its node; a `transports.carriers.drive.Attendant`.

    Attributes:
        ending: When it ends by itself.
        course: How it went so far.
        on_session: Called when a session begins.
        on_end: Called with the reason when one ends.
        on_tick: Called each second or so, with a line and the counters.
    """

    def __init__(self, link: Link, serving: Serving, progress: Progress) -> None:
        """Wait for a session."""
        self._link, self._serving, self._progress = link, serving, progress
        self._tick_us: int | None = None
        self.ending = Ending()
        self.course = Course()
        self.on_session: Callable[[Established], None] = lambda _: None
        self.on_end: Callable[[str], None] = lambda _: None
        self.on_tick: Callable[[str, LinkStats], None] = lambda *_: None

    def take(self, event: Event) -> None:
        """See `Attendant`."""
        self._serving.take(event)
        match event:
            case Established():
                self.course.begin()
                self._tick_us = None
                self.on_session(event)
            case Ended(reason, is_through, is_known):
                self._tick_us = None
                self.course.end(is_through=is_through, is_known=is_known)
                self.on_end(reason)
            case Noted():
                pass
            case _:
                self.course.stir()

    def attend(self, now_us: int) -> int | None:
        """See `Attendant`."""
        due_us = self._serving.attend(now_us)
        is_settled = self._serving.is_settled
        self._link.settle(is_settled=is_settled)
        stats = self._link.stats
        self.course.note(now_us, stats, is_settled=is_settled)
        if self._tick_us is None or now_us >= self._tick_us:
            self._tick_us = now_us + _TICK_US
            self.on_tick(self._progress.line(now_us, stats), stats)
        return self._tick_us if due_us is None else min(due_us, self._tick_us)

    def is_done(self) -> bool:
        """See `Attendant`."""
        return self.course.is_over(self.ending)
