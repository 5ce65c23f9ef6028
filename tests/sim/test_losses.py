"""Fragments that get lost, doubled, shuffled and spread, on the way that `pack` and sticks take."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from bundler.split import Cut, split
from pannier.import_report import Outcome
from pannier.joining import join
from pannier.oneway import pack, unpack
from spool.name import BundleName, FragmentName
from tests.sim.attacks import check_of
from tests.sim.world import World, assert_equal, fragments

SEEDS = 100


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as world:
        world.found("ada", "bea")
        rng = random.Random(1)
        for number in range(12):
            world.put("ada", f"blob/{number}", rng.randbytes(24_000).hex())
        yield world


def packed(world: World, into: Path, mtu: int) -> dict[str, list[Path]]:
    """The files of each bundle."""
    ada = world["ada"]
    pack(ada, ada.peer_named("bea"), into, mtu=mtu, repair_percent=10)
    found: dict[str, list[Path]] = {}
    for path in sorted(into.iterdir()):
        found.setdefault(FragmentName.from_text(path.name).bundle_id, []).append(path)
    return found


@pytest.mark.parametrize("mtu", [222, 1400, 65536])
def test_a_tenth_of_repair_makes_good_a_twentieth_of_losses(
    tmp_path: Path, world: World, mtu: int
) -> None:
    bundles = packed(world, tmp_path / "out", mtu)
    for paths in bundles.values():
        for path in paths:
            data = path.read_bytes()
            assert len(data) <= mtu
            assert cbor2.dumps(cbor2.loads(data)) == data
    for number, paths in bundles.items():
        contents = [path.read_bytes() for path in paths]
        for seed in range(SEEDS):
            rng = random.Random(seed)
            kept = rng.sample(contents, len(contents) - -(-len(contents) // 20))
            arrived = kept + rng.sample(kept, len(kept) // 10)
            rng.shuffle(arrived)
            sealed = join(bytes.fromhex(number), lambda arrived=arrived: [b"".join(arrived)])  # type: ignore[misc]
            assert isinstance(sealed, bytes), f"seed {seed}"


def test_what_is_left_is_imported_from_two_folders(tmp_path: Path, world: World) -> None:
    bundles = packed(world, tmp_path / "out", 1400)
    rng = random.Random(7)
    (tmp_path / "other").mkdir()
    for paths in bundles.values():
        for path in rng.sample(paths, len(paths) // 20):
            path.unlink()
        for path in paths:
            if path.exists() and rng.random() < 0.5:
                shutil.copy(path, tmp_path / "other")
                if rng.random() < 0.9:
                    path.unlink()
    report, _ = unpack(world["bea"], [tmp_path / "other", tmp_path / "out"])
    assert set(report.outcomes.values()) == {Outcome.MERGED}
    assert_equal(world, ["ada", "bea"])


def test_small_frames_and_a_stick_add_up(tmp_path: Path, world: World) -> None:
    """The last part of a bundle came by radio, the first is on a stick whose end is spoiled."""
    bundles = packed(world, tmp_path / "out", 222)
    ((number, paths),) = bundles.items()
    for path in paths[: len(paths) // 2]:
        path.unlink()
    world.exchange("ada")
    (stick_file,) = fragments(world.stick())
    assert FragmentName.from_text(stick_file.name).bundle_id == number
    (bundle,) = world["ada"].db.bundles(world["ada"].peer_named("bea").node_id)
    sealed = world["ada"].spool.outbox.read(bundle.peer, BundleName.from_text(bundle.name))
    check = check_of(world["ada"], world["bea"])
    large = list(split(sealed, Cut(mtu_bytes=20_000, symbol_bytes=184, check=check)))
    stick_file.write_bytes(b"".join(large[: len(large) * 2 // 3]))
    unpacked, _ = unpack(world["bea"], [tmp_path / "out"])
    assert unpacked.outcomes == {number: Outcome.INCOMPLETE}
    assert join(bytes.fromhex(number), lambda: [stick_file.read_bytes()]) is None
    done = world.exchange("bea")
    assert done.report.outcomes[number] is Outcome.MERGED
    assert_equal(world, ["ada", "bea"])
