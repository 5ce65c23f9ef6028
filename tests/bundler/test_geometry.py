import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bundler.errors import BundleError, LimitError, MalformedError
from bundler.geometry import Geometry, symbol_bytes_for

SIZES = st.integers(1, 1 << 24)
SYMBOL_SIZES = st.integers(1, 8191).map(lambda n: 8 * n)


def partition(items: int, parts: int) -> list[int]:
    """RFC 6330 section 4.4.1.2, as it is written there."""
    large, small = -(-items // parts), items // parts
    large_count = items - small * parts
    return [large] * large_count + [small] * (parts - large_count)


@given(SIZES, SYMBOL_SIZES)
def test_blocks_are_those_of_the_rfc(transfer_bytes: int, symbol_bytes: int) -> None:
    symbols = -(-transfer_bytes // symbol_bytes)
    most = max(1, min(8192, 8_000_000 // symbol_bytes))
    assume(-(-symbols // most) <= 255)
    geometry = Geometry.of(transfer_bytes, symbol_bytes)
    sizes = [geometry.block_symbols(block) for block in range(geometry.blocks)]
    assert sizes == partition(symbols, -(-symbols // most))
    assert max(sizes) <= most
    offsets = [geometry.block_offset(block) for block in range(geometry.blocks)]
    assert offsets == [sum(sizes[:block]) * symbol_bytes for block in range(geometry.blocks)]


def test_parameters_that_make_the_library_panic_are_refused() -> None:
    for transfer_bytes, symbol_bytes in ((0, 8), (-1, 8), (8, 0), (8, 12), (8, 65536), (8, -8)):
        with pytest.raises(MalformedError):
            Geometry.of(transfer_bytes, symbol_bytes)
    for transfer_bytes in (1 << 25, 1 << 40, 2**63 - 1):
        with pytest.raises(LimitError):
            Geometry.of(transfer_bytes, 65528)
    with pytest.raises(LimitError):
        Geometry.of(1 << 24, 8)


@given(st.integers(1, 1000), st.integers(0, 2**32 - 1) | st.integers(0, 200), st.integers(0, 2000))
def test_a_run_is_whole_symbols_of_one_kind(size: int, payload_id: int, length: int) -> None:
    geometry = Geometry.of(size, 8)
    try:
        run = geometry.run(payload_id, length)
    except BundleError:
        return
    assert run.block == 0
    assert run.payload_id == payload_id
    last = run.first + run.count
    if run.is_source:
        assert last <= geometry.symbols
        assert length == min(8 * last, size) - 8 * run.first
    else:
        assert run.first >= geometry.symbols
        assert length == 8 * run.count
        assert last <= 1 << 24


def test_symbols_fit_the_mtu() -> None:
    assert symbol_bytes_for(48) == 8
    assert symbol_bytes_for(222) == 184
    assert symbol_bytes_for(233) == 192
    assert symbol_bytes_for(1400) == 1360
    assert symbol_bytes_for(1 << 20) == 65528
    with pytest.raises(LimitError):
        symbol_bytes_for(47)
