"""What a thief of a disk looks at."""

from pathlib import Path

from tests.ledger.world import World, send, settle


def bytes_below(folder: Path) -> bytes:
    """All that lies in the files below *folder*, as long as they are open."""
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def lived(world: World) -> list[bytes]:
    """Let ada write, lose her disk, and write again; return what nobody may read off the disk."""
    ada, bob, cy = world.sites
    ada.put("well", "a payload told to nobody")
    kept = ada.backup(world.folder / "kept.db")
    ada.put("well", "a payload of a branch that was cut off")
    settle(ada, bob)
    ada.restore(kept)
    ada.put("well", "a payload of the other branch")
    send(ada, cy)
    settle(ada, bob, cy)
    seeds = [seed.seed for log in ada.store.logs() for seed in log.cover]
    assert seeds
    assert list(cy.store.dropped(0))
    return [b"a payload told", b"a payload of a branch", b"a payload of the other", *seeds]
