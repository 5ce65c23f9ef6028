"""What must hold after a process was harmed: all is there, once, and nothing is left over."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.pack_file import pack_names
from pannier.cli.reports import exchange_lines
from pannier.exchange import exchange_medium
from pannier.node import Node
from tests.cli.computers import Computer
from tests.sim.test_crashes import queues_agree
from tests.sim.world import data_queue, facts, faults

STICK = "stick"
_MOST_ROUNDS = 8
_DRAWN = re.compile(r"[0-9a-f]{8,}|\d{4}-\d\d-\d\dT\d{6}")
_ANY_TIME = re.compile(
    r"/locks/|/spool/out/|/pannier/..?/[0-9a-f-]{40}\.pnr$|^out/[0-9a-f-]+\.pnr$|\.blobs/.*\.pack$"
)

Names = Counter[str]
Entries = Counter[tuple[str, str, bytes | None]]


@dataclass(frozen=True, slots=True)
class State:
    """What is left when all has been said.

    Attributes:
        entries: How often each (ledger, thing, payload) is on every computer.
        names: Of the files that lie anywhere, with what is drawn at random left out.
    """

    entries: Entries
    names: Names


def settle(folder: Path, names: Sequence[str]) -> State:
    """Carry a stick around until nobody has news; see that all agree and nothing is pending."""
    computers = [Computer(folder / name) for name in names]
    stick = folder / STICK
    stick.mkdir(exist_ok=True)
    history: list[str] = []
    for _ in range(_MOST_ROUNDS):
        news = [_exchange(one, stick) for one in computers]
        if not any(news):
            break
        history += news
    else:
        raise AssertionError(f"they never come to an end: {history}")
    found = []
    for one in computers:
        with one.node() as node:
            assert_at_rest(node)
            found.append({store.genesis.name: facts(store) for store in node.every_ledger()})
            entries = entries_in(node)
    assert all(one == found[0] for one in found), "they do not agree"
    return State(entries, names_in(folder))


def _exchange(computer: Computer, stick: Path) -> str:
    """Exchange and return what changed, or nothing."""
    with computer.node() as node:
        done = exchange_medium(node, stick)
        assert done.problems == []
        if done.written or done.removed or done.report.outcomes:
            return f"{computer.home.name}: {'; '.join(exchange_lines(node, done))}"
    return ""


def assert_at_rest(node: Node) -> None:
    """See that a node waits for nothing and keeps nothing that has done its work."""
    assert faults(node) == []
    assert queues_agree(node), "node.db and the spool disagree on what is queued"
    assert data_queue(node) == [], "entries wait that have arrived"
    assert node.spool.inbox.bundles() == []
    assert node.spool.held.names() == []
    assert node.spool.partials.names() == []
    assert node.db.rows("SELECT * FROM waiting") == []
    for store in node.every_ledger():
        used = {place.pack for place in store.blobs.places()}
        assert pack_names(store.blobs.folder) == used, "a pack that nothing is looked up in"


def entries_in(node: Node) -> Entries:
    """Count what members said in all ledgers."""
    return Counter(
        (store.genesis.name, entry.thing, entry.payload)
        for store in node.every_ledger()
        for log in store.logs()
        for entry in store.entries(log, 0, log.size)
        if entry.action < 2
    )


def names_in(folder: Path) -> Names:
    """Return the names of all files below *folder*, what is drawn at random left out.

    Not of locks, which stay, nor of bundles that wait or lie on the stick: which of them only say
    what their reader knows already is a matter of time, and the others are looked at one by one;
    nor of packs: what could not be read at first comes in another one.
    """
    files = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return Counter(_DRAWN.sub("#", name) for name in files if not _ANY_TIME.search(name))


def now_us() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1000
