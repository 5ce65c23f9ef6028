"""Bad media, bounded: each fault once, on a plain folder; some on real FAT, exFAT and ext4.

`python -m tests.proving.media` tries all of them, many times.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.computers import is_one_line, new_computer, spawn
from tests.proving.media import carry
from tests.proving.media_deeds import DEEDS, PROTECTED, Deed, Watch, watched
from tests.proving.media_faults import BETWEEN, Fault, crowd_out, flip, ours
from tests.proving.media_images import EXFAT, EXT4, FAT, Format, own_mounts
from tests.proving.media_life import Life
from tests.proving.media_visits import Scene
from tests.sim.test_files import add, files
from tests.sim.world import START_US, World, assert_equal, data_queue, fragments
from tests.transports.test_real_media import needs
from transports.errors import NotAMediumError
from transports.medium_files import MediumFiles

REAL = [
    pytest.param(form, marks=[pytest.mark.root, needs("losetup", *form.tools)], id=form.name)
    for form in (EXFAT, FAT, EXT4)
]
RENAMES = next(fault for fault in BETWEEN if "renames" in fault.name)
_1980_US = 315_532_800_000_000


@pytest.mark.root
@needs()
@pytest.mark.parametrize("fault", BETWEEN, ids=lambda fault: fault.name)
def test_a_stick_to_which_this_happens_loses_nothing(fault: Fault) -> None:
    carry(fault, "0", None)


@pytest.mark.parametrize("form", REAL[:2])
def test_a_real_stick_that_flips_bits_loses_nothing(form: Format) -> None:
    own_mounts()
    carry(BETWEEN[0], "0", form)


@pytest.mark.parametrize("form", REAL)
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
def test_a_stick_to_which_this_happens_during_a_visit(
    tmp_path: Path, form: Format, deed: Deed
) -> None:
    own_mounts()
    scene = Scene(tmp_path, form)
    calls = scene.calls()
    at_calls = {EXFAT: (calls // 4, calls // 2), FAT: (calls // 2,), EXT4: (calls * 2 // 3,)}
    done = [scene.survives(deed, call) for call in at_calls[form]]
    assert all(done) or deed is PROTECTED


@pytest.mark.parametrize("like_ours", [False, True])
def test_a_crowd_is_looked_at_once_and_by_name_alone(tmp_path: Path, *, like_ours: bool) -> None:
    count = 3_000
    with Life(tmp_path, "crowd") as life, life.plug() as stick:
        life.visit("ada", stick)
        watch = Watch()
        with watched(watch):
            life.visit("ada", stick)
        alone = watch.kinds["inspect"]
        crowd_out(stick, count, like_ours=like_ours)
        watch = Watch()
        with watched(watch):
            life.visit("ada", stick)
        assert watch.kinds["inspect"] == alone + count * like_ours
        life.visit("bea", stick)
        assert life.world.has("bea")


def test_within_the_repair_share_damage_costs_nothing(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 3)
        world.configure("ada", "[peer.bea]\nrepair = 10\n")
        add(world, "ada", "film", random.Random(1).randbytes(5_500_000))
        world.put("ada", "well", 12)
        world.exchange("ada")
        sizes = {path: path.stat().st_size for path in ours(world.stick())}
        for path, size in sizes.items():
            # In every fragment of 16 KiB out of twenty, or at least in one.
            for at in range(min(size // 2, 9_000), size, 20 << 14):
                flip(path, at, at % 8)
        done = world.exchange("bea")
        assert done.collected.forged >= len(sizes)
        assert files(world, "bea") == files(world, "ada")
        assert_equal(world, ["ada", "bea"])
        world.exchange("ada")
        assert data_queue(world["ada"]) == []
        assert fragments(world.stick()) == []


def test_without_repair_the_symbols_that_lack_travel_again_and_no_others(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 3)
        add(world, "ada", "film", random.Random(1).randbytes(5_500_000))
        world.exchange("ada")
        (film,) = (path for path in ours(world.stick()) if path.stat().st_size > 5_000_000)
        for fragment in (1, 2, 4):  # of six
            flip(film, fragment * (1 << 20) + 500_000, 1)
        assert world.exchange("bea").collected.forged == 3
        world.exchange("ada")
        world.exchange("ada", "another")
        (rest,) = ours(world.stick("another"))
        assert 3 * 1_045_000 < rest.stat().st_size <= 3 << 20
        world.exchange("bea", "another")
        assert files(world, "bea") == files(world, "ada")
        world.exchange("ada", "another")
        assert data_queue(world["ada"]) == []


@pytest.mark.parametrize("early", ["ada", "bea", "both"])
def test_nodes_whose_clocks_stand_at_1980_lose_nothing(tmp_path: Path, early: str) -> None:
    with Life(tmp_path, "1980") as life:
        for name in ("ada", "bea"):
            if early in (name, "both"):
                life.world.skew_us[name] = _1980_US - START_US
        for _ in range(2):
            for name in ("ada", "bea"):
                if life.world.has(name):
                    life.write_entries(name, 30)
                with life.plug() as stick:
                    life.visit(name, stick)
        life.settle()


def _file(path: Path) -> None:
    path.write_bytes(b"a file of that name")


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _elsewhere(path: Path) -> None:
    (path.parent.parent / "outside").mkdir()
    path.symlink_to(path.parent.parent / "outside")


@pytest.mark.parametrize("lay", [os.mkfifo, _file, _circle, _elsewhere])
def test_what_is_no_folder_is_no_medium(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    with World(tmp_path / "world") as world:
        stick = tmp_path / "stick"
        stick.mkdir()
        lay(stick / "pannier")
        before = (stick / "pannier").lstat()
        with pytest.raises(NotAMediumError) as error:
            world.exchange("ada", stick)
        assert "\n" not in str(error.value)
        after = (stick / "pannier").lstat()
        assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
        assert [*(tmp_path / "outside").glob("*")] == []


def test_a_process_does_not_hang_on_fifos_and_says_it_in_one_line(tmp_path: Path) -> None:
    farm = new_computer(tmp_path, "farm")
    stick = tmp_path / "stick"
    (stick / "pannier" / "ab").mkdir(parents=True)
    os.mkfifo(stick / "pannier" / "medium.json")
    os.mkfifo(stick / "pannier" / "ab" / f"40fff-deadbeef-0123456789abcdef-{0:08x}.pnr")
    (stick / "pannier" / os.fsdecode(b"\xff\n")).write_bytes(b"theirs")
    assert spawn("--home", str(farm.home), "exchange", str(stick)).returncode == 0
    os.mkfifo(tmp_path / "fifo")
    done = spawn("--home", str(farm.home), "exchange", str(tmp_path / "fifo"))
    assert done.returncode != 0
    assert is_one_line(done.stderr.decode()), done.stderr


def test_the_laboratory_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MediumFiles, "_discard", lambda *_: None)
    with pytest.raises(AssertionError):
        carry(RENAMES, "0", None)
