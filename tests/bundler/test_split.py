import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import LimitError, MalformedError
from bundler.fragment import LONG_BODY_BYTES, Fragment, fits, mac_check
from bundler.geometry import Geometry, symbol_bytes_for
from bundler.sealed import bundle_id
from bundler.split import Cut, Numbers, repair_count, split, symbols_of

MTUS = st.integers(48, 400) | st.integers(48, 65536) | st.sampled_from([48, 222, 255, 256, 65536])
KEY = bytes(32)


@given(st.integers(1, 3000), MTUS, st.integers(0, 30), st.booleans())
def test_each_fragment_is_one_cbor_item_within_the_mtu(
    size: int, mtu_bytes: int, repair_percent: int, has_mac: bool
) -> None:
    sealed = bytes(n % 251 for n in range(size))
    cut = Cut(mtu_bytes=mtu_bytes, check=mac_check(KEY)) if has_mac else Cut(mtu_bytes=mtu_bytes)
    geometry = Geometry.of(size, symbol_bytes_for(mtu_bytes))
    rebuilt = b""
    repair_symbols = most_symbols = 0
    for frame in split(sealed, cut, repair_percent=repair_percent):
        assert len(frame) <= mtu_bytes
        items = cbor2.loads(frame)
        assert items[:4] == [1, bundle_id(sealed), size, geometry.symbol_bytes]
        assert cbor2.dumps(items) == frame
        fragment = Fragment.from_bytes(frame, *([fits(mac_check(KEY))] if has_mac else []))
        run = geometry.run(fragment.payload_id, len(fragment.symbols))
        most_symbols = max(most_symbols, run.count)
        if run.is_source:
            assert repair_symbols == 0
            rebuilt += fragment.symbols
        else:
            repair_symbols += run.count
    assert rebuilt == sealed
    assert repair_symbols == sum(
        repair_count(geometry.block_symbols(block), repair_percent, most_symbols)
        for block in range(geometry.blocks)
    )


def test_large_bundles_and_every_length_of_head() -> None:
    """Heads of one to five bytes around symbols of a size that belongs to another carrier."""
    sealed = bytes(70_000)
    for symbol_bytes in (8, 16, 184, 248, 1360):
        blocks = Geometry.of(len(sealed), symbol_bytes).blocks
        for mtu_bytes in (*range(symbol_bytes + 36, symbol_bytes + 80), 1700, 65_600, 1 << 20):
            frames = list(split(sealed, Cut(mtu_bytes=mtu_bytes, symbol_bytes=symbol_bytes)))
            assert max(map(len, frames)) <= mtu_bytes
            # No room is wasted: a further symbol would not have fitted, or is of another block.
            assert len(frames) == blocks or len(frames[0]) + symbol_bytes + 6 > mtu_bytes


def test_long_fragments_have_room_for_their_longer_mac() -> None:
    sealed, verify = bytes(400_000), fits(mac_check(KEY))
    lengths: set[int] = set()
    for mtu_bytes in range(LONG_BODY_BYTES, LONG_BODY_BYTES + 60):
        frames = list(
            split(sealed, Cut(mtu_bytes=mtu_bytes, symbol_bytes=64, check=mac_check(KEY)))
        )
        assert max(map(len, frames)) <= mtu_bytes
        lengths |= {len(Fragment.from_bytes(frame, verify).check) for frame in frames}
    assert lengths == {8, 16}


def test_the_share_of_repair_symbols() -> None:
    assert [repair_count(100, percent) for percent in (-1, 0, 1, 10, 100)] == [0, 0, 3, 12, 102]
    assert repair_count(1, 10) == 3
    # A tenth of seven fragments of 47 symbols is one whole fragment, not 30 symbols.
    assert repair_count(295, 10, 47) == 49
    assert repair_count(5, 10, 47) == 7


def test_repair_on_demand_goes_on_where_split_ended() -> None:
    sealed = bytes(range(256)) * 2
    cut = Cut(mtu_bytes=76)
    made = list(split(sealed, cut, repair_percent=20))
    source = len(list(split(sealed, cut)))
    first = repair_count(source, 20)
    assert len(made) == source + first
    assert list(symbols_of(sealed, cut, [Numbers(0, source, source + first)])) == made[source:]
    more = list(symbols_of(sealed, cut, [Numbers(0, source + first, source + first + 5)]))
    assert [Fragment.from_bytes(frame).payload_id for frame in more] == [
        source + first + n for n in range(5)
    ]


def test_what_cannot_be_cut_is_refused_at_once() -> None:
    with pytest.raises(MalformedError):
        split(b"", Cut(mtu_bytes=76))
    with pytest.raises(MalformedError):
        split(b"a", Cut(mtu_bytes=76, symbol_bytes=12))
    with pytest.raises(LimitError):
        split(b"a", Cut(mtu_bytes=47))
    with pytest.raises(LimitError):
        split(b"a", Cut(mtu_bytes=48, symbol_bytes=184))
    with pytest.raises(LimitError):
        split(bytes((16 << 20) + 1), Cut(mtu_bytes=1400))
    with pytest.raises(LimitError):
        symbols_of(b"a", Cut(mtu_bytes=76), [Numbers(0, 65_530, 65_538)])
    with pytest.raises(LimitError):
        symbols_of(b"a", Cut(mtu_bytes=76), [Numbers(1, 0, 1)])
