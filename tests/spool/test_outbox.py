import pytest

from spool.errors import ConflictError, GoneError, MalformedNameError
from spool.outbox import Recipe
from tests.faults import MemoryFileSystem
from tests.spool.samples import ANNE, BEA, bundle, every_crash, late_from, spool_in


def test_what_is_published_is_queued_by_urgency() -> None:
    outbox = spool_in(MemoryFileSystem()).outbox
    names = [bundle(1), bundle(2, priority=0), bundle(3, expiry_days=9)]
    for name in names:
        outbox.publish(ANNE, name, name.bundle_id.encode())
    assert outbox.queued(ANNE) == [names[1], names[2], names[0]]
    assert outbox.queued(BEA) == []
    assert outbox.peers() == [ANNE]
    assert outbox.read(ANNE, names[0]) == names[0].bundle_id.encode()
    assert outbox.size_bytes(ANNE, names[0]) == 16


def test_publishing_is_one_rename_and_survives_any_crash() -> None:
    name = bundle(1)
    for fs, finished in every_crash(
        MemoryFileSystem, lambda fs: spool_in(fs).outbox.publish(ANNE, name, b"sealed")
    ):
        outbox = spool_in(fs).outbox
        assert outbox.queued(ANNE) in ([[name]] if finished else [[], [name]])
        outbox.publish(ANNE, name, b"sealed")
        assert outbox.read(ANNE, name) == b"sealed"
    fs = MemoryFileSystem()
    outbox = spool_in(fs).outbox
    fs.steps.clear()
    outbox.publish(ANNE, name, b"sealed")
    assert sum(step.startswith("rename") for step in fs.steps) == 1


def test_other_bytes_under_a_name_are_refused() -> None:
    outbox = spool_in(MemoryFileSystem()).outbox
    outbox.publish(ANNE, bundle(1), b"one")
    outbox.publish(ANNE, bundle(1), b"one")
    with pytest.raises(ConflictError):
        outbox.publish(ANNE, bundle(1), b"two")


def test_withdrawing_twice_is_no_error() -> None:
    outbox = spool_in(MemoryFileSystem()).outbox
    outbox.publish(ANNE, bundle(1), b"one")
    outbox.withdraw(ANNE, bundle(1))
    outbox.withdraw(ANNE, bundle(1))
    assert outbox.peers() == []
    assert outbox.size_bytes(ANNE, bundle(1)) is None
    with pytest.raises(GoneError):
        outbox.read(ANNE, bundle(1))


@pytest.mark.parametrize("peer", ["..", "", "a/b", "A" * 16])
def test_a_peer_cannot_be_a_path(peer: str) -> None:
    outbox = spool_in(MemoryFileSystem()).outbox
    with pytest.raises(MalformedNameError):
        outbox.publish(peer, bundle(1), b"one")


def test_names_that_are_none_of_ours_are_not_queued() -> None:
    fs = MemoryFileSystem()
    outbox = spool_in(fs).outbox
    outbox.publish(ANNE, bundle(1), b"one")
    fs.create(f"out/{ANNE}/note.txt", [b"x"])
    fs.make_folder("out/stray")
    assert outbox.queued(ANNE) == [bundle(1)]
    assert outbox.peers() == [ANNE]


def test_expiry_withdraws_after_the_last_day() -> None:
    outbox = spool_in(MemoryFileSystem()).outbox
    outbox.publish(ANNE, bundle(1, expiry_days=9), b"one")
    outbox.publish(BEA, bundle(2, expiry_days=10), b"two")
    assert outbox.expire(late_from(9)) == []
    assert outbox.expire(late_from(10)) == [(ANNE, bundle(1, expiry_days=9))]
    assert outbox.peers() == [BEA]


def test_a_recipe_stands_for_its_bundle() -> None:
    fs = MemoryFileSystem()
    outbox = spool_in(fs).outbox
    one, other = bundle(1), bundle(2, priority=0)
    recipes = {one: Recipe(8_000_000, b"how to"), other: Recipe(5, b"")}
    fs.steps.clear()
    outbox.publish_recipes(ANNE, recipes)
    assert sum(step.startswith("sync") for step in fs.steps) == 2, "all of them for two flushes"
    outbox.publish_recipes(ANNE, recipes)
    assert outbox.queued(ANNE) == [other, one]
    assert outbox.peers() == [ANNE]
    assert [outbox.size_bytes(ANNE, name) for name in recipes] == [8_000_000, 5]
    assert [outbox.recipe(ANNE, name) for name in recipes] == list(recipes.values())
    with pytest.raises(GoneError):
        outbox.read(ANNE, one)
    with pytest.raises(ConflictError):
        outbox.publish_recipes(ANNE, {one: Recipe(8_000_000, b"another way")})
    outbox.withdraw(ANNE, one)
    assert outbox.queued(ANNE) == [other]
    assert (outbox.recipe(ANNE, one), outbox.size_bytes(ANNE, one)) == (None, None)


def test_what_lies_there_sealed_has_no_recipe() -> None:
    outbox = spool_in(MemoryFileSystem()).outbox
    outbox.publish(ANNE, bundle(1), b"sealed")
    assert outbox.recipe(ANNE, bundle(1)) is None


def test_recipes_expire_and_survive_any_crash_whole_or_not_at_all() -> None:
    recipes = {bundle(number, expiry_days=9): Recipe(number, b"x") for number in (1, 2)}
    for fs, finished in every_crash(
        MemoryFileSystem, lambda fs: spool_in(fs).outbox.publish_recipes(ANNE, recipes)
    ):
        outbox = spool_in(fs).outbox
        queued = outbox.queued(ANNE)
        assert not finished or set(queued) == set(recipes)
        assert all(outbox.recipe(ANNE, name) == recipes[name] for name in queued)
        outbox.publish_recipes(ANNE, recipes)
        assert sorted(outbox.expire(late_from(10))) == sorted((ANNE, name) for name in recipes)
