"""Running a link until somebody ends it, or until both sides have nothing left.

A link that calls is opened again and again, and outlives its wires. One that listens on TCP is
`pannier.links.connections`.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from os import urandom

from pannier.link_counters import stem_of
from pannier.links.attending import PATIENCE_US, Ending
from pannier.links.capture import Capture
from pannier.links.connections import Connections, Served
from pannier.links.side import LinkRun, Side, monotonic_us, side
from pannier.links.wiring import opener_of, peer_of
from pannier.lock import exclusive
from transports.carriers.backoff import Backoff
from transports.carriers.bell import Bell
from transports.carriers.carrier import CarrierGoneError, Opener
from transports.carriers.drive import Tap
from transports.carriers.reopen import carriers
from transports.carriers.tcp import TcpListener

_LOCK_SECONDS = 1.0


def run_link(run: LinkRun, bell: Bell) -> Served:
    """Run a link until *bell* is stopped, or until it is through; return what came of it.

    Raises:
        UsageError: nobody is called as its peer is.
        BusyError: another process runs it.
        PannierError: something in the home cannot be read or written.
        SpoolError: the spool cannot be opened.
        LedgerError: the keys cannot be read.
        CarrierUnusableError: what it needs is not installed, or cannot be used.
        LinkError: frames are too small for the keys of the other side.
        OSError: the capture cannot be written.
    """
    with ExitStack() as stack:
        node = stack.enter_context(run.open_node())
        peer_of(node, run.config)
        opener = opener_of(node, run.config)
        lock = node.home.locks / f"link-{stem_of(run.name)}"
        what = f"running the link {run.name}"
        stack.enter_context(exclusive(lock, what, patience_seconds=_LOCK_SECONDS))
        tap: Capture | None = None
        if run.capture is not None:
            tap = Capture(run.capture, is_datagrams=run.config.kind == "udp")
            stack.callback(tap.close)
        if isinstance(opener, TcpListener):
            return Connections(run, opener, bell, tap).serve()
        here = stack.enter_context(side(run, node, bell))
        _Calls(run, here, bell, tap).serve(opener)
        return Served.of(here)


@dataclass(slots=True)
class _Calls:
    """One side, over one wire after the other."""

    run: LinkRun
    side: Side
    bell: Bell
    tap: Tap | None
    _problem: str = ""
    _alone_us: int | None = None

    def serve(self, opener: Opener) -> None:
        backoff = Backoff(urandom, opener.longest_wait_seconds)
        self.side.on_session = lambda: self._began(backoff)
        patience = PATIENCE_US if self.run.once and not self._listens else None
        ending = Ending(when_quiet=self.run.once, when_alone=patience)
        self._alone_us = monotonic_us()
        for carrier in carriers(opener, self.bell, backoff, self._complain):
            try:
                self.side.carry(carrier, self.bell, ending, self.tap)
            except CarrierGoneError as error:
                self.side.say_once(str(error))
            else:
                return
            self._alone_us = self._alone_us or monotonic_us()

    @property
    def _listens(self) -> bool:
        return bool(getattr(self.run.config, "listen", ""))

    def _began(self, backoff: Backoff) -> None:
        backoff.reset()
        self._problem, self._alone_us = "", None

    def _complain(self, problem: str) -> None:
        """Say why there is no wire, when that changes."""
        if problem != self._problem:
            self._problem = problem
            self.run.telling.say(problem)
        is_alone = self._alone_us is not None and monotonic_us() - self._alone_us > PATIENCE_US
        if self.run.once and (is_alone or self.side.attending.was_idle):
            self.bell.stop()
