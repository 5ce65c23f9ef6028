import tracemalloc
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bundler.column_choice import encode_strings
from bundler.columnar import decode_columnar, encode_columnar, grouped
from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.number_columns import encode_numbers
from ledger import cbor
from ledger.entries import Entries
from ledger.entry import Entry, follows_from
from tests.bundler.samples import ENTRIES, salt_of
from tests.vectors import load

VECTORS = load("columns")


def entry(payload: object, thing: str = "thing") -> Entry:
    encoded = cbor.encode(payload)
    return Entry(thing, "kind", 0, 0, (), sha256(salt_of(0) + encoded).digest(), encoded)


def salts(count: int) -> list[bytes]:
    return [salt_of(index) for index in range(count)]


def signed(entries: list[Entry]) -> list[Entry]:
    """Return *entries* with the digests that their payloads have under `salts`."""
    return [
        one if one.payload is None else one._replace(digest=sha256(salt + one.payload).digest())
        for one, salt in zip(entries, salts(len(entries)), strict=True)
    ]


def written(entries: list[Entry]) -> bytes:
    return b"".join(encode_columnar(Entries.of(entries)))


def there_and_back(entries: list[Entry]) -> list[Entry]:
    return decode_columnar(written(entries), len(entries), salts(len(entries))).one_by_one()


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    data, salts = bytes.fromhex(case["data"]), [bytes.fromhex(salt) for salt in case["salts"]]
    if case["expect"] == "malformed":
        with pytest.raises(BundleError):
            decode_columnar(data, case["count"], salts)
        return
    entries = decode_columnar(data, case["count"], salts).one_by_one()
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
    again = written(entries)
    assert decode_columnar(again, case["count"], salts).one_by_one() == entries


@given(ENTRIES)
@example([entry({"a": 1.5, "b": "x"}), entry({"a": None, "b": 2})])
@example([entry({}), entry([]), entry(None), entry({1: 2}), entry({"a": {"b": {}}})])
@example([entry({"a": one}) for one in (10, 10.0, 0, 0.0, -0.0, 1e300, 2**64 - 1, 5e-324, 0.1)])
@example([entry({"a": 2**64 - n, "b": n}) for n in range(1, 4)])
@example([entry({"a": "\x61b", "b": "\x61b\x61b"}), entry({"a": "\x61bx" * 9, "b": 1})])
def test_entries_come_back_byte_for_byte(entries: list[Entry]) -> None:
    assert there_and_back(signed(entries)) == signed(entries)


@given(ENTRIES, st.data())
def test_altered_bytes_only_raise_bundle_errors(entries: list[Entry], data: st.DataObject) -> None:
    altered = bytearray(written(entries))
    at = data.draw(st.integers(0, len(altered) - 1))
    altered[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = decode_columnar(bytes(altered), len(entries), salts(len(entries))).one_by_one()
    except BundleError:
        return
    assert there_and_back(found) == found
    for one in found:
        if one.payload is not None:
            cbor.decode(one.payload, limit_bytes=1 << 20)


@given(st.binary(max_size=60), st.integers(0, 4))
@example(b"\x01\x00\x05thing", 1)
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes, count: int) -> None:
    try:
        found = decode_columnar(data, count, salts(count)).one_by_one()
    except BundleError:
        return
    assume(found)
    assert len(found) == count


@given(st.lists(st.integers(0, 4), max_size=20))
def test_the_entries_of_each_thing_follow_each_other(things: list[int]) -> None:
    order = grouped(things)
    by_thing = [things[at] for at in order] if order else things
    assert by_thing == sorted(things)
    assert sorted(order) in ([], list(range(len(things))))
    assert all(a < b or things[a] != things[b] for a, b in pairwise(order))


def test_series_of_many_things_cost_no_more_for_lying_mixed() -> None:
    """Each thing counts on its own; what one says next lies far from what it said before."""
    alone = [entry({"n": 1_000_003 * t + n}, f"t{t:03}") for t in range(300) for n in range(20)]
    mixed = [alone[20 * t + n] for n in range(20) for t in range(300)]
    assert there_and_back(signed(mixed)) == signed(mixed)
    one, other = (len(written(entries)) for entries in (alone, mixed))
    assert other < one + 3 * len(mixed)


def test_what_follows_from_two_others_costs_next_to_nothing() -> None:
    """A third column tells nothing that the first two do not, but for an exception."""
    count = 4000
    pairs = [(n * 7919 % 17, n * n % 53) for n in range(count)]
    rows = [{"a": a, "b": b, "c": (a * 7 + b * 13) ** 3} for a, b in pairs]
    rows[777]["c"] = 5
    plain = [{"a": row["a"], "b": row["b"], "c": 0} for row in rows]
    entries = [entry(row) for row in rows]
    assert there_and_back(signed(entries)) == signed(entries)
    with_it, without = (len(written([entry(row) for row in one])) for one in (rows, plain))
    assert with_it - without < 4 * len(set(pairs)) + 100 < count


def test_a_payload_that_is_not_cbor_is_refused() -> None:
    for payload in (b"", b"\xff", b"\xa1\x61a", b"\xa1\x61a\x18\x01", b"\xf6\xf6", b"\x18\x01"):
        with pytest.raises(MalformedError):
            encode_columnar(Entries.of([entry(0)._replace(payload=payload)]))
        with pytest.raises(MalformedError):
            encode_columnar(Entries.of([entry({"a": 1}), entry(0)._replace(payload=payload)]))


def test_what_cannot_be_one_section_is_refused() -> None:
    limits = replace(DEFAULT_LIMITS, entries=3, payloads_bytes=100, payload_bytes=60)
    with pytest.raises(LimitError):
        encode_columnar(Entries.of([]))
    with pytest.raises(LimitError):
        encode_columnar(Entries.of([entry(0)] * 4), limits=limits)
    with pytest.raises(LimitError):
        encode_columnar(Entries.of([entry(bytes(61))]), limits=limits)
    with pytest.raises(LimitError):
        encode_columnar(Entries.of([entry(bytes(50))] * 3), limits=limits)
    for entries in ([entry(0)] * 4, [entry(bytes(61))], [entry(bytes(50))] * 3):
        data = written(entries)
        with pytest.raises(LimitError):
            decode_columnar(data, len(entries), salts(len(entries)), limits=limits)


def test_cells_that_multiply_are_refused_before_they_do() -> None:
    """A column of one cell takes three bytes, however many entries have it."""
    entries = [entry({f"k{n}": 0 for n in range(100)})] * 100
    data = written(entries)
    assert len(data) < 1000
    few = replace(DEFAULT_LIMITS, cells=9_999)
    with pytest.raises(LimitError, match="cells"):
        encode_columnar(Entries.of(entries), limits=few)
    with pytest.raises(LimitError, match="cells"):
        decode_columnar(data, 100, salts(100), limits=few)


def test_bytes_that_multiply_are_refused_before_they_do() -> None:
    data = written([entry("x" * 1000)] * 100)
    assert len(data) < 1200
    small = replace(DEFAULT_LIMITS, payloads_bytes=100_299)
    with pytest.raises(LimitError, match="payloads of over"):
        decode_columnar(data, 100, salts(100), limits=small)


def test_cells_of_too_many_bytes_are_refused_before_one_is_looked_at() -> None:
    """Each byte may be an item of its own, which takes time."""
    entries = [entry([1000 + n, "x" * 20]) for n in range(30)]
    spoiled = written(entries).replace(b"\x82\x19", b"\xff\x19")
    with pytest.raises(MalformedError, match="deterministic"):
        decode_columnar(spoiled, 30, salts(30))
    small = replace(DEFAULT_LIMITS, payloads_bytes=30 * 25 - 1)
    with pytest.raises(LimitError, match="cells of over"):
        decode_columnar(spoiled, 30, salts(30), limits=small)


def test_a_table_over_long_cells_does_not_join_them() -> None:
    """A column that follows from two others, of which each has one cell of 100 kB, 4,096 times."""
    count, cell = 4096, cbor.encode(bytes(100_000))
    numbers = b"".join(encode_numbers([0] * count))
    names = b"\x01" + b"".join(encode_strings([b"x"])) + numbers
    template = cbor.encode({"a": None, "b": None, "c": None})
    data = names * 2 + numbers + b"\0" + numbers + b"\0"
    data += b"\x01" + cbor.encode(template) + b"".join(encode_numbers([1] * count))
    data += (b"\0" + cbor.encode(len(cell)) + cell) * 2 + b"\x07\x01\x00\x01"
    data += b"\0\x01\x01"
    tracemalloc.start()
    with pytest.raises(LimitError, match="payloads of over"):
        decode_columnar(data, count, salts(1) * count)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most_bytes < 20_000_000


@pytest.mark.parametrize(
    "wrong",
    [
        entry(0)._replace(thing=""),
        entry(0)._replace(thing="a\n"),
        entry(0)._replace(kind="k" * 64),
        entry(0)._replace(action=-1),
        entry(0)._replace(action=2**32),
        entry(0)._replace(time_us=2**63),
        entry(0)._replace(payload=None, digest=b"short"),
        entry(0)._replace(
            follows=follows_from([[bytes(32), bytes(8), n, bytes(16)] for n in (1, 2)])[::-1]
        ),
    ],
    ids=str,
)
def test_an_entry_out_of_bounds_is_refused(wrong: Entry) -> None:
    with pytest.raises(MalformedError):
        encode_columnar(Entries.of([entry(0), wrong]))


def test_a_payload_without_its_salt_is_refused() -> None:
    data = written([entry(0), entry(1)])
    for wrong in ([salt_of(0), None], [salt_of(0), b"short"], [salt_of(0)]):
        with pytest.raises(MalformedError, match="salt"):
            decode_columnar(data, 2, wrong)


def test_a_payload_left_out_needs_no_salt() -> None:
    left_out = entry(0)._replace(payload=None)
    assert decode_columnar(written([left_out]), 1, [None]).one_by_one() == [left_out]
