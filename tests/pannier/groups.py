"""A group whose members all know what the others hold, copied for each test."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ledger.members import Role
from pannier.membership import share
from tests.sim.world import World

Grants = Sequence[tuple[str, Role]]


def make_group(folder: Path, founder: str, grants: Grants) -> Path:
    """*founder* shares a ledger with the others, and they meet until nobody has news."""
    names = [founder, *(name for name, _ in grants)]
    with World(folder, names) as world:
        world.found(founder)
        for name, role in grants:
            share(world[founder], world.store(founder), world[founder].peer_named(name), role)
        world.rounds(names, 3)
    return folder


def copy_group(made: Path, folder: Path, names: Sequence[str]) -> World:
    """The same nodes and stick in another folder; close it after use."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    world = World(folder, ())
    world.clock.pass_days(1)
    for name in names:
        world.take_over(name)
    return world
