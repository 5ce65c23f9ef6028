"""Running a link until somebody ends it, or until both sides have nothing left.

A link that calls is opened again and again, and outlives its wires. One that listens on TCP is
`pannier.links.connections`.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from os import urandom

from pannier.link_counters import stem_of
from pannier.links.capture import Capture
from pannier.links.connections import Connections, Served
from pannier.links.ending import PATIENCE_US, RETURN_US, STALLED_US, Ending
from pannier.links.one_way import run_one_way
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
        CarrierGoneError: it cannot listen there.
        CarrierUnusableError: what it needs is not installed, or cannot be used.
        LinkError: frames are too small for the keys of the other side.
        OSError: the capture cannot be written.
    """
    if run.config.oneway:
        # Of whether anybody heard it nothing can be known.
        return Served(had_session=True, is_idle=True, reasons=run_one_way(run, bell))
    with ExitStack() as stack:
        node = stack.enter_context(run.open_node())
        peer_of(node, run.config)
        opener = opener_of(node, run.config, run.telling.say)
        # Whatever it is called: by the daemon and by hand it is the same one.
        place = f"{run.config.kind} {run.config.place}"
        lock = node.home.locks / f"link-{stem_of(place)}"
        what = f"running the link {place}"
        stack.enter_context(exclusive(lock, what, patience_seconds=_LOCK_SECONDS))
        tap: Capture | None = None
        if run.capture is not None:
            tap = Capture(run.capture, is_datagrams=run.config.kind == "udp")
            stack.callback(tap.close)
        if isinstance(opener, TcpListener):
            return Connections(run, opener, bell, tap).serve()
        here = stack.enter_context(side(run, node, bell))
        run.ready()
        calls = _Calls(run, here, bell, tap)
        calls.serve(opener)
        return replace(Served.of(here), problem=calls.problem)


@dataclass(slots=True)
class _Calls:
    """One side, over one wire after the other.

    Attributes:
        problem: Why there is no wire.
    """

    run: LinkRun
    side: Side
    bell: Bell
    tap: Tap | None
    problem: str = ""
    _is_met: bool = False
    _alone_us: int = 0
    _passed_us: int = 0
    _passed: tuple[int, int] = (0, 0)

    def serve(self, opener: Opener) -> None:
        backoff = Backoff(urandom, opener.longest_wait_seconds)
        self.side.on_session = lambda _: self._began(backoff)
        patience = PATIENCE_US if self.run.once and not self.run.config.listens else None
        ending = Ending(when_quiet=self.run.once, when_alone=patience)
        self._alone_us = self._passed_us = monotonic_us()
        for carrier in carriers(opener, self.bell, backoff, self._complain):
            self._is_met, opened_us = False, monotonic_us()
            try:
                self.side.carry(carrier, self.bell, ending, self.tap)
            except CarrierGoneError as error:
                self.problem = str(error)
                self.side.notices.say(self.problem)
            else:
                return
            self._went(opened_us)
            self._end_if_hopeless()

    def _began(self, backoff: Backoff) -> None:
        backoff.reset()
        self.problem, self._is_met = "", True

    def _went(self, opened_us: int) -> None:
        """Wait from now on for who was there, unless it only comes and goes."""
        now_us, counts = monotonic_us(), self.side.counts
        passed = counts.payload_in, counts.payload_out
        if passed != self._passed:
            self._passed, self._passed_us = passed, now_us
        is_short = now_us - opened_us <= PATIENCE_US
        is_vain = is_short and self._passed_us != now_us
        if self._is_met and (self.side.attending.course.was_idle or not is_vain):
            self._alone_us = now_us

    def _complain(self, problem: str) -> None:
        """Say why there is no wire, when that changes.

        Raises:
            CarrierGoneError: nobody can call here.
        """
        if self.run.config.listens:
            raise CarrierGoneError(problem)
        if problem != self.problem:
            self.problem = problem
            self.run.telling.say(problem)
        self._end_if_hopeless()

    def _end_if_hopeless(self) -> None:
        """Call no more where nobody has answered for long, or nobody has to.

        Who is through, and does not know that the other side is, calls a while longer: it may wait.
        """
        course, now_us = self.side.attending.course, monotonic_us()
        alone_us = now_us - self._alone_us
        is_over = course.was_idle and (course.was_known or alone_us > RETURN_US)
        is_over |= alone_us > PATIENCE_US or now_us - self._passed_us > STALLED_US
        if self.run.once and not self.run.config.listens and is_over:
            self.bell.stop()
