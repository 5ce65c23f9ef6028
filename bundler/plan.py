"""What a peer lacks, cut into pieces that fit bundles. Pure: numbers in, numbers out.

A *span* is (first, end): the entries *first* up to, not including, *end* of one log.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bundler.limits import Limits

# One source block of the erasure code: losses spread over all symbols of the bundle.
_BUNDLE_SYMBOLS = 8192
_BUNDLE_BYTES = 8_000_000


class Span(NamedTuple):
    """Entries of one log: *first* up to, not including, *end*."""

    first: int
    end: int


def lacking(held: int, confirmed: int, on_the_way: Iterable[Span]) -> list[Span]:
    """Return the spans of a log that a peer neither has nor is about to get.

    Args:
        held: How many entries we hold.
        confirmed: How many of them the peer has said that it holds.
        on_the_way: Spans in bundles that have been handed out and not been confirmed.
    """
    spans = []
    first = confirmed
    for start, end in sorted(on_the_way):
        if start > first:
            spans.append(Span(first, min(start, held)))
        first = max(first, end)
        if first >= held:
            break
    if first < held:
        spans.append(Span(first, held))
    return [span for span in spans if span.first < span.end]


def cut(
    span: Span,
    checkpoints: Sequence[int],
    costs: Sequence[int],
    *,
    limit_bytes: int,
) -> list[Span]:
    """Cut *span* where checkpoints allow, into as few pieces as the limit allows.

    Args:
        span: What to cut; its end is one of *checkpoints*.
        checkpoints: Ascending sizes at which the log was signed, all above ``span.first``.
        costs: Bytes of each entry of the span.
        limit_bytes: No piece costs more, unless it cannot be cut any smaller.

    Returns:
        Pieces that follow each other and make up *span* up to its last checkpoint.
    """
    pieces: list[Span] = []
    first = last = span.first
    cost = 0
    for size in checkpoints:
        if size > span.end:
            break
        step = sum(costs[last - span.first : size - span.first])
        if last > first and cost + step > limit_bytes:
            pieces.append(Span(first, last))
            first, cost = last, 0
        cost += step
        last = size
    if last > first:
        pieces.append(Span(first, last))
    return pieces


def bundle_bytes_for(symbol_bytes: int, limits: Limits) -> int:
    """Return how large a bundle for symbols of that size should get.

    One source block of the erasure code, and never so large that one more section breaks the bound.
    """
    return min(limits.bundle_bytes * 3 // 4, _BUNDLE_BYTES, _BUNDLE_SYMBOLS * symbol_bytes)


def common(lacks: Iterable[Iterable[Span]], *, least: int) -> list[Span]:
    """Return what of one log at least so many peers lack.

    Args:
        lacks: The spans that each peer lacks, which do not overlap for one peer.
        least: How many, at least 1.

    Returns:
        Spans that ascend and do not touch each other.
    """
    steps: dict[int, int] = {}
    for first, end in (span for spans in lacks for span in spans):
        steps[first] = steps.get(first, 0) + 1
        steps[end] = steps.get(end, 0) - 1
    found, count, begun = [], 0, None
    for at in sorted(steps):
        count += steps[at]
        if begun is None and count >= least:
            begun = at
        elif begun is not None and count < least:
            found.append(Span(begun, at))
            begun = None
    return found
