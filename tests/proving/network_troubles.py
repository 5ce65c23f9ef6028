"""What goes wrong with a node: it is rolled back, cloned, out of room, and by its clock in 1980."""

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ledger.errors import LedgerError
from pannier.errors import PannierError
from spool.errors import SpoolError
from spool.file_system import Space
from spool.os_file_system import OsFileSystem
from tests.proving import network_deeds as deeds
from tests.proving.network_life import OPEN_LEDGERS, Life
from tests.proving.network_meetings import meet
from tests.sim.world import DAY_US
from transports.errors import TransportError

SAID = (PannierError, LedgerError, SpoolError, TransportError)
"""What a person is told of in a line; anything else is a bug."""

_YEAR_US = 365 * DAY_US
# What a link handed over before, and nobody confirmed, it hands over again a day later.
_RESTORING_US = DAY_US + 60 * 1_000_000
_MOMENTS: tuple[Callable[[int], int], ...] = (
    lambda now_us: now_us,
    lambda now_us: now_us + DAY_US,
    lambda now_us: now_us - DAY_US,
    lambda now_us: now_us + 3 * _YEAR_US,
    lambda now_us: now_us - 3 * _YEAR_US,
    lambda _: 10 * _YEAR_US,
    lambda _: 130 * _YEAR_US,
)


def jump(life: Life, home: str, what: int) -> None:
    """The clock of a node is set, right or wrong: to tomorrow, to 1980, to 2100."""
    now_us = life.world.clock()
    life.world.skew_us[home] = _MOMENTS[what % len(_MOMENTS)](now_us) - now_us
    life.seen["jumps"] += 1


def forget(life: Life, home: str, _: int) -> None:
    """A node loses all but its keys and ledgers."""
    life.world.forget(home)
    if home in life.rolled_back:  # that it counts anew now is no sign that it was told so
        life.rolled_back[home] = life.world[home].counting.incarnation()
    life.seen["forgotten"] += 1


# -- homes that are older than they were ----------------------------------------------------------


def back_up(life: Life, home: str, _: int) -> None:
    """A home is copied as it is."""
    if home in life.plan.names:
        life.backups[home] = life.world.back_up(home)


def restore(life: Life, home: str, what: int) -> None:
    """A copy takes the place of a home; its first contact with who knows more must tell it so."""
    if home not in life.backups or home in life.clones:
        return
    records, before = life.records, life.records.holds(home)
    life.world.clock.now_us += _RESTORING_US
    life.world.restore(home, life.backups[home])
    records.forget(home)
    life.look(home)
    life.gone(before - records.holds(home))
    life.roll_back(home)
    life.seen["restored"] += 1
    if what % 3 == 0:
        deeds.put(life, home, what + 1)
    if what % 2 == 0:
        contact(life, home, what // 2)


def contact(life: Life, home: str, what: int) -> None:
    """A home that was rolled back meets somebody who knows more of it: now it must know, too."""
    wiser = who_knows_more(life, home)
    if wiser is None or not _share(life, home, wiser):
        return
    # Who has nothing to say says nothing, not even that it knows more.
    puts = life.seen["puts"]
    deeds.put(life, home if what % 8 == 1 else wiser, 1)
    if life.seen["puts"] == puts:
        return
    if what % 4:
        meet(life, home, wiser)
    else:
        stick = life.new_stick()
        # It may have to say first that a key is newer than it is, and then what it holds.
        for one in (wiser, home) * 3:
            life.visit(one, stick)
    life.accept_all(home)  # what waits for a person's word tells it nothing of its own log
    life.note_meeting(home)
    if home in life.rolled_back:  # by its counter nobody can tell, and what only it had is gone
        assert not _holds_more(life, home, wiser), "it does not know that it was rolled back"
        return
    life.seen["told"] += 1
    for ledger in (1, 0):  # what it writes now goes where nothing was ever written
        deeds.put(life, home, ledger)


def _share(life: Life, *homes: str) -> bool:
    """Return whether all of *homes* are, by their own words, in the first ledger."""
    ledger = OPEN_LEDGERS[0]
    known = all(life.world.has(home, ledger) for home in homes)
    return known and all(set(homes) <= life.members_of(ledger, home) for home in homes)


def who_knows_more(life: Life, home: str) -> str | None:
    """Return a node that has seen more of what *home* wrote or said than it remembers itself."""
    node = life.world[home]
    incarnation, counter = node.counting.incarnation(), node.counting.counter()
    for name in life.plan.names:
        if name == home or node.card.node_id not in life.world[name].peers:
            continue
        known = life.world[name].db.peer(node.card.node_id)
        is_counted = known.incarnation == incarnation and known.counter > counter
        if is_counted or _holds_more(life, home, name):
            return name
    return None


def _holds_more(life: Life, home: str, other: str) -> bool:
    """Return whether *other* holds more of a log of *home* than that does itself."""
    node = life.world[home]
    own = {
        (store.ledger_id, log.name): log.size
        for store in node.every_ledger()
        for log in store.logs()
        if log.name.author == node.card.author
    }
    return any(
        log.size > own.get((store.ledger_id, log.name), log.size)
        for store in life.world[other].every_ledger()
        for log in store.logs()
    )


# -- homes that are two ---------------------------------------------------------------------------


def clone(life: Life, home: str, _: int) -> None:
    """A home is copied, and both are used from now on."""
    name = life.node_of(home)
    is_founder = name in life.plan.names[:2]
    if name in life.clones or ("hostile" in life.plan.features and is_founder):
        return
    life.clones[name] = f"{name}'" + "'" * life.seen["cloned"]
    life.world.clone(name, life.clones[name])
    for one in (name, life.clones[name]):
        life.roll_back(one)
    life.look(life.clones[name])
    life.seen["cloned"] += 1


def retire(life: Life, home: str, _: int) -> None:
    """A clone is thrown away."""
    name = life.node_of(home)
    if name not in life.clones:
        return
    other = life.clones.pop(name)
    before = life.records.holds(other)
    life.world.retire(other)
    life.records.forget(other)
    life.gone(before)
    life.branched.add(name)


# -- no room --------------------------------------------------------------------------------------


def fill_stick(life: Life, home: str, what: int) -> None:
    """A stick has room for a little more, and then for nothing."""
    stick = life.stick_for(home, what)
    with short_of_room(life.world.stick(stick), 500 * (what % 20)):
        life.visit(home, stick)
    life.seen["full sticks"] += 1


def fill_home(life: Life, home: str, what: int) -> None:
    """The disk of a home is full: what was put is there, or it was said that it is not."""
    world = life.world
    world.reopen(home)
    before, number = life.records.holds(home), len(life.records.acknowledged)
    try:
        with (
            short_of_room(world.home(home).path, 700 * (what % 12)),
            short_of_pages(what % 6),
        ):
            (deeds.put if what % 2 else deeds.visit)(life, home, what)
    except SAID:
        life.seen["no room"] += 1
    world.reopen(home)
    life.look(home)
    if len(life.records.acknowledged) == number:
        came = life.records.holds(home) - before
        assert not [one for one in came if one > number], "it was put, and said that it was not"


@contextmanager
def short_of_room(root: Path, free_bytes: int) -> Iterator[None]:
    """Let files below *root* take *free_bytes* more, and no byte after that."""
    left = free_bytes
    real = {name: getattr(OsFileSystem, name) for name in ("create", "append", "space")}

    def is_here(fs: OsFileSystem) -> bool:
        return fs._root == root or root in fs._root.parents

    def take(size: int) -> None:
        nonlocal left
        if size > left:
            raise OSError(errno.ENOSPC, "no room")
        left -= size

    def measured(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        for chunk in chunks:
            take(len(chunk))
            yield chunk

    def create(fs: OsFileSystem, path: str, chunks: Iterable[bytes | memoryview]) -> Any:
        return real["create"](fs, path, measured(chunks) if is_here(fs) else chunks)

    def append(fs: OsFileSystem, path: str, data: bytes) -> None:
        if is_here(fs):
            take(len(data))
        real["append"](fs, path, data)

    def space(fs: OsFileSystem) -> Space:
        found: Space = real["space"](fs)
        return found._replace(free_bytes=left) if is_here(fs) else found

    with (
        patch.object(OsFileSystem, "create", create),
        patch.object(OsFileSystem, "append", append),
        patch.object(OsFileSystem, "space", space),
    ):
        yield


@contextmanager
def short_of_pages(pages: int) -> Iterator[None]:
    """Let databases that are opened now take so many pages more: then SQLite is full."""
    real = sqlite3.connect

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = real(*given, **named)
        try:
            count = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {max(count, 1) + pages}")
        except sqlite3.DatabaseError:
            pass
        return db

    with patch.object(sqlite3, "connect", connect):
        yield


TROUBLES: dict[str, deeds.Happening] = {
    "jump": jump,
    "forget": forget,
    "backup": back_up,
    "restore": restore,
    "clone": clone,
    "retire": retire,
    "full-stick": fill_stick,
    "full-home": fill_home,
}
"""By the name by which a deed is typed."""
