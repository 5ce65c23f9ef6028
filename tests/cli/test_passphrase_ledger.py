"""`ledger new --passphrase` on computers whose owners agreed on words and exchanged no cards."""

from pathlib import Path

import pytest

from pannier.cli.passphrase import LEDGER_PASSPHRASE
from tests.cli.computers import Computer, new_computer


@pytest.fixture(autouse=True)
def _agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEDGER_PASSPHRASE, "dune acorn pilot velvet")


def test_two_who_agreed_on_a_passphrase_sync(farm: Computer, tmp_path: Path) -> None:
    home, stick = new_computer(tmp_path, "home"), tmp_path / "stick"
    stick.mkdir()
    (said, *_) = farm.types("ledger", "new", "harbour", "--passphrase").lines
    assert home.types("ledger", "new", "harbour", "--passphrase").lines[0] == said
    farm.types("put", "well", '{"depth": 3}')
    left = farm.types("exchange", str(stick)).out
    assert "Wrote 1 bundle for whoever has the passphrase of harbour." in left
    assert "Met farm through the ledger harbour." in home.types("exchange", str(stick)).out
    for computer in (farm, home):
        computer.types("exchange", str(stick))
    assert '{"depth":3}' in home.types("get", "well").out.replace(" ", "")
    assert [line.split()[0] for line in home.types("peer", "list").lines] == ["farm"]


def test_it_goes_with_no_other_term(farm: Computer) -> None:
    done = farm.types("ledger", "new", "harbour", "--passphrase", "--clear", status=2)
    assert "no other term" in done.err


def test_without_anybody_to_ask_it_says_what_to_set(
    farm: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LEDGER_PASSPHRASE)
    assert LEDGER_PASSPHRASE in farm.types("ledger", "new", "x", "--passphrase", status=2).err


def test_another_passphrase_under_a_name_that_is_taken_is_refused(
    farm: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.types("ledger", "new", "harbour", "--passphrase")
    monkeypatch.setenv(LEDGER_PASSPHRASE, "something else")
    done = farm.types("ledger", "new", "harbour", "--passphrase", status=2)
    assert "not by this passphrase" in done.err
    assert len(farm.types("ledger", "list").lines) == 1


def test_nobody_is_an_admin_of_it(farm: Computer, tmp_path: Path) -> None:
    farm.types("ledger", "new", "harbour", "--passphrase")
    card = new_computer(tmp_path, "home").types("card").out.strip()
    farm.types("peer", "add", "home", card)
    for words in (("share", "home"), ("revoke", "harbour", "--yes")):
        assert "passphrase" in farm.types("ledger", *words, status=2).err
