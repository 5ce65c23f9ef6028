import io
import sys
from collections.abc import Iterator

import pytest

from pannier.cli.session import data_text, opener_with, plural, progress, uptime_since, visible
from pannier.errors import UsageError
from pannier.home import Home, open_keys
from pannier.times import parse_time
from tests.cli.computers import Computer
from tests.cli.terminal import at_terminal


def test_plural() -> None:
    assert [plural(count, "entry") for count in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]
    assert [plural(count, "file") for count in (1, 26116)] == ["1 file", "26,116 files"]


def test_data_text_is_one_printable_line() -> None:
    assert data_text({"a": "ü\n\x9b"}) == '{"a": "ü\\n\\u009b"}'
    assert data_text([b"\x00\xff"]) == '["00ff"]'
    assert data_text(bytes(32)) == f"32 bytes: {'00' * 32}"
    assert data_text(bytes(33)) == f"33 bytes: {'00' * 32}…"


def test_what_cannot_be_printed_is_escaped() -> None:
    assert visible("plain ü") == "plain ü"
    assert visible("\u202ea\x1b[2Jb\n\U000e0041") == "\\u202ea\\u001b[2Jb\\n\\udb40\\udc41"


def test_nodes_are_opened_with_the_uptime_of_this_machine(farm: Computer) -> None:
    where = Home(farm.home)
    with opener_with(where, open_keys(where, None))() as node:
        first, second = node.uptime(), node.uptime()
    assert first.started_us <= first.now_us <= second.now_us
    assert first.boot == second.boot == uptime_since(0)().boot
    assert first.boot or sys.platform != "linux"


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("0", 0),
        ("-5", -5),
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:01.5", 1_500_000),
        ("1970-01-01T00:00:00+01:00", -3_600_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("0001-01-01", -62_135_596_800_000_000),
    ],
)
def test_moment(text: str, time_us: int) -> None:
    assert parse_time(text) == time_us


@pytest.mark.parametrize(
    "text", ["", "-", "noon", "²", "1.5", "9" * 5000, str(2**63), "2026-13-01"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError):
        parse_time(text)


class TestAsked:
    def test_which_ledger(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather")
        farm.types("ledger", "new", "herd")
        listed = farm.asks("ledger", "list")
        assert isinstance(listed, list)
        herd = next(one["ledger"] for one in listed if one["name"] == "herd")
        with at_terminal(["--home", str(farm.home), "put", "cow", "1"]) as terminal:
            terminal.wait_for("Which ledger?")
            terminal.wait_for("Id (")
            terminal.wait_for(": ")
            terminal.type("nix")
            terminal.wait_for("Error: 'nix' is not one of")
            terminal.wait_for("Id (")
            terminal.wait_for(": ")
            terminal.type(herd[:8])
            assert terminal.finish() == 0
            assert "cow is in herd." in terminal.screen

    def test_giving_up_changes_nothing(self, farm: Computer) -> None:
        farm.types("ledger", "new", "weather")
        farm.types("ledger", "new", "herd")
        with at_terminal(["--home", str(farm.home), "put", "cow", "1"]) as terminal:
            terminal.wait_for("Id (")
            terminal.wait_for(": ")
            terminal.type("\x04")
            assert terminal.finish() == 1
            assert "stopped; nothing that was shown as done is lost" in terminal.screen
        for name in ("weather", "herd"):
            assert farm.asks("things", "--ledger", name) == []


class TestProgress:
    def test_passes_everything_on_where_nobody_looks(self) -> None:
        assert list(progress(iter(range(5)), "Counting", None)) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(("seconds_each", "is_drawn"), [(0.0, False), (0.6, True)])
    def test_draws_a_bar_only_at_a_terminal_and_after_a_second(
        self, monkeypatch: pytest.MonkeyPatch, seconds_each: float, is_drawn: bool
    ) -> None:
        class Screen(io.StringIO):
            def isatty(self) -> bool:
                return True

        now = 0.0

        def numbers() -> Iterator[int]:
            nonlocal now
            for number in range(5):
                now += seconds_each
                yield number

        screen = Screen()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr("pannier.cli.session.time.monotonic", lambda: now)
        assert list(progress(numbers(), "Counting", 5)) == [0, 1, 2, 3, 4]
        assert ("Counting" in screen.getvalue()) == is_drawn
