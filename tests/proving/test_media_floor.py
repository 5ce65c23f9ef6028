"""What rivals lose on sticks today, each by name: the floor under all the rest.

Each was seen with NNCP 8.8.2: one flipped byte loses the file, a full stick stays full of
leftovers, a kill during reassembly loses the chunks, what is replayed is delivered twice,
priorities do not order a stick, and who finds a lock held does nothing and reports success.
"""

import fcntl
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.answers import MEDIUM_FRAGMENT_BYTES
from pannier.oneway import unpack
from spool.name import FragmentName
from tests.cli.computers import environment, is_one_line, spawn
from tests.proving.media_deeds import Watch, watched
from tests.proving.media_faults import flip, ours
from tests.proving.media_images import EXFAT, fill, new_image, own_mounts, plugged
from tests.sim.test_files import add, files
from tests.sim.world import World, assert_equal, data_queue, entries_of, fragments
from tests.transports.test_real_media import needs

MANY_BYTES = 5_500_000
"""Content of a file that is one bundle of six fragments on a stick."""

KILLED_WHILE_JOINING = """
import os, signal, sys
from bundler.join import Joiner
from pannier.__main__ import main
receive, calls, at = Joiner.receive, [], int(sys.argv.pop(1))
def dies(self, fragment):
    calls.append(1)
    if len(calls) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return receive(self, fragment)
Joiner.receive = dies
main()
"""


IMPATIENT = """
import pannier.cli.session
from pannier.__main__ import main
pannier.cli.session.PATIENCE_SECONDS = 0.0
main()
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 3)
        yield world


def largest(stick: Path) -> Path:
    return max(ours(stick), key=lambda path: path.stat().st_size)


def python(script: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run *script* in a process of its own."""
    command = [sys.executable, "-c", script, *words]
    return subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=60)


def test_one_flipped_byte_on_a_stick_costs_one_fragment_and_not_the_file(world: World) -> None:
    add(world, "ada", "film", random.Random(1).randbytes(MANY_BYTES))
    world.exchange("ada")
    sent = largest(world.stick())
    flip(sent, 2_500_000, 3)
    done = world.exchange("bea")
    assert done.collected.forged == 1
    world.exchange("ada")
    (again,) = (path for path in fragments(world.stick()) if path != sent)
    one_fragment = MEDIUM_FRAGMENT_BYTES
    assert one_fragment - 2 * 1400 < again.stat().st_size <= one_fragment
    sent.unlink()  # what came of it the first time need not come again
    world.exchange("bea")
    assert files(world, "bea") == files(world, "ada")
    world.exchange("ada")
    assert data_queue(world["ada"]) == []


@pytest.mark.root
@needs(*EXFAT.tools)
def test_a_full_stick_has_no_leftovers_and_goes_on_when_there_is_room(
    tmp_path: Path, world: World
) -> None:
    own_mounts()
    image = new_image(tmp_path / "stick.img", EXFAT, 24 << 20)
    with plugged(image, EXFAT, tmp_path / "mnt") as stick:
        world.exchange("ada", stick)
        world.put_many("ada", 300)
        add(world, "ada", "film", random.Random(1).randbytes(MANY_BYTES))
        movie = stick / "holiday.mov"
        with watched(Watch(12, lambda: fill(movie))):
            done = world.exchange("ada", stick)
        assert "no room" in " ".join(done.problems)
        assert [path for path in stick.rglob("*") if ".tmp-" in path.name] == []
        movie.unlink()
        assert world.exchange("ada", stick).problems == []
        world.exchange("bea", stick)
    assert_equal(world, ["ada", "bea"])
    assert files(world, "bea") == files(world, "ada")


@pytest.mark.parametrize("at_fragment", [1, 3, 5])
def test_a_kill_during_reassembly_loses_no_fragment(world: World, at_fragment: int) -> None:
    add(world, "ada", "film", random.Random(1).randbytes(MANY_BYTES))
    world.exchange("ada")
    whole = largest(world.stick())
    flip(whole, MANY_BYTES - 9, 0)
    world.exchange("bea")  # all but the last fragment
    world.exchange("ada")  # the last
    home, stick = str(world.home("bea").path), str(world.stick())
    world.close()
    killed = python(KILLED_WHILE_JOINING, str(at_fragment), "--home", home, "exchange", stick)
    assert killed.returncode == -9, killed.stderr
    done = spawn("--home", home, "exchange", stick)
    assert done.returncode == 0, done.stderr
    assert files(world, "bea") == files(world, "ada")


def test_what_is_replayed_is_delivered_once(tmp_path: Path, world: World) -> None:
    world.put_many("ada", 50)
    world.exchange("ada")
    recorded = tmp_path / "recorded"
    shutil.copytree(world.stick(), recorded)
    world.exchange("bea")
    held = list(entries_of(world.store("bea")))
    for name in ("stick", "another"):
        shutil.copytree(recorded, world.stick(name), dirs_exist_ok=True)
        done = world.exchange("bea", name)
        assert sum(done.report.entries.values()) == 0
    report, left = unpack(world["bea"], [recorded])
    assert (sum(report.entries.values()), left["seen"]) == (0, 1)
    assert list(entries_of(world.store("bea"))) == held


@pytest.mark.root
@needs(*EXFAT.tools)
def test_what_is_urgent_goes_onto_a_stick_first(tmp_path: Path) -> None:
    own_mounts()
    image = new_image(tmp_path / "stick.img", EXFAT)
    with World(tmp_path / "world", ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea", ledger="films")
        world.found("ada", "cyd", ledger="alarms")
        world.configure("ada", "[peer.bea]\npriority = 5\n[peer.cyd]\npriority = 0\n")
        for number in range(40):
            film = random.Random(number).randbytes(4_000).hex()
            world.put("ada", f"film {number}", film, "films")
        world.put_many("ada", 100, ledger="alarms")
        with plugged(image, EXFAT, tmp_path / "mnt") as stick:
            world.exchange("bea", stick)
            movie = stick / "holiday.mov"
            fill(movie)
            os.truncate(movie, movie.stat().st_size - (120 << 10))
            done = world.exchange("ada", stick)
            assert "no room" in " ".join(done.problems)
            on_it = [FragmentName.from_text(path.name) for path in fragments(stick)]
            assert {name.priority for name in on_it} == {0}
            world.exchange("cyd", stick)
            assert sum(1 for _ in entries_of(world.store("cyd", "alarms"))) > 100


def test_who_finds_a_lock_held_says_so_and_does_not_report_success(world: World) -> None:
    world.put("ada", "well", 12)
    done = world.exchange("ada")
    home = world.home("ada").path
    world.close()
    lock = home / "spool" / "locks" / done.medium_id
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = python(IMPATIENT, "--home", str(home), "exchange", str(world.stick()))
        assert found.returncode != 0
        assert is_one_line(found.stderr.decode()), found.stderr
    assert spawn("--home", str(home), "exchange", str(world.stick())).returncode == 0
