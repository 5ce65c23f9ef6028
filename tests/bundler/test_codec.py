from hashlib import sha256

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bundler import codec
from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits

MAGIC = b"\x28\xb5\x2f\xfd"


def decompress(frame: bytes, limit_bytes: int = 1 << 20) -> bytes:
    return codec.decompress(frame, limit_bytes=limit_bytes, limits=DEFAULT_LIMITS)


@given(st.binary(min_size=1, max_size=300), st.integers(1, 19))
def test_data_comes_back(data: bytes, level: int) -> None:
    assert decompress(codec.compress(data, level=level)) == data


def test_a_bomb_is_refused_by_its_header() -> None:
    bomb = codec.compress(bytes(1 << 26))
    assert len(bomb) < 10_000
    with pytest.raises(LimitError):
        decompress(bomb, limit_bytes=(1 << 26) - 1)


def test_a_header_that_lies_gives_no_more_than_it_says() -> None:
    frame = bytearray(codec.compress(bytes(1000)))
    at = frame.index((1000 - 256).to_bytes(2, "little"))
    frame[at : at + 2] = (100).to_bytes(2, "little")
    with pytest.raises(MalformedError):
        decompress(bytes(frame))


@pytest.mark.parametrize("size", [1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 3])
def test_declared_sizes_take_no_memory(size: int) -> None:
    with pytest.raises(BundleError):
        decompress(MAGIC + b"\xe0" + size.to_bytes(8, "little") + b"\x01\x00\x00")


def test_a_large_window_is_refused() -> None:
    frame = MAGIC + b"\x80" + bytes([20 << 3]) + (5).to_bytes(4, "little") + b"\x29\0\0hello"
    assert zstandard.get_frame_parameters(frame).window_size == 1 << 30
    with pytest.raises(LimitError):
        decompress(frame)
    small = MAGIC + b"\x80" + bytes([0]) + (5).to_bytes(4, "little") + b"\x29\0\0hello"
    assert decompress(small) == b"hello"
    with pytest.raises(LimitError):
        codec.decompress(small, limit_bytes=9, limits=Limits(window_bytes=1023))


def test_other_frames_are_refused() -> None:
    frame = codec.compress(b"data" * 10)
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b"data" * 10)
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    dictionary = MAGIC + b"\xa1\x07" + (5).to_bytes(4, "little") + b"\x29\0\0hello"
    assert zstandard.get_frame_parameters(dictionary).dict_id == 7
    for wrong in (b"", frame[:-1], frame + b"\0", frame * 2, unsized, skippable, dictionary):
        with pytest.raises(MalformedError):
            decompress(wrong)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: MAGIC + rest))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    try:
        decompress(data)
    except BundleError:
        pass


def test_what_the_reader_has_costs_next_to_nothing() -> None:
    before = bytes(range(256)) * 4 + sha256(b"").digest() * 4
    data = before[300:900] + b"new"
    frame = codec.compress(data, before=before)
    assert len(frame) < 40 < len(codec.compress(data)) + 20
    assert codec.decompress(frame, limit_bytes=999, limits=DEFAULT_LIMITS, before=before) == data
    try:
        other = codec.decompress(frame, limit_bytes=999, limits=DEFAULT_LIMITS, before=bytes(1152))
    except MalformedError:
        return
    assert other != data


@given(st.binary(min_size=9, max_size=99), st.sets(st.integers(1, 8)))
def test_cuts_change_nothing_but_the_blocks(data: bytes, cuts: set[int]) -> None:
    frame = codec.compress(data, cuts=sorted(cuts))
    assert codec.decompress(frame, limit_bytes=99, limits=DEFAULT_LIMITS) == data
    assert zstandard.get_frame_parameters(frame).content_size == len(data)
