"""Running a link without a way back: one side sends, any number of others listen."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from os import urandom
from pathlib import Path

from ledger.lazy_dataclass import dataclass
from pannier.housekeeping import keep_house
from pannier.link_config import LinkConfig, UdpLink, parse_address
from pannier.link_counters import stem_of
from pannier.links.capture import Capture
from pannier.links.carousel import FOREVER, Carousel, Terms
from pannier.links.listening import Listener
from pannier.links.progress import amount
from pannier.links.side import LinkTelling, monotonic_us
from pannier.links.wiring import limits_of, opener_of, settings_of
from pannier.lock import exclusive
from pannier.node import Node
from transports.carriers.address import Address
from transports.carriers.backoff import LONGEST_SECONDS, Backoff
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier, CarrierGoneError, Opener
from transports.carriers.drive import Drive
from transports.carriers.reopen import carriers
from transports.carriers.udp import open_oneway_receiver, open_oneway_sender
from transports.link.frame import OneWay
from transports.link.oneway import OneWayListener, OneWaySender

DEFAULT_RATE = 100_000
"""Bytes a second over a network where nothing else is said: nobody says that it is too fast."""

_SECOND_US = 1_000_000
_HOUSEKEEPING_US = 3600 * _SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWayRun:
    """What a link without a way back is run with.

    Attributes:
        config: Its settings; its peer is not looked at.
        peers: Names of those to send to; none: this side listens.
        overhead_percent: So many symbols more than a bundle has go in each round.
        rounds: How often each bundle goes.
        open_node: Opens the node.
        telling: How people learn of what it does.
        capture: Where to write down what passes.
    """

    config: LinkConfig
    peers: Sequence[str]
    overhead_percent: int
    rounds: int
    open_node: Callable[[], Node]
    telling: LinkTelling
    capture: Path | None = None


def run_one_way(run: OneWayRun, bell: Bell) -> None:
    """Send, or listen, until *bell* is stopped, or until all rounds are over.

    Raises:
        UsageError: nobody is called as a peer is, or frames are too short.
        BusyError: another process runs this link, or spends its airtime.
        PannierError: something in the home cannot be read or written.
        SpoolError: the spool cannot be used.
        LedgerError: a ledger cannot be read or written.
        CarrierUnusableError: what it needs is not installed, or cannot be used.
    """
    with ExitStack() as stack:
        node = stack.enter_context(run.open_node())
        terms = Terms(
            frame_bytes=run.config.mtu,
            overhead_percent=run.overhead_percent,
            rounds=run.rounds,
        )
        name = f"{run.config.kind} {run.config.place}"
        lock = node.home.locks / f"link-{stem_of(name)}"
        stack.enter_context(exclusive(lock, f"running the link {name}"))
        limits = stack.enter_context(limits_of(node, run.config, monotonic_us))
        settings = settings_of(node, run.config)
        if not run.peers:
            _drive(run, node, OneWayListener(settings), _Hearing(run, node), bell)
            return
        peers = [node.peer_named(one) for one in run.peers]
        carousel = Carousel(node, peers, terms, medium=f"{name}, one way")
        stack.enter_context(closing(carousel))
        sender = OneWaySender(settings, carousel.supply, limits)
        _drive(run, node, sender, _Sending(run, carousel, sender), bell)


def _drive(
    run: OneWayRun,
    node: Node,
    machine: OneWaySender | OneWayListener,
    attendant: "_Sending | _Hearing",
    bell: Bell,
) -> None:
    """Join the machine and one wire after the other."""
    opener, tap = _opener(node, run), None
    backoff = Backoff(urandom, opener.longest_wait_seconds)
    with ExitStack() as stack:
        if run.capture is not None:
            tap = Capture(run.capture, is_datagrams=isinstance(run.config, UdpLink))
            stack.callback(tap.close)
        for carrier in carriers(opener, bell, backoff, run.telling.say):
            backoff.reset()
            try:
                if carrier.agree(bell):
                    Drive[OneWay](carrier, machine, attendant, bell, monotonic_us, tap).run()
            except CarrierGoneError as error:
                run.telling.say(str(error))
            else:
                return
            finally:
                attendant.pause()


class _Sending:
    """Attends to a carousel."""

    def __init__(self, run: OneWayRun, carousel: Carousel, sender: OneWaySender) -> None:
        self._run, self._carousel, self._sender = run, carousel, sender
        self._next_us = 0

    def take(self, event: OneWay) -> None:
        """Nothing comes on such a link."""

    def attend(self, now_us: int) -> int | None:
        if now_us >= self._next_us:
            self._next_us = now_us + _SECOND_US
            if self._run.telling.progress is not None:
                self._run.telling.progress(self._line())
        return min(self._next_us, max(self._carousel.due_us(), now_us + 1))

    def is_done(self) -> bool:
        return self._run.rounds != FOREVER and self._carousel.is_idle

    def pause(self) -> None:
        """Nothing is lost with the wire."""

    def _line(self) -> str:
        bundles, least, most = self._carousel.progress()
        rounds = f"{least} to {most}" if least != most else f"{least}"
        sent = f"{self._sender.frames:,} frames, {amount(self._sender.bytes_out)} sent"
        return f"{sent}; {bundles} bundles, {rounds} rounds each" if bundles else f"{sent}; idle"


class _Hearing:
    """Attends to what is heard."""

    def __init__(self, run: OneWayRun, node: Node) -> None:
        self._run, self._node, self._listener = run, node, Listener(node)
        self._next_us = self._house_us = 0

    def take(self, event: OneWay) -> None:
        self._listener.take(event, monotonic_us())
        self._tell()

    def attend(self, now_us: int) -> int | None:
        flush_us = self._listener.due_us()
        if flush_us is not None and now_us >= flush_us:
            self._listener.flush()
        if now_us >= self._house_us:
            self._house_us = now_us + _HOUSEKEEPING_US
            keep_house(self._node)
        if now_us >= self._next_us:
            self._next_us = now_us + _SECOND_US
            if self._run.telling.progress is not None:
                heard, forged = self._listener.symbols, self._listener.forged
                damaged = f", {forged:,} thrown away" if forged else ""
                self._run.telling.progress(f"{heard:,} frames kept{damaged}")
        return self._next_us

    def is_done(self) -> bool:
        return False

    def pause(self) -> None:
        self._listener.flush()

    def _tell(self) -> None:
        if self._listener.report.outcomes:
            for line in self._run.telling.imported(self._listener.take_report()):
                self._run.telling.say(line)


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


def _opener(node: Node, run: OneWayRun) -> Opener:
    if isinstance(run.config, UdpLink):
        return _Udp(run.config)
    return opener_of(node, run.config)
