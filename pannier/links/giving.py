"""What a node gives to one peer, as long as a session lasts."""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from functools import partial

from pannier.links.bringing import Bringing
from pannier.links.meeting import FAILED_US, Meeting, Task, nothing
from pannier.links.news import Look, News, own
from pannier.links.offering import Offering, Plan
from pannier.links.work import WORK_ERRORS, Lane, Then
from pannier.node import Node
from transports.link.wares import Ware

_LOOK_US = 1_000_000
# A session may last for months without news. What found no room in one hour may find some in the
# next, and what no receipt comes for goes again after a day.
_REVIEW_US = 3_600_000_000


@dataclass(slots=True)
class _Answered:
    """What the peer said of wares, by their keys.

    Attributes:
        delivered: It has them, which is still to be noted.
        unwanted: It does not want them, which is still to be noted.
        refused: It did not want them, a while ago at most.
    """

    delivered: list[object] = field(default_factory=list)
    unwanted: list[object] = field(default_factory=list)
    refused: set[object] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Planned:
    """How things were when it was looked at last what there is.

    Attributes:
        outside: Before, what looking does not change.
        own: Afterwards, what it does.
        is_cut: There is more when some of it has gone.
    """

    outside: Look
    own: Look
    is_cut: bool


class Giving:
    """Offers what there is, brings what is wanted, notes what was taken.

    Attributes:
        bringing: The bytes.
    """

    def __init__(self, meeting: Meeting, offering: Offering, claim: Callable[[], bool]) -> None:
        """Begin.

        Args:
            meeting: The session.
            offering: What goes to the peer.
            claim: Whether nothing goes to the peer by another link now.
        """
        self._meeting, self._offering, self._claim = meeting, offering, claim
        self.bringing = Bringing(meeting, offering, gone=self._gone, failed=self._failed_to_bring)
        self._news = News(meeting.node, offering.peer)
        self._task, self._noting = Task(), Task(due_us=None)
        self._answered = _Answered()
        self._missed: set[object] = set()
        self._wares: tuple[Ware, ...] = ()
        self._last = _Planned({}, {}, is_cut=False)
        self._look_us, self._review_us = 0, -1
        self._may_offer = False
        self._waits = True

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be looked up or noted, as far as is known now."""
        if self._noting.due_us is not None or not self.bringing.is_settled:
            return False
        return self._task.due_us is None if self._may_offer else not self._waits

    @property
    def due_us(self) -> int:
        """When `step` has something to do."""
        task_us = self._task.next_us if self._may_offer else None
        dues = (self._look_us, task_us, self._noting.next_us)
        return min(due_us for due_us in dues if due_us is not None)

    # -- what the link tells ------------------------------------------------------------------

    def delivered(self, key: object) -> None:
        """Note what the peer has, with the next `step`."""
        self._answered.delivered.append(key)
        self._note_soon()

    def refused(self, key: object) -> None:
        """Offer something no more for a while."""
        self._answered.refused.add(key)
        self._answered.unwanted.append(key)
        self._note_soon()

    def _note_soon(self) -> None:
        if self._noting.due_us is None:
            self._noting.due_us = self._meeting.now_us

    # -- as time goes by ----------------------------------------------------------------------

    def step(self) -> None:
        """Do what is due."""
        now_us = self._meeting.now_us
        self.bringing.step()
        if self._noting.begin(now_us):
            self._note()
        if now_us >= self._look_us:
            self._look_us = now_us + _LOOK_US
            self._may_offer = self._may_offer or self._claim()
            if self._may_offer:
                self._look_for_news()
            else:
                self._look_beside()
        if now_us >= self._review_us:
            self._review_us = now_us + _REVIEW_US
            self._review()
        if self._may_offer and self._task.begin(now_us):
            self._plan()

    def plan_again(self) -> None:
        """Look anew what there is."""
        self._task.due_us = self._meeting.now_us

    def end(self) -> None:
        """The session is over."""
        if self._noting.due_us is not None:
            self._note()
        self._news.close()

    # -- what there is ------------------------------------------------------------------------

    def _review(self) -> None:
        """Offer anew what was refused, or taken, a while ago and is still to be sent."""
        self._take_off(self._answered.refused)
        self._answered.refused.clear()
        self.plan_again()

    def _take_off(self, keys: Set[object]) -> None:
        """Offer something no more, so that it is wanted anew if it is offered again."""
        self._wares = tuple(ware for ware in self._wares if ware.key not in keys)
        self._meeting.link.offer(self._wares)

    def _gone(self, keys: Set[object]) -> None:
        # What a later plan has replaced already is no reason to make another one.
        gone = keys & {ware.key for ware in self._wares}
        if not gone:
            return
        self._take_off(gone)
        if gone & self._missed:
            # Another plan had it once more: a third one would be no better, if it came as soon.
            self._task.due_us = self._meeting.now_us + FAILED_US
        else:
            self.plan_again()
        self._missed |= gone

    def _failed_to_bring(self, keys: Set[object], error: Exception) -> None:
        self._take_off(keys)
        self._task.retrying(self._meeting)(error)

    def _look_beside(self) -> None:
        """See whether another link, which goes on with what waits, has come to the end of it."""
        try:
            self._waits = self._offering.waits(self._meeting.node)
        except WORK_ERRORS as error:
            self._meeting.problems[str(error)] = None

    def _look_for_news(self) -> None:
        if self._task.is_running or self._task.due_us is not None:
            return
        try:
            looks = self._news.outside(), own(self._meeting.node, self._offering.peer)
        except WORK_ERRORS as error:
            self._meeting.problems[str(error)] = None
            return
        if looks != (self._last.outside, self._last.own):
            self.plan_again()

    def _plan(self) -> None:
        offering, without = self._offering, frozenset(self._answered.refused)
        # Looked at before: what happens meanwhile is news next time.
        outside = self._news.outside()
        planned = self._task.ended(partial(self._planned, outside))

        def job(node: Node) -> Then:
            return partial(planned, offering.plan(node, without))

        failed = self._task.ended(self._task.retrying(self._meeting))
        self._meeting.submit(Lane.SENDING, job, failed)

    def _planned(self, outside: Look, plan: Plan) -> None:
        self._last = _Planned(outside, plan.look, is_cut=plan.is_cut)
        self._meeting.problems.update(dict.fromkeys(plan.problems))
        if not self._meeting.is_over:
            self._wares = plan.wares
            self._missed &= {ware.key for ware in plan.wares}
            self._meeting.link.offer(plan.wares)

    # -- what was taken -----------------------------------------------------------------------

    def _note(self) -> None:
        """Note what the peer has, or does not want; also of a session that is over."""
        answered = self._answered
        delivered, answered.delivered = answered.delivered, []
        unwanted, answered.unwanted = answered.unwanted, []

        def job(node: Node) -> Then:
            self._offering.note(node, delivered)
            self._offering.note_refused(node, unwanted)
            return noted

        def failed(error: Exception) -> None:
            answered.delivered[:0], answered.unwanted[:0] = delivered, unwanted
            self._noting.retrying(self._meeting)(error)

        noted = self._noting.ended(self.plan_again if self._last.is_cut else nothing)
        # Not `Meeting.submit`: it is so whether or not the session lasts.
        self._meeting.desk.submit(Lane.SENDING, job, self._noting.ended(failed))
