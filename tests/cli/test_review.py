import re
from pathlib import Path

import pytest

from tests.cli.computers import Computer, exchange

Pair = tuple[Computer, Computer]
HOSTILE = "\u202egnp.esrever\u2028x"


@pytest.fixture
def asking(sharers: Pair, tmp_path: Path) -> Pair:
    """farm shared a ledger with home, which wants to look first; it lies there."""
    farm, home = sharers
    home.configure("[peer.farm]\nimport = 'review'\n")
    farm.types("put", "well", "1", "--kind", "level")
    stick = tmp_path / "stick"
    stick.mkdir()
    farm.types("exchange", str(stick))
    (line, *_) = home.types("exchange", str(stick)).lines
    assert line == "1 bundle waiting for your review: see `pannier review list`."
    return farm, home


def number_of(home: Computer) -> str:
    (line,) = home.types("review", "list").lines
    return line.split()[0]


def test_nothing_waits(farm: Computer) -> None:
    assert farm.types("review", "list").out == "Nothing waits for review.\n"
    assert farm.types("review", "list", "--decided").out == "Nothing was decided yet.\n"
    assert farm.asks("review", "list") == []
    assert farm.asks("review", "list", "--decided") == []


def test_look_then_accept(asking: Pair) -> None:
    _, home = asking
    number = number_of(home)
    (line,) = home.types("review", "list").lines
    assert line.startswith(f"{number}  from farm: farm (new): ")
    assert "1 grant (" in line
    shown = home.types("review", "show", number[:6]).lines
    assert shown[0].startswith(f"Bundle {number}, ")
    assert shown[0].endswith(" bytes, from farm")
    assert shown[2].endswith(", new here, founded by farm")
    assert any("by farm (" in one and one.endswith(", NEW AUTHOR") for one in shown)
    assert "      1 of kind level" in shown
    assert any(one.startswith("    GRANT: home becomes writer; card ") for one in shown)
    assert home.types("status").out.count("1 bundle waiting for your review") == 1
    assert home.asks("ledger", "list") == []
    told = home.types("review", "accept", number).lines
    assert told[0].startswith("Took in ")
    assert told[0].endswith(" by farm into farm.")
    assert home.asks("get", "well") != []
    assert home.types("review", "list").out == "Nothing waits for review.\n"
    (line,) = home.types("review", "list", "--decided").lines
    assert line.startswith(f"{number}  20")
    assert " accepted from farm: farm (new): " in line


def test_refuse_and_say_why(asking: Pair, tmp_path: Path) -> None:
    farm, home = asking
    number = number_of(home)
    told = home.types("review", "refuse", number, "--why", "wrong field").out
    assert told == (
        "Refused 1 bundle; the sender hears of it.\n"
        f"Bundle {number} went to quarantine, as you decided: at review: wrong field.\n"
    )
    (line,) = home.types("review", "list", "--decided").lines
    assert line.endswith("(at review: wrong field)")
    home.types("exchange", str(tmp_path / "stick"))
    out = farm.types("exchange", str(tmp_path / "stick")).out
    assert f"home refused bundle {number}: at review: wrong field." in out
    assert home.asks("ledger", "list") == []


def test_for_programs(asking: Pair) -> None:
    _, home = asking
    number = number_of(home)
    found = home.asks("review", "show", number)
    assert home.asks("review", "list") == [found]
    assert isinstance(found, dict)
    assert (found["bundle"], found["sender"], found["sender_proven"]) == (number, "farm", True)
    (ledger,) = found["ledgers"]
    (author,) = ledger["authors"]
    assert (ledger["is_new"], author["is_new"], author["kinds"]["level"]) == (True, True, 1)
    report = home.asks("review", "accept", number)
    assert isinstance(report, dict)
    assert report["bundles"] == {number: "merged"}
    decided = home.asks("review", "list", "--decided")
    assert isinstance(decided, list)
    assert [one["verdict"] for one in decided] == ["accepted"]


def test_what_others_wrote_does_nothing_to_a_terminal(sharers: Pair, tmp_path: Path) -> None:
    farm, home = sharers
    home.configure("[peer.farm]\nimport = 'review'\n")
    farm.types("put", "well", "1", "--kind", HOSTILE.replace("\u2028", ""))
    exchange(tmp_path / "stick", farm, home)
    for words in (["list"], ["show", number_of(home)], ["list", "--json"]):
        out = home.types("review", *words).out
        assert out.replace("\n", "").isprintable()
    assert "kind \\u202egnp.esrever" in home.types("review", "show", number_of(home)).out


def test_the_name_of_a_ledger_says_nothing_of_who_founded_it(pair: Pair, tmp_path: Path) -> None:
    farm, home = pair
    name = "plans (12345678), new here, founded by ada"
    farm.types("ledger", "new", name)
    farm.types("ledger", "share", "home")
    home.configure("[peer.farm]\nimport = 'review'\n")
    exchange(tmp_path / "stick", farm, home)
    (line,) = home.types("review", "list").lines
    assert f'from farm: "{name}" (new): ' in line
    shown = home.types("review", "show", number_of(home)).lines[2]
    assert re.fullmatch(rf'  ledger "{re.escape(name)}" \([0-9a-f]{{8}}\), new .* by farm', shown)
    asked = home.asks("review", "show", number_of(home))
    assert isinstance(asked, dict)
    assert [one["name"] for one in asked["ledgers"]] == [name]


@pytest.mark.parametrize("word", ["show", "accept", "refuse"])
def test_what_does_not_wait_is_wrong_usage(farm: Computer, word: str) -> None:
    done = farm.types("review", word, "abcd", status=2)
    assert "'abcd' waits for no review: see `pannier review list`" in done.err


def test_what_cannot_be_told_is_said(asking: Pair) -> None:
    """The card of its sender is gone, so it no longer opens."""
    _, home = asking
    (home.home / "cards" / "farm.card").unlink()
    (line,) = home.types("review", "list").lines
    assert " from " in line
    shown = home.types("review", "show", line.split()[0]).out
    assert "cannot be told what is in it: " in shown
