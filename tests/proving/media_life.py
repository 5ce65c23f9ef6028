"""Two nodes, a mule, and the stick between them, while something becomes of that stick.

After each visit: it ended with success or one clear line, what is not ours on the stick is as it
was, and so is everything beside it. In the end, when nothing befalls the stick any more: all nodes
hold the same, to the last byte of every file, nothing waits, and nothing of ours lies half written.
"""

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from hashlib import sha256
from pathlib import Path
from random import Random

from ledger.errors import LedgerError
from pannier.errors import PannierError
from pannier.exchange import Exchanged
from spool.errors import SpoolError
from tests.proving.media_faults import MOVIE, STRANGER, Fault
from tests.sim.test_files import add, files
from tests.sim.world import World, assert_equal, data_queue
from transports.errors import TransportError

Plug = Callable[[], AbstractContextManager[Path]]
"""Puts the stick in; gives where it is."""

_ERRORS = (PannierError, TransportError, SpoolError, LedgerError)
_NAMES = ("ada", "bea", "cyd")
_ROUNDS = 3
_SETTLED_AFTER = 8
_DAY = 86_400
_OURS = re.compile(
    rb"pannier(/README\.txt|/medium\.json|/\.[0-9a-f-]{40}\.pnr\.tmp-[0-9a-f]{8}"
    rb"|/\.(README\.txt|medium\.json)\.tmp-[0-9a-f]{8}|/[0-9a-fA-F]{2}(/[0-9a-fA-F-]{40}\.pnr)?)?",
    re.IGNORECASE,
)

Entry = tuple[int, int, int, bytes]


class Life:
    """A seed, and what happens under it."""

    def __init__(self, folder: Path, seed: str, plug: Plug | None = None) -> None:
        """Found a ledger that all of them share.

        Args:
            folder: Scratch.
            seed: Of everything.
            plug: How the stick is put in; None: it is a plain folder.
        """
        self.random = Random(seed)
        self.world = World(folder / "world", _NAMES)
        self._stick = folder / "stick"
        self._stick.mkdir(exist_ok=True)
        self.plug = plug or (lambda: nullcontext(self._stick))
        self.said: list[str] = []
        self._things = 0
        self.world.found("ada", "bea")

    def copy_to(self, folder: Path, plug: Plug) -> "Life":
        """Return this life once more, to go on with below *folder*, with another stick."""
        self.world.close()
        shutil.copytree(self.world.folder, folder / "world")
        copy = Life.__new__(Life)
        copy.random = Random(repr(self.random.getstate()))
        copy.world = World(folder / "world", ())
        for name in _NAMES:
            copy.world.take_over(name)
        copy.world.clock.now_us = self.world.clock.now_us
        copy.plug, copy.said, copy._things = plug, [], self._things + 100
        return copy

    def __enter__(self) -> "Life":
        return self

    def __exit__(self, *_: object) -> None:
        self.world.close()

    def write(self, name: str) -> None:
        """*name* puts something: entries, or a file."""
        match self.random.randrange(4):
            case 0:
                self.write_entries(name, self.random.randint(1, 400))
            case 1:
                self.write_file(name, self.random.choice([100, 50_000, 1_500_000, 3_000_000]))
            case _:
                self.write_entries(name, 1)

    def write_entries(self, name: str, count: int) -> None:
        """*name* puts *count* entries at once."""
        self._things += 1
        self.world.put_many(name, count, f"{name}/{self._things}")

    def write_file(self, name: str, size_bytes: int) -> None:
        """*name* adds a file of random bytes."""
        self._things += 1
        add(self.world, name, f"{name}-{self._things}", self.random.randbytes(size_bytes))

    def visit(self, name: str, stick: Path, *, is_hurt: bool = False) -> Exchanged | None:
        """Exchange at *name*; return what was done, None if it was refused in one line.

        Where the stick *is_hurt*, as a whole or meanwhile, what else is on it is not looked at.
        """
        before = ({}, {}) if is_hurt else (foreign(stick), beside(stick))
        done: Exchanged | None = None
        try:
            done = self.world.exchange(name, stick)
        except _ERRORS as error:
            self._say(str(error))
        for line in done.problems if done else ():
            self._say(line)
        if is_hurt:
            return done
        after = foreign(stick), beside(stick)
        for was, is_now in zip(before, after, strict=True):
            new = is_now.keys() - was.keys() - {MOVIE.encode()}
            changed = [one for one, entry in was.items() if is_now.get(one) != entry]
            assert not changed, f"not ours, and changed: {changed}"
            assert not new, f"not ours, and new: {new}"
        with suppress(OSError):
            self._stamp(stick)
        return done

    def suffer(self, fault: Fault) -> None:
        """Carry the stick around while *fault* befalls it between all visits."""
        for _ in range(_ROUNDS):
            for name in self.random.sample(_NAMES, len(_NAMES)):
                if name != "cyd" and self.world.has(name):
                    self.write(name)
                with self.plug() as stick:
                    self.visit(name, stick)
                    fault.befall(stick, self.random)
                self.world.clock.pass_days(self.random.choice([0, 0, 0.1, 2]))

    def settle(self) -> None:
        """Carry the stick around, unharmed, until all hold the same; fail if that never is."""
        for _ in range(_SETTLED_AFTER):
            with self.plug() as stick:
                for name in ("ada", "bea"):
                    self.visit(name, stick)
            if self._is_settled():
                break
            self.world.clock.pass_days(2)
        assert self._is_settled(), f"{_SETTLED_AFTER} sound trips did not settle it: {self.said}"
        self.assert_nothing_lost()
        with self.plug() as stick:
            self.assert_no_leftovers(stick)

    def assert_no_leftovers(self, stick: Path) -> None:
        """Nothing of ours lies half written on the stick."""
        left = [path.name for path in stick.glob("pannier/.*.tmp-*") if _is_ours(path, stick)]
        assert [name for name in left if STRANGER.decode() not in name] == []

    def assert_nothing_lost(self) -> None:
        """All hold the same, every file to the last byte."""
        assert_equal(self.world, ["ada", "bea"])
        held = files(self.world, "ada")
        assert None not in held.values()
        assert files(self.world, "bea") == held

    def _is_settled(self) -> bool:
        if not self.world.has("bea") or any(data_queue(self.world[one]) for one in ("ada", "bea")):
            return False
        try:
            self.assert_nothing_lost()
        except AssertionError:
            return False
        return True

    def _say(self, line: str) -> None:
        assert "\n" not in line, line
        assert line.isprintable(), line
        self.said.append(line)

    def _stamp(self, stick: Path) -> None:
        """Date what was written just now by the clock of the simulation."""
        now = self.world.clock() / 1_000_000
        for _, path in _walk(stick / "pannier"):
            facts = os.lstat(path)
            if stat.S_ISREG(facts.st_mode) and facts.st_mtime > now + _DAY:
                os.utime(path, (now, now))


def foreign(stick: Path) -> dict[bytes, Entry]:
    """Return all that is on a stick and not ours, with kind, size, date and content."""
    return {name: _entry(path) for name, path in _walk(stick) if not _is_name_of_ours(name, path)}


def beside(stick: Path) -> dict[bytes, Entry]:
    """Return what the links of the stick lead to."""
    out = stick.parent / "outside"
    return {name: _entry(path) for name, path in _walk(out)} if out.exists() else {}


def _walk(folder: Path) -> Iterator[tuple[bytes, bytes]]:
    top = os.fsencode(folder)
    for parent, folders, names in os.walk(top):
        for name in (*folders, *names):
            path = parent + b"/" + name
            yield path[len(top) + 1 :], path


def _entry(path: bytes) -> Entry:
    facts = os.lstat(path)
    if stat.S_ISREG(facts.st_mode):
        content = sha256(Path(os.fsdecode(path)).read_bytes()).digest()
    elif stat.S_ISLNK(facts.st_mode):
        content = os.fsencode(Path(os.fsdecode(path)).readlink())
    else:
        return facts.st_mode, 0, 0, b""
    return facts.st_mode, facts.st_size, facts.st_mtime_ns, content


def _is_name_of_ours(name: bytes, path: bytes) -> bool:
    """Whatever lies in the very place of a file of ours gives way to it, without being opened."""
    is_theirs = STRANGER in name and not stat.S_ISREG(os.lstat(path).st_mode)
    return bool(_OURS.fullmatch(name)) and not is_theirs


def _is_ours(path: Path, stick: Path) -> bool:
    name = os.fsencode(path.relative_to(stick))
    return _is_name_of_ours(name, os.fsencode(path)) and stat.S_ISREG(path.lstat().st_mode)
