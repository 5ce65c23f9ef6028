"""What a thief of a powered-off node finds: no payload, no salt, no hidden name, in no file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.backup import backup, restore
from tests.sim.world import World, assert_equal, fragments

SECRETS = ("the well is poisoned", "said on a lost branch", "held on its way", "of bea")
NAMES = ("secret/well", "secret/lost", "secret/held", "secret/bea")


@pytest.fixture(params=[False, True], ids=["names shown", "names hidden"])
def hides_names(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def world(tmp_path: Path, hides_names: bool) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        if hides_names:
            for name in world.names:
                world.configure(name, "hide_names = true\n")
        yield world


def found_in(folder: Path, secrets: list[bytes]) -> list[tuple[str, bytes]]:
    """Return which of *secrets* are in which file below *folder*, its name included."""
    return [
        (path.name, secret)
        for path in folder.rglob("*")
        if path.is_file()
        for secret in secrets
        if secret in path.read_bytes() or secret in str(path.relative_to(folder)).encode()
    ]


def secrets_of(world: World, hides_names: bool) -> list[bytes]:
    seeds = [
        seed.seed
        for name in world.names
        for store in world[name].ledgers()
        for log in store.logs()
        for seed in log.cover
    ]
    assert len(seeds) >= 3
    names = [name.encode() for name in NAMES] if hides_names else []
    return [*(secret.encode() for secret in SECRETS), *names, *seeds]


def live(world: World) -> None:
    """Everything that leaves something on a disk: puts, imports, a lost branch, held bundles."""
    world.found("ada", "bea")
    world.rounds(("ada", "bea"), 2)
    world.put("ada", NAMES[0], SECRETS[0])
    world.put("bea", NAMES[3], SECRETS[3])
    world.rounds(("ada", "bea"), 2)
    copy = world.back_up("ada")
    world.put("ada", NAMES[0], "a branch that others hold")
    world.rounds(("ada", "bea"), 2)
    world.restore("ada", copy)
    world.put("ada", NAMES[1], SECRETS[1])
    world.rounds(("ada", "bea"), 4)
    assert list(world.store("ada").dropped(0))


def hold(world: World) -> None:
    """bea holds a bundle of ada's for which an earlier one is missing."""
    world.put("ada", "any", "on the stick that got lost")
    world.exchange("ada", "lost")
    world.put("ada", NAMES[2], SECRETS[2])
    world.exchange("ada", "late")
    lost = {path.name for path in fragments(world.stick("lost"))}
    for path in fragments(world.stick("late")):
        if path.name in lost:
            path.unlink()
    world.exchange("bea", "late")
    assert world["bea"].spool.held.names()


def test_nothing_that_was_put_can_be_read_off_any_disk(
    world: World, tmp_path: Path, hides_names: bool
) -> None:
    live(world)
    hold(world)
    secrets = secrets_of(world, hides_names)
    assert {path.suffix for path in tmp_path.rglob("ledgers/*.db-wal")} == {".db-wal"}
    assert found_in(tmp_path, secrets) == []
    world.close()
    assert found_in(tmp_path, secrets) == []


def test_a_backup_and_what_is_restored_tell_nothing(
    world: World, tmp_path: Path, hides_names: bool
) -> None:
    live(world)
    kept = tmp_path / "kept.backup"
    ledger = world.store("ada")
    backup(world["ada"], ledger, kept, None)
    world.reopen("ada")
    ledger.path.unlink()
    restored = restore(world["ada"], kept, None)
    secrets = secrets_of(world, hides_names)
    assert found_in(tmp_path, secrets) == []
    assert restored.rest.hides_names is hides_names
    world.rounds(("ada", "bea"), 4)
    assert_equal(world, ("ada", "bea"))
