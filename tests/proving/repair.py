"""The repair laboratory: ``python -m tests.proving.repair [--cases N] [--record]``.

A node whose ledger is on a peer too has its file damaged in every way that disks know. After
`pannier verify --repair` all that is kept is genuine and verifies; one stick carried there and back
brings the rest; and no number of an own log ever stands for two entries.
"""

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from ledger.genesis import LedgerId
from pannier.cli.repair import repair_each
from pannier.repairing import Repaired
from tests.proving.results import DOCS, Result, record
from tests.sim.world import World, entries_of, faults

LABORATORY, OPERATION, COMMAND = "repair", "verify --repair, exchange", "make repair"
PAGE = 4096
NAMES = ("ada", "bea", "cyd")
_PATTERNS = ("log", "hidden")

Leaf = tuple[LedgerId, str, int, bytes]
Damage = Callable[[bytearray, Random], None]


# -- damage -----------------------------------------------------------------------------------


def _page(data: bytearray, random: Random) -> slice:
    at = random.randrange(max(len(data) // PAGE, 1)) * PAGE
    return slice(at, at + PAGE)


def zeroed(data: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 1, 2, 5))):
        page = _page(data, random)
        data[page] = bytes(len(data[page]))


def randomised(data: bytearray, random: Random) -> None:
    page = _page(data, random)
    data[page] = random.randbytes(len(data[page]))


def swapped(data: bytearray, random: Random) -> None:
    one, other = _page(data, random), _page(data, random)
    data[one], data[other] = data[other], data[one]


def half_written(data: bytearray, random: Random) -> None:
    """A sector or more of a page is another one's."""
    page, other = _page(data, random), _page(data, random)
    at = random.randrange(1, 8) * 512
    data[page.start + at : page.stop] = data[other.start + at : other.stop]


def cut_off(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def flipped(data: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 1, 3, 20))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def headless(data: bytearray, random: Random) -> None:
    size = random.choice((16, 100, PAGE))
    data[:size] = random.randbytes(size)


def lost(data: bytearray, random: Random) -> None:
    """Nothing is left, or the first pages, with what the ledger is and who writes in it."""
    kept = random.choice((0, 6)) * PAGE
    data[kept:] = bytes(len(data[kept:]))


DAMAGES: Mapping[str, Damage] = {
    "a page zeroed": zeroed,
    "a page of noise": randomised,
    "pages swapped": swapped,
    "a page half written": half_written,
    "cut off": cut_off,
    "flipped bits": flipped,
    "no header": headless,
}


def damage_file(path: Path, how: Damage, random: Random) -> None:
    data = bytearray(path.read_bytes())
    if data:
        how(data, random)
    path.write_bytes(data)


def stale_pages(path: Path, older: Path, random: Random) -> None:
    """Some pages are as they were long ago."""
    old, data = older.read_bytes(), bytearray(path.read_bytes())
    for _ in range(random.choice((1, 3))):
        page = _page(bytearray(old), random)
        data[page] = old[page]
    path.write_bytes(data)


def drop_table(path: Path, random: Random) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE " + random.choice(("checkpoint", "node", "latest", "kind", "meta")))


# -- a home, and what it holds ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """Homes that are copied for each case.

    Attributes:
        folder: Of them.
        older: The ledger files of the first node, long before.
        leaves: All entries of its ledgers; a peer has them, too.
        now_us: When it was.
    """

    folder: Path
    older: Path
    leaves: frozenset[Leaf]
    now_us: int


def make(folder: Path) -> Made:
    """Make nodes with two ledgers, in one of which names are hidden: all the same everywhere."""
    with World(folder / "made", NAMES) as world:
        for ledger in _PATTERNS:
            world.configure("ada", f"hide_names = {str(ledger == 'hidden').lower()}\n")
            world.found("ada", "bea", "cyd", ledger=ledger)
        world.rounds(NAMES, 2)
        for ledger in _PATTERNS:
            for number in range(4):
                for name in NAMES:
                    world.put(name, f"shared/{number % 3}", f"{name} {number}", ledger)
            world.put_many("ada", 200, "field", ledger)
            world.put("ada", "long", "x" * 9000, ledger)
            world.delete("bea", "shared/1", ledger)
        world.rounds(NAMES, 3)
        older = folder / "older"
        world.reopen("ada")
        shutil.copytree(world.home("ada").ledgers, older)
        for ledger in _PATTERNS:
            world.put_many("ada", 100, "later", ledger)
            world.put_many("bea", 60, "hers", ledger)
        world.rounds(NAMES, 3)
        leaves = leaves_of(world, "ada")
        assert leaves == leaves_of(world, "bea")
        copy = folder / "copy"
        shutil.copytree(world.folder, copy)  # open as they are, with the logs of SQLite
        return Made(copy, older, leaves, world.clock.now_us)


def leaves_of(world: World, name: str) -> frozenset[Leaf]:
    return frozenset(leaf for store in world[name].every_ledger() for leaf in entries_of(store))


def ledger_files(world: World) -> list[Path]:
    return sorted(world.home("ada").ledgers.glob("*.db"))


def opened(made: Made, folder: Path) -> World:
    shutil.copytree(made.folder, folder)
    world = World(folder, ())
    for name in NAMES:
        world.take_over(name)
    world.clock.now_us = made.now_us
    return world


# -- one case ---------------------------------------------------------------------------------


def check(made: Made, folder: Path, damage: Callable[[World], None]) -> list[Repaired]:
    """Damage a node, repair it, and see that all is there again after a stick went around."""
    with opened(made, folder) as world:
        before = {path.name: path.read_bytes() for path in ledger_files(world)}
        damage(world)
        damaged = {path.name: path.read_bytes() for path in ledger_files(world)}
        repaired = list(repair_each(world["ada"]))
        world.reopen("ada")
        for one in repaired:
            if one.path.name in damaged:
                assert one.damaged.read_bytes() == damaged[one.path.name], "it stays as it was"
        for name, data in damaged.items():
            if data != before[name] and not repaired:
                assert faults(world["ada"]) == []  # the damage hit nothing that means anything
        assert faults(world["ada"]) == []
        kept = leaves_of(world, "ada")
        assert kept <= made.leaves, "an entry that nobody wrote"
        _go_on(world, made, is_repaired=bool(repaired))
    return repaired


def _go_on(world: World, made: Made, *, is_repaired: bool) -> None:
    """Two round trips bring back the rest, and what is written before is in nobody's way.

    Where SQLite drops a damaged log of its own, that is a backup restored unnoticed, which the
    first contact shows (tests/sim/test_backup.py).
    """
    for ledger in _PATTERNS:
        if is_repaired and world.has("ada", ledger):
            world.put("ada", "at once", "before anything came back", ledger)
    own = leaves_of(world, "ada") - made.leaves
    for _ in range(2):
        for name in ("ada", "bea", "ada"):
            world.exchange(name)
    # An admin whose file lost an epoch may have made another one meanwhile.
    now = leaves_of(world, "ada")
    assert made.leaves | own <= now, "not all came back"
    places = {leaf[:3] for leaf in made.leaves | own}
    assert not any(leaf[:3] in places for leaf in now - made.leaves - own), "a number used twice"
    for ledger in _PATTERNS:
        world.put("ada", "after", "the repair", ledger)
    world.rounds(("ada", "bea"), 3)
    for name in ("ada", "bea"):
        assert faults(world[name]) == []
        assert made.leaves < leaves_of(world, name)
        for store in world[name].every_ledger():
            assert not store.evidence("fork"), "a number was used twice"
            assert not store.evidence("contradiction"), "a number was used twice"
            assert all(not log.status for log in store.logs())
    assert leaves_of(world, "ada") == leaves_of(world, "bea")


def _empty_log(world: World) -> None:
    """Let SQLite put its log into the file."""
    assert list(world["ada"].every_ledger())
    world.reopen("ada")


def _each(suffix: str, how: Damage, world: World, _: Made, random: Random) -> None:
    if not suffix:
        _empty_log(world)
    for path in ledger_files(world):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            damage_file(beside, how, random)


def _lose_wal(world: World, _: Made, __: Random) -> None:
    for path in ledger_files(world):
        path.with_name(path.name + "-wal").unlink(missing_ok=True)


Case = Callable[[World, Made, Random], None]


def _stale(world: World, made: Made, random: Random) -> None:
    _empty_log(world)
    for path in ledger_files(world):
        stale_pages(path, made.older / path.name, random)


def _drop(world: World, _: Made, random: Random) -> None:
    drop_table(random.choice(ledger_files(world)), random)


def _node_db(how: Damage, world: World, _: Made, random: Random) -> None:
    damage_file(world.home("ada").node_db, how, random)


def _all(world: World, made: Made, random: Random) -> None:
    """Neither what the node held is left, nor what it had told of it."""
    _each("", lost, world, made, random)
    _node_db(headless, world, made, random)


CASES: Mapping[str, Case] = {
    **{name: partial(_each, "", how) for name, how in DAMAGES.items()},
    **{f"log of SQLite, {name}": partial(_each, "-wal", how) for name, how in DAMAGES.items()},
    "log of SQLite lost": _lose_wal,
    "stale pages": _stale,
    "a table gone": _drop,
    **{f"node.db, {name}": partial(_node_db, how) for name, how in DAMAGES.items()},
    "all entries and node.db lost": _all,
}


def check_seed(made: Made, folder: Path, name: str, seed: int) -> list[Repaired]:
    """Check one case; the same seed does the same damage."""
    random = Random(f"{name} {seed}")
    return check(made, folder, lambda world: CASES[name](world, made, random))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.proving.repair")
    parser.add_argument("--cases", type=int, default=100, help="of each sort of damage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="into docs/reliability.json")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where those are")
    known = parser.parse_args()
    is_whole = True
    with tempfile.TemporaryDirectory() as made_in:
        made = make(Path(made_in))
        for name in CASES:
            good = sum(
                _survives(made, name, seed) for seed in range(known.seed, known.seed + known.cases)
            )
            print(f"{name:40} {good:>6,} of {known.cases:,}", flush=True)
            is_whole &= good == known.cases
            if known.record:
                result = Result(LABORATORY, OPERATION, name, known.cases, good, COMMAND)
                record([result], known.docs)
    return int(not is_whole)


def _survives(made: Made, name: str, seed: int) -> bool:
    try:
        with tempfile.TemporaryDirectory() as folder:
            check_seed(made, Path(folder) / "world", name, seed)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is a case lost
        print(f"{name}, seed {seed}: {type(error).__name__}: {error}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
