import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, LimitError
from bundler.limits import Limits
from bundler.sealed import (
    Header,
    Sealed,
    SealedClear,
    SealedFull,
    SealedShared,
    parse_sealed,
    sealed_bytes,
)
from tests.vectors import seal_vectors

HEADERS = st.builds(Header, st.integers(0, 7), st.integers(0, 65535))
ENCRYPTED = st.builds(
    SealedFull,
    header=HEADERS,
    stanzas=st.lists(st.binary(max_size=80), min_size=1, max_size=64).map(tuple),
    commitment=st.binary(min_size=16, max_size=16),
    ciphertext=st.binary(max_size=99),
) | st.builds(
    SealedShared,
    header=HEADERS,
    nonce=st.binary(min_size=12, max_size=12),
    ciphertext=st.binary(max_size=99),
)
CLEAR = st.builds(SealedClear, header=HEADERS, content=st.binary(max_size=99))


@given(ENCRYPTED | CLEAR)
def test_a_bundle_comes_back(sealed: Sealed) -> None:
    data = sealed.to_bytes()
    assert parse_sealed(data) == sealed
    outside = sealed.outside()
    assert data.startswith(outside)
    rest = sealed.content if isinstance(sealed, SealedClear) else sealed.ciphertext
    assert data.endswith(bytes(rest))
    assert len(data) == sealed_bytes(outside, len(rest))


def test_the_outside_is_all_but_the_ciphertext() -> None:
    outside = seal_vectors.outside(seal_vectors.HEADER, keys=[seal_vectors.HPKE])
    assert parse_sealed(outside + b"\x43abc").outside() == outside


@pytest.mark.parametrize(("priority", "expiry"), [(-1, 0), (8, 0), (0, -1), (0, 65536)])
def test_a_header_out_of_range_is_refused(priority: int, expiry: int) -> None:
    with pytest.raises(LimitError):
        Header(priority, expiry)


def test_a_big_bundle_is_refused_unseen() -> None:
    data = seal_vectors.full()
    with pytest.raises(LimitError):
        parse_sealed(data, limits=Limits(bundle_bytes=len(data) - 1))
    assert parse_sealed(data, limits=Limits(bundle_bytes=len(data))).to_bytes() == data


STARTS = st.sampled_from(
    [b"", b"\x84\x01\x00\x00", b"\x85\x01\x00\x00\x4c", b"\x86\x01\x00\x00\x81\x41"]
)


@given(STARTS, st.binary(max_size=60))
def test_arbitrary_bytes_only_raise_bundle_errors(start: bytes, rest: bytes) -> None:
    try:
        assert parse_sealed(start + rest).to_bytes() == start + rest
    except BundleError:
        pass
