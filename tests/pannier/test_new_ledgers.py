from pathlib import Path

from pannier.new_ledgers import NewLedgers
from tests.sim.world import World, faults


def test_what_a_killed_import_left_goes_with_the_next(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        pending = world.home("bea").ledgers / "pending"
        pending.mkdir()
        for name in ("0f.db", "0f.db-wal", "0f.aa.new", "0f.aa.new-journal"):
            (pending / name).write_bytes(b"half of it")
        NewLedgers(world["bea"]).close()
        assert list(pending.iterdir()) == []


def test_what_is_joined_is_whole_in_one_file(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.put("ada", "well", 1)
        world.rounds(("ada", "bea"), 1)
        assert faults(world["bea"]) == []
        world.reopen("bea")
        (file,) = (path for path in world.home("bea").ledgers.rglob("*") if path.is_file())
        assert file.suffix == ".db"
