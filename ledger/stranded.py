"""Entries of an own log that lie behind a gap: proven still, but no log can go on with them.

What nobody else has would be lost with the few before them. Its author says it again, in a new log.
"""

from collections.abc import Iterator

from ledger.append import Draft
from ledger.chain import Chain
from ledger.entry import (
    FOLLOW_LEAF_BYTES,
    MAX_FOLLOWS,
    Action,
    Entry,
    Follow,
    leaf_bytes,
    sort_follows,
)
from ledger.merkle import EMPTY_FRONTIER, TILE_LEVEL, Frontier, Node, extend, leaf_hash, node_hash
from ledger.store_salvage import Salvage


def said_again(found: Salvage, chain: Chain, frontier: Frontier, first: int) -> Iterator[Draft]:
    """Yield drafts of the puts and deletes from *first* on that a tree proves.

    Each follows the entry that it repeats: should that come back, it is superseded.

    Args:
        found: The damaged file.
        chain: The log in it.
        frontier: Of its tree; the author signed its root.
        first: What comes before is here, or with others.
    """
    for peak in _peaks(frontier):
        for number, entry in _proven(found, chain, peak, first):
            if entry.action <= Action.DELETE and entry.payload is not None:
                yield _again(chain, number, entry, entry.payload)


def _again(chain: Chain, number: int, entry: Entry, payload: bytes) -> Draft:
    leaf = leaf_hash(leaf_bytes(entry))[:FOLLOW_LEAF_BYTES]
    follows = {*entry.follows[: MAX_FOLLOWS - 1], Follow(*chain.name, number, leaf)}
    return Draft(
        thing=entry.thing,
        payload=payload,
        time_us=entry.time_us,
        kind=entry.kind,
        action=entry.action,
        follows=tuple(sort_follows(follows)),
    )


def _peaks(frontier: Frontier) -> Iterator[Node]:
    """Yield the largest perfect subtrees, from the left."""
    start = 0
    levels = [level for level in range(frontier.size.bit_length()) if frontier.size >> level & 1]
    for level, peak in zip(reversed(levels), frontier.peaks, strict=True):
        yield Node(level, start >> level, peak)
        start += 1 << level


def _proven(found: Salvage, chain: Chain, node: Node, first: int) -> Iterator[tuple[int, Entry]]:
    """Yield number and entry of what is under a node that is proven, as far as it proves them."""
    start, end = node.position << node.level, (node.position + 1) << node.level
    if end <= first:
        return
    if node.level > TILE_LEVEL:
        for half in _halves(found, chain.row, node):
            yield from _proven(found, chain, half, first)
        return
    for entries in chain.readable(start, end):
        leaves = [leaf_hash(leaf_bytes(entry)) for _, entry in entries]
        is_all = len(leaves) == end - start
        if is_all and extend(EMPTY_FRONTIER, leaves).frontier.root() == node.hash:
            yield from ((number, entry) for number, entry in entries if number >= first)
            return


def _halves(found: Salvage, row: int, node: Node) -> Iterator[Node]:
    level, left, right = node.level - 1, 2 * node.position, 2 * node.position + 1
    for one in found.nodes(row, level, left):
        for other in found.nodes(row, level, right):
            if node_hash(one, other) == node.hash:
                yield from (Node(level, left, one), Node(level, right, other))
                return
