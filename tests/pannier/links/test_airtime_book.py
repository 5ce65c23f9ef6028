from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pannier.errors import BusyError
from pannier.links.airtime_book import AirtimeBook, Clocks, airtime_of
from pannier.nodedb import NodeDb
from pannier.trusted_time import Uptime
from tests.cli.computers import new_computer
from transports.link.airtime import NEVER_US, SECOND_US, Air

AIR = Air(share=Fraction(1, 10), bytes_per_second=1000, frame_us=100, window_us=20 * SECOND_US)
SIZE = 97


@dataclass
class Machine:
    """A computer whose clocks do as they are told; *now_us* is the true time."""

    db: NodeDb
    now_us: int = 10**12
    clock_error_us: int = 0
    booted_us: int = 10**12
    boot: str = "first"
    sent: list[tuple[int, int]] = field(default_factory=list)

    def open(self) -> AirtimeBook:
        clocks = Clocks(
            lambda: self.now_us + self.clock_error_us,
            lambda: Uptime(self.boot, 0, self.now_us - self.booted_us if self.boot else 0),
        )
        return AirtimeBook(self.db, "radio", AIR, clocks, self.now_us)

    def reboot(self, clock_error_us: int) -> None:
        self.boot += "x"
        self.booted_us = self.now_us
        self.clock_error_us = clock_error_us

    def send(self, book: AirtimeBook, most: int) -> None:
        for _ in range(most):
            self.now_us = book.ready_us(self.now_us, SIZE)
            book.spend(self.now_us, SIZE)
            end = self.now_us + AIR.airtime_us(SIZE)
            self.sent.append((self.now_us, end))
            self.now_us = end

    def worst_us(self) -> int:
        """Return the most airtime of frames that any window has a part of."""
        return max(
            sum(
                end - start
                for start, end in self.sent
                if start <= last and end > last - AIR.window_us
            )
            for last, _ in self.sent
        )


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> NodeDb:
    db = NodeDb.open(tmp_path_factory.mktemp("airtime") / "node.db")
    db.run("PRAGMA synchronous = OFF")
    return db


def fresh(db: NodeDb) -> Machine:
    db.run("DELETE FROM airtime")
    return Machine(db)


lives = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.booleans(),
        st.integers(0, 30 * SECOND_US),
        st.one_of(st.none(), st.integers(-(10**13), 0)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(lives)
def test_no_kill_restart_or_clock_gives_more_airtime(
    db: NodeDb, lives: list[tuple[int, bool, int, int | None]]
) -> None:
    """Each life sends, ends well or is killed, pauses, and maybe boots with a late clock."""
    machine = fresh(db)
    for frames, ends_well, pause_us, clock_error_us in lives:
        book = machine.open()
        machine.send(book, frames)
        if ends_well:
            book.close(machine.now_us)
        machine.now_us += pause_us
        if clock_error_us is not None:
            # A clock that was late may be less late, but never ahead, by what it lost before.
            machine.reboot(min(clock_error_us, machine.clock_error_us))
    if machine.sent:
        assert machine.worst_us() <= AIR.budget_us


def test_what_was_reserved_may_have_been_spent_just_now(db: NodeDb) -> None:
    """It was written down long before, and spent right before the kill."""
    machine, small = fresh(db), 5
    book = machine.open()
    book.spend(machine.now_us, small)
    machine.now_us += AIR.window_us - 1000
    for _ in range(2):
        book.spend(machine.now_us, small)
    machine.now_us += 2000
    assert machine.open().spent_us(machine.now_us) >= 2 * AIR.airtime_us(small)


def test_restarts_cost_little(db: NodeDb) -> None:
    """What was reserved and never spent is what a kill costs: a hundredth of the budget."""
    machine = fresh(db)
    machine.open().spend(machine.now_us, SIZE)
    spent = machine.open().spent_us(machine.now_us)
    assert AIR.airtime_us(SIZE) <= spent <= AIR.airtime_us(SIZE) + AIR.budget_us // 100


def test_a_good_end_costs_nothing(db: NodeDb) -> None:
    machine = fresh(db)
    book = machine.open()
    machine.send(book, 3)
    book.close(machine.now_us)
    assert machine.open().spent_us(machine.now_us) == 3 * AIR.airtime_us(SIZE)


def test_old_airtime_is_free_again(db: NodeDb) -> None:
    machine = fresh(db)
    book = machine.open()
    machine.send(book, 15)
    for _ in range(50):  # restarts do not keep it alive
        machine.now_us += SECOND_US
        machine.open()
    assert machine.open().spent_us(machine.now_us) == 0


def test_what_is_never_allowed_is_said(db: NodeDb) -> None:
    assert fresh(db).open().ready_us(10**12, 5000) == NEVER_US


def test_a_device_may_have_any_name(tmp_path: Path) -> None:
    farm = new_computer(tmp_path, "farm")
    for spent in (0, 1):
        with farm.node() as node, airtime_of(node, "/dev/\udcff", AIR, lambda: 0) as book:
            assert book.spent_us(0) == spent * AIR.airtime_us(SIZE)
            book.spend(0, SIZE)


def test_one_process_at_a_time_has_the_book(tmp_path: Path) -> None:
    farm = new_computer(tmp_path, "farm")
    with farm.node() as node, airtime_of(node, "/dev/ttyUSB0", AIR, lambda: 0) as book:
        book.spend(0, SIZE)
        with (
            farm.node() as other,
            pytest.raises(BusyError),
            airtime_of(other, "/dev/ttyUSB0", AIR, lambda: 0),
        ):
            pass
        with farm.node() as other, airtime_of(other, "/dev/ttyUSB1", AIR, lambda: 0):
            pass
    with farm.node() as node, airtime_of(node, "/dev/ttyUSB0", AIR, lambda: 0) as book:
        assert book.spent_us(0) == AIR.airtime_us(SIZE)
