import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from bundler.blob_section import BlobSection, blob_head
from bundler.errors import BundleError, LimitError, MalformedError
from bundler.items import array_head, byte_string, uint
from bundler.limits import DEFAULT_LIMITS
from bundler.sections import decode_sections, encode_section
from ledger.blob import CHUNK_BYTES, Chunk, chunk_of
from tests.vectors import load

VECTORS = load("blob")


def section(codec: int, body: bytes) -> bytes:
    return array_head(3) + uint(BlobSection.TYPE) + uint(codec) + byte_string(body)


def chunks_of(content: bytes) -> list[Chunk]:
    found = list(decode_sections(content))
    return [one.chunk() for one in found if isinstance(one, BlobSection)]


def frame(content: bytes) -> bytes:
    return ZstdCompressor(level=3).compress(content)


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    data = bytes.fromhex(case["data"])
    if case["expect"] == "malformed":
        with pytest.raises(BundleError):
            chunks_of(data)
        return
    chunks = chunks_of(data)
    assert [chunk.size for chunk in chunks] == case["sizes"]
    assert [chunk.digest.hex() for chunk in chunks] == case["digests"]
    sections = [blob_head(one.codec, len(one.body)) + bytes(one.body) for one in chunks]
    assert b"".join(sections) == data


@given(st.binary(min_size=1, max_size=3000) | st.integers(1, CHUNK_BYTES).map(bytes))
def test_a_chunk_travels_as_it_is(content: bytes) -> None:
    chunk = chunk_of(content)
    encoded = section(chunk.codec, bytes(chunk.body))
    (found,) = decode_sections(encoded)
    assert isinstance(found, BlobSection)
    assert found.chunk() == chunk
    assert found.decoded_bytes == len(content)
    assert encode_section(found) == encoded


@pytest.mark.parametrize(
    ("codec", "body"),
    [
        (0, b""),
        (1, b"no frame"),
        (1, frame(b"")),
        (1, frame(bytes(CHUNK_BYTES + 1))),
        (1, ZstdCompressor(write_content_size=False).compress(b"how long?")),
        (2, b"unknown"),
    ],
    ids=["empty", "no frame", "empty frame", "too long", "no size", "unknown codec"],
)
def test_what_is_no_chunk_is_refused_before_it_is_decoded(codec: int, body: bytes) -> None:
    with pytest.raises(MalformedError):
        list(decode_sections(section(codec, body)))


def test_a_body_is_at_most_a_chunk_long() -> None:
    with pytest.raises(LimitError):
        list(decode_sections(section(0, bytes(CHUNK_BYTES + 1))))


def test_a_frame_that_lies_about_its_size_is_refused_when_it_is_decoded() -> None:
    data = bytearray(frame(random.Random(1).randbytes(1000)))
    data[5] += 1  # of the content size
    (found,) = decode_sections(section(1, bytes(data)))
    assert isinstance(found, BlobSection)
    with pytest.raises(MalformedError):
        found.chunk()


def test_chunks_are_bounded_together() -> None:
    bomb = section(1, frame(bytes(CHUNK_BYTES)))
    limits = replace(DEFAULT_LIMITS, decoded_bytes=3 * CHUNK_BYTES)
    assert len(list(decode_sections(bomb * 3, limits=limits))) == 3
    with pytest.raises(LimitError):
        list(decode_sections(bomb * 4, limits=limits))


@given(st.integers(0, 2), st.binary(max_size=60))
def test_any_bytes_give_a_chunk_or_this_rooms_error(codec: int, body: bytes) -> None:
    try:
        for found in decode_sections(section(codec, body)):
            assert isinstance(found, BlobSection)
            found.chunk()
    except BundleError:
        pass
