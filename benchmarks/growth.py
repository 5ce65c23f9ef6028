"""What grows with a ledger and what does not: figures for `benchmarks.run`.

A peer that lacks a little of much is served at the cost of the little; and what ten thousand logs
hold is said again for the price of what changed.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.rows import Row, to_json
from benchmarks.step import make_nodes
from bundler.content import Opened
from bundler.have_digest import Holding
from bundler.notices import HeldLog
from bundler.sealed import MAX_EXPIRY_DAYS, Header
from bundler.sections import encode_section
from ledger.append import Draft
from ledger.data import payload_from_value
from ledger.genesis import LedgerId
from ledger.members import Role
from pannier import have_rows, ledgers
from pannier.cli.session import clock
from pannier.exchange import exchange_medium
from pannier.have import note_own_have, telling
from pannier.home import Home, open_keys
from pannier.membership import share
from pannier.node import Node
from pannier.statements import believe

_THINGS = 500
_SEED = 1
_START_US = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HaveBytes:
    """What it costs to say what is held of many logs, in bytes as they travel, before sealing.

    Attributes:
        full: All of it.
        changed: What changed, to a peer that knows the rest.
        same: That nothing changed.
        question: By a peer that lost what it knew of as many logs as had changed.
        answer: To that.
    """

    full: int
    changed: int
    same: int
    question: int
    answer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LackingCost:
    """What it costs to bring a peer the little that it lacks of a ledger.

    Attributes:
        entries: In the ledger, before.
        lacking: Of them the peer lacks so many.
        leave_seconds: CPU time of the exchange that leaves them on a medium.
        take_seconds: CPU time of the one that takes them, and leaves word of it.
        medium_bytes: What lies on the medium in between.
    """

    entries: int
    lacking: int
    leave_seconds: float
    take_seconds: float
    medium_bytes: int


def rows(counts: tuple[int, int]) -> Iterator[Row]:
    """Yield what a peer that lacks 100 entries costs, and what thousands of logs say of themselves.

    Args:
        counts: Entries of the small and of the large ledger.
    """
    costs = []
    for entries in counts:
        with TemporaryDirectory() as folder:
            costs.append(lacking_cost(Path(folder), entries=entries))
    small, large = (1000 * (cost.leave_seconds + cost.take_seconds) for cost in costs)
    yield Row(
        label=f"100 of {counts[1]:,} entries lacking, both sides",
        ours=large,
        unit="ms CPU",
        theirs=small,
        rival=f"of {counts[0]:,}",
        target_ratio=0.5,
    )
    with TemporaryDirectory() as folder:
        cost = have_bytes(Path(folder))
    for label, ours in (
        ("100 of 10,000 logs grew: have", cost.changed),
        ("none of them did", cost.same),
        ("100 of them forgotten: question and answer", cost.question + cost.answer),
    ):
        yield Row(label=label, ours=ours, unit="bytes", theirs=cost.full, rival="in full")


def have_bytes(folder: Path, *, logs: int = 10_000, changed: int = 100) -> HaveBytes:
    """Let one node tell another what it holds of *logs* logs, before and after some grow.

    Args:
        folder: Empty; two homes are made in it.
        logs: How many.
        changed: So many grow, and so many are lost at the other node.
    """
    make_nodes(folder)
    rng = random.Random(_SEED)
    ledger = LedgerId(rng.randbytes(16))
    holdings = [(ledger, _held(rng)) for _ in range(logs)]
    with _open(folder, "farm") as farm, _open(folder, "home") as home:
        full = _tell(farm, home, holdings)
        _tell(home, farm, [])
        for number in rng.sample(range(logs), changed):
            known = holdings[number][1]
            grown = known._replace(size=known.size + 100, root=rng.randbytes(16))
            holdings[number] = ledger, grown
        news = _tell(farm, home, holdings)
        _tell(home, farm, [])
        same = _tell(farm, home, holdings)
        lost = [(ledger, held._replace(size=0)) for _, held in rng.sample(holdings, changed)]
        have_rows.note_held(home.db, farm.card.node_id, lost)
        _tell(farm, home, holdings)
        question = _tell(home, farm, [])
        answer = _tell(farm, home, holdings)
        known_logs = have_rows.held_by(home.db, farm.card.node_id)
        if sorted(known_logs) != sorted(holdings):
            raise RuntimeError("what was said did not lead to what is held")
    return HaveBytes(full=full, changed=news, same=same, question=question, answer=answer)


def lacking_cost(folder: Path, *, entries: int, lacking: int = 100) -> LackingCost:
    """Bring a peer the last *lacking* entries of a ledger of *entries* more, by a medium.

    Args:
        folder: Empty; two homes and a medium are made in it.
        entries: What both have, in one log.
        lacking: What one of them has besides.
    """
    make_nodes(folder)
    medium = folder / "stick"
    medium.mkdir()
    with _open(folder, "farm") as farm:
        store = ledgers.new_ledger(farm, "farm")
        share(farm, store, farm.peer_named("home"), Role.WRITER)
        ledgers.put(farm, store, map(_draft, range(entries)))
    for name in ("farm", "home", "farm", "home"):
        _exchange(folder, name, medium)
    with _open(folder, "farm") as farm:
        store = next(farm.ledgers())
        ledgers.put(farm, store, map(_draft, range(entries, entries + lacking)))
    leave_seconds = _cpu_seconds(lambda: _exchange(folder, "farm", medium))
    size = sum(one.stat().st_size for one in medium.rglob("*.pnr"))
    take_seconds = _cpu_seconds(lambda: _exchange(folder, "home", medium))
    with _open(folder, "home") as home:
        found = sum(log.size for log in next(home.ledgers()).logs())
        if found != entries + lacking + 1:
            raise RuntimeError("what was lacking did not arrive")
    return LackingCost(
        entries=entries,
        lacking=lacking,
        leave_seconds=leave_seconds,
        take_seconds=take_seconds,
        medium_bytes=size,
    )


def _held(rng: random.Random) -> HeldLog:
    return HeldLog(rng.randbytes(32), rng.randbytes(8), rng.randrange(1, 9000), rng.randbytes(16))


def _draft(number: int) -> Draft:
    thing, value = f"thing {number % _THINGS:05d}", payload_from_value(number % 977)
    return Draft(thing, value, _START_US + number * 1000)


def _open(folder: Path, name: str) -> Node:
    home = Home(folder / name)
    return Node.open(home, open_keys(home, None), clock=clock, entropy=os.urandom)


def _exchange(folder: Path, name: str, medium: Path) -> None:
    with _open(folder, name) as node:
        exchange_medium(node, medium)


def _cpu_seconds(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _tell(node: Node, other: Node, holdings: list[Holding]) -> int:
    """Let *node* tell *other* that it holds *holdings*; return how many bytes that takes."""
    peer = node.peer_by_author(other.card.author)
    sender = other.peer_by_author(node.card.author)
    if peer is None or sender is None:
        raise RuntimeError("the two do not know each other")
    own, stamp = telling(node, peer, holdings), node.counting.stamp()
    note_own_have(node, peer, own, stamp.counter)
    body = b"".join(map(encode_section, own.sections))
    opened = Opened(
        header=Header(1, MAX_EXPIRY_DAYS),
        sender=node.card.author,
        stamp=stamp,
        is_pairwise=False,
        encoded_sections=memoryview(body),
    )
    believe(other, sender, opened, [])
    return len(body)


if __name__ == "__main__":
    small, large = map(int, sys.argv[1:3])
    print(to_json(rows((small, large))))
