import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, MalformedError, UnverifiedError
from ledger.genesis import Genesis
from tests.ledger.world import genesis_of
from tests.vectors import load

VECTORS = load("genesis")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
DATA = genesis_of("ada").to_bytes()


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    data = bytes.fromhex(vector["data"])
    if vector["expect"] != "success":
        with pytest.raises(FAILURES[vector["expect"]]):
            Genesis.from_bytes(data)
        return
    genesis = Genesis.from_bytes(data)
    assert genesis.to_bytes() == data
    assert genesis.ledger_id.hex() == vector["ledger"]
    assert (genesis.name, len(genesis.admins)) == (vector["name"], vector["admins"])


@given(st.integers(0, len(DATA) * 8 - 1))
def test_a_flipped_bit_is_an_error_or_another_ledger(position: int) -> None:
    flipped = bytearray(DATA)
    flipped[position // 8] ^= 1 << position % 8
    try:
        other = Genesis.from_bytes(bytes(flipped))
    except LedgerError:
        return
    assert other.ledger_id != Genesis.from_bytes(DATA).ledger_id
    assert other.to_bytes() == flipped


@given(st.binary(max_size=200))
def test_any_bytes_are_a_genesis_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(LedgerError):
        Genesis.from_bytes(data)


def test_the_same_ledger_made_twice_is_two_ledgers() -> None:
    one, other = genesis_of("ada"), genesis_of("ada", name="port")
    assert one.ledger_id == genesis_of("ada").ledger_id
    assert one.ledger_id != other.ledger_id
