"""By what names others are shown: none that somebody took to be taken for another."""

import re
from pathlib import Path

import pytest

from pannier.likeness import likeness
from tests.cli.computers import Computer, acquaint, exchange, new_computer


@pytest.mark.parametrize(
    "other", ["bea", "Bea", " bea", "b ea", "bea\u200b", "\u202ebea", "\uff42ea", "be\u00ada"]
)
def test_what_looks_alike_is_alike(other: str) -> None:
    assert likeness(other) == "bea"


@pytest.mark.parametrize(
    "mark",
    ["\ufe0f", "\u034f", "\u3164", "\uffa0", "\u2800", "\u17b4", "\u180b", "\u180f", "\U000e0100"],
)
def test_marks_that_nobody_sees_make_no_name_another(mark: str) -> None:
    for other in (f"bea{mark}", f"{mark}bea", f"b{mark}e{mark}a"):
        assert likeness(other) == "bea", ascii(other)
    assert likeness(f"be{mark}\u0301") == likeness("b\u00e9")
    assert likeness(mark) == ""


@pytest.mark.parametrize("other", ["be", "beat", "b\u00e9a", "b-ea"])
def test_what_looks_otherwise_is_not(other: str) -> None:
    assert likeness(other) != "bea"


class Circle:
    """Ada shares a ledger with bea and cy, whom all know, and with strangers whom she alone met."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ada, self.bea, self.cy = (new_computer(folder, one) for one in ("ada", "bea", "cy"))
        for one, other in ((self.ada, self.bea), (self.ada, self.cy), (self.bea, self.cy)):
            acquaint(one, other)
        self.ada.types("ledger", "new", "plant")
        for name in ("bea", "cy"):
            self.ada.types("ledger", "share", name)

    def stranger(self, name: str, folder: str = "mal") -> str:
        """Let somebody in who calls itself *name*, and put a dose; return its node id."""
        mal = Computer(self.folder / folder)
        mal.types("init", "--name", name, "--no-passphrase")
        self.ada.types("peer", "add", folder, mal.types("card").out.strip())
        mal.types("peer", "add", "ada", self.ada.types("card").out.strip())
        self.ada.types("ledger", "share", folder)
        exchange(self.folder / "s", self.ada, mal)
        mal.types("put", "dose", '"50 mg"')
        exchange(self.folder / "s", mal, self.ada, self.cy)
        (number,) = re.findall("node ([0-9a-f]{16})", mal.types("status").out)
        return str(number)

    def speakers(self) -> list[str]:
        """Return by whom cy sees doses put."""
        listed = self.cy.asks("log", "dose")
        assert isinstance(listed, list)
        shown = [line.split("  ")[1] for line in self.cy.types("log", "dose").lines]
        assert [f'{one["by"]}: "{one["data"]}"' for one in listed] == shown
        return sorted(one["by"] for one in listed)


@pytest.fixture
def circle(tmp_path: Path) -> Circle:
    return Circle(tmp_path)


@pytest.mark.parametrize("name", ["bea", "Bea ", "cy", "bea\u200b", "bea\ufe0f"])
def test_who_takes_a_name_that_is_taken_is_shown_with_its_node(circle: Circle, name: str) -> None:
    number = circle.stranger(name)
    escaped = name.replace("\u200b", "\\u200b")
    called = f"{escaped} ({number[:8]})"
    assert called in circle.cy.types("log", "dose").out
    assert called in circle.cy.types("ledger", "members").out
    assert circle.cy.types("get", "dose").out == '"50 mg"\n'


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("deadbeef", "deadbeef"),
        ("DEAD beef 0", "DEAD beef 0"),
        ("ada, bea", '"ada, bea"'),
        ("dan\uff0ceve", '"dan\uff0ceve"'),
        ("dan; eve", '"dan; eve"'),
        ('dan", "eve', r'"dan\", \"eve"'),
        ("ada: x", '"ada: x"'),
        ("bea (1234abcd)", '"bea (1234abcd)"'),
    ],
)
def test_a_name_that_reads_as_something_else_is_shown_with_its_node(
    circle: Circle, name: str, shown: str
) -> None:
    number = circle.stranger(name)
    assert circle.speakers() == [f"{shown} ({number[:8]})"]


@pytest.mark.parametrize("name", ["dan", "O'Hara-Smith 2.0", "facade", "d\u00e9 \u4e09"])
def test_any_other_name_is_shown_as_it_is(circle: Circle, name: str) -> None:
    circle.stranger(name)
    assert circle.speakers() == [name]


def test_a_peer_and_who_is_called_like_it_are_told_apart(circle: Circle) -> None:
    exchange(circle.folder / "s", circle.ada, circle.bea)
    circle.bea.types("put", "dose", '"5 mg"')
    exchange(circle.folder / "s", circle.bea)
    number = circle.stranger("bea")
    assert circle.speakers() == ["bea", f"bea ({number[:8]})"]


def test_two_strangers_of_one_name_are_told_apart(circle: Circle) -> None:
    first = circle.stranger("dan", "one")
    assert circle.speakers() == ["dan"], "nobody else is called so"
    second = circle.stranger("dan", "other")
    assert circle.speakers() == sorted(f"dan ({one[:8]})" for one in (first, second))


def test_nothing_is_sealed_for_who_took_the_name_of_a_peer(circle: Circle) -> None:
    """The peer bea is no member: what is for bea is not for the stranger who calls itself so."""
    circle.ada.types("ledger", "revoke", "bea", "--yes")
    number = circle.stranger("bea")
    exchange(circle.folder / "s", circle.ada, circle.cy)
    done = circle.cy.types("put", "secret", "1", "--to", "bea", status=2)
    assert "bea is no member of plant" in done.err
    assert f"bea ({number[:8]}) ({number})" in done.err
    circle.cy.types("put", "secret", "1", "--to", number)


def test_an_id_means_who_has_it_and_not_who_is_called_so(circle: Circle) -> None:
    (bea,) = re.findall("node ([0-9a-f]{16})", circle.bea.types("status").out)
    number = circle.stranger(bea)
    said = circle.ada.types("ledger", "revoke", bea, "--yes").out
    assert said.startswith(f"Removed {bea}.")
    members = circle.ada.asks("ledger", "members")
    assert isinstance(members, list)
    assert {one["node"] for one in members if one["role"] is None} == {bea}
    assert number in {one["node"] for one in members if one["role"] == "writer"}


def test_where_a_person_decides_nobody_is_called_like_another(circle: Circle) -> None:
    cy, mal, nan = circle.cy, Computer(circle.folder / "mal"), Computer(circle.folder / "nan")
    for one in (mal, nan):  # cy knows mal, and calls it so
        one.types("init", "--name", "bea", "--no-passphrase")
    acquaint(mal, cy)
    cy.configure("[peer.mal]\nimport = 'review'\n")
    mal.types("ledger", "new", "plans")
    mal.types("put", "well", "1")
    mal.types("peer", "add", "nan", nan.types("card").out.strip())
    for name in ("nan", "cy"):
        mal.types("ledger", "share", name)
    exchange(circle.folder / "s", mal, cy)
    (waiting,) = cy.types("review", "list").lines
    asked = cy.asks("review", "show", waiting.split()[0])
    assert isinstance(asked, dict)
    (ledger,) = asked["ledgers"]
    (number,) = re.findall("node ([0-9a-f]{16})", nan.types("status").out)
    assert ledger["admins"] == [one["name"] for one in ledger["authors"]] == ["mal"]
    assert [one[0] for one in ledger["grants"]] == [f"bea ({number[:8]})", "cy"]


def test_two_newcomers_of_one_name_are_told_apart_where_a_person_decides(circle: Circle) -> None:
    ada, cy = circle.ada, circle.cy
    exchange(circle.folder / "s", ada, cy)
    cy.configure("[peer.ada]\nimport = 'review'\n")
    numbers = []
    for folder, name in (("one", "dan"), ("other", "d\ufe0fan"), ("third", "eve")):
        newcomer = new_computer(circle.folder, folder, "--name", name)
        ada.types("peer", "add", folder, newcomer.types("card").out.strip())
        ada.types("ledger", "share", folder)
        numbers += re.findall("node ([0-9a-f]{8})", newcomer.types("status").out)
    ada.types("ledger", "revoke", "one", "--yes")
    exchange(circle.folder / "s", ada, cy)
    (waiting,) = cy.types("review", "list").lines
    asked = cy.asks("review", "show", waiting.split()[0])
    assert isinstance(asked, dict)
    (ledger,) = asked["ledgers"]
    one, other = f"dan ({numbers[0]})", f"d\ufe0fan ({numbers[1]})"
    assert [name for name, *_ in ledger["grants"]] == [one, other, "eve"]
    assert ledger["revocations"] == [one]
