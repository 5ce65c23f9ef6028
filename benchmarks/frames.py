"""How much fits one frame of a slow link, on its way to a peer that is known: everything counts.

What is counted are the files that ``pannier pack --mtu`` writes, or would write.
``python -m benchmarks.frames [RUNS]`` prints the figures as a line of JSON.
"""

import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.weather import weather_lines
from bundler.whole import frame_bytes
from ledger.append import Draft
from ledger.data import payload_from_value
from ledger.members import Role
from pannier import ledgers
from pannier.exchange import exchange_medium
from pannier.home import Home, Peer, add_peer, create_home
from pannier.membership import share
from pannier.node import Node
from pannier.oneway import Packed, pack
from pannier.sending import prepare

FRAME_BYTES = 222
_HISTORY = 1_000
_LEAST, _MOST = 8, 64
_ROUNDS = 3
_START_US = 1_750_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What fits.

    Attributes:
        entry_bytes: What one entry of 100 random bytes takes on the wire, in frames of 222 bytes.
        entry_frames: How many frames that are.
        runs: How many random runs of consecutive weather records were sent.
        entries: How many of each fitted one frame of 222 bytes, ascending.
    """

    entry_bytes: int
    entry_frames: int
    runs: int
    entries: tuple[int, ...]

    def share_with(self, least: int) -> float:
        """Return the share of the runs of which at least so many entries fitted."""
        return sum(count >= least for count in self.entries) / self.runs


def frames(runs: int = 200, *, seed: int = 0) -> Frames:
    """Measure; *runs* random runs of one station each, behind up to 1,000 records before them."""
    chance = random.Random(seed)
    entry_bytes, entry_frames = _one_entry(chance.randbytes(100))
    stations = list(_stations().values())
    fitting = sorted(_fitting(*_run(stations, chance)) for _ in range(runs))
    return Frames(
        entry_bytes=entry_bytes, entry_frames=entry_frames, runs=runs, entries=tuple(fitting)
    )


def _one_entry(payload: bytes) -> tuple[int, int]:
    """Return (bytes, frames) of an entry for a thing that was written about before."""
    with _pair() as pair:
        pair.put([_draft("sensor/7", b"\0", _START_US)])
        pair.settle()
        pair.put([_draft("sensor/7", payload, _START_US + 600_123_456)])
        packed = pair.pack()
        return packed.size_bytes, packed.files


def _stations() -> dict[str, list[Draft]]:
    found: dict[str, list[Draft]] = {}
    for line in weather_lines():
        record = json.loads(line)
        payload = payload_from_value(record["data"])
        draft = Draft(thing=record["thing"], payload=payload, time_us=record["time"])
        found.setdefault(draft.thing, []).append(draft)
    return found


def _run(
    stations: Sequence[Sequence[Draft]], chance: random.Random
) -> tuple[Sequence[Draft], Sequence[Draft]]:
    """Return what was sent before a random run, and the run."""
    rows = chance.choice(stations)
    first = chance.randrange(1, len(rows) - _MOST)
    return rows[max(first - _HISTORY, 0) : first], rows[first : first + _MOST]


def _fitting(history: Sequence[Draft], run: Sequence[Draft]) -> int:
    """Return how many entries of *run* fit one frame."""
    with _pair() as pair:
        pair.put(history)
        pair.settle()
        pair.put(run[:_LEAST])
        for count in range(_LEAST, _MOST):
            # What no carrier has taken is made anew with each entry more.
            if not pair.is_one_frame():
                return count - 1
            pair.put(run[count : count + 1])
        return _MOST - 1


class _Pair:
    """Two nodes that share a ledger, one of which sends."""

    def __init__(self, folder: Path, nodes: Sequence[Node]) -> None:
        self._folder = folder
        self._nodes = nodes
        self._store = ledgers.new_ledger(nodes[0], "log")
        share(nodes[0], self._store, self._peer, Role.WRITER)

    @property
    def _peer(self) -> Peer:
        return self._nodes[0].peers[self._nodes[1].card.node_id]

    def put(self, drafts: Sequence[Draft]) -> None:
        ledgers.put(self._nodes[0], self._store, drafts)

    def settle(self) -> None:
        """Let the other have all of it, and say so."""
        stick = self._folder / "stick"
        stick.mkdir(exist_ok=True)
        for node in (*self._nodes,) * _ROUNDS:
            exchange_medium(node, stick)

    def is_one_frame(self) -> bool:
        """Whether what waits fits one frame."""
        (bundle,) = prepare(self._nodes[0], self._peer, mtu=FRAME_BYTES)
        return frame_bytes(bundle.size_bytes) <= FRAME_BYTES

    def pack(self) -> Packed:
        """Write what waits into files, one a frame."""
        into = self._folder / "frames"
        return pack(self._nodes[0], self._peer, into, mtu=FRAME_BYTES, repair_percent=0)


@contextmanager
def _pair() -> Iterator[_Pair]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        homes = [Home(folder / one) for one in ("field", "base")]
        keys = [create_home(home, home.path.name, None, os.urandom) for home in homes]
        nodes = []
        for home, own, other in zip(homes, keys, reversed(keys), strict=True):
            add_peer(home, other.name, other.card, own=own.author)
            node = Node.open(home, own, clock=lambda: _START_US, entropy=os.urandom)
            nodes.append(stack.enter_context(node))
        yield _Pair(folder, nodes)


def _draft(thing: str, value: bytes, time_us: int) -> Draft:
    return Draft(thing=thing, payload=payload_from_value(value), time_us=time_us)


if __name__ == "__main__":
    found = frames(*map(int, sys.argv[1:2]))
    print(
        json.dumps(
            asdict(found) | {"with 12": found.share_with(12), "with 18": found.share_with(18)}
        )
    )
