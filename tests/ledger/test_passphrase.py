import pytest

from ledger.epochs import sealing_epoch
from ledger.errors import MalformedError
from ledger.genesis import Genesis, Term
from ledger.keys import KeyStretch
from ledger.passphrase import PassphraseLedger, network_epoch
from tests.vectors import load

CHEAP = KeyStretch(passes=1, lanes=1, memory_kib=8)


@pytest.mark.parametrize("case", load("passphrase").values())
def test_vectors(case: dict[str, str]) -> None:
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            PassphraseLedger.derive(case["name"], case["passphrase"])
        return
    found = PassphraseLedger.derive(case["name"], case["passphrase"])
    assert found.genesis.to_bytes().hex() == case["genesis"]
    assert found.genesis.ledger_id.hex() == case["ledger"]
    assert found.admin.private_bytes_raw().hex() == case["admin_secret"]
    assert found.network_key.hex() == case["network_key"]


def test_the_genesis_says_what_it_is_and_can_be_read_back() -> None:
    found = PassphraseLedger.derive("harbour", "secret", CHEAP)
    assert Genesis.from_bytes(found.genesis.to_bytes()) == found.genesis
    assert found.genesis.terms == {Term.PASSPHRASE}
    (admin,) = found.genesis.admins
    assert admin.author == found.admin.public_key().public_bytes_raw()


def test_another_name_passphrase_or_cost_makes_another_ledger_under_another_key() -> None:
    made = [
        PassphraseLedger.derive("harbour", "secret", CHEAP),
        PassphraseLedger.derive("harbour", "Secret", CHEAP),
        PassphraseLedger.derive("harbor", "secret", CHEAP),
        PassphraseLedger.derive("harbour", "secret", KeyStretch(passes=2, lanes=1, memory_kib=8)),
    ]
    assert len({one.genesis.ledger_id for one in made}) == len(made)
    assert len({one.network_key for one in made}) == len(made)
    assert len({one.admin.private_bytes_raw() for one in made}) == len(made)


def test_a_guess_costs_64_mib_and_three_passes() -> None:
    costly = KeyStretch(passes=3, lanes=4, memory_kib=65_536)
    by_default = PassphraseLedger.derive("harbour", "secret").network_key
    assert by_default == PassphraseLedger.derive("harbour", "secret", costly).network_key


def test_no_secret_is_shown() -> None:
    found = PassphraseLedger.derive("harbour", "secret", CHEAP)
    assert found.network_key.hex() not in repr(found)
    assert repr(found.network_key) not in repr(found)
    assert "admin=" not in repr(found)


def test_the_network_key_seals_and_never_gives_way() -> None:
    epoch = network_epoch(bytes(32))
    assert sealing_epoch([epoch], frozenset()) == epoch
