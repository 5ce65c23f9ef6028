"""What comes next by what came before: counts under several contexts, mixed (docs/format.md 5.4.3).

A *symbol* is a number or bytes. Each model of a mixture looks at one context and has counted which
symbols came under it, as they are or as differences to a reference. What the models say is added up
under weights that grow with what a model said of the symbols that did come.
"""

from collections.abc import Sequence
from itertools import islice

from bundler.range_coder import Coder

Symbol = int | bytes | None

Context = tuple[object, int | None]
"""What a model looks at, and the number to which it counts differences (None: it does not)."""

ESCAPE: Symbol = None
"""In place of a symbol that no model expects; whoever codes says otherwise what it is."""

_CANDIDATES = 32  # of one model, the latest: bounds the work
_BUCKETS = 7
# Of a context seen so many times, as bits: how it is believed is learnt apart.
_BUCKET = [min(bits, _BUCKETS) - 1 for bits in range(33)]
_START_WEIGHT = 1 << 10
_LEAST_WEIGHT, _MOST_WEIGHT = 1 << 4, 1 << 16
_SHARE_BITS = 16
_ONE = 1 << 8  # ratios are in 256ths
_MOST_RATIO = 6 * _ONE
_ABSENT_BITS = 8


class Leaf:
    """The symbols that came under one context of one model."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        """Start with none."""
        self.counts: dict[Symbol, int] = {}
        self.total = 0

    def copy(self) -> "Leaf":
        """Return one that learns by itself from here on."""
        copied = Leaf()
        copied.counts, copied.total = self.counts.copy(), self.total
        return copied


Look = list[tuple[Leaf, int | None, list[int], int]]
"""For each model: what came under its context, its reference, its weights, which of them counts."""


class Mixture:
    """Several models of one symbol, and how far each is to be believed."""

    __slots__ = ("_before", "_weights", "tables")

    def __init__(self, count: int, before: "Mixture | None" = None) -> None:
        """Start with *count* models that have seen nothing, or what those of *before* have learnt.

        Nothing of *before* is copied but what changes, so that starting costs nothing. It may
        learn no more itself.
        """
        self.tables: list[dict[object, Leaf]] = [{} for _ in range(count)]
        self._before = before.tables if before else [{}] * count
        self._weights = [[_START_WEIGHT] * _BUCKETS for _ in range(count)]

    def learn(self, contexts: Sequence[Context], symbol: Symbol) -> None:
        """Count that *symbol* came under *contexts*, one for each model."""
        number = symbol if isinstance(symbol, int) else None
        for table, before, (key, reference) in zip(
            self.tables, self._before, contexts, strict=False
        ):
            leaf = table.get(key)
            if leaf is None:
                known = before.get(key)
                leaf = table[key] = known.copy() if known else Leaf()
            leaf.total += 1
            counts = leaf.counts
            seen = symbol if number is None or reference is None else number - reference
            # The latest symbol is the last of the dict.
            counts[seen] = counts.pop(seen, 0) + 1

    def look(self, contexts: Sequence[Context]) -> Look:
        """Return what each model knows that has seen its context."""
        found: Look = []
        for table, before, weights, (key, reference) in zip(
            self.tables, self._before, self._weights, contexts, strict=False
        ):
            leaf = table.get(key) or before.get(key)
            if leaf is not None:
                found.append((leaf, reference, weights, _BUCKET[leaf.total.bit_length()]))
        return found


def code(coder: Coder, look: Look, wanted: Symbol) -> Symbol:
    """Code *wanted*, or that no model has it: `ESCAPE`."""
    shares: dict[Symbol, int] = {}
    escape = 1
    for leaf, reference, weights, bucket in look:
        counts = leaf.counts
        unit = (weights[bucket] << _SHARE_BITS) // (2 * leaf.total + len(counts))
        escape += unit * len(counts)
        unit *= 2
        for seen, count in islice(reversed(counts.items()), _CANDIDATES):
            symbol = seen
            if reference is not None and isinstance(seen, int):
                symbol = seen + reference
            shares[symbol] = shares.get(symbol, 0) + unit * count
    shares[ESCAPE] = escape
    return coder.choose(shares, wanted if wanted in shares else ESCAPE)


def adapt(look: Look, symbol: Symbol) -> None:
    """Believe the models more that expected *symbol*."""
    number = symbol if isinstance(symbol, int) else None
    total = expected = 0
    said = []
    for leaf, reference, weights, bucket in look:
        counts = leaf.counts
        seen = symbol if number is None or reference is None else number - reference
        count = counts.get(seen)
        share = 2 * count << _SHARE_BITS if count else len(counts) << _SHARE_BITS - _ABSENT_BITS
        share //= 2 * leaf.total + len(counts)
        weight = weights[bucket]
        total += weight
        expected += weight * share
        said.append((weights, bucket, share))
    expected += 1
    for weights, bucket, share in said:
        ratio = share * total * _ONE // expected
        weight = weights[bucket] * (_ONE + (ratio if ratio < _MOST_RATIO else _MOST_RATIO)) >> 9
        weights[bucket] = min(max(weight, _LEAST_WEIGHT), _MOST_WEIGHT)
