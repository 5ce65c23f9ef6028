from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.rows import decode_rows, encode_rows
from ledger import cbor
from ledger.entry import Entry, follows_from, sort_follows
from tests.bundler.samples import ENTRIES, salt_of
from tests.vectors import load

VECTORS = load("rows")


def entry(payload: object) -> Entry:
    encoded = cbor.encode(payload)
    return Entry("thing", "kind", 0, 0, (), sha256(salt_of(0) + encoded).digest(), encoded)


def salts(count: int) -> list[bytes]:
    return [salt_of(index) for index in range(count)]


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    columns = [bytes.fromhex(column) for column in case["columns"]]
    salts = [bytes.fromhex(salt) for salt in case["salts"]]
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            decode_rows(columns, case["count"], salts)
        return
    entries = decode_rows(columns, case["count"], salts)
    assert entries == [
        Entry(
            fields["thing"],
            fields["kind"],
            fields["action"],
            fields["time"],
            follows_from(cbor.decode(bytes.fromhex(fields["follows"]), limit_bytes=999)),
            bytes.fromhex(fields["digest"]),
            None if fields["payload"] is None else bytes.fromhex(fields["payload"]),
        )
        for fields in case["entries"]
    ]
    assert encode_rows(entries) == columns


@given(ENTRIES)
@example([entry({"a": 1.5, "b": "x"}), entry({"a": None, "b": 2})])
@example([entry({}), entry([]), entry(None), entry({1: 2}), entry({"a": {"b": {}}})])
def test_entries_come_back_byte_for_byte(entries: list[Entry]) -> None:
    entries = [
        one if one.payload is None else one._replace(digest=sha256(salt + one.payload).digest())
        for one, salt in zip(entries, salts(len(entries)), strict=True)
    ]
    assert decode_rows(encode_rows(entries), len(entries), salts(len(entries))) == entries


@given(ENTRIES, st.data())
def test_altered_columns_only_raise_bundle_errors(
    entries: list[Entry], data: st.DataObject
) -> None:
    columns = encode_rows(entries)
    at = data.draw(st.sampled_from([n for n, column in enumerate(columns) if column]))
    altered = bytearray(columns[at])
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    columns[at] = bytes(altered)
    try:
        found = decode_rows(columns, len(entries), salts(len(entries)))
    except BundleError:
        return
    assert found != entries
    # What was accepted is deterministic: there is no second way to write it.
    assert decode_rows(encode_rows(found), len(found), salts(len(found))) == found
    for one in found:
        if one.payload is not None:
            cbor.decode(one.payload, limit_bytes=1 << 20)


@given(st.lists(st.binary(max_size=40), min_size=17, max_size=17), st.integers(0, 4))
def test_arbitrary_columns_only_raise_bundle_errors(columns: list[bytes], count: int) -> None:
    with pytest.raises(BundleError):
        decode_rows(columns, count, salts(count))


def test_maps_with_the_same_keys_share_them() -> None:
    entries = [entry({"temperature": n / 7, "n": n}) for n in range(100)]
    columns = encode_rows(entries)
    assert b"".join(columns).count(b"temperature") == 1
    assert len(columns[15]) < 100 * 11


def test_shapes_beyond_their_bound_travel_with_their_keys() -> None:
    limits = replace(DEFAULT_LIMITS, shapes_bytes=40)
    entries = [entry({f"key {n} of many": n}) for n in range(9)]
    columns = encode_rows(entries, limits=limits)
    assert 0 < len(columns[5]) <= 40
    with pytest.raises(LimitError, match="shapes"):
        decode_rows(encode_rows(entries), 9, salts(9), limits=limits)
    given_back = decode_rows(columns, 9, salts(9), limits=limits)
    assert [one.payload for one in given_back] == [one.payload for one in entries]


def test_a_payload_that_is_not_cbor_is_refused() -> None:
    for payload in (b"", b"\xff", b"\xa1\x61a", b"\xa1\x61a\x18\x01", b"\xf6\xf6"):
        with pytest.raises(MalformedError):
            encode_rows([entry(0)._replace(payload=payload)])


def test_keys_that_multiply_are_refused_before_they_do() -> None:
    """A shape of half a megabyte and rows of one byte: 32 GiB in 0.5 MiB."""
    count = 65_536
    shape = cbor.encode(["k" * (1 << 19)])
    columns = encode_rows([entry({"k": 0})] * count)
    columns[4:6] = [len(shape).to_bytes(4, "little"), shape]
    with pytest.raises(LimitError, match="together"):
        decode_rows(columns, count, salts(count))


def test_more_than_lies_between_two_checkpoints_is_refused_before_one_is_looked_at() -> None:
    columns = encode_rows([entry(0)] * 9)
    columns[14:16] = [(1 << 20).to_bytes(4, "little") * 9, b"\xff" * (9 << 20)]
    with pytest.raises(LimitError, match="together"):
        decode_rows(columns, 9, salts(9))


def test_what_cannot_be_one_section_is_refused() -> None:
    limits = replace(DEFAULT_LIMITS, entries=3, payloads_bytes=100, payload_bytes=60)
    with pytest.raises(LimitError):
        encode_rows([])
    with pytest.raises(LimitError):
        encode_rows([entry(0)] * 4, limits=limits)
    with pytest.raises(LimitError):
        encode_rows([entry(bytes(61))], limits=limits)
    with pytest.raises(LimitError):
        encode_rows([entry(bytes(50))] * 3, limits=limits)
    with pytest.raises(LimitError):
        decode_rows(encode_rows([entry(0)] * 4), 4, salts(4), limits=limits)
    with pytest.raises(LimitError):
        decode_rows(encode_rows([entry(bytes(61))]), 1, salts(1), limits=limits)


@pytest.mark.parametrize(
    "wrong",
    [
        entry(0)._replace(thing=""),
        entry(0)._replace(thing="a\n"),
        entry(0)._replace(kind="k" * 64),
        entry(0)._replace(action=-1),
        entry(0)._replace(action=2**32),
        entry(0)._replace(time_us=2**63),
        entry(0)._replace(time_us=-(2**63) - 1),
        entry(0)._replace(payload=None, digest=b"short"),
    ],
    ids=str,
)
def test_an_entry_out_of_bounds_is_refused(wrong: Entry) -> None:
    with pytest.raises(MalformedError):
        encode_rows([entry(0), wrong])


def test_follows_out_of_order_are_refused() -> None:
    follows = follows_from([[bytes(32), bytes(8), n, bytes(16)] for n in (1, 2)])
    assert sort_follows(follows) == list(follows)
    with pytest.raises(MalformedError):
        encode_rows([entry(0)._replace(follows=follows[::-1])])


def test_a_payload_without_its_salt_is_refused() -> None:
    columns = encode_rows([entry(0), entry(1)])
    with pytest.raises(MalformedError, match="salt"):
        decode_rows(columns, 2, [salt_of(0), None])
    with pytest.raises(MalformedError, match="salt"):
        decode_rows(columns, 2, [salt_of(0), b"short"])


def test_a_payload_left_out_needs_no_salt() -> None:
    left_out = entry(0)._replace(payload=None)
    assert decode_rows(encode_rows([left_out]), 1, [None]) == [left_out]
