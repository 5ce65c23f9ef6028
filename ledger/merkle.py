"""Append-only Merkle trees of RFC 6962 over SHA-256 (docs/format.md section 3.3).

A *leaf* here is a leaf hash, 32 bytes, and never an entry. A tree is not an object: to append, all
that is needed is its `Frontier`, and to prove something a `NodeReader` that gives the roots of its
perfect subtrees. This module does not know where those are kept.

The subtree at (level, position) has the leaves ``position << level`` up to the next position's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from ledger.errors import DamagedError, MalformedError, RefusedError, UnverifiedError
from ledger.lazy_dataclass import dataclass

HASH_BYTES = 32
# Sizes are 64-bit numbers, so that no honest proof is longer.
MAX_PROOF_HASHES = 64
# Subtrees lower than this are cheaper to compute again from 256 leaves than to keep.
TILE_LEVEL = 8
EMPTY_ROOT = sha256().digest()
_SIZE_BYTES = 8
_PAIR = Struct(f"{2 * HASH_BYTES}s")

NodeReader = Callable[[int, int], bytes]
"""(level, position) -> root of that perfect subtree; level 0 gives the leaves."""


class Node(NamedTuple):
    """The root of the perfect subtree at (level, position)."""

    level: int
    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed of a tree to append to it and to know its root.

    Attributes:
        size: Number of leaves.
        peaks: Roots of the largest perfect subtrees that make up the tree, leftmost (and largest)
            first: one for each 1 in the binary form of *size*.
    """

    size: int
    peaks: tuple[bytes, ...]

    def root(self) -> bytes:
        """Return the Merkle tree hash, 32 bytes."""
        return _fold(self.peaks)

    def to_bytes(self) -> bytes:
        """Return the size, big-endian, and the peaks: 8 + 32 * ``len(peaks)`` bytes."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Return the frontier of which *data* is the `to_bytes`.

        Raises:
            MalformedError: the number of peaks is not that of the size.
        """
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        if len(data) != _SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise MalformedError(f"{len(data)} bytes are not the frontier of {size} leaves")
        starts = range(_SIZE_BYTES, len(data), HASH_BYTES)
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in starts))


EMPTY_FRONTIER = Frontier(0, ())


@dataclass(frozen=True, slots=True)
class Extension:
    """What appending gave.

    Attributes:
        frontier: Of the longer tree.
        nodes: Roots at `TILE_LEVEL` and above of the subtrees that became perfect, by level.
    """

    frontier: Frontier
    nodes: list[Node]


def leaf_hash(entry: bytes) -> bytes:
    """Return the leaf of *entry*, 32 bytes.

    Source:
        RFC 6962 section 2.1.
    """
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the leaf of each of *entries*."""
    sha = sha256
    return [sha(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the root of the subtree whose halves have the roots *left* and *right*, 32 bytes.

    Source:
        RFC 6962 section 2.1.
    """
    return sha256(b"\x01" + left + right).digest()


def extend(frontier: Frontier, leaves: Sequence[bytes]) -> Extension:
    """Append *leaves* to the tree of *frontier*; however they are cut, the result is the same.

    Args:
        frontier: Of the tree so far.
        leaves: Leaf hashes, 32 bytes each.
    """
    size = frontier.size + len(leaves)
    left_peaks = list(frontier.peaks)
    peaks: list[bytes] = []
    nodes: list[Node] = []
    hashes = list(leaves)
    for level in range(size.bit_length()):
        first = frontier.size >> level
        if level >= TILE_LEVEL:
            nodes += [Node(level, first + i, root) for i, root in enumerate(hashes)]
        if first % 2:
            hashes.insert(0, left_peaks.pop())
        if len(hashes) % 2:
            peaks.append(hashes[-1])
        hashes = _pair(hashes)
    return Extension(Frontier(size, tuple(reversed(peaks))), nodes)


def frontier_at(size: int, node: NodeReader) -> Frontier:
    """Return the frontier that the tree had at *size* leaves.

    Args:
        size: At most the number of leaves that *node* knows.
        node: Roots of the perfect subtrees.

    Raises:
        DamagedError: *node* lacks one (as a `tiled_reader` says it).
    """
    return Frontier(size, tuple(node(*peak) for peak in _peaks(0, size)))


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Return the hashes by which leaf *index* is proven to be in the tree of *size* leaves.

    Args:
        index: Of the leaf, 0 <= index < size.
        size: At most the number of leaves that *node* knows.
        node: Roots of the perfect subtrees.

    Returns:
        At most ``ceil(log2(size))`` hashes, from the leaf up.

    Raises:
        RefusedError: there is no such leaf in a tree of that size.
        DamagedError: *node* lacks a subtree (as a `tiled_reader` says it).

    Source:
        RFC 6962 section 2.1.1.
    """
    if not 0 <= index < size:
        raise RefusedError(f"a log of {size} entries has no entry {index}; ask for a lower number")
    first, end = 0, size
    proof: list[bytes] = []
    while end - first > 1:
        split = first + _left_size(end - first)
        if index < split:
            proof.append(_root(split, end, node))
            end = split
        else:
            proof.append(_root(first, split, node))
            first = split
    return proof[::-1]


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that *leaf* is number *index* in the tree of *size* leaves with *root*.

    Raises:
        UnverifiedError: *proof* does not show it.

    Source:
        RFC 9162 section 2.1.3.2.
    """
    _check_hashes((leaf, root, *_bounded(proof)))
    if not 0 <= index < size:
        raise UnverifiedError(f"a tree of {size} leaves has no leaf {index}")
    _, computed = _climb(index, size - 1, leaf, proof)
    if computed != root:
        raise UnverifiedError(f"leaf {index} is not proven to be in a tree of {size} leaves")


def consistency_proof(old: int, new: int, node: NodeReader) -> list[bytes]:
    """Return the hashes by which the tree of *old* leaves is proven to begin that of *new*.

    Args:
        old: Leaves of the shorter tree; 0 and *new* need no hashes.
        new: Leaves of the longer one, at most the number that *node* knows.
        node: Roots of the perfect subtrees.

    Returns:
        At most ``ceil(log2(new)) + 1`` hashes, from the bottom up.

    Raises:
        RefusedError: *old* is greater than *new*.
        DamagedError: *node* lacks a subtree (as a `tiled_reader` says it).

    Source:
        RFC 6962 section 2.1.2.
    """
    if not 0 <= old <= new:
        raise RefusedError(f"{new} entries cannot continue a log of {old}; swap the two")
    first, end = 0, new
    proof: list[bytes] = []
    while old not in (0, end):
        split = first + _left_size(end - first)
        if old <= split:
            proof.append(_root(split, end, node))
            end = split
        else:
            proof.append(_root(first, split, node))
            first = split
    if first:  # else the last subtree is the whole old tree, whose root the verifier has
        proof.append(_root(first, end, node))
    return proof[::-1]


def verify_consistency(
    *, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree (*old*, *old_root*) is the beginning of the tree (*new*, *new_root*).

    Raises:
        UnverifiedError: *proof* does not show it.

    Source:
        RFC 9162 section 2.1.4.2.
    """
    _check_hashes((old_root, new_root, *_bounded(proof)))
    if not 0 <= old <= new:
        raise UnverifiedError(f"a tree of {new} leaves cannot continue one of {old}")
    if old in (0, new):
        computed = (EMPTY_ROOT if old == 0 else new_root), new_root
        if proof:
            raise UnverifiedError("a consistency proof with too many hashes")
    else:
        computed = _consistent_roots(old, new, old_root, proof)
    if computed != (old_root, new_root):
        raise UnverifiedError(f"trees of {old} and {new} leaves are not proven consistent")


def tiled_reader(
    stored: Callable[[int, int], bytes | None], leaves: Callable[[int, int], Sequence[bytes]]
) -> NodeReader:
    """Return a reader for one tree, of which only what `extend` gives and the leaves are kept.

    It remembers the last tile of 256 leaves that it read: after an append take a new one.

    Args:
        stored: (level, position) -> root of a subtree at `TILE_LEVEL` or above, None if not kept.
        leaves: (first, end) -> the leaves from *first* up to *end*, fewer where the tree ends.

    Returns:
        A reader that raises `DamagedError` for a subtree that is not there.
    """
    tile_number = -1
    tile: list[Sequence[bytes]] = []

    def node(level: int, position: int) -> bytes:
        nonlocal tile_number, tile
        if level >= TILE_LEVEL:
            root = stored(level, position)
        else:
            wanted = position >> (TILE_LEVEL - level)
            if wanted != tile_number:
                tile = _tile(leaves(wanted << TILE_LEVEL, (wanted + 1) << TILE_LEVEL))
                tile_number = wanted
            place = position - (wanted << (TILE_LEVEL - level))
            root = tile[level][place] if place < len(tile[level]) else None
        if root is None:
            raise DamagedError(f"node {position} at level {level} of a log is missing")
        return root

    return node


def _tile(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the perfect subtrees over up to 256 leaves, by level."""
    levels: list[Sequence[bytes]] = [leaves]
    for _ in range(1, TILE_LEVEL):
        levels.append(_pair(levels[-1]))
    return levels


def _pair(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the next level up; an odd one at the end has no partner yet and is left out."""
    sha = sha256  # a local name: this loop is most of what an append costs
    whole = len(hashes) // 2 * 2
    pairs = _PAIR.iter_unpack(b"".join(hashes if whole == len(hashes) else hashes[:whole]))
    return [sha(b"\x01" + both).digest() for (both,) in pairs]


def _left_size(count: int) -> int:
    """Return the largest power of two below *count*, the leaves of the left half."""
    return 1 << ((count - 1).bit_length() - 1)


def _peaks(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Name the perfect subtrees that make up ``first..end``, the right part of some tree."""
    while first < end:
        level = (end - first).bit_length() - 1
        yield level, first >> level
        first += 1 << level


def _root(first: int, end: int, node: NodeReader) -> bytes:
    return _fold([node(*peak) for peak in _peaks(first, end)])


def _fold(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in peaks[-2::-1]:
        root = node_hash(peak, root)
    return root


def _consistent_roots(
    old: int, new: int, old_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Return the roots of the two trees that *proof* leads to, 0 < *old* < *new*."""
    shift = _trailing_zeros(old)
    place, last = (old - 1) >> shift, (new - 1) >> shift
    if place == 0:  # the old tree is one perfect subtree, which the proof does not repeat
        return _climb(place, last, old_root, proof)
    if not proof:
        raise UnverifiedError("a consistency proof without hashes")
    return _climb(place, last, proof[0], proof[1:])


def _climb(place: int, last: int, start: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Combine *start* with the siblings in *proof* up to the root.

    Args:
        place: Of *start* in its level (fn of the RFC).
        last: Place of the last subtree in that level (sn of the RFC).
        start: Root of the subtree there.
        proof: Its sibling, that of their parent, and so on.

    Returns:
        The root of all up to *start*, and the root of the whole tree.
    """
    partial = whole = start
    for sibling in proof:
        if last == 0:
            raise UnverifiedError("a proof with too many hashes")
        if place & 1 or place == last:
            partial = node_hash(sibling, partial)
            whole = node_hash(sibling, whole)
            # The last subtree of a level has no sibling until its place is odd.
            shift = _trailing_zeros(place)
            place, last = place >> shift, last >> shift
        else:
            whole = node_hash(whole, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise UnverifiedError("a proof with too few hashes")
    return partial, whole


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _bounded(proof: Sequence[bytes]) -> Sequence[bytes]:
    if len(proof) > MAX_PROOF_HASHES:
        raise UnverifiedError(f"a proof of {len(proof)} hashes, at most {MAX_PROOF_HASHES}")
    return proof


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise UnverifiedError(f"a hash in a proof is not {HASH_BYTES} bytes long")
