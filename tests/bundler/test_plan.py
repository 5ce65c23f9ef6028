from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.limits import DEFAULT_LIMITS
from bundler.plan import Span, bundle_bytes_for, cut, lacking


@st.composite
def spans(draw: st.DrawFn) -> Span:
    first = draw(st.integers(0, 40))
    return Span(first, first + draw(st.integers(1, 10)))


def numbers(found: list[Span]) -> list[int]:
    return [number for span in found for number in range(*span)]


@pytest.mark.parametrize(
    ("held", "confirmed", "on_the_way", "expected"),
    [
        (10, 0, [], [(0, 10)]),
        (10, 4, [], [(4, 10)]),
        (10, 10, [], []),
        (10, 12, [], []),
        (10, 0, [(0, 10)], []),
        (10, 2, [(4, 6)], [(2, 4), (6, 10)]),
        (10, 0, [(6, 8), (0, 2)], [(2, 6), (8, 10)]),
        (10, 5, [(0, 7)], [(7, 10)]),
        (10, 0, [(8, 20)], [(0, 8)]),
        (0, 0, [], []),
    ],
)
def test_what_is_lacking(
    held: int, confirmed: int, on_the_way: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    found = lacking(held, confirmed, [Span(*one) for one in on_the_way])
    assert [tuple(span) for span in found] == expected


@given(st.integers(0, 50), st.integers(0, 50), st.lists(spans(), max_size=5))
def test_just_what_is_neither_there_nor_on_the_way_is_lacking(
    held: int, confirmed: int, on_the_way: list[Span]
) -> None:
    found = numbers(lacking(held, confirmed, on_the_way))
    known = set(range(confirmed)) | set(numbers(on_the_way))
    assert found == [number for number in range(held) if number not in known]


@st.composite
def cuttings(draw: st.DrawFn) -> tuple[Span, list[int], list[int], int]:
    first = draw(st.integers(0, 5))
    steps = draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))
    checkpoints = [first + sum(steps[: index + 1]) for index in range(len(steps))]
    size = checkpoints[-1] - first
    costs = draw(st.lists(st.integers(0, 20), min_size=size, max_size=size))
    return Span(first, checkpoints[-1]), checkpoints, costs, draw(st.integers(1, 80))


@given(cuttings())
def test_pieces_follow_each_other_and_end_with_checkpoints(
    cutting: tuple[Span, list[int], list[int], int],
) -> None:
    span, checkpoints, costs, limit = cutting
    pieces = cut(span, checkpoints, costs, limit_bytes=limit)
    assert numbers(pieces) == list(range(*span))
    assert all(piece.end in checkpoints for piece in pieces)
    for piece in pieces:
        within = [size for size in checkpoints if piece.first < size <= piece.end]
        cost = sum(costs[piece.first - span.first : piece.end - span.first])
        assert cost <= limit or len(within) == 1


@given(cuttings())
def test_pieces_are_as_few_as_can_be(cutting: tuple[Span, list[int], list[int], int]) -> None:
    """No two that follow each other would fit together with the next checkpoint."""
    span, checkpoints, costs, limit = cutting
    pieces = cut(span, checkpoints, costs, limit_bytes=limit)
    for one, other in pairwise(pieces):
        following = min(size for size in checkpoints if size > one.end)
        assert following <= other.end
        assert sum(costs[one.first - span.first : following - span.first]) > limit


def test_what_lies_beyond_the_span_is_not_cut() -> None:
    assert cut(Span(2, 6), [4, 6, 9], [1] * 4, limit_bytes=100) == [Span(2, 6)]
    assert cut(Span(2, 6), [9], [1] * 4, limit_bytes=100) == []


@pytest.mark.parametrize(
    ("symbol_bytes", "expected"),
    [(8, 65_536), (968, 8192 * 968), (1360, 8_000_000), (65_528, 8_000_000)],
)
def test_a_bundle_is_one_source_block_and_never_too_big(symbol_bytes: int, expected: int) -> None:
    assert bundle_bytes_for(symbol_bytes, DEFAULT_LIMITS) == expected
