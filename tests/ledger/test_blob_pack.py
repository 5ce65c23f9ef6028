import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blob import CHUNK_BYTES, Chunk, chunk_of
from ledger.blob_pack import (
    HEAD_BYTES,
    MAGIC,
    RECORD_BYTES,
    RECORD_HEAD_BYTES,
    BlobKeys,
    next_span,
)
from ledger.errors import AlteredError
from ledger.genesis import LedgerId
from ledger.rest import RestKey
from tests.vectors import load

VECTORS = {stem: one for stem, one in load("files").items() if stem.startswith("pack_")}
KEYS = BlobKeys(bytes(32))
SALT = bytes(range(32))


def record_of(chunk: Chunk, offset: int) -> bytes:
    return sealed(KEYS, SALT, offset, chunk)


def sealed(keys: BlobKeys, salt: bytes, offset: int, chunk: Chunk) -> bytes:
    out = memoryview(bytearray(RECORD_BYTES))
    length = keys.pack(salt).seal_into(out, offset, keys.name(chunk.digest), chunk)
    return bytes(out[:length])


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    raw = {key: bytes.fromhex(vector[key]) for key in ("digest", "body", "name", "record", "salt")}
    key = RestKey(bytes.fromhex(vector["rest_key"])).of_ledger(
        LedgerId(bytes.fromhex(vector["ledger"]))
    )
    keys, offset = BlobKeys(key), vector["offset"]
    chunk = Chunk(raw["digest"], vector["size"], vector["codec"], raw["body"])
    assert MAGIC + raw["salt"] == bytes.fromhex(vector["start"])
    assert keys.name(chunk.digest) == raw["name"]
    assert sealed(keys, raw["salt"], offset, chunk) == raw["record"]
    assert keys.pack(raw["salt"]).open(offset, raw["record"], raw["digest"]) == chunk
    span = next_span(raw["record"][:RECORD_HEAD_BYTES], offset)
    assert span == (raw["name"], offset, len(raw["record"]), chunk.size)


@given(st.binary(min_size=1, max_size=500), st.integers(HEAD_BYTES, 2**40))
def test_a_record_opens_where_it_was_written(content: bytes, offset: int) -> None:
    chunk = chunk_of(content)
    assert KEYS.pack(SALT).open(offset, record_of(chunk, offset), chunk.digest) == chunk


@given(st.data())
def test_no_altered_record_opens(data: st.DataObject) -> None:
    record = bytearray(record_of(chunk_of(b"what was written"), HEAD_BYTES))
    at = data.draw(st.integers(0, len(record) - 1))
    record[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(AlteredError):
        KEYS.pack(SALT).open(HEAD_BYTES, bytes(record), bytes(32))


@given(st.integers(0, 60))
def test_no_record_opens_cut_off_elsewhere_or_in_another_pack(number: int) -> None:
    record = record_of(chunk_of(b"what was written" * 20), HEAD_BYTES)
    for offset, taken, salt in (
        (HEAD_BYTES, record[:number], SALT),
        (HEAD_BYTES + 1 + number, record, SALT),
        (HEAD_BYTES, record, bytes([number + 1]) + SALT[1:]),
    ):
        with pytest.raises(AlteredError):
            KEYS.pack(salt).open(offset, taken, bytes(32))


@given(st.binary(max_size=40))
def test_a_head_is_bounded_or_none(head: bytes) -> None:
    span = next_span(head, 7)
    if span is not None:
        assert RECORD_HEAD_BYTES + 16 < span.length <= RECORD_HEAD_BYTES + 16 + CHUNK_BYTES
        assert 0 < span.size <= CHUNK_BYTES


def test_names_and_keys_are_those_of_one_ledger_at_one_node() -> None:
    other, digest = BlobKeys(bytes([1]) * 32), bytes(32)
    assert other.name(digest) != KEYS.name(digest)
    assert digest[:16] not in (other.name(digest), KEYS.name(digest))
    record = record_of(chunk_of(b"x"), HEAD_BYTES)
    with pytest.raises(AlteredError):
        other.pack(SALT).open(HEAD_BYTES, record, digest)
