from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given

from bundler import codec, items
from bundler.entry_encodings import (
    COLUMNAR,
    ROWS,
    Encoded,
    decode_entries,
    encode_entries,
    is_known,
)
from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.log_section import LogSection
from bundler.rows import encode_rows
from ledger import cbor
from ledger.entries import Entries
from ledger.entry import Entry
from ledger.genesis import LedgerId
from ledger.note import Checkpoint
from tests.bundler.samples import ENTRIES, salt_of


def entry(payload: object, thing: str = "thing") -> Entry:
    return Entry(thing, "", 0, 0, (), bytes(32), cbor.encode(payload))


def section(encoded: Encoded, count: int) -> LogSection:
    return LogSection(
        ledger=LedgerId(bytes(16)),
        author=bytes(32),
        incarnation=bytes(8),
        first=0,
        cover=(),
        checkpoint=Checkpoint(count, bytes(32), bytes(64)),
        encoding=encoded.encoding,
        entries=encoded.data,
        cuts=encoded.cuts,
    )


def rows(entries: list[Entry]) -> Encoded:
    columns = encode_rows(entries)
    return Encoded(ROWS, items.array_head(17) + b"".join(map(items.byte_string, columns)))


def size(encoded: Encoded) -> int:
    return len(codec.compress(encoded.data, cuts=encoded.cuts))


@given(ENTRIES)
def test_both_encodings_say_the_same(entries: list[Entry]) -> None:
    salts = [salt_of(index) for index in range(len(entries))]
    entries = [
        one if one.payload is None else one._replace(digest=sha256(salt + one.payload).digest())
        for one, salt in zip(entries, salts, strict=True)
    ]
    for encoded in (encode_entries(Entries.of(entries)), rows(entries)):
        assert is_known(encoded.encoding)
        found = decode_entries(section(encoded, len(entries)), salts)
        assert found.one_by_one() == entries


@pytest.mark.parametrize(
    "entries",
    [
        [entry({"temp": 20 + n % 7 / 10, "wind": None if n % 5 else n}) for n in range(500)],
        [entry(sha256(b"%d" % n).digest() * 3) for n in range(500)],
        [entry(f"line {n * 7919 % 1000} of it: {'ab c'[n % 4] * (n % 30)}") for n in range(500)],
        [entry({"a": [n, {"b": n * n}], "c": {"d": str(n)}}, f"t{n}") for n in range(500)],
        [entry({f"k{n * 7919 % 300}": n, "z": 1}) for n in range(500)],
        [entry({"a": 1, "b": "x"})],
        [entry(bytes(100))],
    ],
    ids=["numbers", "blobs", "texts", "nested", "unlike", "one map", "one blob"],
)  # fmt: skip
def test_no_entries_take_more_than_as_rows(entries: list[Entry]) -> None:
    assert size(encode_entries(Entries.of(entries))) <= size(rows(entries)) + 4


def test_what_is_too_much_for_columns_travels_as_rows() -> None:
    entries = [entry({f"k{n}": 0 for n in range(50)})] * 20
    few = replace(DEFAULT_LIMITS, cells=999)
    assert encode_entries(Entries.of(entries), limits=few).encoding == ROWS
    assert encode_entries(Entries.of(entries)).encoding == COLUMNAR
    with pytest.raises(LimitError):
        encode_entries(Entries.of(entries), limits=replace(few, entries=19))


def test_cuts_lie_within_the_data_and_ascend() -> None:
    noise = [sha256(b"%d" % n).digest() for n in range(5000)]
    entries = [entry({"a": one[0] % 8, "b": one[1] & one[2] & 0x55}) for one in noise]
    encoded = encode_entries(Entries.of(entries))
    assert len(encoded.cuts) >= 2
    assert list(encoded.cuts) == sorted(set(encoded.cuts))
    assert 0 < encoded.cuts[0] < encoded.cuts[-1] < len(encoded.data)
    whole = section(encoded, 5000)
    begin = len(whole.to_body()) - len(encoded.data)
    assert whole.body_cuts == tuple(begin + cut for cut in encoded.cuts)
    assert size(encoded) < len(codec.compress(encoded.data)), "each plane has its own statistics"


def test_an_encoding_of_tomorrow_is_kept_and_not_read() -> None:
    tomorrow = section(Encoded(3, b"\xff anything"), 1)
    assert LogSection.from_body(tomorrow.to_body(), limits=DEFAULT_LIMITS) == tomorrow
    assert not is_known(3)
    with pytest.raises(MalformedError, match="not known"):
        decode_entries(tomorrow, [None])


def test_rows_that_are_no_17_byte_strings_are_refused() -> None:
    good = rows([entry(1)])
    for data in (good.data + b"\x00", good.data[:-1], b"\x90", b"", b"\x91" + b"\x00" * 17):
        with pytest.raises(BundleError):
            decode_entries(section(Encoded(ROWS, data), 1), [bytes(16)])
