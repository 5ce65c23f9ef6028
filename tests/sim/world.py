"""Nodes in one process: real homes and sticks below a folder, a clock and randomness of our own.

Everything that happens follows from the seed, so that a failure can be replayed.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ledger.append import Draft, deletion
from ledger.data import payload_from_value
from ledger.genesis import LedgerId
from ledger.keys import NodeKeys
from ledger.members import Role, members
from ledger.store import Store
from ledger.verify import verify, verify_file
from ledger.views import conflicts, heads, things
from pannier.exchange import Exchanged, exchange_medium
from pannier.home import Home, add_peer, create_home, open_keys
from pannier.ledgers import new_ledger, put
from pannier.membership import share
from pannier.node import Node
from pannier.trusted_time import Uptime, no_uptime
from spool.errors import MalformedNameError
from spool.name import FragmentName
from tests.bundler.doubles import CountedEntropy, CountedWrapper

DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
START_US = 1_750_000_000_000_000
"""The middle of 2025, before the files of the simulation are really written."""

_COARSE_SECONDS = 3
"""So much earlier than it was written a file may be dated: FAT counts in twos."""

Value = Mapping[str, object] | str | int


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us

    def pass_days(self, days: float) -> None:
        self.now_us += round(days * DAY_US)


class World:
    """Some nodes that know each other's cards, and the sticks between them."""

    def __init__(self, folder: Path, names: Iterable[str] = ("ada", "bea"), seed: int = 0) -> None:
        self.folder = folder
        self.clock = Clock()
        self.skew_us: dict[str, int] = {}
        self.uptime: Callable[[], Uptime] = no_uptime
        self._seed = seed
        self._began = time.time() - _COARSE_SECONDS
        self._open: dict[str, Node] = {}
        self._reopened = 0
        self._keys: dict[str, NodeKeys] = {}
        for name in names:
            self.add(name)
        self.acquaint(self._keys)

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> Node:
        """The open node called *name*."""
        if name not in self._open:
            self._reopened += 1
            draw = f"{self._seed}/{name}/{self._reopened}"
            node = Node.open(
                self.home(name),
                self._keys[name],
                clock=lambda: self.clock() + self.skew_us.get(name, 0),
                entropy=CountedEntropy(draw),
                uptime=self.uptime,
            )
            node.wrapper = CountedWrapper(draw)
            self._open[name] = node
        return self._open[name]

    @property
    def names(self) -> list[str]:
        return list(self._keys)

    # -- nodes --------------------------------------------------------------------------------

    def add(self, name: str) -> None:
        """A new node, whom nobody knows; whose name begins with pq has keys of that kind."""
        home = self.home(name)
        entropy = CountedEntropy(f"{self._seed}/{name}")
        create_home(home, name, None, entropy, post_quantum=name.startswith("pq"))
        self._keys[name] = open_keys(home, None)

    def take_over(self, name: str) -> None:
        """Go on with a home that is there already."""
        self._keys[name] = open_keys(self.home(name), None)
        self._reopened += 100

    def acquaint(self, names: Iterable[str]) -> None:
        """Give all of *names* the cards of all others of them."""
        known = list(names)
        for name in known:
            for other in known:
                if other != name:
                    card = self._keys[other].card
                    add_peer(self.home(name), other, card, own=self._keys[name].author)
            self.reopen(name)

    def home(self, name: str) -> Home:
        return Home(self.folder / name)

    def configure(self, name: str, text: str) -> None:
        self.home(name).config.write_text(text)
        self.reopen(name)

    def reopen(self, name: str) -> None:
        """Close a node; it is opened again when it is next needed."""
        node = self._open.pop(name, None)
        if node is not None:
            node.close()

    def close(self) -> None:
        for name in list(self._open):
            self.reopen(name)

    def back_up(self, name: str) -> Path:
        """Copy a whole home folder."""
        self.reopen(name)
        copy = self.folder / f"backup-{name}-{len(list(self.folder.glob('backup-*')))}"
        shutil.copytree(self.home(name).path, copy)
        return copy

    def restore(self, name: str, copy: Path) -> None:
        """Put a copy back in the place of a home folder."""
        self.reopen(name)
        shutil.rmtree(self.home(name).path)
        shutil.copytree(copy, self.home(name).path)

    def clone(self, name: str, other: str) -> None:
        """Go on with a copy of a home, too, as *other*."""
        self.reopen(name)
        shutil.copytree(self.home(name).path, self.home(other).path)
        self._keys[other] = self._keys[name]

    def retire(self, name: str) -> None:
        """A home is no more."""
        self.reopen(name)
        shutil.rmtree(self.home(name).path)
        del self._keys[name]

    def forget(self, name: str) -> None:
        """Lose ``node.db``."""
        self.reopen(name)
        for suffix in ("", "-wal", "-shm"):
            path = self.home(name).node_db
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    # -- ledgers ------------------------------------------------------------------------------

    def found(self, name: str, *others: str, ledger: str = "log", role: Role = Role.WRITER) -> None:
        """*name* makes a ledger and shares it."""
        store = new_ledger(self[name], ledger)
        for other in others:
            share(self[name], store, self[name].peer_named(other), role)

    def store(self, name: str, ledger: str = "log") -> Store:
        for store in self[name].ledgers():
            if store.genesis.name == ledger:
                return store
        raise AssertionError(f"{name} has no ledger {ledger}")

    def has(self, name: str, ledger: str = "log") -> bool:
        return any(store.genesis.name == ledger for store in self[name].ledgers())

    def put(self, name: str, thing: str, value: Value, ledger: str = "log") -> None:
        """One entry under a checkpoint of its own, a second after the last."""
        self.clock.now_us += 1_000_000
        draft = Draft(thing=thing, payload=payload_from_value(value), time_us=self.clock())
        put(self[name], self.store(name, ledger), [draft])

    def put_many(self, name: str, count: int, prefix: str = "thing", ledger: str = "log") -> None:
        """*count* entries under one checkpoint."""
        self.clock.now_us += 1_000_000
        put(
            self[name],
            self.store(name, ledger),
            [
                Draft(
                    thing=f"{prefix}/{number}",
                    payload=payload_from_value({"by": name, "n": number}),
                    time_us=self.clock() + number,
                )
                for number in range(count)
            ],
        )

    def delete(self, name: str, thing: str, ledger: str = "log") -> None:
        self.clock.now_us += 1_000_000
        put(self[name], self.store(name, ledger), [deletion(thing, self.clock())])

    # -- media --------------------------------------------------------------------------------

    def stick(self, name: str = "stick") -> Path:
        path = self.folder / "media" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def exchange(self, name: str, stick: str | Path = "stick") -> Exchanged:
        """Put a stick into a node, a minute later than all before."""
        self.clock.now_us += 60_000_000
        path = stick if isinstance(stick, Path) else self.stick(stick)
        self._date(path, self.clock() - _HOUR_US)  # by whoever had it: no tool is at it still
        done = exchange_medium(self[name], path)
        self._date(path, self[name].clock())
        assert done.report.bugs == {}
        return done

    def _date(self, stick: Path, now_us: int) -> None:
        """Date fragments written just now by a clock of the simulation, not by the real one."""
        with suppress(OSError):  # a hurt medium
            for path in filter(_is_fragment, fragments(stick)):
                if self._began <= path.lstat().st_mtime <= time.time():
                    os.utime(path, ns=(now_us * 1000, now_us * 1000))

    def rounds(self, names: Sequence[str], count: int, stick: str | Path = "stick") -> None:
        """Carry one stick around all *names*, *count* times."""
        for _ in range(count):
            for name in names:
                self.exchange(name, stick)


def tree(folder: Path) -> dict[str, bytes]:
    """All files below *folder* with their bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def fragments(stick: Path) -> list[Path]:
    """The fragment files on a stick."""
    return sorted(stick.glob("pannier/??/*.pnr"))


def _is_fragment(path: Path) -> bool:
    """Return whether a file is called as fragments are, and nothing else by another name."""
    with suppress(MalformedNameError):
        FragmentName.from_text(path.name)
        is_linked = any(one.is_symlink() for one in (path, path.parent, path.parent.parent))
        return path.is_file() and path.stat().st_nlink == 1 and not is_linked
    return False


def facts(store: Store) -> dict[str, object]:
    """All that must be equal on nodes that know the same of a ledger, whatever came when."""
    logs = {
        str(log.name): (log.size, log.frontier.root(), log.status)
        for log in store.logs()
        if log.size
    }
    return {
        "logs": logs,
        "heads": {
            thing: [(one.log, one.number, one.entry) for one in heads(store, thing)]
            for thing in things(store)
        },
        "conflicts": conflicts(store),
        "members": {author: one.role for author, one in members(store).items()},
    }


def faults(node: Node) -> list[str]:
    """What `pannier verify` would find wrong."""
    found = []
    for store in node.every_ledger():
        found += [str(fault) for report in verify(store) for fault in report.faults]
        found += [str(fault) for fault in verify_file(store)]
    return found


def assert_equal(world: World, names: Sequence[str], ledger: str = "log") -> dict[str, object]:
    """All *names* know the same of a ledger, and it verifies."""
    first = facts(world.store(names[0], ledger))
    for name in names:
        assert faults(world[name]) == []
        for what, value in facts(world.store(name, ledger)).items():
            assert value == first[what], f"{what} of {name} and {names[0]} differ"
    return first


def data_queue(node: Node) -> list[str]:
    """The bundles with entries that a node still wants to be confirmed."""
    return [
        one.bundle_id
        for peer in node.peers.values()
        for one in node.db.bundles(peer.node_id)
        if not one.control
    ]


def entries_of(store: Store) -> Iterator[tuple[LedgerId, str, int, bytes]]:
    """Every entry that a ledger holds: where it stands and its leaf."""
    for log in store.logs():
        for number, leaf in enumerate(store.leaves(log, 0, log.size)):
            yield store.ledger_id, str(log.name), number, leaf
