from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import cbor
from ledger.entry import (
    MAX_FOLLOWS,
    MAX_PAYLOAD_BYTES,
    Entry,
    Follow,
    check_entry,
    entry_from_bytes,
    leaf_bytes,
    payload_digest,
    sort_follows,
)
from ledger.errors import LedgerError, MalformedError
from ledger.merkle import leaf_hash
from tests.vectors import load

VECTORS = load("entry")

names = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"]).filter(
        lambda char: not 127 <= ord(char) < 160
    ),
    max_size=60,
)
follows = st.lists(
    st.builds(
        Follow,
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=8, max_size=8),
        st.integers(0, 2**32 - 1),
        st.binary(min_size=16, max_size=16),
    ),
    max_size=MAX_FOLLOWS,
).map(lambda found: tuple(sort_follows(found)))
entries = st.builds(
    Entry,
    names.filter(bool),
    names.filter(lambda name: len(name.encode()) <= 63),
    st.integers(0, 2**32 - 1),
    st.integers(-(2**63), 2**63 - 1),
    follows,
    st.binary(min_size=32, max_size=32),
    st.none() | st.binary(max_size=40),
)


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    data = bytes.fromhex(vector["data"])
    if vector["expect"] == "malformed":
        with pytest.raises(MalformedError):
            entry_from_bytes(data, None)
        return
    payload, salt = bytes.fromhex(vector["payload"]), bytes.fromhex(vector["salt"])
    entry = entry_from_bytes(data, payload)
    assert leaf_bytes(entry) == data
    assert leaf_hash(data).hex() == vector["leaf"]
    assert entry.digest.hex() == vector["digest"]
    assert payload_digest(salt, payload) == entry.digest


@given(entries)
def test_leaf_bytes_are_what_the_encoder_makes_of_the_fields(entry: Entry) -> None:
    assert leaf_bytes(entry) == cbor.encode(list(entry[:6]))
    assert entry_from_bytes(leaf_bytes(entry), entry.payload) == entry


@given(st.binary(max_size=300))
def test_any_bytes_are_an_entry_or_malformed(data: bytes) -> None:
    try:
        entry = entry_from_bytes(data, None)
    except LedgerError:
        return
    assert leaf_bytes(entry) == data


@given(entries, st.data())
def test_a_flipped_bit_gives_another_leaf_or_no_entry(entry: Entry, data: st.DataObject) -> None:
    leaf = bytearray(leaf_bytes(entry))
    position = data.draw(st.integers(0, len(leaf) * 8 - 1))
    leaf[position // 8] ^= 1 << position % 8
    try:
        other = entry_from_bytes(bytes(leaf), entry.payload)
    except MalformedError:
        return
    assert leaf_bytes(other) == leaf != leaf_bytes(entry)


def test_a_payload_may_have_1_mib_and_not_a_byte_more() -> None:
    entry = Entry("t", "", 0, 0, (), bytes(32), bytes(MAX_PAYLOAD_BYTES))
    check_entry(entry)
    with pytest.raises(MalformedError, match="1048577 bytes"):
        check_entry(entry._replace(payload=bytes(MAX_PAYLOAD_BYTES + 1)))


def test_a_lone_surrogate_names_nothing() -> None:
    entry = Entry("\udcff", "", 0, 0, (), bytes(32), None)
    with pytest.raises(MalformedError, match="Unicode"):
        check_entry(entry)
    with pytest.raises(MalformedError, match="Unicode"):
        check_entry(entry._replace(thing="t", kind="\ud800"))


@given(follows)
def test_sort_follows_gives_the_one_order_that_an_entry_takes(
    sorted_follows: tuple[Follow, ...],
) -> None:
    doubled = [*sorted_follows, *sorted_follows[::-1]]
    assert tuple(sort_follows(doubled)) == sorted_follows
    encoded = [cbor.encode(one) for one in sorted_follows]
    assert encoded == sorted(encoded)


def test_a_salt_hides_the_payload_and_binds_it() -> None:
    digests = {payload_digest(bytes(15) + bytes([n]), b"\xf6") for n in range(4)}
    assert len(digests) == 4
    assert payload_digest(b"s" * 16, b"\xf6") == sha256(b"s" * 16 + b"\xf6").digest()
