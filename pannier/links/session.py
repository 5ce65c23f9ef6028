"""One session with one peer: what goes to it, what comes from it, what there is to do beside."""

from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import Protocol

from pannier.errors import BusyError
from pannier.housekeeping import keep_house
from pannier.import_report import Report
from pannier.importing import import_arrived
from pannier.links.news import Look, News, own
from pannier.links.offering import Offering, Plan
from pannier.links.taking_in import Asking, TakingIn
from pannier.links.work import WORK_ERRORS, Desk, Lane, Then
from pannier.node import Node
from transports.link.wares import Ware

_LOOK_US = 1_000_000
# What is busy now is tried again, and what failed rather less soon.
_AGAIN_US, _FAILED_US = 500_000, 30_000_000
_HOUSE_US = 3_600_000_000
# A session may last for months without news. What found no room in one hour may find some in the
# next, and what no receipt comes for goes again after a day.
_REVIEW_US = 3_600_000_000
_SMALL_BYTES = 64 << 10


class Machine(Asking, Protocol):
    """The part of `transports.link.machine.Link` that a node uses."""

    def offer(self, wares: Sequence[Ware]) -> None:
        """Offer *wares*, and nothing else."""

    def supply(self, handle: int, data: bytes) -> None:
        """Give the bytes of what is wanted."""


class _Task:
    """Something to be done beside the link, once at a time.

    Attributes:
        due_us: When; None if there is no need.
        is_running: Whether it is being done.
    """

    def __init__(self) -> None:
        self.due_us: int | None = 0
        self.is_running = False

    def begin(self, now_us: int) -> bool:
        """Return whether it is to be done now, and take it that it is."""
        if self.is_running or self.due_us is None or now_us < self.due_us:
            return False
        self.due_us, self.is_running = None, True
        return True


class Session:
    """What a node does while it hears one peer by one link; used by the thread of the link."""

    def __init__(
        self,
        node: Node,
        link: Machine,
        desk: Desk,
        offering: Offering,
        *,
        told: Callable[[Report], None],
        claim: Callable[[], bool],
    ) -> None:
        """Begin.

        Args:
            node: Who hears; used by this thread only.
            link: To the peer.
            desk: For what takes time.
            offering: What goes to the peer.
            told: Is told what was imported.
            claim: Whether nothing goes to the peer by another link now.
        """
        self._node, self._link, self._desk, self._offering = node, link, desk, offering
        self._told, self._claim = told, claim
        self._may_offer = False
        self._taking = TakingIn(node, link, desk, offering.source, came=self._came)
        self._news = News(node, offering.peer)
        self._plan_task, self._import_task = _Task(), _Task()
        self._seen: tuple[Look, Look] = ({}, {})
        self._look_us = self._house_us = self._now_us = 0
        self._review_us: int | None = None
        self._wanted: dict[int, Ware] = {}
        self._bringing: set[int] = set()
        self._wares: tuple[Ware, ...] = ()
        self._delivered: list[object] = []
        self._unwanted: list[object] = []
        self._refused: set[object] = set()
        self._is_cut = self._is_over = False
        self._problems: dict[str, None] = {}

    @property
    def taking(self) -> TakingIn:
        """What comes from the peer."""
        return self._taking

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be looked up, noted or imported, as far as is known now."""
        is_done = not self._delivered and self._taking.is_settled
        return is_done and not any(one.is_running or one.due_us is not None for one in self._tasks)

    @property
    def _tasks(self) -> list[_Task]:
        """What this link has to do; another one may have to do the rest."""
        return [self._import_task, *([self._plan_task] if self._may_offer else [])]

    def notes(self) -> list[str]:
        """Return what a person should know, since the last time."""
        notes = [*self._problems, *self._taking.notes()]
        self._problems.clear()
        return notes

    # -- what the link tells ------------------------------------------------------------------

    def wanted(self, handle: int, ware: Ware) -> None:
        """Have the bytes of a ware brought, with the next `attend`, unless they are coming."""
        if handle not in self._bringing:
            self._wanted[handle] = ware

    def delivered(self, key: object) -> None:
        """Note what the peer has, with the next `attend`."""
        self._delivered.append(key)

    def refused(self, key: object) -> None:
        """Offer something no more for a while."""
        self._refused.add(key)
        self._unwanted.append(key)

    # -- as time goes by ----------------------------------------------------------------------

    def attend(self, now_us: int) -> int | None:
        """Do what is due; return when to be called again at the latest."""
        self._now_us = now_us
        self._taking.step(now_us)
        self._bring()
        self._note()
        if now_us >= self._look_us:
            self._look_us = now_us + _LOOK_US
            self._may_offer = self._may_offer or self._claim()
            self._look_for_news()
        if self._review_us is None or now_us >= self._review_us:
            self._review_us = now_us + _REVIEW_US
            self._review()
        if self._may_offer and self._plan_task.begin(now_us):
            self._plan()
        if self._import_task.begin(now_us):
            self._import()
        dues = [one.due_us for one in self._tasks if one.due_us is not None and not one.is_running]
        dues += [] if self._taking.due_us is None else [self._taking.due_us]
        return min([self._look_us, *dues])

    def end(self) -> None:
        """The session is over: keep what came."""
        self._note()
        self._is_over = True
        self._taking.end()
        self._news.close()

    # -- what goes ----------------------------------------------------------------------------

    def _bring(self) -> None:
        """Have bytes brought: those of small wares all at once, of each other one by itself."""
        small = [one for one in self._wanted.items() if one[1].size <= _SMALL_BYTES]
        large = [[one] for one in self._wanted.items() if one[1].size > _SMALL_BYTES]
        self._wanted.clear()
        for some in (small, *large):
            if some:
                self._bringing.update(handle for handle, _ in some)
                job = self._unless_over(partial(self._brought, some))
                self._desk.submit(Lane.SENDING, job, partial(self._failed_to_bring, some))

    def _brought(self, wanted: Sequence[tuple[int, Ware]], node: Node) -> Then:
        found = [(one, ware, self._offering.contents(node, ware)) for one, ware in wanted]

        def supply() -> None:
            for handle, _, data in found:
                self._bringing.discard(handle)
                if data is not None:
                    self._link.supply(handle, bytes(data))
            # What a later plan has replaced already is no reason to make another one.
            gone = {ware.key for _, ware, data in found if data is None}
            gone &= {ware.key for ware in self._wares}
            if gone and not self._is_over:
                self._take_off(gone)
                self._plan_again()

        return supply

    def _review(self) -> None:
        """Offer anew what was refused, or taken, a while ago and is still to be sent."""
        self._take_off(self._refused)
        self._refused.clear()
        self._plan_again()

    def _take_off(self, keys: Set[object]) -> None:
        """Offer something no more, so that it is wanted anew if it is offered again."""
        self._wares = tuple(ware for ware in self._wares if ware.key not in keys)
        self._link.offer(self._wares)

    def _note(self) -> None:
        """Note what the peer has, or does not want; also of a session that is over."""
        delivered, self._delivered = self._delivered, []
        unwanted, self._unwanted = self._unwanted, []
        if not delivered and not unwanted:
            return

        def job(node: Node) -> Then:
            self._offering.note(node, delivered)
            self._offering.note_refused(node, unwanted)
            return self._plan_again if self._is_cut else nothing

        self._desk.submit(Lane.SENDING, job, partial(self._retry, self._plan_task))

    def _look_for_news(self) -> None:
        try:
            self._taking.look_again()
            if self._plan_task.is_running or self._plan_task.due_us is not None:
                return
            looks = self._news.outside(), own(self._node, self._offering.peer)
        except WORK_ERRORS as error:
            self._problems[str(error)] = None
            return
        if looks != self._seen:
            self._plan_task.due_us = self._now_us

    def _plan(self) -> None:
        offering, without = self._offering, frozenset(self._refused)
        # Looked at before: what happens meanwhile is news next time.
        outside = self._news.outside()

        def job(node: Node) -> Then:
            return partial(self._planned, outside, offering.plan(node, without))

        self._desk.submit(Lane.SENDING, self._unless_over(job), self._failed_to_plan)

    def _planned(self, outside: Look, plan: Plan) -> None:
        self._plan_task.is_running = False
        self._seen, self._is_cut = (outside, plan.look), plan.is_cut
        self._problems.update(dict.fromkeys(plan.problems))
        if not self._is_over:
            self._wares = plan.wares
            self._link.offer(plan.wares)

    def _plan_again(self) -> None:
        self._plan_task.due_us = self._now_us

    def _failed_to_plan(self, error: Exception) -> None:
        self._plan_task.is_running = False
        self._retry(self._plan_task, error)

    def _failed_to_bring(self, wanted: Sequence[tuple[int, Ware]], error: Exception) -> None:
        self._bringing.difference_update(handle for handle, _ in wanted)
        if not self._is_over:
            self._take_off({ware.key for _, ware in wanted})
            self._retry(self._plan_task, error)

    # -- what comes ---------------------------------------------------------------------------

    def _came(self) -> None:
        self._import_task.due_us = self._now_us

    def _import(self) -> None:
        is_house_due = self._now_us >= self._house_us

        def job(node: Node) -> Then:
            if is_house_due:
                keep_house(node)
            return partial(self._imported, import_arrived(node))

        if is_house_due:
            self._house_us = self._now_us + _HOUSE_US
        self._desk.submit(Lane.IMPORTING, job, self._failed_to_import)

    def _imported(self, report: Report) -> None:
        self._import_task.is_running = False
        self._plan_again()
        self._told(report)

    def _failed_to_import(self, error: Exception) -> None:
        self._import_task.is_running = False
        self._retry(self._import_task, error)

    # -- work ---------------------------------------------------------------------------------

    def _retry(self, task: _Task, error: Exception) -> None:
        is_busy = isinstance(error, BusyError)
        task.due_us = self._now_us + (_AGAIN_US if is_busy else _FAILED_US)
        if not is_busy:
            self._problems[str(error)] = None

    def _unless_over(self, job: Callable[[Node], Then]) -> Callable[[Node], Then]:
        def run(node: Node) -> Then:
            return nothing if self._is_over else job(node)

        return run


def nothing() -> None:
    """Let nothing follow."""
