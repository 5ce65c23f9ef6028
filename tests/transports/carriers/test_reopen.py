from collections.abc import Callable

from tests.transports.carriers.ends import a_bell
from transports.carriers.backoff import Backoff
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier, CarrierGoneError
from transports.carriers.reopen import carriers


class Wire:
    """A carrier that does nothing."""

    name = "wire"

    def __init__(self) -> None:
        self.is_closed = False

    def agree(self, bell: Bell) -> bool:
        return True

    def fileno(self) -> int:
        return -1

    def read(self) -> bytes:
        return b""

    def write(self, data: bytes) -> int:
        return len(data)

    def backlog_us(self) -> int:
        return 0

    def believe(self) -> None:
        pass

    def greet(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


class Place:
    """Opens what a list says: a wire, or a problem."""

    name = "place"
    longest_wait_seconds = 0.0

    def __init__(self, outcomes: list[Wire | str], at_end: Callable[[], None]) -> None:
        self.outcomes = outcomes
        self.at_end = at_end
        self.is_closed = False

    def open(self, bell: Bell) -> Carrier | None:
        if not self.outcomes:
            self.at_end()
            return None
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, str):
            raise CarrierGoneError(outcome)
        return outcome

    def close(self) -> None:
        self.is_closed = True


class Waits(Backoff):
    """Counts how often it was asked, and waits for nothing."""

    def __init__(self) -> None:
        super().__init__(bytes)
        self.count = 0

    def next_seconds(self) -> float:
        self.count += 1
        return 0.0


def test_opens_again_without_end_until_told() -> None:
    with a_bell() as bell:
        first, second = Wire(), Wire()
        place = Place([first, "away", "away", "still away", second], at_end=bell.stop)
        problems: list[str] = []
        waits = Waits()
        came = []
        for carrier in carriers(place, bell, waits, problems.append):
            assert isinstance(carrier, Wire)
            assert not carrier.is_closed
            came.append(carrier)
        assert came == [first, second]
        assert first.is_closed
        assert second.is_closed
        assert place.is_closed
        assert problems == ["away", "away", "still away"]
        assert waits.count == 5


def test_is_told_to_end_while_it_waits() -> None:
    with a_bell() as bell:
        place = Place(["away"], at_end=lambda: None)

        def complain(problem: str) -> None:
            assert problem == "away"
            bell.stop()

        forever = Backoff(lambda size: b"\xff" * size, longest_seconds=1e9)
        assert list(carriers(place, bell, forever, complain)) == []
