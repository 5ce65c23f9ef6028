"""Listening for any number of peers on TCP: each connection is a link, with a thread and a node.

So a caller who says nothing keeps nobody else out. There are never more than a few: when all are
taken, one that has no session gives way.
"""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Self

from bundler.errors import BundleError
from ledger.errors import LedgerError
from pannier.errors import PannierError
from pannier.links.ending import PATIENCE_US, RETURN_US, Ending
from pannier.links.notices import Notices
from pannier.links.side import LinkRun, Side, monotonic_us, side
from spool.errors import SpoolError
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier
from transports.carriers.drive import Tap
from transports.carriers.tcp import TcpListener
from transports.errors import TransportError

MOST_CONNECTIONS = 16
_ERRORS = (PannierError, LedgerError, BundleError, SpoolError, TransportError, OSError)
_JOIN_SECONDS = 10.0
_MOST_REASONS = 100
GREETING_US = 5_000_000
"""So long who has called may take to show who it is, when all others are through."""


@dataclass(frozen=True, slots=True)
class Served:
    """What came of a link.

    Attributes:
        had_session: Whether the other side was ever there.
        is_idle: Whether nothing was left when it was there last.
        is_known: Whether it knew that, or left then.
        is_stalled: Whether nothing passed any more, and it had not said that nothing is left.
        reasons: Why bundles went to quarantine.
        problem: Why there was no wire at the end; empty if there was one.
    """

    had_session: bool = False
    is_idle: bool = False
    is_known: bool = False
    is_stalled: bool = False
    reasons: tuple[str, ...] = ()
    problem: str = ""

    @classmethod
    def of(cls, side_: Side) -> Self:
        """Return what came of one side."""
        course = side_.attending.course
        return cls(
            course.had_session,
            course.was_idle,
            course.was_known,
            course.was_stalled,
            tuple(side_.reasons),
        )


def together(ends: Collection[Served]) -> Served:
    """Return what came of all links with different peers; the reasons are left out."""
    if not ends:
        return Served()
    return Served(
        had_session=True,
        is_idle=all(one.is_idle for one in ends),
        is_known=all(one.is_known for one in ends),
        is_stalled=any(one.is_stalled for one in ends),
    )


@dataclass(slots=True, eq=False)
class _Connection:
    """One caller.

    Attributes:
        number: Those that came later have a higher one.
        carrier: What it has opened.
        bell: Ends it.
        peer: Its node id, once it has shown who it is.
        side: Its link, once there is one.
        is_over: Whether it has come to its end.
    """

    number: int
    carrier: Carrier
    bell: Bell = field(default_factory=Bell)
    peer: bytes | None = None
    side: Side | None = None
    is_over: bool = False

    @property
    def is_pending(self) -> bool:
        """Whether nobody knows yet who it is."""
        return self.peer is None and not self.is_over

    @property
    def has_session(self) -> bool:
        """Whether it has shown who it is, and goes on."""
        return self.peer is not None and not self.is_over


class Connections:
    """Serves whoever calls, until told to end."""

    def __init__(self, run: LinkRun, listener: TcpListener, bell: Bell, tap: Tap | None) -> None:
        """Serve at *listener*, until *bell* is stopped."""
        self._run, self._listener, self._bell, self._tap = run, listener, bell, tap
        # What is limited, or written down, is one stream.
        is_single = run.config.rate or run.config.duty or tap is not None
        self._most = 1 if is_single else MOST_CONNECTIONS
        self._ending = Ending(when_quiet=run.once, when_over=True, when_alone=PATIENCE_US)
        self._open: dict[_Connection, threading.Thread] = {}
        self._numbers = count()
        self._served: dict[bytes, tuple[int, Served]] = {}
        self._reasons: tuple[str, ...] = ()
        self._ended_us = 0
        self._notices = Notices(run.telling.say)

    def serve(self) -> Served:
        """Serve; return what came of all connections.

        Raises:
            CarrierGoneError: it cannot listen there.
        """
        try:
            self._listener.listen()
            self._run.ready()
            while not self._bell.is_stopped:
                carrier = self._listener.open(self._bell)
                if carrier is not None:
                    self._begin(carrier)
        finally:
            self._listener.close()
            for one in self._open:
                one.bell.stop()
            for thread in self._open.values():
                thread.join(_JOIN_SECONDS)
        self._clear()
        ends = [served for _, served in self._served.values()]
        return replace(together(ends), reasons=self._reasons)

    def _begin(self, carrier: Carrier) -> None:
        self._clear()
        self._notices.step(monotonic_us())
        if len(self._open) >= self._most and not self._make_room():
            self._doubt(list(self._open))
            carrier.close()
            return
        try:
            connection = _Connection(next(self._numbers), carrier)
            self._start(connection)
        except (OSError, RuntimeError) as error:
            # No more files may be open, or threads begin: those who are here go on.
            carrier.close()
            self._notices.say(f"a caller cannot be served: {error}")

    def _start(self, connection: _Connection) -> None:
        """Serve a connection.

        Raises:
            RuntimeError: no thread can begin.
        """
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        self._open[connection] = thread
        try:
            thread.start()
        except RuntimeError:
            del self._open[connection]
            connection.bell.close()
            raise

    def _make_room(self) -> bool:
        """End the oldest connection that has no session; return whether there was one."""
        for connection, thread in self._open.items():
            if connection.peer is None:
                connection.bell.stop()
                thread.join(_JOIN_SECONDS)
                self._clear()
                return len(self._open) < self._most
        return False

    def _clear(self) -> None:
        """Forget the connections that are over."""
        for connection in [one for one, thread in self._open.items() if not thread.is_alive()]:
            del self._open[connection]
            connection.bell.close()

    # -- in the thread of a connection --------------------------------------------------------

    def _serve(self, connection: _Connection) -> None:
        """Serve one connection, in a thread of its own."""
        carrier, bell = connection.carrier, connection.bell
        try:
            with self._run.open_node() as node, side(self._run, node, bell) as here:
                connection.side = here
                here.on_session = lambda peer: self._came(connection, peer)
                try:
                    here.carry(carrier, bell, self._ending, self._tap)
                finally:
                    self._went(connection, Served.of(here))
        except _ERRORS as error:
            # Callers who are nobody come from ever other ports: one line is enough for all.
            who = "a caller" if connection.peer is None else carrier.name
            self._notices.say(str(error).replace(carrier.name, who))
        except Exception as error:  # noqa: BLE001 -- the root of a thread; others are served
            self._notices.say(f"a mistake in pannier itself: {error!r}")
        finally:
            connection.is_over = True
            carrier.close()
            if self._run.once:
                self._end_if_through()

    def _came(self, connection: _Connection, peer: bytes) -> None:
        """A peer is there: if it was here by another wire, that one may be dead."""
        self._doubt([one for one in list(self._open) if one.peer == peer])
        connection.peer = peer

    def _doubt(self, some: Iterable[_Connection]) -> None:
        """Let those end of which nothing comes, though they have something to acknowledge."""
        for one in some:
            if one.side is not None:
                one.side.attending.ending = replace(self._ending, when_silent=True)

    def _went(self, connection: _Connection, served: Served) -> None:
        """Note what came of a session, unless its peer has come again since."""
        connection.is_over = True
        if connection.peer is None:
            return
        last = self._served.get(connection.peer)
        if last is None or last[0] <= connection.number:
            self._served[connection.peer] = connection.number, served
        self._reasons = (*self._reasons, *served.reasons)[-_MOST_REASONS:]
        self._ended_us = monotonic_us()

    def _end_if_through(self) -> None:
        """Let the last session have been the last one, unless somebody is here, or may come."""
        left_us = self._left_us()
        if left_us is None:
            return
        if left_us <= 0:
            self._bell.stop()
            return
        timer = threading.Timer(left_us / 1_000_000, self._end_if_through)
        timer.daemon = True
        timer.start()

    def _left_us(self) -> int | None:
        """Return how long to wait for others; None: until one who is here goes."""
        now = list(self._open)
        ends = [served for _, served in list(self._served.values())]
        if not ends or any(one.has_session for one in now):
            return None
        is_through = all(one.is_idle and one.is_known for one in ends)
        patience_us = 0 if is_through else RETURN_US
        if any(one.is_pending for one in now):
            patience_us += GREETING_US
        return patience_us - (monotonic_us() - self._ended_us)
