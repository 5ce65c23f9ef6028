import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, ForgedError, LimitError, MalformedError
from bundler.fragment import HAS_CRC, Fragment, crc_check, fits, mac_check
from tests.vectors import load

VECTORS = load("fragment")
ERRORS: dict[str, tuple[type[BundleError], ...]] = {
    "malformed": (MalformedError, LimitError),
    "unverified": (ForgedError,),
}


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    data = bytes.fromhex(case["data"])
    verify = fits(crc_check, mac_check(bytes.fromhex(case["mac_key"])))
    if case["expect"] == "success":
        assert Fragment.from_bytes(data, verify).to_bytes() == data
    else:
        with pytest.raises(ERRORS[case["expect"]]):
            Fragment.from_bytes(data, verify)


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    data = bytes.fromhex(VECTORS["source"]["data"])
    for bit in range(8 * len(data)):
        damaged = (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")
        with pytest.raises(BundleError):
            Fragment.from_bytes(damaged)
    for length in range(len(data)):
        with pytest.raises(BundleError):
            Fragment.from_bytes(data[:length])


def test_a_mac_is_only_accepted_under_its_key() -> None:
    data = bytes.fromhex(VECTORS["mac"]["data"])
    with pytest.raises(ForgedError):
        Fragment.from_bytes(data, HAS_CRC)
    with pytest.raises(ForgedError):
        Fragment.from_bytes(data, fits(mac_check(bytes(32))))


def test_a_crc_is_refused_where_only_macs_are_accepted() -> None:
    data = bytes.fromhex(VECTORS["source"]["data"])
    with pytest.raises(ForgedError):
        Fragment.from_bytes(data, fits(mac_check(bytes(32))))


def test_symbols_are_not_copied() -> None:
    data = bytearray.fromhex(VECTORS["source"]["data"])
    fragment = Fragment.from_bytes(memoryview(data))
    data[20] ^= 1
    assert isinstance(fragment.symbols, memoryview)
    assert bytes(fragment.symbols) in bytes(data)


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"\x87\x01\x48" + tail))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    with pytest.raises(BundleError):
        Fragment.from_bytes(data)
