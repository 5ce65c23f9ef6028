"""Tails: the fields of a section, and which entries it builds on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.tail_section import REFERENCE_BYTES, Context, TailSection, log_reference
from ledger.genesis import LedgerId
from ledger.log import LogName

LEDGER = LedgerId(bytes(range(16)))
LOG = LogName(bytes(range(32)), bytes(range(8)))
SIGNATURE = bytes(range(64))


def section(
    *, first: int = 300, count: int = 2, back: int = 5, step: int = 11, data: bytes = b"rest"
) -> TailSection:
    return TailSection(
        reference=b"logs",
        signature=SIGNATURE,
        first=first,
        count=count,
        context=Context(back, step),
        data=data,
    )


def read(body: bytes, limits: Limits = DEFAULT_LIMITS) -> TailSection:
    return TailSection.from_body(body, limits=limits)


@given(
    st.integers(0, 2**32 - 256),
    st.integers(1, 256),
    st.integers(0, 2**32),
    st.integers(0, 11),
    st.binary(max_size=40),
)
def test_what_is_written_is_read(first: int, count: int, back: int, step: int, data: bytes) -> None:
    one = section(first=first, count=count, back=min(back, first), step=step, data=data)
    assert read(one.to_body()) == one


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        one = read(body)
    except BundleError:
        return
    assert one.to_body() == body


def test_its_fields_stand_where_the_format_says() -> None:
    body = section(first=300, count=2, back=5, step=11).to_body()
    assert body == b"logs" + SIGNATURE + b"\x19\x01\x2c" + b"\x02" + b"\x18\x47" + b"rest"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (section(count=0).to_body(), MalformedError),
        (section(count=257).to_body(), LimitError),
        (section(first=4, back=5).to_body(), MalformedError),
        (section(first=2**32 - 1, count=2, back=0).to_body(), LimitError),
        (section(first=2**32 + 1, back=0).to_body(), LimitError),
        (section().to_body()[:68], MalformedError),
        (section().to_body()[:60], MalformedError),
        (b"", MalformedError),
    ],
    ids=["empty", "many", "before_all", "beyond_2_32", "far", "no_numbers", "no_signature", "none"],
)
def test_what_no_sender_means_is_refused(body: bytes, error: type[BundleError]) -> None:
    with pytest.raises(error):
        read(body)


def test_a_node_that_takes_less_reads_less() -> None:
    with pytest.raises(LimitError):
        read(section(count=9).to_body(), Limits(entries=8))


@pytest.mark.parametrize(
    ("step", "span"),
    [(0, (295, 295)), (1, (294, 295)), (2, (293, 295)), (4, (287, 295)), (10, (0, 295))],
)
def test_a_context_ends_before_what_lies_between(step: int, span: tuple[int, int]) -> None:
    assert Context(5, step).span(300) == span


@given(st.data())
def test_a_context_is_as_long_as_it_may_be(data: st.DataObject) -> None:
    end = data.draw(st.integers(0, 3000))
    begin = data.draw(st.integers(0, end) | st.just(0))
    first = end + data.draw(st.integers(0, 50))
    context = Context.of(first=first, begin=begin, end=end)
    got, stop = context.span(first)
    assert stop == end
    assert begin <= got <= end
    length, most = end - got, min(end - begin, 1024)
    if begin == 0 and end <= 1024:
        assert length == end
    else:
        assert length <= most < max(2 * length, 1)


def test_each_log_has_a_reference_of_its_own() -> None:
    found = {
        log_reference(LEDGER, LOG),
        log_reference(LedgerId(bytes(16)), LOG),
        log_reference(LEDGER, LogName(bytes(32), LOG.incarnation)),
        log_reference(LEDGER, LogName(LOG.author, bytes(8))),
    }
    assert len(found) == 4
    assert all(len(one) == REFERENCE_BYTES for one in found)
