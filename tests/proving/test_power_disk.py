"""The model of a disk: it keeps what it must, and may lose everything else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proving.power_disk import (
    BLOCK_BYTES,
    Disk,
    Tree,
    keep_length,
    keep_live,
    keep_some,
    keep_synced,
)

SEEDS = st.integers(0, 2**32)


@pytest.fixture
def disk() -> Disk:
    """A disk with one folder and one file that nothing can take away."""
    disk = Disk()
    disk.make_folder("a")
    disk.file(disk.create("a/old")).write(0, b"old")
    disk.sync_all()
    return disk


def some(disk: Disk, seed: int, *, is_torn: bool = False) -> Tree:
    rng = random.Random(seed)
    return disk.some_strict(rng, keep_some(rng, BLOCK_BYTES), is_torn=is_torn)


def all_of(disk: Disk, count: int = 200, *, is_torn: bool = False) -> list[Tree]:
    return [some(disk, seed, is_torn=is_torn) for seed in range(count)]


def test_what_was_synced_stays(disk: Disk) -> None:
    expected: Tree = {"a": None, "a/old": b"old"}
    assert disk.is_settled
    assert disk.live() == disk.strict() == disk.journal() == expected
    assert all(tree == expected for tree in all_of(disk))


def test_a_name_needs_its_folder_synced_and_a_file_its_bytes(disk: Disk) -> None:
    node = disk.create("a/new")
    disk.file(node).write(0, b"new")
    assert disk.strict() == disk.journal() == {"a": None, "a/old": b"old"}
    assert disk.with_names(keep_synced)["a/new"] == b""
    assert disk.with_names(keep_length)["a/new"] == bytes(3)
    disk.sync(node)
    assert "a/new" not in disk.strict()
    assert disk.journal()["a/new"] == b"new", "a journal writes what was before"
    found = disk.find("a")
    assert found is not None
    disk.sync(found)
    assert disk.strict()["a/new"] == b"new"
    assert disk.is_settled


def test_a_folder_that_was_not_synced_takes_all_below_it_along(disk: Disk) -> None:
    node = disk.find("")
    disk.make_folder("b")
    disk.create("b/file")
    below = disk.find("b")
    assert below is not None
    disk.sync(below)
    assert "b" not in disk.strict()
    assert node is not None
    disk.sync(node)
    assert disk.strict() == {"a": None, "a/old": b"old", "b": None, "b/file": b""}


def test_a_rename_is_one_change_except_where_there_is_no_journal(disk: Disk) -> None:
    disk.make_folder("b")
    disk.sync_all()
    disk.rename("a/old", "b/new")
    whole = [{"a/old"}, {"b/new"}]
    assert all(names(tree) in whole for tree in all_of(disk))
    torn = [names(tree) for tree in all_of(disk, is_torn=True)]
    assert all(one in torn for one in (*whole, {"a/old", "b/new"}, set()))


def names(tree: Tree) -> set[str]:
    return {path for path, data in tree.items() if data is not None}


def test_a_synced_target_may_leave_the_old_name_but_never_lose_the_file(disk: Disk) -> None:
    disk.make_folder("b")
    disk.sync_all()
    disk.rename("a/old", "b/new")
    target = disk.find("b")
    assert target is not None
    disk.sync(target)
    assert disk.strict() == {"a": None, "b": None, "a/old": b"old", "b/new": b"old"}
    assert {frozenset(names(tree)) for tree in all_of(disk)} == {
        frozenset({"a/old", "b/new"}),
        frozenset({"b/new"}),
    }


def test_a_journal_keeps_the_first_changes_and_never_only_later_ones(disk: Disk) -> None:
    for name in "xyz":
        disk.create(f"a/{name}")
    found = {
        "".join(sorted(path[2:] for path in disk.some_journal(random.Random(seed), keep_live)))
        for seed in range(200)
    }
    assert found == {"old", "oldx", "oldxy", "oldxyz"}
    strict = {"".join(sorted(path[2:] for path in tree)) for tree in all_of(disk)}
    assert strict > found


def test_blocks_come_in_any_order_in_any_version_and_at_any_length(disk: Disk) -> None:
    node = disk.find("a/old")
    assert node is not None
    file = disk.file(node)
    for letter in (b"b", b"c"):
        file.write(0, letter * BLOCK_BYTES * 2)
    found = {tree["a/old"] for tree in all_of(disk, 600)}
    block = {name: name * BLOCK_BYTES for name in (b"b", b"c")}
    zeros = bytes(BLOCK_BYTES)
    assert {
        b"old",
        block[b"c"] + zeros,
        b"old".ljust(BLOCK_BYTES, b"\0") + block[b"c"],
        block[b"b"] + block[b"c"],
        block[b"c"] + block[b"b"],
        block[b"c"] * 2,
        b"ccc",
    } <= found


@given(SEEDS)
def test_of_two_names_of_one_file_both_have_the_same(seed: int) -> None:
    disk = Disk()
    disk.file(disk.create("one")).write(0, bytes(range(200)) * 100)
    disk.link("one", "two")
    tree = some(disk, seed)
    assert len({tree[path] for path in tree}) <= 1


@given(SEEDS, st.lists(st.tuples(st.integers(0, 9000), st.binary(max_size=50)), max_size=8))
def test_whatever_is_lost_what_was_synced_before_is_where_nothing_was_written(
    seed: int, writes: list[tuple[int, bytes]]
) -> None:
    disk = Disk()
    node = disk.create("file")
    disk.file(node).write(0, b"x" * 20_000)
    disk.sync_all()
    touched = set()
    for offset, data in writes:
        disk.file(node).write(offset, data)
        touched |= set(range(offset // BLOCK_BYTES, (offset + len(data)) // BLOCK_BYTES + 1))
    kept = some(disk, seed)["file"]
    assert kept is not None
    assert len(kept) == 20_000
    for block in set(range(5)) - touched:
        assert set(kept[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]) == {ord("x")}


def test_a_cut_file_may_have_its_end_still(disk: Disk) -> None:
    node = disk.find("a/old")
    assert node is not None
    disk.file(node).truncate(1)
    assert {tree["a/old"] for tree in all_of(disk)} >= {b"old", b"o"}
    disk.sync(node)
    assert {tree["a/old"] for tree in all_of(disk)} == {b"o"}
