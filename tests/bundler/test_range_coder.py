from collections.abc import Sequence
from math import log2

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler.errors import MalformedError
from bundler.range_coder import MAX_TOTAL, RangeDecoder, RangeEncoder

SHARES = st.dictionaries(
    st.integers(0, 9), st.integers(1, 3) | st.integers(1, MAX_TOTAL // 16), min_size=1, max_size=8
)
# Shares and a choice, or a count and a number.
CHOICES = st.lists(
    SHARES.flatmap(lambda shares: st.tuples(st.just(shares), st.sampled_from(sorted(shares))))
    | st.integers(1, MAX_TOTAL).flatmap(
        lambda count: st.tuples(st.just(count), st.just(count - 1) | st.integers(0, count - 1))
    ),
    max_size=40,
)
Choices = Sequence[tuple[dict[int, int] | int, int]]


def encoded(choices: Choices) -> bytes:
    coder = RangeEncoder()
    for shares, wanted in choices:
        if isinstance(shares, int):
            assert coder.number(shares, wanted) == wanted
        else:
            assert coder.choose(shares, wanted) == wanted
    return coder.finish()


def decoded(data: bytes, choices: Choices) -> list[int]:
    coder = RangeDecoder(data)
    found = [
        coder.number(shares, 0) if isinstance(shares, int) else coder.choose(shares, 0)
        for shares, _ in choices
    ]
    coder.finish()
    return found


@given(CHOICES)
@example([(MAX_TOTAL, MAX_TOTAL - 1)] * 9 + [(2, 1)] * 9)
@example([(256, 255)] * 40 + [({0: 1, 1: 1}, 1)])
@example([({0: 1, 1: MAX_TOTAL // 16}, 0)] * 20)
def test_choices_come_back(choices: Choices) -> None:
    assert decoded(encoded(choices), choices) == [wanted for _, wanted in choices]


@given(CHOICES)
def test_choices_take_what_their_shares_say(choices: Choices) -> None:
    bits = sum(
        log2(shares) if isinstance(shares, int) else log2(sum(shares.values()) / shares[wanted])
        for shares, wanted in choices
    )
    # Less than a 2^16th of a choice is lost to rounding.
    assert len(encoded(choices)) <= bits / 8 + 1 + len(choices) / 2**16


@given(CHOICES)
def test_the_end_is_as_short_as_can_be(choices: Choices) -> None:
    data = encoded(choices)
    assert not data.endswith(b"\0")
    if data:
        # What is told by fewer bytes is something else.
        with pytest.raises((MalformedError, AssertionError)):
            assert decoded(data[:-1].rstrip(b"\0"), choices) == [wanted for _, wanted in choices]


@given(st.binary(max_size=40), CHOICES)
def test_any_bytes_are_choices_or_malformed(data: bytes, choices: Choices) -> None:
    try:
        found = decoded(data, choices)
    except MalformedError:
        return
    for (shares, _), choice in zip(choices, found, strict=True):
        assert choice in (range(shares) if isinstance(shares, int) else shares)


def test_bytes_after_the_end_are_refused() -> None:
    data = encoded([(256, 7)])
    assert data == b"\7"
    for more in (b"\0", bytes(9), b"\1" * 9):
        with pytest.raises(MalformedError):
            decoded(data + more, [(256, 7)])


def test_nothing_is_coded_in_no_bytes() -> None:
    assert encoded([]) == b""
    assert encoded([({5: 1}, 5)] * 1000) == b""
