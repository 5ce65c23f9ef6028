"""The loop between one open wire and one link: the only place where a link meets time.

It waits on the wire, on a bell, and on what is due; it never spins, and wakes within a millisecond
or two. What the wire does not take is kept, at most a frame, and no more is asked for meanwhile.
"""

import selectors
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier

LEAD_US = 60_000
"""No more is written while what was written needs so long to leave: what is urgent overtakes."""

_READS_AT_ONCE = 32
_EventT_co = TypeVar("_EventT_co", covariant=True)
_EventT_contra = TypeVar("_EventT_contra", contravariant=True)
_EventT = TypeVar("_EventT")


class Machine(Protocol[_EventT_co]):
    """A link without its wire; all times are microseconds of one clock that never steps."""

    @property
    def greeted_count(self) -> int:
        """How many hellos of the peer, new or replayed, an answer was made to."""

    @property
    def vouched_count(self) -> int:
        """How many frames came that the peer has just made."""

    def opened(self, now_us: int) -> None:
        """Note that the wire is there."""

    def closed(self, now_us: int) -> None:
        """Note that the wire is gone."""

    def leave(self) -> None:
        """Say goodbye with the next `send`."""

    def receive(self, now_us: int, data: bytes) -> Iterable[_EventT_co]:
        """Take bytes of the pipe, or one datagram; return what there is to tell."""

    def events(self) -> Iterable[_EventT_co]:
        """Return what there is to tell since."""

    def send(self, now_us: int) -> bytes | None:
        """Return what to write next; None if nothing is to be written now."""

    def due(self, now_us: int) -> int | None:
        """Return when to call `send` again at the latest; None if something must come first."""


class Attendant(Protocol[_EventT_contra]):
    """Who acts on what comes, and supplies what goes; called in the thread of the loop."""

    def take(self, event: _EventT_contra) -> None:
        """Act on an event."""

    def attend(self, now_us: int) -> int | None:
        """Do what is due; return when to be called again at the latest, None if by the bell."""

    def is_done(self) -> bool:
        """Return whether the loop is to end."""


class Tap(Protocol):
    """Hears what passes."""

    def sent(self, data: bytes) -> None:
        """Bytes that went onto the wire."""

    def received(self, data: bytes) -> None:
        """Bytes that came from it."""


class Drive(Generic[_EventT]):
    """One wire and one link, joined until the wire hangs up or somebody ends it."""

    def __init__(
        self,
        carrier: Carrier,
        machine: Machine[_EventT],
        attendant: Attendant[_EventT],
        bell: Bell,
        clock_us: Callable[[], int],
        tap: Tap | None = None,
    ) -> None:
        """Join *carrier* and *machine*.

        Args:
            carrier: Open, and agreed.
            machine: The link; its wire must not be open.
            attendant: Acts on what comes.
            bell: Wakes the loop; ends it when stopped.
            clock_us: A clock that never steps.
            tap: Hears what passes.
        """
        self._carrier, self._machine, self._attendant = carrier, machine, attendant
        self._bell, self._clock_us, self._tap = bell, clock_us, tap
        self._rest = b""
        self._is_reading = False

    def run(self) -> None:
        """Carry bytes until the bell is stopped or the attendant is done.

        Raises:
            CarrierGoneError: the wire hung up. Whatever the attendant raises.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self._carrier, selectors.EVENT_READ)
            self._machine.opened(self._clock_us())
            try:
                while not self._bell.is_stopped and not self._attendant.is_done():
                    attended = self._attendant.attend(self._clock_us())
                    resumed = self._write()
                    if not self._tell(self._machine.events()):
                        self._wait(selector, attended, resumed)
                    self._read()
                self._machine.leave()
                self._write()
            finally:
                self._machine.closed(self._clock_us())
                self._tell(self._machine.events())

    def _tell(self, events: Iterable[_EventT]) -> bool:
        """Have the attendant act on *events*; return whether there were any."""
        is_any = False
        for event in events:
            self._attendant.take(event)
            is_any = True
        return is_any

    def _write(self) -> int | None:
        """Write what there is; return when to go on if the system has too much of it already."""
        while True:
            if not self._rest:
                ahead_us = self._carrier.backlog_us() - LEAD_US
                if ahead_us > 0:
                    return self._clock_us() + ahead_us
                self._rest = self._machine.send(self._clock_us()) or b""
                if not self._rest:
                    return None
            taken = self._carrier.write(self._rest)
            if self._tap is not None:
                self._tap.sent(self._rest[:taken])
            self._rest = self._rest[taken:]
            if self._rest:
                return None

    def _wait(
        self, selector: selectors.BaseSelector, attended: int | None, resumed: int | None
    ) -> None:
        """Wait until something can be read, written or is due, or somebody rings."""
        interest = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._rest else 0)
        if selector.get_key(self._carrier).events != interest:
            selector.modify(self._carrier, interest)
        now_us = self._clock_us()
        due = self._machine.due(now_us) if resumed is None and not self._rest else resumed
        dues = [one for one in (due, attended) if one is not None]
        timeout = None
        if self._is_reading:
            timeout = 0.0
        elif dues:
            timeout = max(min(dues) - now_us, 0) / 1_000_000
        selector.select(timeout)
        self._bell.hush()

    def _read(self) -> None:
        """Take what has arrived, as much as leaves time for writing."""
        for _ in range(_READS_AT_ONCE):
            data = self._carrier.read()
            self._is_reading = bool(data)
            if not data:
                return
            if self._tap is not None:
                self._tap.received(data)
            machine = self._machine
            greeted, vouched = machine.greeted_count, machine.vouched_count
            self._tell(machine.receive(self._clock_us(), data))
            if machine.vouched_count != vouched:
                self._carrier.believe()
            elif machine.greeted_count != greeted:
                self._carrier.greet()
