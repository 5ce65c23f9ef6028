import hmac
from hashlib import sha256, shake_128

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, ForgedError, LimitError, MalformedError
from bundler.fragment import (
    HAS_CRC,
    Fragment,
    crc_check,
    fits,
    fragment_head,
    fragment_start,
    mac_check,
)
from bundler.items import byte_string
from tests.vectors import load

VECTORS = load("fragment")
LONG_VECTORS = load("long_fragment")
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


@pytest.mark.parametrize("stem", LONG_VECTORS)
def test_long_vector(stem: str) -> None:
    case = LONG_VECTORS[stem]
    start, seed, check = (bytes.fromhex(case[name]) for name in ("before", "seed", "check"))
    symbols = shake_128(seed).digest(case["symbols_bytes"])
    data = start + symbols + byte_string(check)
    assert sha256(data).hexdigest() == case["digest"]
    make = mac_check(bytes.fromhex(case["mac_key"]))
    if case["expect"] == "success":
        assert Fragment.from_bytes(data, fits(make)).to_bytes() == data
        assert make(start, symbols) == make(start + symbols) == check
    else:
        with pytest.raises(ERRORS[case["expect"]]):
            Fragment.from_bytes(data, fits(make))


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


LONG_KEY = bytes(range(32))
LONG_SYMBOLS = bytes(range(256)) * 512


def long_fragment(check_bytes: int = 16) -> bytes:
    start = fragment_start(fragment_head(bytes(8), 2**20, 1024), 0, len(LONG_SYMBOLS))
    check = mac_check(LONG_KEY)(start, LONG_SYMBOLS)[:check_bytes]
    return start + LONG_SYMBOLS + byte_string(check)


def test_a_long_fragment_bears_a_gmac() -> None:
    """Made again from the format, by the other interface of the library."""
    data = long_fragment()
    body, check = data[:-17], data[-16:]
    once = hmac.digest(LONG_KEY, b"pannier fragment gmac 1\0" + body[:64], "sha256")
    other = Cipher(AES(once), GCM(bytes(12))).encryptor()
    other.authenticate_additional_data(body[64:])
    other.finalize()
    assert check == other.tag == bytes.fromhex("fc5aedba6ce2ae81080d39e702658f6c")
    assert Fragment.from_bytes(data, fits(mac_check(LONG_KEY))).to_bytes() == data
    assert mac_check(LONG_KEY)(body) == check


@pytest.mark.parametrize("at", [3, 10, 14, 17, 20, 63, 64, 100, 70_000, -18, -17, -16, -1])
def test_a_long_fragment_that_was_altered_is_refused(at: int) -> None:
    data = bytearray(long_fragment())
    data[at] ^= 1
    with pytest.raises(BundleError):
        Fragment.from_bytes(bytes(data), fits(mac_check(LONG_KEY)))


def test_the_length_of_a_mac_is_that_of_its_fragment() -> None:
    with pytest.raises(MalformedError):
        Fragment.from_bytes(long_fragment(8), fits(lambda *_: bytes(8)))
    short = fragment_start(fragment_head(bytes(8), 2**20, 1024), 0, 1024) + bytes(1024)
    with pytest.raises(MalformedError):
        Fragment.from_bytes(short + byte_string(bytes(16)), fits(lambda *_: bytes(16)))
