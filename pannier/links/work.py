"""What takes longer than a link can wait is done beside it, each kind of work in its turn.

A node is used by one thread: each piece of work gets one of its own, opened anew, so that a peer
added meanwhile counts. What follows from it is done by the thread of the link.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from functools import partial
from typing import Protocol, TypeAlias

from bundler.errors import BundleError
from ledger.errors import BusyError as LedgerBusyError
from ledger.errors import LedgerError
from pannier.errors import BusyError, PannierError
from pannier.node import Node
from pannier.unreadable import going_on
from spool.errors import BusyError as SpoolBusyError
from spool.errors import FullError, MalformedNameError, SpoolError


class Lane(Enum):
    """Work of one kind waits for none of the others."""

    SENDING = "what to send, and its bytes"
    ANSWERING = "what is wanted of what is offered"
    IMPORTING = "what came"


Then: TypeAlias = Callable[[], None]
"""What follows, in the thread of the link."""
Job: TypeAlias = Callable[[Node], Then]
Failed: TypeAlias = Callable[[Exception], None]

WORK_ERRORS = (PannierError, LedgerError, BundleError, SpoolError, OSError)
"""What a disk, a home or a ledger can make any work fail with."""
BUSY_ERRORS = (BusyError, LedgerBusyError, SpoolBusyError)
"""Of these the ones that pass by themselves, soon."""
LASTING_ERRORS = (BundleError, MalformedNameError, FullError)
"""And those that come again whenever the same is tried: it cannot be, or has no room."""


class Tray(Protocol):
    """Where work is handed in. Used by one thread."""

    def submit(self, lane: Lane, job: Job, failed: Failed) -> None:
        """Have *job* done after all that was handed in for *lane*; *failed* follows if it fails."""


class Desk(Tray, Protocol):
    """A tray, and what becomes of the work in it."""

    def finish(self) -> None:
        """Do what follows from the work that was done."""

    def close(self) -> None:
        """Wait until all that was handed in is done; what follows from it is left undone."""


class Counted:
    """A `Tray` that knows what of its work is not over yet; what follows is part of it.

    Attributes:
        open_count: How many pieces of work are not over.
    """

    def __init__(self, tray: Tray) -> None:
        """Hand everything on to *tray*."""
        self.open_count = 0
        self._tray = tray

    def submit(self, lane: Lane, job: Job, failed: Failed) -> None:
        """See `Tray.submit`."""
        self.open_count += 1

        def counted(node: Node) -> Then:
            return partial(self._over, job(node))

        self._tray.submit(lane, counted, lambda error: self._over(partial(failed, error)))

    def _over(self, then: Then) -> None:
        self.open_count -= 1
        then()


class Workers:
    """A `Desk` with a thread for each lane."""

    def __init__(self, open_node: Callable[[], Node], wake: Callable[[], None]) -> None:
        """Begin.

        Args:
            open_node: Called in the threads.
            wake: Called, in any thread, when there is something to `finish`.
        """
        self._open, self._wake = open_node, wake
        self._pools = {lane: ThreadPoolExecutor(1) for lane in Lane}
        self._done: deque[Future[Then]] = deque()

    def submit(self, lane: Lane, job: Job, failed: Failed) -> None:
        """See `Tray.submit`."""
        self._pools[lane].submit(self._run, job, failed).add_done_callback(self._ended)

    def finish(self) -> None:
        """See `Desk.finish`."""
        while self._done:
            self._done.popleft().result()()

    def close(self) -> None:
        """See `Desk.close`."""
        for pool in self._pools.values():
            pool.shutdown()

    def _run(self, job: Job, failed: Failed) -> Then:
        try:
            with self._open() as node:
                return going_on(node, partial(job, node))
        except WORK_ERRORS as error:
            return partial(failed, error)

    def _ended(self, done: Future[Then]) -> None:
        self._done.append(done)
        self._wake()
