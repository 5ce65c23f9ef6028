"""Entries that come back, byte for byte, from what is left of them after a context."""

import random
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.tail_model import decode_tail, encode_tail
from bundler.tail_section import MAX_CONTEXT, MAX_ENTRIES
from ledger import cbor
from ledger.entry import Entry, follows_from, payload_digest
from tests.bundler.samples import ENTRIES, SCALARS, salt_of
from tests.vectors import load

VECTORS = load("tail")
MINUTE = 60_000_000
# What shares a grid, and what does not.
NUMBERS = (
    st.integers(-5, 50)
    | st.integers(-(10**5), 10**5).map(lambda number: number / 100)
    | st.integers(0, 9).map(lambda number: number * 1.15078)
    | st.integers(-5, 5).map(float)
    | SCALARS
)
MAPS = st.dictionaries(st.sampled_from("abcd"), NUMBERS, max_size=4)
CONTEXTS = st.lists(
    st.builds(
        Entry,
        st.sampled_from(["EWR", "JFK"]),
        st.sampled_from(["", "weather"]),
        st.integers(0, 1),
        st.integers(0, 99).map(lambda number: number * MINUTE) | st.integers(-(2**63), 2**63 - 1),
        st.just(()),
        st.just(bytes(32)),
        (MAPS | st.lists(NUMBERS, max_size=3) | NUMBERS).map(cbor.encode),
    ),
    max_size=30,
)


def entry(payload: object, number: int = 0, thing: str = "thing") -> Entry:
    encoded = cbor.encode(payload)
    return Entry(
        thing, "kind", 0, number * MINUTE, (), sha256(salt_of(0) + encoded).digest(), encoded
    )


def size_of(entries: Sequence[Entry], context: Sequence[Entry]) -> int:
    """Return in how many bytes *entries* came back."""
    data = encode_tail(entries, context)
    assert decode_tail(data, len(entries), [salt_of(0)] * len(entries), context) == list(entries)
    return len(data)


def entry_of(fields: dict[str, Any]) -> Entry:
    return Entry(
        fields["thing"],
        fields["kind"],
        fields["action"],
        fields["time"],
        follows_from(cbor.decode(bytes.fromhex(fields["follows"]), limit_bytes=999)),
        bytes.fromhex(fields["digest"]),
        None if fields["payload"] is None else bytes.fromhex(fields["payload"]),
    )


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    data, salts = bytes.fromhex(case["data"]), [bytes.fromhex(case["salt"])] * case["count"]
    context = list(map(entry_of, case["context"]))
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            decode_tail(data, case["count"], salts, context)
        return
    entries = list(map(entry_of, case["entries"]))
    assert decode_tail(data, case["count"], salts, context) == entries
    assert encode_tail(entries, context) == data


@settings(max_examples=60)
@given(ENTRIES, CONTEXTS)
def test_entries_come_back_byte_for_byte(entries: list[Entry], context: list[Entry]) -> None:
    salts = [salt_of(index) for index in range(len(entries))]
    data = encode_tail(entries, context)
    assert decode_tail(data, len(entries), salts, context) == entries


@settings(max_examples=60)
@given(CONTEXTS.filter(bool), CONTEXTS)
def test_rows_come_back_byte_for_byte(entries: list[Entry], context: list[Entry]) -> None:
    size_of(
        [
            one._replace(digest=sha256(salt_of(0) + (one.payload or b"")).digest())
            for one in entries
        ],
        context,
    )


@settings(max_examples=60)
@given(CONTEXTS.filter(bool), CONTEXTS, st.data())
def test_altered_data_only_raises_bundle_errors(
    entries: list[Entry], context: list[Entry], data: st.DataObject
) -> None:
    altered = bytearray(encode_tail(entries, context))
    at = data.draw(st.integers(0, len(altered)))
    altered[at : data.draw(st.integers(at, at + 2))] = data.draw(st.binary(max_size=3))
    try:
        found = decode_tail(bytes(altered), len(entries), [salt_of(0)] * len(entries), context)
    except BundleError:
        return
    for one in found:
        cbor.decode(one.payload or b"", limit_bytes=1 << 20)


@settings(max_examples=60)
@given(st.binary(max_size=80), st.integers(1, 20), CONTEXTS)
def test_arbitrary_data_only_raises_bundle_errors(
    data: bytes, count: int, context: list[Entry]
) -> None:
    try:
        decode_tail(data, count, [salt_of(0)] * count, context)
    except BundleError:
        return


def test_readings_after_others_take_few_bytes() -> None:
    """A reading that changes by one step, or not at all, has at most 1.6 bits in it, twice."""
    draw = random.Random(1)
    heat, rows = 200, []
    for number in range(624):
        heat += draw.choice([-1, 0, 1])
        rows.append(entry({"t": heat / 10, "gust": draw.choice([None, 1.15078, 2.30156])}, number))
    assert size_of(rows[600:], rows[:600]) <= 24 * 3.2 / 8 + 3
    assert size_of(rows[600:601], rows[:600]) <= 2
    assert size_of(rows[24:48], rows[:24]) <= 24 * 6 / 8


def test_what_follows_from_others_takes_no_bytes() -> None:
    draw = random.Random(1)
    rows = []
    for number in range(300):
        a, b = draw.randrange(3, 20), draw.randrange(4, 20)
        rows.append(entry({"a": a, "b": b, "c": a * a * (b + 1) / 100}, number))
    # log2(17 * 16) is 8.1 bits.
    assert size_of(rows[280:], rows[:280]) <= 20 * 9 / 8 + 2


def test_nothing_is_added_to_what_cannot_be_modelled() -> None:
    noise = random.Random(1).randbytes
    rows = [entry(noise(100), number) for number in range(6)]
    assert size_of(rows[5:], rows[:5]) <= 102
    assert size_of([entry(noise(10_000), 6)], rows) <= 10_004


def test_text_takes_less_than_its_length() -> None:
    rows = [entry("The first of us are at the hut, all is well", n) for n in range(2)]
    rows.append(entry("The others are at the bridge, all is well", 2))
    assert size_of(rows[:1], []) < len(rows[0].payload or b"")
    assert size_of(rows[1:2], rows[:1]) <= 6
    assert size_of(rows[2:], rows[:2]) <= 20


def test_no_text_is_remembered_from_one_call_to_the_next() -> None:
    words = [entry(f"the temperature of gate {number} is fine") for number in range(3)]
    first = encode_tail(words[:1], [])
    assert len(encode_tail(words[1:2], words[:1])) < len(first)
    assert encode_tail(words[:1], []) == first


def test_only_the_latest_context_counts() -> None:
    """Half a megabyte of payloads is learnt from, whatever came before."""
    older, rows = [entry(bytes(200_000))], [entry(bytes(400_000)), entry({"t": 1})]
    assert encode_tail(rows[1:], older + rows) == encode_tail(rows[1:], rows)


def test_many_columns_share_one() -> None:
    context = [entry({f"{row} {key}": key for key in range(40)}, row) for row in range(40)]
    size_of([entry({"new": 1, "0 1": 2})], context)


def test_what_cannot_be_a_tail_is_refused() -> None:
    limits = replace(DEFAULT_LIMITS, entries=3, payloads_bytes=100)
    with pytest.raises(LimitError):
        encode_tail([], [])
    with pytest.raises(LimitError):
        encode_tail([entry(0)] * (MAX_ENTRIES + 1), [])
    with pytest.raises(LimitError):
        encode_tail([entry(0)], [entry(0)] * (MAX_CONTEXT + 1))
    with pytest.raises(LimitError):
        encode_tail([entry(0)] * 4, [], limits=limits)
    with pytest.raises(LimitError):
        encode_tail([entry(bytes(60))] * 2, [], limits=limits)
    with pytest.raises(LimitError):
        encode_tail([entry(bytes(40_000))] * 2, [])


def test_payloads_beyond_their_bound_are_refused_by_the_reader() -> None:
    """Each row says the long one again in a fraction of a byte."""
    limits = replace(DEFAULT_LIMITS, payloads_bytes=100_000)
    rows = [entry(bytes(15_000), number) for number in range(4)]
    data = encode_tail(rows, [], limits=limits)
    with pytest.raises(LimitError, match="bytes"):
        decode_tail(data, 4, [salt_of(0)] * 4, [], limits=replace(limits, payloads_bytes=50_000))


@pytest.mark.parametrize(
    "wrong",
    [
        entry(0)._replace(thing=""),
        entry(0)._replace(kind="k" * 64),
        entry(0)._replace(action=-1),
        entry(0)._replace(time_us=2**63),
        entry(0)._replace(payload=None, digest=b"short"),
        entry(0)._replace(payload=b""),
        entry(0)._replace(payload=b"\x18\x01"),
    ],
    ids=str,
)
def test_an_entry_out_of_bounds_is_refused(wrong: Entry) -> None:
    with pytest.raises(MalformedError):
        encode_tail([entry(0), wrong], [])


def test_a_payload_without_its_salt_is_refused() -> None:
    data = encode_tail([entry(0), entry(1)], [])
    for salts in ([salt_of(0)], [salt_of(0), None], [salt_of(0), b"short"]):
        with pytest.raises(MalformedError, match="salt"):
            decode_tail(data, 2, salts, [])


def test_a_payload_left_out_needs_no_salt() -> None:
    left_out = entry(0)._replace(payload=None)
    assert decode_tail(encode_tail([left_out], []), 1, [None], []) == [left_out]


def test_numbers_that_tell_of_one_beyond_all_numbers_come_back() -> None:
    def of(a: int, b: int) -> float:
        return 10**15 + 10 * a + b if 0 in (a, b) else (a * 5 + b) / 10**6

    pairs = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 2)]
    pairs += [(3, 3), (4, 4), (1, 2), (2, 3)]
    entries = []
    for number, (a, b) in enumerate((*pairs, *pairs[:6], (0, 0), (0, 0))):
        payload = cbor.encode({"a": a, "b": b, "c": of(a, b)})
        digest = payload_digest(salt_of(number), payload)
        entries.append(Entry("well", "", 0, number * MINUTE, (), digest, payload))
    for start in (20, 21):
        new, context = entries[start:], entries[:start]
        salts = [salt_of(number) for number in range(start, len(entries))]
        data = encode_tail(new, context)
        assert decode_tail(data, len(new), salts, context) == new
