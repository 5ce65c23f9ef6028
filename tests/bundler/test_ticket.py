import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import MalformedError
from bundler.geometry import Geometry
from bundler.join import Need
from bundler.limits import DEFAULT_LIMITS
from bundler.ticket import MAX_BLOCKS, MAX_BYTES, Ticket
from tests.vectors import load

KEY, ID = bytes(range(32)), bytes(range(8))
needs = st.dictionaries(st.integers(0, 255), st.integers(1, 0xFFFF), min_size=1).map(
    lambda found: [Need(*item) for item in sorted(found.items())]
)


@given(needs)
def test_there_and_back(wanted: list[Need]) -> None:
    ticket = Ticket.of(KEY, ID, wanted)
    data = ticket.to_bytes()
    assert len(data) <= MAX_BYTES
    assert Ticket.from_bytes(data) == ticket
    assert list(ticket.wanted) == wanted[:MAX_BLOCKS]
    assert ticket.is_for(KEY, ID)


@pytest.mark.parametrize("symbol_bytes", [72, 192, 1368])
def test_all_of_the_largest_bundle_is_asked_for_in_a_hundred_bytes(symbol_bytes: int) -> None:
    geometry = Geometry.of(DEFAULT_LIMITS.bundle_bytes, symbol_bytes)
    wanted = [Need(n, geometry.block_symbols(n) + 2) for n in range(geometry.blocks)]
    ticket = Ticket.of(KEY, ID, wanted)
    assert len(ticket.to_bytes()) <= 100
    assert list(ticket.wanted) == wanted


def test_one_block_takes_twelve_bytes() -> None:
    assert len(Ticket.of(KEY, ID, [Need(0, 57)]).to_bytes()) == 12


@given(data=st.binary(max_size=110))
def test_any_bytes_are_a_ticket_or_malformed(data: bytes) -> None:
    try:
        ticket = Ticket.from_bytes(data)
    except MalformedError:
        return
    assert ticket.to_bytes() == data


@given(wanted=needs, place=st.integers(0, 98), bit=st.integers(0, 7))
def test_no_flipped_bit_asks_for_anything(wanted: list[Need], place: int, bit: int) -> None:
    data = bytearray(Ticket.of(KEY, ID, wanted).to_bytes())
    data[place % len(data)] ^= 1 << bit
    try:
        ticket = Ticket.from_bytes(bytes(data))
    except MalformedError:
        return
    is_ours = ID.startswith(ticket.start)
    assert not (is_ours and ticket.is_for(KEY, ID))


def test_nobody_else_can_ask() -> None:
    ticket = Ticket.of(KEY, ID, [Need(0, 5)])
    assert not ticket.is_for(bytes(32), ID)
    assert not ticket.is_for(KEY, ID[:4] + bytes(4))


def test_nothing_of_the_bundle_but_its_number_is_said() -> None:
    """Two bundles of which as much is lacking differ in what carriers see, and in the check."""
    one = Ticket.of(KEY, ID, [Need(0, 5)]).to_bytes()
    other = Ticket.of(bytes(32), ID, [Need(0, 5)]).to_bytes()
    assert one[:-4] == other[:-4] == b"\1" + ID[:4] + b"\0\0\5"


@pytest.mark.parametrize("stem", sorted(load("ticket")))
def test_vectors(stem: str) -> None:
    case = load("ticket")[stem]
    data = bytes.fromhex(case["data"])
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            Ticket.from_bytes(data)
        return
    ticket = Ticket.from_bytes(data)
    key, number = bytes.fromhex(case["fragment_key"]), bytes.fromhex(case["bundle_id"])
    assert ticket.is_for(key, number) == (case["expect"] == "success")
    assert [list(need) for need in ticket.wanted] == case["wanted"]
    if case["expect"] == "success":
        assert Ticket.of(key, number, ticket.wanted).to_bytes() == data
