"""Small bundles that come whole, without an offer: kept before it is said that they came."""

from collections.abc import Callable
from typing import Protocol

from pannier.links.answering import Answer, Have, Refuse, keep_whole
from pannier.links.complaints import Complaints
from pannier.links.retries import Retries
from pannier.links.work import LASTING_ERRORS, WORK_ERRORS
from pannier.node import Node
from pannier.unreadable import going_on
from transports.link.events import WholeArrived

_MOST_LATER = 128
"""So many wait that could not be kept at once; each is a frame long at most."""


class Declining(Protocol):
    """The part of a link that hears of wholes."""

    def decline(self, number: int) -> None:
        """Refuse what came whole as *number*."""


class Wholes:
    """Takes in what one peer sends whole; used by the thread of the link.

    What cannot be kept now is declined, so that it does not count as delivered, and kept later: it
    is here already, and nobody need send it again.
    """

    def __init__(
        self,
        node: Node,
        link: Declining,
        source: str,
        *,
        complaints: Complaints,
        came: Callable[[], None],
    ) -> None:
        """Begin a session.

        Args:
            node: Who takes them in.
            link: Is told what is not taken.
            source: What the spool calls the link.
            complaints: What people should know.
            came: Called when there is something to import.
        """
        self._node, self._link, self._source = node, link, source
        self._complaints, self._came = complaints, came
        self._later = Retries[WholeArrived]()
        self._now_us = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is still to be kept."""
        return not self._later

    @property
    def due_us(self) -> int | None:
        """When `step` has something to do; None if nothing waits."""
        return self._later.due_us

    def take(self, arrived: WholeArrived) -> None:
        """Take one; durable on return, for then it counts as delivered, or declined."""
        found = self._kept(arrived)
        if found is None or isinstance(found, Refuse):
            self._link.decline(arrived.number)

    def step(self, now_us: int) -> None:
        """Try again what could not be kept."""
        self._now_us = now_us
        for arrived in self._later.take(now_us).values():
            self._kept(arrived)

    def end(self) -> None:
        """The session is over: what could not be kept comes again in the next one."""
        self._later.clear()

    def _kept(self, arrived: WholeArrived) -> Answer | None:
        """Try to keep one; return what came of it, None if that is tried again."""
        label = arrived.label
        name = label.priority, label.expiry_days, label.hint
        try:
            found = going_on(
                self._node, lambda: keep_whole(self._node, name, arrived.sealed, self._source)
            )
        except WORK_ERRORS as error:
            if not isinstance(error, LASTING_ERRORS) and len(self._later) < _MOST_LATER:
                self._complaints.failed(error)
                self._later.later(self._now_us, arrived.number, arrived)
                return None
            found = Refuse(str(error))
        self._later.forget(arrived.number)
        if isinstance(found, Refuse):
            self._complaints.refused(found)
        elif isinstance(found, Have) and found.is_new:
            self._came()
        return found
