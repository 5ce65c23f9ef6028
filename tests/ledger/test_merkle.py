from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import DamagedError, MalformedError, RefusedError, UnverifiedError
from ledger.merkle import (
    EMPTY_FRONTIER,
    EMPTY_ROOT,
    TILE_LEVEL,
    Frontier,
    Node,
    NodeReader,
    consistency_proof,
    extend,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tiled_reader,
    verify_consistency,
    verify_inclusion,
)
from tests.vectors import load
from tests.vectors.merkle_vectors import consistency_path, inclusion_path, tree_hash

VECTORS = load("merkle")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
TILE = 1 << TILE_LEVEL
sizes = st.integers(0, 130)


def numbered(count: int) -> list[bytes]:
    return [index.to_bytes(2, "little") for index in range(count)]


def leaves_of(entries: Sequence[bytes]) -> list[bytes]:
    return [leaf_hash(entry) for entry in entries]


class Log:
    """What a store keeps of a log: its leaves and the upper nodes that `extend` gave."""

    def __init__(self, size: int, *, step: int = 100) -> None:
        self.entries = numbered(size)
        self.leaves = leaves_of(self.entries)
        self.frontier = EMPTY_FRONTIER
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.reads: list[tuple[int, int]] = []
        for first in range(0, size, step):
            extension = extend(self.frontier, self.leaves[first : first + step])
            self.frontier = extension.frontier
            for level, position, root in extension.nodes:
                assert (level, position) not in self.nodes
                self.nodes[level, position] = root

    def read_leaves(self, first: int, end: int) -> list[bytes]:
        self.reads.append((first, end))
        return self.leaves[first:end]

    def reader(self) -> NodeReader:
        return tiled_reader(lambda level, position: self.nodes.get((level, position)),
                            self.read_leaves)  # fmt: skip


def run_root(vector: dict[str, Any]) -> None:
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in vector["entries"]]
    assert extend(EMPTY_FRONTIER, leaves).frontier.root().hex() == vector["root"]


def run_counted_root(vector: dict[str, Any]) -> None:
    assert Log(vector["count"], step=999).frontier.root().hex() == vector["root"]


def run_inclusion(vector: dict[str, Any]) -> None:
    verify_inclusion(
        index=vector["index"],
        size=vector["size"],
        leaf=bytes.fromhex(vector["leaf"]),
        proof=[bytes.fromhex(value) for value in vector["proof"]],
        root=bytes.fromhex(vector["root"]),
    )


def run_consistency(vector: dict[str, Any]) -> None:
    verify_consistency(
        old=vector["old"],
        new=vector["new"],
        old_root=bytes.fromhex(vector["old_root"]),
        new_root=bytes.fromhex(vector["new_root"]),
        proof=[bytes.fromhex(value) for value in vector["proof"]],
    )


def run_frontier(vector: dict[str, Any]) -> None:
    frontier = Frontier.from_bytes(bytes.fromhex(vector["data"]))
    assert frontier.root().hex() == vector["root"]
    assert frontier.to_bytes().hex() == vector["data"]


RUN: dict[str, Callable[[dict[str, Any]], None]] = {
    "root": run_root,
    "counted root": run_counted_root,
    "inclusion": run_inclusion,
    "consistency": run_consistency,
    "frontier": run_frontier,
}


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    run = RUN[vector["operation"]]
    if vector["expect"] == "success":
        run(vector)
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            run(vector)


def test_hashes_of_the_published_hasher_test() -> None:
    """rfc6962_test.go of transparency-dev/merkle."""
    assert leaf_hash(b"L123456").hex() == (
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    )
    assert node_hash(b"N123", b"N456").hex() == (
        "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    )


@pytest.mark.parametrize("size", [*range(35), 255, 256, 257, 511, 512, 777])
def test_roots_are_those_of_the_definition(size: int) -> None:
    log = Log(size)
    assert log.frontier.root() == tree_hash(log.entries)
    assert log.frontier.size == size


@given(st.lists(st.integers(0, 700), max_size=6))
def test_any_chunking_gives_the_same_frontier_and_nodes(counts: list[int]) -> None:
    leaves = leaves_of(numbered(sum(counts)))
    whole = extend(EMPTY_FRONTIER, leaves)
    frontier, nodes = EMPTY_FRONTIER, []
    for count in counts:
        step = extend(frontier, leaves[frontier.size : frontier.size + count])
        frontier = step.frontier
        nodes += step.nodes
    assert frontier == whole.frontier
    assert sorted(nodes) == sorted(whole.nodes)


def test_the_nodes_are_all_perfect_subtrees_from_the_tile_level_up() -> None:
    log = Log(5 * TILE + 3)
    assert {(node[0], node[1]) for node in log.nodes} == {
        (8, 0), (8, 1), (8, 2), (8, 3), (8, 4), (9, 0), (9, 1), (10, 0),
    }  # fmt: skip
    for (level, position), root in log.nodes.items():
        assert root == tree_hash(log.entries[position << level : (position + 1) << level])
    assert extend(EMPTY_FRONTIER, log.leaves[:TILE]).nodes == [Node(8, 0, log.nodes[8, 0])]


@given(sizes)
def test_a_frontier_survives_its_bytes(size: int) -> None:
    frontier = Log(size).frontier
    assert Frontier.from_bytes(frontier.to_bytes()) == frontier
    assert len(frontier.to_bytes()) == 8 + 32 * size.bit_count()


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_a_frontier_or_malformed(data: bytes) -> None:
    try:
        frontier = Frontier.from_bytes(data)
    except MalformedError:
        return
    assert frontier.to_bytes() == data


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 64, 65])
def test_proofs_are_those_of_the_definition(size: int) -> None:
    log = Log(size)
    node = log.reader()
    for index in range(size):
        assert inclusion_proof(index, size, node) == inclusion_path(index, log.entries)
        assert consistency_proof(index + 1, size, node) == consistency_path(index + 1, log.entries)


BIG = Log(3 * TILE + 77)
big_sizes = st.integers(1, len(BIG.leaves))


@given(st.data(), big_sizes)
def test_every_inclusion_proof_verifies_and_no_damaged_one(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = frontier_at(size, BIG.reader()).root()
    leaf = BIG.leaves[index]
    proof = inclusion_proof(index, size, BIG.reader())
    verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=root)

    def refused(**changes: Any) -> None:
        claim = {"index": index, "size": size, "leaf": leaf, "proof": proof, "root": root}
        with pytest.raises(UnverifiedError):
            verify_inclusion(**{**claim, **changes})

    for damaged in damage(data, proof):
        refused(proof=damaged)
    refused(leaf=flip(data, leaf))
    refused(root=flip(data, root))
    refused(index=data.draw(st.integers(-1, size + 1).filter(lambda other: other != index)))
    other = data.draw(big_sizes.filter(lambda other: other != size))
    refused(size=other, root=frontier_at(other, BIG.reader()).root())


@given(st.data(), big_sizes)
def test_every_consistency_proof_verifies_and_no_damaged_one(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new))
    node = BIG.reader()
    old_root, new_root = frontier_at(old, node).root(), frontier_at(new, node).root()
    proof = consistency_proof(old, new, node)
    verify_consistency(old=old, new=new, old_root=old_root, new_root=new_root, proof=proof)

    def refused(**changes: Any) -> None:
        claim = {"old": old, "new": new, "old_root": old_root, "new_root": new_root}
        with pytest.raises(UnverifiedError):
            verify_consistency(**{**claim, "proof": proof, **changes})

    for damaged in damage(data, proof):
        refused(proof=damaged)
    refused(old_root=flip(data, old_root))
    refused(new_root=flip(data, new_root))
    other = data.draw(st.integers(1, new).filter(lambda other: other != old) if new > 1 else
                      st.just(new + 1))  # fmt: skip
    refused(old=other)


def damage(data: st.DataObject, proof: list[bytes]) -> list[list[bytes]]:
    """One of each kind: a hash more, one less, a byte flipped."""
    place = data.draw(st.integers(0, len(proof)))
    damaged = [[*proof[:place], b"\x55" * 32, *proof[place:]]]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        damaged += [
            [*proof[:place], *proof[place + 1 :]],
            [*proof[:place], flip(data, proof[place]), *proof[place + 1 :]],
        ]
    return damaged


def flip(data: st.DataObject, value: bytes) -> bytes:
    flipped = bytearray(value)
    flipped[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    return bytes(flipped)


@given(st.lists(st.binary(max_size=40), max_size=70), st.integers(0, 2**64), st.integers(0, 2**64))
def test_arbitrary_proofs_only_raise_unverified(
    proof: list[bytes], first: int, second: int
) -> None:
    with pytest.raises(UnverifiedError):
        verify_inclusion(index=first, size=second, leaf=bytes(32), proof=proof, root=b"\x01" * 32)
    with pytest.raises(UnverifiedError):
        verify_consistency(
            old=first, new=second, old_root=bytes(32), new_root=b"\x01" * 32, proof=proof
        )


def test_a_proof_of_64_hashes_is_the_longest() -> None:
    def claim(height: int) -> None:
        leaf = root = bytes(32)
        for _ in range(height):
            root = node_hash(root, leaf)
        proof = [leaf] * height
        verify_inclusion(index=0, size=1 << height, leaf=leaf, proof=proof, root=root)
        verify_consistency(old=1, new=1 << height, old_root=leaf, new_root=root, proof=proof)

    claim(64)
    with pytest.raises(UnverifiedError, match="at most 64"):
        claim(65)


@pytest.mark.parametrize(("leaf", "sibling"), [(32, 31), (32, 33), (31, 32), (0, 64), (64, 0)])
def test_hashes_of_other_lengths_prove_nothing(leaf: int, sibling: int) -> None:
    """Else an empty leaf would be in every tree: its sibling would bring both halves."""
    root = node_hash(bytes(leaf), bytes(sibling))
    with pytest.raises(UnverifiedError, match="32 bytes"):
        verify_inclusion(index=0, size=2, leaf=bytes(leaf), proof=[bytes(sibling)], root=root)
    with pytest.raises(UnverifiedError, match="32 bytes"):
        verify_consistency(
            old=1, new=2, old_root=bytes(leaf), new_root=root, proof=[bytes(sibling)]
        )


def test_two_branches_of_one_past_are_never_consistent() -> None:
    ours = extend(Log(70).frontier, leaves_of([b"ours"])).frontier
    theirs = extend(Log(70).frontier, leaves_of([b"theirs", b"more"])).frontier
    proof = consistency_proof(71, 72, Log(72).reader())
    with pytest.raises(UnverifiedError):
        verify_consistency(
            old=71, new=72, old_root=ours.root(), new_root=theirs.root(), proof=proof
        )


def test_what_cannot_be_proven_is_refused() -> None:
    node = Log(9).reader()
    for index, size in ((9, 9), (0, 0), (-1, 9)):
        with pytest.raises(RefusedError):
            inclusion_proof(index, size, node)
    for old, new in ((9, 8), (-1, 3)):
        with pytest.raises(RefusedError):
            consistency_proof(old, new, node)
    assert consistency_proof(0, 9, node) == consistency_proof(9, 9, node) == []


def test_a_reader_computes_low_nodes_and_fetches_high_ones() -> None:
    log = Log(4 * TILE + 5)
    node = log.reader()
    for level in range(11):
        for position in range(len(log.leaves) >> level):
            entries = log.entries[position << level : (position + 1) << level]
            assert node(level, position) == tree_hash(entries)


def test_a_reader_reads_a_tile_once_while_it_stays_there() -> None:
    log = Log(2 * TILE + 5)
    node = log.reader()
    for position in range(TILE):
        node(0, position)
    assert node(3, 1) == tree_hash(log.entries[8:16])
    assert log.reads == [(0, TILE)]
    node(0, 2 * TILE + 4)
    assert log.reads == [(0, TILE), (2 * TILE, 3 * TILE)]


@pytest.mark.parametrize(("level", "position"), [(0, 2 * TILE + 5), (2, 129), (8, 2), (9, 1)])
def test_a_node_that_is_not_there_is_damage(level: int, position: int) -> None:
    with pytest.raises(DamagedError, match=f"node {position} at level {level}"):
        Log(2 * TILE + 5).reader()(level, position)


def test_a_lost_node_is_reported_and_not_guessed() -> None:
    log = Log(3 * TILE)
    del log.nodes[8, 1]
    with pytest.raises(DamagedError):
        inclusion_proof(0, 3 * TILE, log.reader())


@given(sizes, sizes)
def test_a_frontier_of_the_past_can_be_extended_again(first: int, more: int) -> None:
    log = Log(first + more)
    past = frontier_at(first, log.reader())
    assert past == Log(first).frontier
    assert extend(past, log.leaves[first:]).frontier == log.frontier


def test_nothing_appended_changes_nothing() -> None:
    frontier = Log(77).frontier
    assert extend(frontier, []).frontier == frontier
    assert extend(frontier, []).nodes == []
    assert EMPTY_FRONTIER.root() == EMPTY_ROOT == tree_hash([])
