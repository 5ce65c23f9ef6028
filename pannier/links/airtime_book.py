"""Airtime that a link spent, in ``node.db``: what an hour allows, no restart allows again.

Airtime is written down before it is spent, a second at a time: after a crash some of it may count
that was never used, and none is forgotten. How long ago that was is told by the clock that runs
from boot to boot; over a reboot by this computer's clock, which is not believed where it went back.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pannier.link_counters import stem_of
from pannier.lock import exclusive
from pannier.node import Node
from pannier.nodedb import NodeDb
from pannier.nodedb_file import as_blob, as_int, name_text
from pannier.trusted_time import Uptime
from transports.link.airtime import SECOND_US, Air, DutyCycle, Spent

_NUMBER_BYTES = 8
_STEPS = 100


class Clocks(NamedTuple):
    """What tells how much time passed between two processes.

    Attributes:
        clock_us: Microseconds since 1970, as far as this machine knows.
        uptime: Since boot.
    """

    clock_us: Callable[[], int]
    uptime: Callable[[], Uptime]


class AirtimeBook:
    """A `transports.link.airtime.Limit` that outlives the process. For one thread."""

    def __init__(self, db: NodeDb, link: str, air: Air, clocks: Clocks, now_us: int) -> None:
        """Go on where the last one for *link* ended, or was ended.

        Args:
            db: Where it is written down.
            link: By which name; only one at a time may use it (`airtime_of`).
            air: What is allowed.
            clocks: Of this computer.
            now_us: On the clock that `ready_us` is asked by.

        Raises:
            PannierError: *db* cannot be read or written.
        """
        self._db, self._link, self._clocks = db, link, clocks
        self._step_us = min(max(air.budget_us // _STEPS, 1), SECOND_US)
        self._duty = DutyCycle(air, spent_on(db, link, clocks), now_us)
        self._write(now_us, 0)

    def ready_us(self, now_us: int, size: int) -> int:
        """See `Limit`."""
        return self._duty.ready_us(now_us, size)

    def spend(self, now_us: int, size: int) -> None:
        """See `Limit`.

        Raises:
            PannierError: it cannot be written down, and must not be spent.
        """
        airtime_us = self._duty.air.airtime_us(size)
        if airtime_us > self._reserved_us:
            self._write(now_us, max(self._step_us, airtime_us))
        self._reserved_us -= airtime_us
        self._duty.spend(now_us, size)

    def spent_us(self, now_us: int) -> int:
        """Return how much of the last hour was spent."""
        return self._duty.spent_us(now_us)

    def close(self, now_us: int) -> None:
        """Write down what was really spent.

        Raises:
            PannierError: it cannot be written.
        """
        self._write(now_us, 0)

    def _write(self, now_us: int, reserved_us: int) -> None:
        """Write down what was spent, and *reserved_us* that may be spent until the next time."""
        numbers = [reserved_us]
        for spent in self._duty.snapshot(now_us):
            numbers += spent
        uptime = self._clocks.uptime()
        self._db.run(
            "INSERT OR REPLACE INTO airtime VALUES (?, ?, ?, ?, ?)",
            name_text(self._link),
            uptime.boot,
            uptime.now_us,
            self._clocks.clock_us(),
            struct.pack(f"<{len(numbers)}q", *numbers),
        )
        self._reserved_us = reserved_us


def spent_on(db: NodeDb, link: str, clocks: Clocks) -> Iterator[Spent]:
    """Yield the airtime that was spent on a link, as it looks now.

    Raises:
        PannierError: *db* cannot be read.
    """
    found = db.rows(
        "SELECT boot, uptime, clock, spent FROM airtime WHERE link = ?", name_text(link)
    )
    if not found:
        return
    boot, uptime_us, clock_us, data = found[0]
    passed_us = _passed_us(clocks, str(boot), as_int(uptime_us), as_int(clock_us))
    blob = as_blob(data)
    count = len(blob) // _NUMBER_BYTES
    numbers = list(struct.unpack(f"<{count}q", blob[: count * _NUMBER_BYTES]))
    reserved_us = numbers.pop(0) if numbers else 0
    for since_us, age_us, airtime_us in zip(*[iter(numbers)] * 3, strict=False):
        yield Spent(since_us + passed_us, age_us + passed_us, airtime_us)
    if reserved_us:
        # It may have been spent at any moment until now.
        yield Spent(0, 0, reserved_us)


def _passed_us(clocks: Clocks, boot: str, uptime_us: int, clock_us: int) -> int:
    """Return how much time passed since the last entry, or less."""
    uptime = clocks.uptime()
    if boot and boot == uptime.boot:
        return max(uptime.now_us - uptime_us, 0)
    since_boot_us = uptime.now_us if boot and uptime.boot else 0
    return max(clocks.clock_us() - clock_us, since_boot_us, 0)


@contextmanager
def airtime_of(
    node: Node, link: str, air: Air, monotonic_us: Callable[[], int]
) -> Iterator[AirtimeBook]:
    """Keep the book of one link while the block runs.

    Args:
        node: Whose.
        link: The device or address: what is named otherwise has a book of its own.
        air: What is allowed.
        monotonic_us: The clock of the link.

    Raises:
        BusyError: another process uses the link.
        PannierError: ``node.db`` cannot be read or written.
    """
    lock = f"airtime-{stem_of(link)}"
    with exclusive(node.home.locks / lock, f"sending on {link}"):
        clocks = Clocks(node.clock, node.uptime)
        book = AirtimeBook(node.db, link, air, clocks, monotonic_us())
        try:
            yield book
        finally:
            book.close(monotonic_us())
