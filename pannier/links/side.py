"""This side of one link: the link itself, the node behind it, and what people hear of both."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pannier.import_report import Report
from pannier.link_config import LinkConfig, SerialLink, TcpLink
from pannier.links.attending import Attending
from pannier.links.ending import Ending
from pannier.links.hints import PATIENCE_US as HINT_US
from pannier.links.hints import hint
from pannier.links.identity import NodeIdentity
from pannier.links.meeting import nothing
from pannier.links.notices import Notices
from pannier.links.offering import is_served
from pannier.links.progress import Progress
from pannier.links.serve import Serving
from pannier.links.wiring import limits_of, peer_of, settings_of
from pannier.links.work import Workers
from pannier.node import Node
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier
from transports.carriers.drive import Drive, Tap
from transports.link.events import Established
from transports.link.machine import Link
from transports.link.stats import Counts, LinkStats

_MOST_REASONS = 1000
_OTHER_LEFT = "the other side ended it"
_EXPECTED = {"this side leaves", "this side left", "the line was cut", "a new carrier came"}
"""Of these nobody is told, or hears from the carrier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTelling:
    """How people learn of what a link does; called in several threads.

    Attributes:
        say: Prints a line.
        progress: Shows how it goes, about each second; None: nobody looks.
        imported: What an import did, in lines.
    """

    say: Callable[[str], None]
    progress: Callable[[str], None] | None
    imported: Callable[[Report], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRun:
    """What a link is run with.

    Attributes:
        name: What the home calls it; one process at a time runs it.
        config: Its settings.
        open_node: Opens the node; called in several threads.
        telling: How people learn of what it does.
        count: Keeps counters under a name.
        once: Whether it ends when both sides have nothing left.
        capture: Where to write down what passes.
        ready: Called once, when all that was asked for can be done.
    """

    name: str
    config: LinkConfig
    open_node: Callable[[], Node]
    telling: LinkTelling
    count: Callable[[str, dict[str, object]], None]
    once: bool = False
    capture: Path | None = None
    ready: Callable[[], None] = nothing


def monotonic_us() -> int:
    """Return microseconds by a clock that never steps."""
    return time.monotonic_ns() // 1000


@dataclass(frozen=True, slots=True)
class _Call:
    """Somebody is called who has not answered yet.

    Attributes:
        patience_us: When to say what may be wrong.
        heard_bytes: How many bytes had come by the link before.
    """

    patience_us: int
    heard_bytes: int


class Side:
    """One link and its node; used by one thread.

    Attributes:
        attending: What goes on.
        reasons: Why bundles went to quarantine.
        notices: Tell people each thing once.
        on_session: Called with the peer's node id when a session begins.
    """

    def __init__(self, run: LinkRun, node: Node, link: Link, workers: Workers) -> None:
        """Put *node* behind *link*; see `side`."""
        self._run, self._node, self._link = run, node, link
        self._serving = Serving(
            node, link, workers, kind=run.config.kind, say=run.telling.say, told=self._told
        )
        progress = Progress(run.config.bytes_per_second or None, _limit_of(run.config))
        self.attending = Attending(link, self._serving, progress)
        self.attending.on_session = self._began
        self.attending.on_end = self._ended
        self.attending.on_tick = self._count
        self.reasons: list[str] = []
        self.notices = Notices(run.telling.say)
        self.on_session: Callable[[bytes], None] = lambda _: None
        self._peer = run.config.peer
        self._since_us, self._seen_us = node.clock(), 0
        self._call: _Call | None = None

    def carry(self, carrier: Carrier, bell: Bell, ending: Ending, tap: Tap | None) -> None:
        """Use *carrier* until it hangs up or the link is to end.

        Raises:
            CarrierGoneError: it hung up. Whatever the node raises.
        """
        if carrier.agree(bell):
            self.attending.ending = ending
            heard_bytes = self._link.stats.counts.bytes_in
            self._call = _Call(monotonic_us() + HINT_US, heard_bytes)
            Drive(carrier, self._link, self.attending, bell, monotonic_us, tap).run()

    @property
    def counts(self) -> Counts:
        """What the link has counted so far."""
        return self._link.stats.counts

    def close(self) -> None:
        """Keep what came, and the counters."""
        self._serving.close()
        self._count("", self._link.stats)

    def _began(self, session: Established) -> None:
        peer = self._node.peers.get(session.peer.hex())
        self._peer = peer.name if peer is not None else session.peer.hex()
        self._since_us = self._node.clock()
        self.notices.say(f"{self._peer} is there.")
        self.on_session(session.peer)

    def _ended(self, reason: str) -> None:
        self._since_us = self._node.clock()
        if reason == _OTHER_LEFT:
            self.notices.say(f"{self._peer} has left.")
        elif reason not in _EXPECTED:
            self.notices.say(f"The session with {self._peer} ended: {reason}.")

    def _told(self, report: Report) -> None:
        for line in self._run.telling.imported(report):
            self._run.telling.say(line)
        self.reasons = [*self.reasons, *report.reasons.values()][-_MOST_REASONS:]

    def _hint(self, stats: LinkStats) -> None:
        """Say what may be wrong, where whoever is called does not answer."""
        config, call = self._run.config, self._call
        if call is None or monotonic_us() < call.patience_us:
            return
        self._call = None
        if not config.listens:
            has_heard = stats.counts.bytes_in > call.heard_bytes
            self.notices.say(hint(config, has_heard=has_heard))

    def _count(self, line: str, stats: LinkStats) -> None:
        self.notices.step(monotonic_us())
        if line and self._run.telling.progress is not None:
            self._run.telling.progress(line)
        if not self._peer:
            return  # nobody has called
        now_us = self._node.clock()
        if stats.is_established:
            self._seen_us, self._call = now_us, None
        self._hint(stats)
        values = asdict(stats)
        config = self._run.config
        # Connections that anybody may open are told apart by who did.
        name = self._run.name if config.peer else f"{self._run.name} ({self._peer})"
        counters = {
            "kind": config.kind,
            "place": config.place,
            "peer": self._peer,
            "since_us": self._since_us,
            "seen_us": self._seen_us,
            "updated_us": now_us,
            "waiting_bytes": self._link.waiting_bytes,
            **values.pop("counts"),
            **values,
        }
        with suppress(OSError):  # nothing depends on them: the link goes on
            self._run.count(name, counters)


def _limit_of(config: LinkConfig) -> str:
    """Return what says how many bytes a second this side can send."""
    is_line = isinstance(config, SerialLink) and (
        config.bytes_per_second == config.line_bytes_per_second
    )
    return "line" if is_line else "rate"


@contextmanager
def side(run: LinkRun, node: Node, bell: Bell) -> Iterator[Side]:
    """Have a side of a link while the block runs.

    Raises:
        UsageError: nobody is called as its peer is.
        BusyError: another process spends its airtime.
        PannierError: ``node.db`` cannot be read or written.
    """
    peer = peer_of(node, run.config)
    with ExitStack() as stack:
        limits = stack.enter_context(limits_of(node, run.config, monotonic_us))
        identity = NodeIdentity(
            node,
            peer,
            is_served=lambda one: is_served(node, one, run.config.kind),
            waits=isinstance(run.config, TcpLink) and run.config.listens,
        )
        link = Link(settings_of(node, run.config), identity, os.urandom, limits)
        workers = stack.enter_context(closing(Workers(run.open_node, bell.ring)))
        yield stack.enter_context(closing(Side(run, node, link, workers)))
