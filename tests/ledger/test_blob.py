import os
import tracemalloc
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blob import CHUNK_BYTES, BlobCodec, Chunk, chunk_from_body, chunk_of
from ledger.errors import LedgerError, MalformedError, UnverifiedError
from tests.vectors import load

VECTORS = {stem: one for stem, one in load("files").items() if stem.startswith("chunk_")}
TEXT = b"".join(b"%d: the pump of well %d is on\n" % (i, i * 7919 % 64) for i in range(40_000))


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    codec, body = vector["codec"], bytes.fromhex(vector["body"])
    if vector["expect"] == "success":
        chunk = chunk_from_body(codec, body)
        assert (chunk.size, chunk.digest.hex()) == (vector["size"], vector["digest"])
        assert sha256(chunk.content()).digest() == chunk.digest
    else:
        with pytest.raises(MalformedError):
            chunk_from_body(codec, body)


@given(st.binary(min_size=1, max_size=3000), st.integers(1, 300))
def test_content_comes_back_and_is_named_by_its_hash(unit: bytes, count: int) -> None:
    content = (unit * count)[:CHUNK_BYTES]
    chunk = chunk_of(content)
    assert chunk.content() == content
    assert chunk.digest == sha256(content).digest()
    assert len(chunk.body) <= chunk.size == len(content)
    assert chunk_from_body(chunk.codec, chunk.body) == chunk


def test_text_is_kept_compressed_and_noise_as_it_is() -> None:
    text = chunk_of(TEXT[:CHUNK_BYTES])
    assert text.codec == BlobCodec.ZSTD
    assert len(text.body) < len(TEXT[:CHUNK_BYTES]) / 4
    noise = os.urandom(CHUNK_BYTES)
    assert chunk_of(noise) == Chunk(sha256(noise).digest(), CHUNK_BYTES, BlobCodec.PLAIN, noise)


@pytest.mark.parametrize("start", [0, 500_000, CHUNK_BYTES - 300_000])
def test_text_anywhere_in_noise_is_compressed(start: int) -> None:
    noise = os.urandom(CHUNK_BYTES)
    mixed = noise[:start] + TEXT[:300_000] + noise[start + 300_000 :]
    chunk = chunk_of(mixed)
    assert len(chunk.body) < CHUNK_BYTES - 200_000
    assert chunk.content() == mixed


@pytest.mark.parametrize("size", [0, CHUNK_BYTES + 1])
def test_no_chunk_is_empty_or_longer(size: int) -> None:
    with pytest.raises(MalformedError, match="allowed"):
        chunk_of(bytes(size))


def test_a_chunk_that_lies_about_itself_gives_nothing() -> None:
    good = chunk_of(TEXT[:1000])
    with pytest.raises(UnverifiedError):
        Chunk(bytes(32), good.size, good.codec, good.body).content()
    with pytest.raises(MalformedError, match="said to have"):
        Chunk(good.digest, good.size + 1, good.codec, good.body).content()


def test_a_bomb_takes_no_memory() -> None:
    body = bytes.fromhex(VECTORS["chunk_malformed_frame_bomb"]["body"])
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError, match="more than 1 MiB"):
            chunk_from_body(BlobCodec.ZSTD, body)
        assert tracemalloc.get_traced_memory()[1] < CHUNK_BYTES
    finally:
        tracemalloc.stop()


@given(st.integers(0, 3), st.binary(max_size=200))
def test_any_bytes_are_a_chunk_or_malformed(codec: int, body: bytes) -> None:
    try:
        chunk = chunk_from_body(codec, body)
    except LedgerError:
        return
    assert sha256(chunk.content()).digest() == chunk.digest
