"""The tree from which the salts of a log grow (docs/format.md section 3.2).

A *cover* is a tuple of `Seed`, ascending and disjoint: whoever has it derives the salts of the
entries under its seeds and no others. So payloads are disclosed by giving a `subcover` away, and
one is erased for good by keeping only what is `without` it. Nothing here draws or stores seeds.

Source: O. Goldreich, S. Goldwasser, S. Micali, "How to construct random functions" (1986).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from struct import Struct
from typing import NamedTuple

from ledger import cbor
from ledger.errors import MalformedError, RefusedError

TREE_DEPTH = 32
MAX_ENTRIES = 1 << TREE_DEPTH
SEED_BYTES = 16
# A section has at most 65,536 entries, and no cover needs more seeds than it gives salts: at most
# 1.5 MiB of CBOR.
MAX_COVER_SEEDS = 65_536
# Subtrees of up to 256 salts are grown a level at a time: quick, and 16 KiB of memory.
_BUSH_LEVEL = TREE_DEPTH - 8
_HALVES = Struct("16s16s")


class Seed(NamedTuple):
    """An inner value of the tree.

    Attributes:
        level: 0 for the root, 32 for the salts.
        position: In its level, 0 <= position < 2**level.
        seed: 16 bytes; secret until all payloads under it may be known.
    """

    level: int
    position: int
    seed: bytes


Cover = tuple[Seed, ...]
"""Seeds ascending by the first entry that they cover, and disjoint."""


def root_cover(root: bytes) -> Cover:
    """Return the cover of a whole log, whose 16 random bytes are *root*."""
    return (Seed(0, 0, root),)


def covers(cover: Cover, first: int, count: int) -> bool:
    """Return whether *cover* gives the salts of all *count* entries from *first* on."""
    end = first + count
    for seed in _near(cover, first, end):
        start, stop = _span(seed)
        if start <= first < stop:
            first = stop
    return first >= end


def salts(cover: Cover, first: int, count: int) -> Iterator[bytes]:
    """Yield the salts of *count* entries from *first* on, 16 bytes each; one hash a salt.

    Raises:
        RefusedError: *cover* does not give one of them; before the first is yielded.
    """
    return _grow(subcover(cover, first, count))


def salts_given(cover: Cover, first: int, count: int) -> list[bytes | None]:
    """Return the salts of *count* entries from *first* on; None for each that *cover* lacks."""
    found: list[bytes | None] = [None] * count
    for seed in within(cover, first, first + count):
        start, stop = _span(seed)
        found[start - first : stop - first] = _grow((seed,))
    return found


def salt(cover: Cover, index: int) -> bytes:
    """Return the salt of entry *index*, 16 bytes.

    Raises:
        RefusedError: *cover* does not give it.
    """
    if not covers(cover, index, 1):
        raise _not_here(index, index + 1)
    level, _, value = _near(cover, index, index + 1)[-1]
    for depth in reversed(range(TREE_DEPTH - level)):
        value = _children(value)[index >> depth & 1]
    return value


def subcover(cover: Cover, first: int, count: int) -> Cover:
    """Return the smallest cover of exactly *count* entries from *first* on.

    Returns:
        At most 62 seeds more than *cover* has in that range; none of them gives another salt.

    Raises:
        RefusedError: *cover* does not give one of those salts.
    """
    end = first + count
    if not covers(cover, first, count):
        raise _not_here(first, end)
    return within(cover, first, end)


def without(cover: Cover, index: int) -> Cover:
    """Return the cover of all that *cover* gives but the salt of entry *index*.

    Erasing twice is erasing once. Up to 32 seeds take the place of one.
    """
    return (*_cut(cover, 0, index), *_cut(cover, index + 1, MAX_ENTRIES))


def is_root(cover: Cover) -> bool:
    """Return whether *cover* is the one seed that gives all salts of a log."""
    return len(cover) == 1 and cover[0].level == 0


def within(cover: Cover, first: int, end: int) -> Cover:
    """Return the cover of all that *cover* gives from entry *first* up to *end*."""
    return tuple(_cut(_near(cover, first, end), first, end))


def check_cover(value: object) -> Cover:
    """Return the cover of which *value* is the decoded CBOR.

    Raises:
        MalformedError: it is not one, or has more than `MAX_COVER_SEEDS` seeds.
    """
    items = cbor.as_list(value)
    if len(items) > MAX_COVER_SEEDS:
        raise MalformedError(f"a cover of {len(items)} seeds, at most {MAX_COVER_SEEDS}")
    cover = tuple(_check_seed(item) for item in items)
    end = 0
    for seed in cover:
        start, stop = _span(seed)
        if start < end:
            raise MalformedError("the seeds of a cover overlap or do not ascend")
        end = stop
    return cover


def cover_to_cbor(cover: Cover) -> list[list[object]]:
    """Return *cover* as it is encoded; `check_cover` is the inverse."""
    return [list(seed) for seed in cover]


def _check_seed(value: object) -> Seed:
    fields = cbor.as_list(value, 3)
    level = cbor.as_uint(fields[0], maximum=TREE_DEPTH)
    position = cbor.as_uint(fields[1], maximum=(1 << level) - 1)
    return Seed(level, position, cbor.as_bytes(fields[2], SEED_BYTES))


def _span(seed: Seed) -> tuple[int, int]:
    """Return the first entry under *seed*, and the first one after it."""
    shift = TREE_DEPTH - seed.level
    return seed.position << shift, (seed.position + 1) << shift


def _first(seed: Seed) -> int:
    return seed.position << (TREE_DEPTH - seed.level)


def _near(cover: Cover, first: int, end: int) -> Cover:
    """Return the seeds of *cover* that may cover an entry of ``first..end``."""
    low = bisect_right(cover, first, key=_first)
    return cover[max(low - 1, 0) : bisect_left(cover, end, key=_first)]


def _not_here(first: int, end: int) -> RefusedError:
    return RefusedError(
        f"the salts of entries {first} to {end - 1} are not all here: "
        "a payload among them was erased, or ask whoever has it"
    )


def _children(value: bytes) -> tuple[bytes, bytes]:
    both = sha256(value).digest()
    return both[:SEED_BYTES], both[SEED_BYTES:]


def _halves(seed: Seed) -> tuple[Seed, Seed]:
    level, position = seed.level + 1, 2 * seed.position
    left, right = _children(seed.seed)
    return Seed(level, position, left), Seed(level, position + 1, right)


def _cut(cover: Cover, first: int, end: int) -> Iterator[Seed]:
    """Yield the fewest seeds that cover what *cover* has of ``first..end``, and nothing else."""
    for seed in cover:
        start, stop = _span(seed)
        if first <= start and stop <= end:
            yield seed
        elif start < end and first < stop:
            yield from _cut(_halves(seed), first, end)


def _grow(cover: Cover) -> Iterator[bytes]:
    """Yield every salt under *cover*; at any time a few hundred values are in memory."""
    stack = list(reversed(cover))
    while stack:
        seed = stack.pop()
        if seed.level < _BUSH_LEVEL:
            stack += reversed(_halves(seed))
        else:
            yield from _bush(seed)


def _bush(seed: Seed) -> list[bytes]:
    """Return the up to 256 salts under *seed*."""
    sha = sha256  # a local name: this loop is all of what salts cost
    values = [seed.seed]
    for _ in range(seed.level, TREE_DEPTH):
        pairs = _HALVES.iter_unpack(b"".join([sha(value).digest() for value in values]))
        values = list(chain.from_iterable(pairs))
    return values
