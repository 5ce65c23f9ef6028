import io
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from bundler import stream
from bundler.errors import BundleError, ForgedError, MalformedError

KEY = bytes(range(32))
CHUNK = stream.CHUNK_BYTES + stream.TAG_BYTES


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 200_000])
def test_contents_come_back(size: int) -> None:
    content = bytes(n % 251 for n in range(size))
    ciphertext = stream.encrypt(KEY, content)
    assert len(ciphertext) == stream.encrypted_bytes(size)
    assert stream.decrypt(KEY, ciphertext) == content


@given(
    st.lists(
        st.sampled_from([0, 1, 65_535, 65_536, 65_537, 140_000]) | st.integers(0, 200_000),
        max_size=5,
    )
)
def test_in_parts_and_in_place_the_bytes_are_the_same(sizes: list[int]) -> None:
    size = sum(sizes)
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    parts = [memoryview(content)[start:end] for start, end in pairwise(ends)]
    out = memoryview(bytearray(stream.encrypted_bytes(size)))
    stream.encrypt_into(KEY, parts, size, out)
    assert out == stream.encrypt(KEY, content)
    room = memoryview(bytearray(b"\xff") * (size + 3))
    assert stream.decrypt(KEY, out, room) == content
    assert bytes(room[:size]) == content
    assert stream.decrypt(KEY, out, room[: size // 2]) == content


def read_back(ciphertext: bytes) -> bytes:
    return b"".join(stream.decrypt_chunks(KEY, io.BytesIO(ciphertext).read))


@given(
    content=st.integers(0, 150_000).map(lambda size: bytes(n % 251 for n in range(size))),
)
def test_chunk_by_chunk_the_bytes_are_the_same(content: bytes) -> None:
    whole = stream.encrypt(KEY, content)
    assert b"".join(stream.encrypt_chunks(KEY, io.BytesIO(content).read)) == whole
    assert read_back(whole) == content


def test_chunk_by_chunk_the_same_is_refused() -> None:
    last = AESGCM(KEY)
    full = stream.encrypt(KEY, bytes(2 * 65536))
    one = last.encrypt(bytes(12), bytes(65536), None)
    empty_last = last.encrypt((1).to_bytes(11, "big") + b"\1", b"", None)
    for altered in (b"", full[:CHUNK], full[CHUNK:], full[:-1], full + b"x", one + empty_last):
        with pytest.raises(BundleError):
            read_back(altered)


def test_chunks_cannot_be_cut_moved_or_repeated() -> None:
    ciphertext = stream.encrypt(KEY, bytes(2 * 65536 + 5))
    one, two, three = ciphertext[:CHUNK], ciphertext[CHUNK : 2 * CHUNK], ciphertext[2 * CHUNK :]
    for altered in (one, one + two, one + three, two + one + three, one + one + two + three, two):
        with pytest.raises(ForgedError):
            stream.decrypt(KEY, altered)


def test_an_empty_last_chunk_is_only_that_of_an_empty_content() -> None:
    ciphertext = stream.encrypt(KEY, bytes(65536))
    with pytest.raises(MalformedError):
        stream.decrypt(KEY, ciphertext + bytes(16))


def test_every_flipped_bit_is_refused() -> None:
    ciphertext = stream.encrypt(KEY, b"content")
    for bit in range(8 * len(ciphertext)):
        altered = bytearray(ciphertext)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ForgedError):
            stream.decrypt(KEY, bytes(altered))


@given(st.binary(max_size=40))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    with pytest.raises(BundleError):
        stream.decrypt(KEY, data)
