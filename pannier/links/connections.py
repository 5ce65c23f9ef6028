"""Listening for any number of peers on TCP: each connection is a link, with a thread and a node.

So a caller who says nothing keeps nobody else out. There are never more than a few: when all are
taken, one that has no session gives way.
"""

import threading
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True, slots=True)
class Served:
    """What came of a link.

    Attributes:
        had_session: Whether the other side was ever there.
        is_idle: Whether nothing was left when it was there last.
        is_known: Whether it knew that, or one of both left then.
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


@dataclass(slots=True, eq=False)
class _Connection:
    """One caller.

    Attributes:
        bell: Ends it.
        has_session: Whether it has shown who it is.
        is_over: Whether it has come to its end.
        served: What came of it.
    """

    bell: Bell = field(default_factory=Bell)
    has_session: bool = False
    is_over: bool = False
    served: Served = Served()


class Connections:
    """Serves whoever calls, until told to end."""

    def __init__(self, run: LinkRun, listener: TcpListener, bell: Bell, tap: Tap | None) -> None:
        """Serve at *listener*, until *bell* is stopped."""
        self._run, self._listener, self._bell, self._tap = run, listener, bell, tap
        # What is limited, or written down, is one stream.
        is_single = run.config.rate or run.config.duty or tap is not None
        self._most = 1 if is_single else MOST_CONNECTIONS
        self._open: dict[_Connection, threading.Thread] = {}
        self._served = Served()
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
        return self._served

    def _begin(self, carrier: Carrier) -> None:
        self._clear()
        self._notices.step(monotonic_us())
        if len(self._open) >= self._most and not self._make_room():
            carrier.close()
            return
        connection = _Connection()
        thread = threading.Thread(target=self._serve, args=(carrier, connection), daemon=True)
        self._open[connection] = thread
        thread.start()

    def _make_room(self) -> bool:
        """End the oldest connection that has no session; return whether there was one."""
        for connection, thread in self._open.items():
            if not connection.has_session:
                connection.bell.stop()
                thread.join(_JOIN_SECONDS)
                self._clear()
                return len(self._open) < self._most
        return False

    def _clear(self) -> None:
        """Forget the connections that are over, but for what came of them."""
        for connection in [one for one, thread in self._open.items() if not thread.is_alive()]:
            del self._open[connection]
            connection.bell.close()
            done = connection.served
            if done.had_session:
                reasons = (*self._served.reasons, *done.reasons)[-100:]
                self._served = replace(done, reasons=reasons)

    def _serve(self, carrier: Carrier, connection: _Connection) -> None:
        """Serve one connection, in a thread of its own."""
        bell = connection.bell
        ending = Ending(when_quiet=self._run.once, when_over=True, when_alone=PATIENCE_US)
        try:
            with self._run.open_node() as node, side(self._run, node, bell) as here:
                here.on_session = lambda: setattr(connection, "has_session", True)
                try:
                    here.carry(carrier, bell, ending, self._tap)
                finally:
                    connection.served = Served.of(here)
                    connection.is_over = True
        except _ERRORS as error:
            # Callers who are nobody come from ever other ports: one line is enough for all.
            is_known = connection.has_session
            who = carrier.name if is_known else "a caller"
            self._notices.say(str(error).replace(carrier.name, who))
        except Exception as error:  # noqa: BLE001 -- the root of a thread; others are served
            self._notices.say(f"a mistake in pannier itself: {error!r}")
        finally:
            carrier.close()
            if self._run.once and connection.served.had_session:
                self._end_soon(connection.served)

    def _end_soon(self, served: Served) -> None:
        """Let it be the last session, unless there is more to do or say, and one begins soon."""
        if served.is_idle and served.is_known:
            self._bell.stop()
            return
        timer = threading.Timer(RETURN_US / 1_000_000, self._end_unless_served)
        timer.daemon = True
        timer.start()

    def _end_unless_served(self) -> None:
        if not any(one.has_session and not one.is_over for one in list(self._open)):
            self._bell.stop()
