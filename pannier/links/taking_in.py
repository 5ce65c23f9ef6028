"""Taking in what comes by a link, durably, so that nothing of it is asked for twice.

Bytes of a bundle become fragments in the inbox, as if a stick had brought them, so that what comes
by all ways adds up; what is not there yet is in the journal of `spool.partial`, which a killed
process goes on with. That something is here is said only when it is: durably, and whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

from pannier.links.answering import (
    SPOILED,
    Answer,
    Have,
    Refuse,
    Want,
    answer,
    keep_file,
    recover,
)
from pannier.links.coming import Coming
from pannier.links.complaints import Complaints
from pannier.links.retries import Retries
from pannier.links.wholes import Declining, Wholes
from pannier.links.work import LASTING_ERRORS, WORK_ERRORS, Failed, Lane, Then, Tray
from pannier.node import Node
from spool.errors import FullError, SpoolError
from spool.partial import Piece
from transports.link.events import WholeArrived
from transports.link.wares import Ware

_MOST_SPOILED = 3


_Found: TypeAlias = Answer | Exception
"""What came of a look; an exception if it is to be tried again."""


class Asking(Declining, Protocol):
    """The part of a link that answers what comes."""

    def ask(self, handle: int, ranges: tuple[tuple[int, int], ...] | None) -> None:
        """Ask for *ranges* of what was offered as *handle*; () says it is here, None refuses it."""


@dataclass(slots=True)
class _Offered:
    """Something that is offered.

    Attributes:
        ware: What it is.
        mark: How the spool was when it was looked at.
    """

    ware: Ware
    mark: object = None


class TakingIn:
    """Takes in what one peer has by one link; used by the thread of the link."""

    def __init__(
        self, node: Node, link: Asking, desk: Tray, source: str, *, came: Callable[[], None]
    ) -> None:
        """Begin a session.

        Args:
            node: Who takes it in; used by this thread only.
            link: Is asked for what is wanted.
            desk: For what takes time.
            source: What the spool calls the link.
            came: Called when there is something to import.
        """
        self._node, self._link, self._desk = node, link, desk
        self._source, self._came = source, came
        self._coming: dict[int, Coming] = {}
        self._waiting: dict[int, tuple[Ware, Want]] = {}
        self._offered: dict[int, _Offered] = {}
        self._to_look: dict[int, Ware] = {}
        self._failed = Retries[Ware]()
        self._is_looking = False
        self._complaints = Complaints()
        self._wholes = Wholes(node, link, source, complaints=self._complaints, came=came)
        self._now_us = 0
        desk.submit(Lane.ANSWERING, self._recover, self._complaints.failed)

    @property
    def to_come(self) -> int:
        """How many bytes are asked for and did not come yet."""
        return sum(one.left.total for one in self._coming.values())

    @property
    def is_settled(self) -> bool:
        """Whether nothing that was offered is still to be answered or to come."""
        to_do = self._to_look or self._coming or self._waiting or self._failed
        return not to_do and self._wholes.is_settled

    def notes(self) -> list[str]:
        """Return what a person should know, since the last time."""
        return self._complaints.take()

    # -- what the link tells ------------------------------------------------------------------

    def offered(self, handle: int, ware: Ware) -> None:
        """Look, at the next `step`, whether what is offered is wanted; it is answered later."""
        self._offered[handle] = _Offered(ware)
        self._to_look[handle] = ware

    def withdrawn(self, handle: int) -> None:
        """Keep what came of something that is not offered any more."""
        self._offered.pop(handle, None)
        self._waiting.pop(handle, None)
        self._to_look.pop(handle, None)
        self._failed.forget(handle)
        coming = self._coming.pop(handle, None)
        if coming is not None:
            self._put_by(coming)
            self._serve_waiting()

    def arrived(self, handle: int, offset: int, data: bytes) -> None:
        """Take bytes that were asked for."""
        coming = self._coming.get(handle)
        if coming is None or coming.is_looked_at:
            return
        self._guarded(coming, lambda: coming.arrived(self._node, self._now_us, Piece(offset, data)))
        if not coming.left and handle in self._coming:
            self._finish(coming)

    def whole(self, arrived: WholeArrived) -> None:
        """Take a small bundle; durable on return, for then it counts as delivered, or declined."""
        self._wholes.take(arrived)

    # -- as time goes by ----------------------------------------------------------------------

    @property
    def due_us(self) -> int | None:
        """When `step` has something to do; None if nothing is to come."""
        if self._to_look and not self._is_looking:
            return self._now_us
        dues = [self._failed.due_us, self._wholes.due_us]
        dues += [one.due_us for one in self._coming.values()]
        return min((due_us for due_us in dues if due_us is not None), default=None)

    def step(self, now_us: int) -> None:
        """Write what has waited long enough, and look at what was offered."""
        self._now_us = now_us
        for coming in list(self._coming.values()):
            self._guarded(coming, partial(coming.step, self._node, now_us))
        self._wholes.step(now_us)
        self._to_look |= self._failed.take(now_us)
        self._look()

    def look_again(self) -> None:
        """Look whether what is still to come is wanted, where some came by another way."""
        for handle, coming in self._coming.items():
            mark = self._offered[handle].mark
            if not coming.is_looked_at and mark != self._mark(coming.ware):
                self._to_look[handle] = coming.ware

    def _mark(self, ware: Ware) -> object:
        """Return what changes when a bundle is merged, or more of it comes by another way."""
        number = ware.bundle_id.hex()
        paths = self._node.spool.inbox.paths(number)
        others = [path for path in paths if f"-{self._source}-" not in path]
        return self._node.db.seen_from(number), others

    def end(self) -> None:
        """Keep all that came: the session is over."""
        for coming in self._coming.values():
            self._put_by(coming)
        for those in (self._coming, self._waiting, self._offered, self._to_look):
            those.clear()
        self._failed.clear()
        self._wholes.end()

    # -- answers ------------------------------------------------------------------------------

    def _look(self) -> None:
        """Have it looked at what was offered, all at once; what comes meanwhile is next."""
        if self._is_looking or not self._to_look:
            return
        to_look, self._to_look = self._to_look, {}
        self._is_looking = True
        again = self._trying_again(to_look)
        try:
            for handle, ware in to_look.items():
                self._offered[handle].mark = self._mark(ware)
        except WORK_ERRORS as error:
            self._looked(partial(again, error))
            return

        def job(node: Node) -> Then:
            carries = node.config.spool.carry_bytes > 0
            found = {
                handle: _answer_if_possible(node, ware, self._source, carries=carries)
                for handle, ware in to_look.items()
            }
            return partial(self._looked, partial(self._answer_all, to_look, found))

        self._desk.submit(Lane.ANSWERING, job, lambda error: self._looked(partial(again, error)))

    def _looked(self, then: Then) -> None:
        self._is_looking = False
        then()

    def _answer_all(self, wares: Mapping[int, Ware], found: Mapping[int, _Found]) -> None:
        for handle, ware in wares.items():
            self._answer(handle, ware, found[handle])

    def _answer(self, handle: int, ware: Ware, found: _Found) -> None:
        offered = self._offered.get(handle)
        if offered is None or offered.ware != ware:
            return
        match found:
            case Exception():
                self._fail(handle, found)
            case Have(is_new):
                self._say_have(handle)
                if is_new:
                    self._came()
            case Refuse():
                self._refuse(handle, found)
            case Want():
                self._want(handle, ware, found)

    def _want(self, handle: int, ware: Ware, want: Want) -> None:
        """Ask for what is lacking, as soon as there is room for it."""
        before = self._coming.get(handle)
        if before is not None:
            self._guarded(before, partial(before.write, self._node, self._now_us))
        before = self._coming.get(handle)
        spoiled = (before.spoiled if before else 0) + want.is_spoiled
        if spoiled >= _MOST_SPOILED:
            self._refuse(handle, SPOILED)
            return
        self._coming.pop(handle, None)
        try:
            coming = Coming.begin(self._node, handle, ware, want)
        except FullError as error:
            self._wait_for_room(handle, ware, want, error)
            return
        except SpoolError as error:
            self._fail(handle, error)
            return
        coming.spoiled = spoiled
        self._coming[handle] = coming
        if coming.left:
            self._link.ask(handle, tuple(coming.left))
        else:
            self._finish(coming)

    def _wait_for_room(self, handle: int, ware: Ware, want: Want, error: Exception) -> None:
        """Ask later, when something else is done with; if nothing will be, refuse."""
        self._failed.forget(handle)
        if self._coming or self._failed.is_any:
            self._waiting[handle] = ware, want
        else:
            self._refuse(handle, Refuse(str(error)))

    def _say_have(self, handle: int) -> None:
        self._forget(handle)
        self._link.ask(handle, ())
        self._serve_waiting()

    def _refuse(self, handle: int, why: Refuse) -> None:
        self._complaints.refused(why)
        self._forget(handle)
        self._link.ask(handle, None)
        self._serve_waiting()

    def _forget(self, handle: int) -> None:
        """Be done with something: nothing of it waits in part any more."""
        for those in (self._offered, self._waiting, self._to_look):
            those.pop(handle, None)
        self._failed.forget(handle)
        coming = self._coming.pop(handle, None)
        if coming is not None:
            try:
                self._node.spool.partials.drop(coming.want.part)
            except SpoolError as error:
                self._complaints.failed(error)

    def _fail(self, handle: int, error: Exception) -> None:
        """Look again later at what could not be looked at, or kept; what cannot be is refused."""
        if isinstance(error, LASTING_ERRORS):
            self._refuse(handle, Refuse(str(error)))
        else:
            self._complaints.failed(error)
            self._failed.later(self._now_us, handle, self._offered[handle].ware)

    def _serve_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for handle, (ware, want) in waiting.items():
            self._want(handle, ware, want)

    # -- keeping ------------------------------------------------------------------------------

    def _finish(self, coming: Coming) -> None:
        """Look whether something of which all came is whole."""
        handle, ware, want = coming.handle, coming.ware, coming.want
        coming.is_looked_at = True
        self._guarded(coming, partial(coming.keep, self._node, self._now_us))
        if handle not in self._coming:
            return
        if want.shape is not None:
            self._to_look[handle] = ware
            return

        def job(node: Node) -> Then:
            return partial(self._answer, handle, ware, keep_file(node, want))

        self._desk.submit(Lane.ANSWERING, job, self._trying_again({handle: ware}))

    def _put_by(self, coming: Coming) -> None:
        """Keep what came of something that comes no further, for now."""
        try:
            coming.put_by(self._node, self._now_us)
        except SpoolError as error:
            self._complaints.failed(error)

    def _guarded(self, coming: Coming, act: Callable[[], Refuse | None]) -> None:
        """Do something with the disk; what it has no room for is not taken any further."""
        try:
            refused = act()
        except SpoolError as error:
            del self._coming[coming.handle]
            self._put_by(coming)
            self._fail(coming.handle, error)
            self._serve_waiting()
            return
        if refused is not None:
            self._refuse(coming.handle, refused)

    # -- work ---------------------------------------------------------------------------------

    def _recover(self, node: Node) -> Then:
        recover(node, self._source)
        return self._came

    def _trying_again(self, wares: Mapping[int, Ware]) -> Failed:
        """Return what follows if nothing came of a look at *wares*."""
        return lambda error: self._answer_all(wares, dict.fromkeys(wares, error))


def _answer_if_possible(node: Node, ware: Ware, source: str, *, carries: bool) -> _Found:
    try:
        return answer(node, ware, source, carries=carries)
    except WORK_ERRORS as error:
        return error
