"""``pannier peer show --trust`` and ``verify`` where an author showed two histories."""

import shutil
from pathlib import Path

from tests.cli.computers import Computer, exchange, new_computer, new_sharers
from tests.cli.computers import acquaint as introduce


def shown(computer: Computer, name: str) -> str:
    return computer.types("peer", "show", name, "--trust").out


def trust_of(computer: Computer, name: str) -> dict[str, object]:
    found = computer.asks("peer", "show", name, "--trust")
    assert isinstance(found, dict)
    trust = found["trust"]
    assert isinstance(trust, dict)
    return trust


def test_of_one_who_was_never_heard(tmp_path: Path) -> None:
    farm, home = new_computer(tmp_path, "farm"), new_computer(tmp_path, "home")
    introduce(farm, home)
    assert "Last heard: never\n" in shown(farm, "home")
    assert "It is in none of the ledgers that are here.\n" in shown(farm, "home")
    assert "--trust" not in farm.types("peer", "show", "home").out
    assert "trust" not in farm.types("peer", "show", "home", "--json").out


def test_what_is_here_and_who_else_holds_it(tmp_path: Path) -> None:
    farm, home = new_sharers(tmp_path)
    exchange(tmp_path / "stick", farm, home)
    home.types("put", "gate", '"open"')
    exchange(tmp_path / "stick", farm, home, farm)
    text = shown(home, "farm")
    assert "Refused here: 0 bundles\n" in text
    assert "Last heard: 2" in text
    assert "In farm: admin\n" in text
    assert "2 of 2 signed entries here, open\n" in text
    assert "TWO HISTORIES" not in text
    assert f"Fingerprint: {trust_of(home, 'farm')['fingerprint']}\n" in text
    text = shown(farm, "home")
    assert "In farm: writer\n" in text
    assert "1 of 1 signed entries here, open\n" in text


def test_where_two_histories_were_shown_all_say_so(tmp_path: Path) -> None:
    farm, home = new_sharers(tmp_path)
    hill = new_computer(tmp_path, "hill")
    for other in (farm, home):
        introduce(hill, other)
    farm.types("ledger", "share", "hill")
    exchange(tmp_path / "stick", farm, home, hill, farm, home, hill)
    second_life = Computer(tmp_path / "second life")
    shutil.copytree(farm.home, second_life.home)
    for life, history, other in ((farm, "wet", home), (second_life, "dry", hill)):
        life.types("put", "field/3", f'"{history}"')
        exchange(tmp_path / history, life, other)
        assert "TWO HISTORIES" not in shown(other, "farm")
    exchange(tmp_path / "meeting", home)
    met = hill.types("exchange", str(tmp_path / "meeting"))
    assert "farm signed two histories of one log" in met.out + met.err
    exchange(tmp_path / "meeting", home)
    for half in (home, hill):
        text = shown(half, "farm")
        assert "TWO HISTORIES: it signed both, and the proof is kept\n" in text
        assert ", forked\n" in text
        verified = half.types("verify").out
        assert "forked" in verified
        assert "BAD" not in verified
