"""Somebody who has the stick between two exchanges, and no key: everything that can be done to it.

A siege is a list of deeds, some of the nodes', most of the attacker's, each of them three small
numbers; so that hypothesis finds them and shrinks what goes wrong.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.sequence import parse_sequence
from bundler.whole import START, Whole
from ledger.log import root_at
from pannier.have import known_have
from pannier.import_report import Outcome
from tests.sim import attacks
from tests.sim.deeds import Deed
from tests.sim.world import World, assert_equal, data_queue, fragments

NAMES = ("ada", "bea", "cyd")


class Siege:
    """Three nodes, the one stick between them, and the attacker's collection of what was on it.

    Attributes:
        seen: How often what happened, to prove that it was worth it.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.world = World(folder, NAMES, seed)
        self.world.found("ada", "bea", "cyd")
        self.seen: Counter[str] = Counter()
        self._kept: list[tuple[str, bytes]] = []
        self._copies: list[Path] = []
        self._puts = 0
        self.world.rounds(NAMES, 3, "before")

    def do(self, deed: Deed) -> None:
        """Let one thing happen, and see that nobody believes more than is true."""
        self._deeds()[deed.kind](deed.who, deed.what)
        self._believes_nothing()

    def end(self) -> None:
        """An honest stick heals everything."""
        for _ in range(2):
            self.world.clock.pass_days(31)
            self.world.rounds(NAMES, 4, "honest")
        assert_equal(self.world, NAMES)
        for name in NAMES:
            assert data_queue(self.world[name]) == [], f"{name} still sends"
            assert self.world[name].spool.held.names() == []
        things = {f"of {name}/{n}" for n in range(self._puts) for name in NAMES}
        written = {thing for thing in things if self._was_put(thing)}
        for name in NAMES:
            store = self.world.store(name)
            found = {str(row[0]) for row in store.rows("SELECT name FROM thing")}
            assert written <= found

    def _was_put(self, thing: str) -> bool:
        _, name, number = thing.replace("/", " ").split(" ")
        return NAMES[int(number) % len(NAMES)] == name

    def _believes_nothing(self) -> None:
        """What a node holds of a log, or thinks that another holds, its author has written so."""
        own = {
            log.name: (self.world.store(name), log)
            for name in NAMES
            for log in self.world.store(name).logs()
            if log.name.author == self.world[name].card.author
        }
        for name in NAMES:
            for log in self.world.store(name).logs():
                store, truth = own[log.name]
                assert log.size <= truth.size
                assert root_at(truth, log.size, store.nodes(truth)) == log.frontier.root()
            for peer in self.world[name].peers.values():
                theirs = self.world.store(peer.card.name)
                for (_, log_name), held in known_have(self.world[name], peer).logs.items():
                    assert held.size <= theirs.log(log_name).size

    def _deeds(self) -> dict[str, Callable[[int, int], None]]:
        return {
            "put": self._put,
            "visit": self._visit,
            "days": self._days,
            "drop": self._drop,
            "keep": self._keep,
            "put back": self._put_back,
            "swap": self._swap,
            "truncate": self._truncate,
            "flip": self._flip,
            "copy": self._copy,
            "roll back": self._roll_back,
            "mix": self._mix,
            "forge": self._forge,
            "rename": self._rename,
        }

    # -- what nodes do ------------------------------------------------------------------------

    def _put(self, who: int, _: int) -> None:
        number = self._puts
        name = NAMES[number % len(NAMES)]
        self._puts += 1
        value = "long " * 2000 if who % 4 == 0 else number
        self.world.put(name, f"of {name}/{number}", value)

    def _visit(self, who: int, _: int) -> None:
        done = self.world.exchange(NAMES[who % len(NAMES)])
        for outcome in Outcome:
            self.seen[outcome.value] += done.report.count(outcome)
        self.seen["entries"] += sum(done.report.entries.values())

    def _days(self, who: int, what: int) -> None:
        self.world.clock.pass_days(who * what / 10)

    # -- what the attacker does ---------------------------------------------------------------

    def _files(self) -> list[Path]:
        return fragments(self.world.stick())

    def _one(self, number: int) -> Path | None:
        files = self._files()
        return files[number % len(files)] if files else None

    def _drop(self, who: int, _: int) -> None:
        path = self._one(who)
        if path is not None:
            path.unlink()
            self.seen["drop"] += 1

    def _keep(self, who: int, what: int) -> None:
        """Take a file, to put it back later or never."""
        path = self._one(who)
        if path is not None:
            self._kept.append((path.name, path.read_bytes()))
            if what % 2:
                path.unlink()

    def _put_back(self, who: int, _: int) -> None:
        if self._kept:
            name, data = self._kept[who % len(self._kept)]
            self._write(name, data)
            self.seen["replay"] += 1

    def _swap(self, who: int, what: int) -> None:
        one, other = self._one(who), self._one(what)
        if one is not None and other is not None and one != other:
            data = one.read_bytes()
            one.write_bytes(other.read_bytes())
            other.write_bytes(data)
            self.seen["swap"] += 1

    def _truncate(self, who: int, what: int) -> None:
        path = self._one(who)
        if path is not None:
            data = path.read_bytes()
            path.write_bytes(data[: len(data) * (what % 10) // 10])
            self.seen["truncate"] += 1

    def _flip(self, who: int, what: int) -> None:
        path = self._one(who)
        data = path.read_bytes() if path is not None else b""
        if path is not None and data:
            path.write_bytes(attacks.flipped(data, what * 97 % len(data), what % 8))
            self.seen["flip"] += 1

    def _copy(self, who: int, what: int) -> None:
        copy = self.world.folder / f"copy {len(self._copies)}"
        shutil.copytree(self.world.stick(), copy)
        self._copies.append(copy)

    def _roll_back(self, who: int, _: int) -> None:
        if self._copies:
            stick = self.world.stick()
            shutil.rmtree(stick)
            shutil.copytree(self._copies[who % len(self._copies)], stick)
            self.seen["roll back"] += 1

    def _mix(self, who: int, what: int) -> None:
        """What belongs to one file, at the end or the beginning of another."""
        one, other = self._one(who), self._one(what)
        if one is not None and other is not None:
            first, second = one.read_bytes(), other.read_bytes()
            one.write_bytes(first + second if who % 2 else second + first)
            self.seen["mix"] += 1

    def _forge(self, who: int, what: int) -> None:
        """Symbols of the attacker's, under a check that belongs to them, in the right place."""
        path = self._one(who)
        if path is None:
            return
        data = path.read_bytes()
        forged = _forged_whole(data, what) if data.startswith(START) else _forged(data, what)
        if forged:
            path.write_bytes(forged + data if what % 3 else forged)
            self.seen["forge"] += 1

    def _rename(self, who: int, what: int) -> None:
        """Another priority, expiry, hint, bundle or place in it; or a name that is none."""
        path = self._one(who)
        if path is None:
            return
        name, digit = path.name, "0123456789abcdef"[what % 16]
        place = (0, 2, 7, 15, 40, 43)[what % 6]
        self._write(name[:place] + digit + name[place + 1 :], path.read_bytes())
        if who % 2:
            path.unlink()
        self.seen["rename"] += 1

    def _write(self, name: str, data: bytes) -> None:
        path = self.world.stick() / "pannier" / name[15:17] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _forged(data: bytes, what: int) -> bytes:
    """A fragment with the parameters of the first genuine one, and other symbols."""
    for part in parse_sequence(data, is_plausible):
        if isinstance(part, Fragment):
            size = part.symbol_bytes
            return attacks.forged_fragment(
                part.bundle_id,
                transfer=part.transfer_bytes,
                symbol=size,
                payload_id=part.payload_id if what % 2 else what,
            )
    return b""


def _forged_whole(data: bytes, what: int) -> bytes:
    try:
        whole = Whole.from_bytes(data)
    except BundleError:
        return b""
    sealed = attacks.flipped(whole.sealed, what * 31 % len(whole.sealed), what % 8)
    return Whole(hint=whole.hint, sealed=sealed).to_bytes()


KINDS = (
    *("put", "put", "visit", "visit", "visit", "visit", "days"),
    *("drop", "keep", "put back", "swap", "truncate", "flip", "copy", "roll back", "mix", "forge"),
    "rename",
)
