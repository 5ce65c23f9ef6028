"""Running a link without a way back: one side sends, any number of others listen."""

from abc import ABC, abstractmethod
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from os import urandom

from pannier import unreadable
from pannier.housekeeping import keep_house
from pannier.link_config import LinkConfig, NetworkLink, UdpLink, parse_address
from pannier.link_counters import stem_of
from pannier.links.capture import Capture
from pannier.links.carousel import FOREVER, Carousel, Terms
from pannier.links.listening import Listener
from pannier.links.notices import Notices
from pannier.links.progress import amount
from pannier.links.side import LinkRun, monotonic_us
from pannier.links.wiring import limits_of, opener_of, settings_of
from pannier.lock import exclusive
from pannier.node import Node
from pannier.nodedb_file import name_text
from transports.carriers.address import Address
from transports.carriers.backoff import LONGEST_SECONDS, Backoff
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier, CarrierGoneError, Opener
from transports.carriers.drive import Drive
from transports.carriers.reopen import carriers
from transports.carriers.udp import open_oneway_receiver, open_oneway_sender
from transports.link.frame import OneWay
from transports.link.oneway import OneWayListener, OneWaySender

_SECOND_US = 1_000_000
_HOUSEKEEPING_US = 3600 * _SECOND_US
_MOST_REASONS = 100


def run_one_way(run: LinkRun, bell: Bell) -> tuple[str, ...]:
    """Send, or listen, until *bell* is stopped, or, once, until all rounds are over.

    Returns:
        Why bundles that were heard went to quarantine.

    Raises:
        UsageError: nobody is called as a peer is, or frames are too short.
        BusyError: another process runs this link, or spends its airtime.
        PannierError: something in the home cannot be read or written.
        SpoolError: the spool cannot be used.
        LedgerError: a ledger cannot be read or written.
        CarrierGoneError: it cannot listen there.
        CarrierUnusableError: what it needs is not installed, or cannot be used.
        OSError: the capture cannot be written.
    """
    with ExitStack() as stack:
        node = stack.enter_context(run.open_node())
        config = _limited(run.config)
        peers = [node.peer_named(one) for one in config.audience]
        rounds = config.rounds or (1 if run.once else FOREVER)
        terms = Terms(frame_bytes=config.mtu, overhead_percent=config.overhead, rounds=rounds)
        name = f"{config.kind} {config.place}"
        lock = node.home.locks / f"link-{stem_of(name)}"
        stack.enter_context(exclusive(lock, f"running the link {name}"))
        limits = stack.enter_context(limits_of(node, config, monotonic_us))
        settings = settings_of(node, config)
        if not peers:
            listener = OneWayListener(settings)
            hearing = _Hearing(run, node, listener)
            _drive(run, node, listener, hearing, bell)
            return tuple(hearing.reasons)
        # By hand and under `pannier run` it is the same one; where it leads elsewhere, another.
        carousel = Carousel(node, peers, terms, medium=name_text(f"{name}, one way"))
        stack.enter_context(closing(carousel))
        sender = OneWaySender(settings, carousel.supply, limits)
        sending = _Sending(run, node, carousel, sender)
        _drive(run, node, sender, sending, bell)
        sending.conclude()
        return ()


def _limited(config: LinkConfig) -> LinkConfig:
    """Return the settings with a rate where nothing else slows a sender down."""
    is_network = isinstance(config, UdpLink)
    return replace(config, rate=config.bytes_per_second) if is_network else config


def _drive(
    run: LinkRun,
    node: Node,
    machine: OneWaySender | OneWayListener,
    attendant: "_Sending | _Hearing",
    bell: Bell,
) -> None:
    """Join the machine and one wire after the other."""
    opener, tap = _opener(run, node), None
    backoff = Backoff(urandom, opener.longest_wait_seconds)
    with ExitStack() as stack:
        if run.capture is not None:
            tap = Capture(run.capture, is_datagrams=isinstance(run.config, UdpLink))
            stack.callback(tap.close)
        run.ready()
        for carrier in carriers(opener, bell, backoff, attendant.complain):
            backoff.reset()
            try:
                if carrier.agree(bell):
                    Drive[OneWay](carrier, machine, attendant, bell, monotonic_us, tap).run()
            except CarrierGoneError as error:
                attendant.complain(str(error))
            else:
                return
            finally:
                attendant.pause()


class _Attending(ABC):
    """What both kinds of attendants do: see `transports.carriers.drive.Attendant`."""

    def __init__(self, run: LinkRun, node: Node) -> None:
        self._run, self._node = run, node
        self._next_us = 0
        self._since_us = node.clock()
        self._problem = ""

    def complain(self, problem: str) -> None:
        """Say why there is no wire, when that changes.

        Raises:
            CarrierGoneError: it cannot listen there; a device may be plugged in later.
        """
        if isinstance(self._run.config, NetworkLink) and self._run.config.listens:
            raise CarrierGoneError(problem)
        if problem != self._problem:
            self._problem = problem
            self._run.telling.say(problem)

    def _tick(self, now_us: int) -> None:
        if now_us >= self._next_us:
            self._next_us = now_us + _SECOND_US
            if self._run.telling.progress is not None:
                self._run.telling.progress(self._line())
            self._count()

    def _count(self) -> None:
        config = self._run.config
        counters = {
            "kind": config.kind,
            "place": config.place,
            "peer": ", ".join(config.audience),
            "since_us": self._since_us,
            "updated_us": self._node.clock(),
            **self._counters(),
        }
        with suppress(OSError):  # nothing depends on them: the link goes on
            self._run.count(self._run.name, counters)

    @abstractmethod
    def _line(self) -> str:
        """Return how it goes, for people."""

    @abstractmethod
    def _counters(self) -> dict[str, object]:
        """Return the same for programs."""


class _Sending(_Attending):
    """Attends to a carousel."""

    def __init__(self, run: LinkRun, node: Node, carousel: Carousel, sender: OneWaySender) -> None:
        super().__init__(run, node)
        self._carousel, self._sender = carousel, sender
        self._notices = Notices(run.telling.say)

    def take(self, event: OneWay) -> None:
        """Nothing comes on such a link."""

    def attend(self, now_us: int) -> int | None:
        self._tick(now_us)
        self._tell(now_us)
        return min(self._next_us, max(self._carousel.due_us(), now_us + 1))

    def is_done(self) -> bool:
        return self._run.once and self._carousel.is_idle

    def pause(self) -> None:
        """What the wire did not take goes again."""
        self._carousel.break_off()
        self._tell(monotonic_us())
        self._count()

    def conclude(self) -> None:
        """Say so if nothing was sent, since all that waits had gone before."""
        bundles, _, _ = self._carousel.progress()
        if self.is_done() and bundles and not self._sender.frames:
            what, it = ("1 bundle", "it") if bundles == 1 else (f"{bundles:,} bundles", "them")
            self._run.telling.say(
                f"{what} went in earlier rounds; nothing was sent now: "
                f"more rounds send more of {it}."
            )

    def _tell(self, now_us: int) -> None:
        self._notices.step(now_us)
        for problem in self._carousel.problems:
            self._notices.say(problem)

    def _line(self) -> str:
        bundles, least, most = self._carousel.progress()
        rounds = f"{least} to {most}" if least != most else f"{least}"
        sent = f"{self._sender.frames:,} frames, {amount(self._sender.bytes_out)} sent"
        return f"{sent}; {bundles:,} bundles, {rounds} rounds each" if bundles else f"{sent}; idle"

    def _counters(self) -> dict[str, object]:
        bundles, least, most = self._carousel.progress()
        return {
            "oneway": "sends",
            "bytes_out": self._sender.bytes_out,
            "frames_out": self._sender.frames,
            "bundles": bundles,
            "rounds_least": least,
            "rounds_most": most,
        }


class _Hearing(_Attending):
    """Attends to what is heard.

    Attributes:
        reasons: Why bundles went to quarantine.
    """

    def __init__(self, run: LinkRun, node: Node, machine: OneWayListener) -> None:
        super().__init__(run, node)
        self._machine, self._listener = machine, Listener(node)
        self._seen_us = self._house_us = 0
        self._notices = Notices(run.telling.say)
        self.reasons: list[str] = []

    def take(self, event: OneWay) -> None:
        kept = self._listener.symbols
        self._listener.take(event, monotonic_us())
        if self._listener.symbols > kept:
            self._seen_us = self._node.clock()
        self._tell()

    def attend(self, now_us: int) -> int | None:
        flush_us = self._listener.due_us()
        if flush_us is not None and now_us >= flush_us:
            self._listener.flush()
            self._tell()
        if now_us >= self._house_us:
            self._house_us = now_us + _HOUSEKEEPING_US
            keep_house(self._node)
            self._tell_unreadable()
        self._tick(now_us)
        return self._next_us

    def is_done(self) -> bool:
        return False

    def pause(self) -> None:
        self._listener.flush()
        self._tell()
        self._count()

    def _line(self) -> str:
        heard, forged, refused = (
            self._listener.symbols, self._listener.forged, self._listener.refused,
        )  # fmt: skip
        damaged = f", {forged:,} thrown away" if forged else ""
        left = f", no room for {refused:,} bundles" if refused else ""
        return f"{heard:,} frames kept{damaged}{left}"

    def _counters(self) -> dict[str, object]:
        return {
            "oneway": "listens",
            "seen_us": self._seen_us,
            "frames_in": self._machine.frames,
            "dropped": self._machine.dropped,
            "kept": self._listener.symbols,
            "forged": self._listener.forged,
            "refused": self._listener.refused,
        }

    def _tell(self) -> None:
        if self._listener.report.outcomes:
            report = self._listener.take_report()
            self.reasons = [*self.reasons, *report.reasons.values()][-_MOST_REASONS:]
            for line in self._run.telling.imported(report):
                self._run.telling.say(line)
            self._tell_unreadable()

    def _tell_unreadable(self) -> None:
        for problem in unreadable.problems(self._node):
            self._notices.say(problem)


class _Udp:
    """Opens a socket that only sends, or only receives; see `Opener`."""

    longest_wait_seconds = LONGEST_SECONDS

    def __init__(self, config: UdpLink) -> None:
        self.name = f"{config.kind} {config.place}"
        self._listens = bool(config.listen)
        host, port = parse_address(config.listen or config.address, is_ours=self._listens)
        self._address = Address(host, port)

    def open(self, bell: Bell) -> Carrier | None:
        return (open_oneway_receiver if self._listens else open_oneway_sender)(self._address)

    def close(self) -> None:
        """Nothing stays open."""


def _opener(run: LinkRun, node: Node) -> Opener:
    if isinstance(run.config, UdpLink):
        return _Udp(run.config)
    return opener_of(node, run.config, run.telling.say)
