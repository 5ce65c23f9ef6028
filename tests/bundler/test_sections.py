from dataclasses import replace
from hashlib import sha256

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler import codec
from bundler.blob_section import BlobSection
from bundler.entry_encodings import encode_entries
from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.log_section import LogSection
from bundler.notices import (
    Ask,
    ForkSection,
    GenesisSection,
    HaveSection,
    HeldLog,
    KeySection,
    LedgerHave,
    Receipt,
    ReceiptSection,
    Scope,
    Seen,
    SentSection,
)
from bundler.sections import (
    MAX_BEFORE_BYTES,
    BodySection,
    Skipped,
    decode_sections,
    encode_section,
    repeatable,
)
from ledger.entries import Entries
from ledger.entry import Entry
from ledger.genesis import LedgerId
from ledger.note import Checkpoint
from ledger.seeds import Seed

LEDGER, AUTHOR, INCARNATION = LedgerId(bytes(16)), bytes([1]) * 32, bytes([2]) * 8


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


IDS = st.lists(exactly(8), max_size=5).map(tuple)
LEDGERS = exactly(16).map(LedgerId)
WHOLE = st.builds(
    HeldLog, exactly(32), exactly(8), st.integers(0, 2**32), exactly(16), lacking=st.none()
)
HELD = WHOLE | st.integers(1, 2**32).flatmap(
    lambda size: st.builds(
        HeldLog,
        exactly(32),
        exactly(8),
        st.just(size),
        exactly(16),
        lacking=st.integers(0, size - 1),
    )
)
SEEN = st.builds(Seen, exactly(8), st.integers(0, 2**64 - 1))
BITS = st.integers(0, 3)
SCOPE = st.builds(Scope, exactly(8), st.just(0), st.just(())) | BITS.flatmap(
    lambda bits: st.builds(
        Scope,
        exactly(8),
        st.just(bits),
        st.sets(st.integers(0, 2**bits - 1), min_size=1).map(lambda found: tuple(sorted(found))),
    )
)
ASK = BITS.flatmap(lambda bits: st.builds(Ask, st.just(bits), exactly(6 << bits)))
HAVES = st.builds(
    HaveSection,
    seen=st.none() | SEEN,
    key_ids=IDS,
    ledgers=st.lists(
        st.builds(LedgerHave, LEDGERS, st.lists(HELD, max_size=3).map(tuple)), max_size=3
    ).map(tuple),
    back=st.none(),
    scope=st.none() | SCOPE,
    ask=st.none() | ASK,
).flatmap(
    lambda have: st.builds(
        replace,
        st.just(have),
        back=st.none() | st.integers(0, have.seen.counter) if have.seen else st.none(),
    )
)
SECTIONS: st.SearchStrategy[BodySection] = st.one_of(
    HAVES,
    st.builds(SentSection, bundle_ids=IDS),
    st.builds(
        ReceiptSection,
        receipts=st.lists(
            st.builds(Receipt, exactly(8), st.sampled_from(["", "refused", "é" * 127])), max_size=3
        ).map(tuple),
    ),
    st.builds(GenesisSection, genesis=st.just(cbor2.dumps([1, "name", [], 0, bytes(16)]))),
    st.builds(KeySection, key=exactly(32)),
    st.builds(
        ForkSection,
        ledger=LEDGERS,
        author=exactly(32),
        incarnation=exactly(8),
        fork=st.just(cbor2.dumps([1, 2])),
    ),
    st.builds(
        LogSection,
        ledger=LEDGERS,
        author=exactly(32),
        incarnation=exactly(8),
        first=st.integers(0, 9),
        cover=st.sampled_from([(), (Seed(0, 0, bytes(16)),)]),
        checkpoint=st.builds(
            Checkpoint,
            st.integers(10, 2**16),
            exactly(32),
            exactly(64),
            st.none() | st.binary(min_size=1, max_size=1).map(lambda byte: byte * 2420),
        ),
        encoding=st.integers(0, 9),
        entries=st.binary(max_size=99),
    ),
)


def log_section(first: int, size: int) -> LogSection:
    encoding, entries, _ = encode_entries(
        Entries.of([Entry("thing", "kind", 0, 0, (), bytes(32), None)])
    )
    return LogSection(
        ledger=LEDGER,
        author=AUTHOR,
        incarnation=INCARNATION,
        first=first,
        cover=(),
        checkpoint=Checkpoint(size, bytes(32), bytes(64)),
        encoding=encoding,
        entries=entries,
    )


@given(st.lists(SECTIONS, max_size=4))
def test_sections_come_back(sections: list[BodySection]) -> None:
    data = b"".join(map(encode_section, sections))
    assert list(decode_sections(data)) == sections


@given(SECTIONS, st.data())
def test_altered_sections_only_raise_bundle_errors(
    section: BodySection, data: st.DataObject
) -> None:
    body = bytearray(section.to_body())
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    encoded = cbor2.dumps([section.TYPE, 0, bytes(body)])
    try:
        (found,) = decode_sections(encoded)
    except BundleError:
        return
    # What was accepted is deterministic: there is no second way to write it.
    assert not isinstance(found, Skipped | BlobSection)
    assert found.to_body() == body


@given(
    st.binary(max_size=60)
    | st.tuples(st.integers(0, 12), st.binary(max_size=50)).map(
        lambda pair: cbor2.dumps([pair[0], 0, pair[1]])
    )
)
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    try:
        list(decode_sections(data))
    except BundleError:
        pass


def test_the_smaller_of_plain_and_compressed_is_chosen() -> None:
    small = encode_section(KeySection(key=bytes(range(32))))
    assert cbor2.loads(small)[:2] == [10, 0]
    large = encode_section(SentSection(bundle_ids=(bytes(8),) * 100))
    assert cbor2.loads(large)[:2] == [4, 1]
    assert len(large) < 100


def test_sections_are_decoded_when_they_are_asked_for() -> None:
    good = encode_section(KeySection(key=bytes(32)))
    sections = decode_sections(good + cbor2.dumps([4, 0, b"\xff"]))
    assert next(sections) == KeySection(key=bytes(32))
    with pytest.raises(MalformedError):
        next(sections)


def test_unknown_sections_are_skipped_unseen() -> None:
    for kind in (3, 8, 99, 2**64 - 1):
        bomb = cbor2.dumps([kind, 9, b"anything"])
        assert list(decode_sections(bomb)) == [Skipped(kind)]


def test_100_000_levels_are_refused() -> None:
    for kind in (2, 4, 5, 6, 9, 10, 11):
        with pytest.raises(MalformedError):
            list(decode_sections(cbor2.dumps([kind, 0, b"\x81" * 100_000])))


def test_sections_are_bounded_alone_and_together() -> None:
    sent = SentSection(bundle_ids=(bytes(8),) * 300)
    data = encode_section(sent)
    size = len(sent.to_body())
    assert list(decode_sections(data, limits=replace(DEFAULT_LIMITS, small_section_bytes=size)))
    small = replace(DEFAULT_LIMITS, small_section_bytes=size - 1)
    with pytest.raises(LimitError):
        list(decode_sections(data, limits=small))
    with pytest.raises(LimitError):
        encode_section(sent, limits=small)
    few = replace(DEFAULT_LIMITS, sections=2)
    assert len(list(decode_sections(data * 2, limits=few))) == 2
    with pytest.raises(LimitError):
        list(decode_sections(data * 3, limits=few))
    together = replace(DEFAULT_LIMITS, decoded_bytes=2 * size)
    assert len(list(decode_sections(data * 2, limits=together))) == 2
    with pytest.raises(LimitError):
        list(decode_sections(data * 3, limits=together))


def test_the_large_bound_is_for_log_sections_only() -> None:
    limits = replace(DEFAULT_LIMITS, section_bytes=2000, small_section_bytes=100)
    assert list(decode_sections(encode_section(log_section(0, 1)), limits=limits))
    with pytest.raises(LimitError):
        list(decode_sections(cbor2.dumps([4, 0, bytes(101)]), limits=limits))


@pytest.mark.parametrize(("first", "size"), [(0, 0), (5, 5), (6, 5), (0, 65_537), (9, 65_546)])
def test_a_log_section_has_1_to_65536_entries(first: int, size: int) -> None:
    data = encode_section(log_section(first, size))
    with pytest.raises(LimitError):
        list(decode_sections(data))


def test_a_log_section_says_how_many_entries_it_has() -> None:
    (section,) = decode_sections(encode_section(log_section(9, 65_545)))
    assert isinstance(section, LogSection)
    assert section.count == 65_536


@pytest.mark.parametrize("places", [[(0, 0), (32, 3)], [(1, 0)], [(32, 0)], [(0, 1)]])
def test_seeds_that_do_not_give_all_of_a_log_are_refused(places: list[tuple[int, int]]) -> None:
    cover = tuple(Seed(level, position, bytes(16)) for level, position in places)
    with pytest.raises((MalformedError, LimitError)):
        list(decode_sections(encode_section(replace(log_section(0, 1), cover=cover))))


def test_a_log_section_names_its_encoding_in_32_bits() -> None:
    section = replace(log_section(0, 1), encoding=2**32 - 1)
    assert LogSection.from_body(section.to_body(), limits=DEFAULT_LIMITS) == section
    for encoding in (2**32, 2**63, 2**64 - 1):
        body = replace(section, encoding=encoding).to_body()
        with pytest.raises(BundleError):
            LogSection.from_body(body, limits=DEFAULT_LIMITS)


@pytest.mark.parametrize("reason", ["a\nb", "\x1b[2J", "a" * 256, "é" * 128])
def test_a_reason_that_is_no_line_is_refused_by_both_sides(reason: str) -> None:
    section = ReceiptSection(receipts=(Receipt(bytes(8), reason),))
    with pytest.raises(MalformedError):
        encode_section(section)
    body = cbor2.dumps([[bytes(8), reason]])
    with pytest.raises(MalformedError):
        list(decode_sections(cbor2.dumps([6, 0, body])))


@pytest.mark.parametrize(
    "fields", [[], [AUTHOR, INCARNATION, 0], [AUTHOR, INCARNATION, 9, bytes(16), 1, 0]]
)
def test_a_log_that_is_held_is_said_in_four_or_five_fields(fields: list[object]) -> None:
    body = cbor2.dumps([None, [], [[LEDGER, [fields]]]])
    with pytest.raises(MalformedError):
        HaveSection.from_body(body, limits=DEFAULT_LIMITS)


def weather(author: int, count: int = 20) -> LogSection:
    rows = [{"humidity of the air": n % 9, "temperature": author + n / 10} for n in range(count)]
    entries = [
        Entry(f"station {author}", "weather", 0, n, (), bytes(32), cbor2.dumps(row, canonical=True))
        for n, row in enumerate(rows)
    ]
    encoding, data, cuts = encode_entries(Entries.of(entries))
    section = replace(log_section(0, count), author=bytes([author]) * 32)
    return replace(section, encoding=encoding, entries=data, cuts=cuts)


def test_logs_share_what_they_have_in_common() -> None:
    sections = [weather(author) for author in range(9)]
    alone = [encode_section(one) for one in sections]
    before, together = b"", []
    for one in sections:
        together.append(encode_section(one, before=before))
        before = repeatable(before, one)
    assert list(decode_sections(b"".join(together))) == sections
    assert sum(map(len, together[1:])) < sum(map(len, alone[1:])) / 2


def test_a_section_may_only_repeat_the_log_sections_before_it() -> None:
    first, second = weather(1), weather(2)
    leaning = encode_section(second, before=repeatable(b"", first))
    between = encode_section(SentSection(bundle_ids=(bytes(8),)))
    assert list(decode_sections(encode_section(first) + between + leaning))[2] == second
    for wrong in (leaning, between + leaning):
        with pytest.raises(MalformedError, match="no place"):
            list(decode_sections(wrong))
    other = encode_section(weather(3, 30))
    try:
        found = list(decode_sections(encode_section(first) + other + leaning))
    except MalformedError:
        return
    assert found[2] != second


def test_only_log_sections_repeat_others() -> None:
    body = SentSection(bundle_ids=(bytes(8),) * 9).to_body()
    first = weather(1)
    frame = codec.compress(body, before=repeatable(b"", first))
    with pytest.raises(MalformedError, match="no place"):
        list(decode_sections(encode_section(first) + cbor2.dumps([4, 2, frame])))


def test_no_more_is_repeated_than_a_reader_keeps() -> None:
    noise = b"".join(sha256(b"%d" % n).digest() for n in range(2 * MAX_BEFORE_BYTES // 32))
    large = replace(weather(1), encoding=9, entries=noise)
    before = repeatable(repeatable(b"", weather(1)), large)
    assert len(before) == MAX_BEFORE_BYTES
    data = encode_section(weather(1)) + encode_section(large)
    repeated = replace(weather(2), encoding=9, entries=noise[-MAX_BEFORE_BYTES:])
    leaning = encode_section(repeated, before=before)
    assert len(leaning) < 1000
    assert list(decode_sections(data + leaning))[2] == repeated
