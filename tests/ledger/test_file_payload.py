import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import cbor
from ledger.blob import CHUNK_BYTES
from ledger.data import value_from_payload
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError
from ledger.file_payload import (
    MAX_FILE_BYTES,
    MAX_FILE_CHUNKS,
    file_from_payload,
    file_from_value,
    file_of,
)
from tests.bundler.samples import VALUES
from tests.vectors import load

VECTORS = {stem: one for stem, one in load("files").items() if stem.startswith("file_")}
DIGESTS = st.lists(st.binary(min_size=32, max_size=32), max_size=5)


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    payload = bytes.fromhex(vector["payload"])
    file = file_from_payload(payload)
    if vector["expect"] == "success":
        assert file is not None
        assert file.to_payload() == payload
        assert (file.size, file.flags) == (vector["size"], vector["flags"])
        assert [digest.hex() for digest in file.digests] == vector["digests"]
        assert sum(file.sizes()) == file.size
    else:
        assert file is None


@given(DIGESTS, st.integers(1, CHUNK_BYTES), st.booleans())
def test_a_file_comes_back(digests: list[bytes], last: int, executable: bool) -> None:
    size = CHUNK_BYTES * (len(digests) - 1) + last if digests else 0
    file = file_of(size, digests, executable=executable)
    assert file.is_executable == executable
    assert file_from_payload(file.to_payload()) == file
    assert file_from_value(value_from_payload(file.to_payload())) == file
    assert file.sizes() == [CHUNK_BYTES] * (len(digests) - 1) + [last] * bool(digests)


def test_the_largest_file_fits_an_entry_and_no_larger_one_is_made() -> None:
    largest = file_of(MAX_FILE_BYTES, [bytes(32)] * MAX_FILE_CHUNKS, executable=True)
    assert len(largest.to_payload()) <= MAX_PAYLOAD_BYTES
    assert file_from_payload(largest.to_payload()) == largest
    with pytest.raises(MalformedError, match="31 GiB"):
        file_of(MAX_FILE_BYTES + 1, [bytes(32)] * (MAX_FILE_CHUNKS + 1), executable=False)
    with pytest.raises(MalformedError, match="in 1 chunks"):
        file_of(CHUNK_BYTES + 1, [bytes(32)], executable=False)


@given(VALUES)
def test_no_json_looks_like_it(value: object) -> None:
    assert file_from_value(value) is None
    assert file_from_payload(cbor.encode(value)) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_a_file_or_none(tail: bytes) -> None:
    payload = b"\xa1\x05\x83" + tail
    file = file_from_payload(payload)
    assert file is None or file.to_payload() == payload


def test_a_payload_left_out_is_no_file() -> None:
    assert file_from_payload(None) is None
