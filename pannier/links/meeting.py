"""What all that works for one session has in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pannier.links.taking_in import Asking
from pannier.links.work import BUSY_ERRORS, Counted, Failed, Job, Lane, Then
from pannier.node import Node
from transports.link.wares import Ware

AGAIN_US, FAILED_US = 500_000, 30_000_000
"""What is busy now is tried again after a while, and what failed after a longer one."""


class Machine(Asking, Protocol):
    """The part of `transports.link.machine.Link` that a node uses."""

    def offer(self, wares: Sequence[Ware]) -> None:
        """Offer *wares*, and nothing else."""

    def supply(self, handle: int, data: bytes) -> None:
        """Give the bytes of what is wanted."""


@dataclass(slots=True)
class Meeting:
    """One session, as all that works for it sees it; used by the thread of the link.

    Attributes:
        node: Who hears; used by this thread only.
        link: To the peer.
        desk: For what takes time.
        now_us: The time.
        is_over: Whether nothing can go to the peer any more.
        problems: What a person should know, each once.
    """

    node: Node
    link: Machine
    desk: Counted
    now_us: int = 0
    is_over: bool = False
    problems: dict[str, None] = field(default_factory=dict)

    def submit(self, lane: Lane, job: Job, failed: Failed) -> None:
        """Have *job* done if the session is not over by then."""

        def run(node: Node) -> Then:
            return nothing if self.is_over else job(node)

        self.desk.submit(lane, run, failed)


@dataclass(slots=True)
class Task:
    """Something to be done beside the link, once at a time.

    Attributes:
        due_us: When; None if there is no need.
        is_running: Whether it is being done.
    """

    due_us: int | None = 0
    is_running: bool = False

    @property
    def next_us(self) -> int | None:
        """When it can begin; None: not before something happens."""
        return None if self.is_running else self.due_us

    def begin(self, now_us: int) -> bool:
        """Return whether it is to be done now, and take it that it is."""
        if self.next_us is None or now_us < self.next_us:
            return False
        self.due_us, self.is_running = None, True
        return True

    def retrying(self, meeting: Meeting) -> Failed:
        """Return what follows if it, or what has to come before it, failed: it is tried again."""

        def retry(error: Exception) -> None:
            is_busy = isinstance(error, BUSY_ERRORS)
            self.due_us = meeting.now_us + (AGAIN_US if is_busy else FAILED_US)
            if not is_busy:
                meeting.problems[str(error)] = None

        return retry

    def ended(self, then: Callable[..., None]) -> Callable[..., None]:
        """Return *then*, before which it counts as done."""

        def follow(*given: object) -> None:
            self.is_running = False
            then(*given)

        return follow


def nothing() -> None:
    """Let nothing follow."""
