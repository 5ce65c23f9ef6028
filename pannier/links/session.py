"""One session with one peer: what goes to it, what comes from it, what there is to do beside."""

from collections.abc import Callable
from functools import partial

from pannier.housekeeping import keep_house
from pannier.import_report import Report
from pannier.importing import import_arrived
from pannier.links.giving import Giving
from pannier.links.meeting import Machine, Meeting, Task
from pannier.links.offering import Offering
from pannier.links.taking_in import TakingIn
from pannier.links.work import WORK_ERRORS, Counted, Lane, Then, Tray
from pannier.node import Node

_HOUSE_US = 3_600_000_000
_LOOK_US = 1_000_000


class Session:
    """What a node does while it hears one peer by one link; used by the thread of the link.

    Attributes:
        taking: What comes from the peer.
        giving: What goes to it.
    """

    def __init__(
        self,
        node: Node,
        link: Machine,
        tray: Tray,
        offering: Offering,
        *,
        told: Callable[[Report], None],
        claim: Callable[[], bool],
    ) -> None:
        """Begin.

        Args:
            node: Who hears; used by this thread only.
            link: To the peer.
            tray: For what takes time.
            offering: What goes to the peer.
            told: Is told what was imported.
            claim: Whether nothing goes to the peer by another link now.
        """
        self._meeting = Meeting(node, link, Counted(tray))
        self._told = told
        self._import_task = Task()
        self._look_us = self._house_us = 0
        self.giving = Giving(self._meeting, offering, claim)
        desk = self._meeting.desk
        self.taking = TakingIn(node, link, desk, offering.source, came=self._came)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be looked up, noted or imported, as far as is known now."""
        if self._meeting.desk.open_count or self._import_task.due_us is not None:
            return False
        return self.taking.is_settled and self.giving.is_settled

    def notes(self) -> list[str]:
        """Return what a person should know, since the last time."""
        notes = [*self._meeting.problems, *self.taking.notes()]
        self._meeting.problems.clear()
        return notes

    def attend(self, now_us: int) -> int | None:
        """Do what is due; return when to be called again at the latest."""
        self._meeting.now_us = now_us
        self.taking.step(now_us)
        if now_us >= self._look_us:
            self._look_us = now_us + _LOOK_US
            self._look_again()
        self.giving.step()
        if self._import_task.begin(now_us):
            self._import()
        dues = (self.giving.due_us, self.taking.due_us, self._import_task.next_us)
        return min(one for one in dues if one is not None)

    def end(self) -> None:
        """The session is over: keep what came."""
        self.giving.end()
        self._meeting.is_over = True
        self.taking.end()

    # -- what comes ---------------------------------------------------------------------------

    def _look_again(self) -> None:
        try:
            self.taking.look_again()
        except WORK_ERRORS as error:
            self._meeting.problems[str(error)] = None

    def _came(self) -> None:
        self._import_task.due_us = self._meeting.now_us

    def _import(self) -> None:
        is_house_due = self._meeting.now_us >= self._house_us
        imported = self._import_task.ended(self._imported)

        def job(node: Node) -> Then:
            if is_house_due:
                keep_house(node)
            return partial(imported, import_arrived(node))

        if is_house_due:
            self._house_us = self._meeting.now_us + _HOUSE_US
        failed = self._import_task.ended(self._import_task.retrying(self._meeting))
        # Not `Meeting.submit`: what came is here whether or not the session lasts.
        self._meeting.desk.submit(Lane.IMPORTING, job, failed)

    def _imported(self, report: Report) -> None:
        self.giving.plan_again()
        self._told(report)
