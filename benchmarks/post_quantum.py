"""What keys against quantum computers cost: bytes an entry, and the time of each operation."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import Row, to_json
from benchmarks.weather import weather_ndjson
from ledger.append import Draft
from ledger.data import payload_from_value
from ledger.hpke import HpkeWrapper
from ledger.keys import NodeKeys
from ledger.members import Role
from ledger.store import Store
from pannier import ledgers
from pannier.exchange import exchange_medium
from pannier.home import Home, add_peer, create_home
from pannier.membership import share
from pannier.node import Node

BATCHES = (1, 100, 10_000)
_REPEATS = 200
_TEXT = bytes(250)
_WITHOUT = "Ed25519 and X25519 alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes an entry of one batch, sent alone.

    Attributes:
        entries: Of the batch.
        sealed: In the bundle.
        stored: Growth of the sender's ledger file.
    """

    entries: int
    sealed: float
    stored: float


def sizes(*, post_quantum: bool) -> list[Sizes]:
    """Send batches between two nodes that know each other well."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        farm, home = (stack.enter_context(node) for node in _nodes(folder, post_quantum))
        store = ledgers.new_ledger(farm, "weather")
        peer = farm.peers[home.card.node_id]
        share(farm, store, peer, Role.WRITER)
        drafts = _drafts(2 + sum(BATCHES))
        ledgers.put(farm, store, [next(drafts)])
        _settle(farm, home, folder / "stick")
        found = []
        for count in BATCHES:
            before = _stored(store)
            ledgers.put(farm, store, [next(drafts) for _ in range(count)])
            stored = _stored(store) - before
            exchange_medium(farm, _made(folder / "stick"))
            queued = farm.db.bundles(peer.node_id)
            sealed = sum(bundle.size_bytes for bundle in queued if not bundle.control)
            found.append(Sizes(entries=count, sealed=sealed / count, stored=stored / count))
            _settle(farm, home, folder / "stick")
        return found


def _nodes(folder: Path, post_quantum: bool) -> Iterator[Node]:
    homes = [Home(folder / name) for name in ("farm", "home")]
    keys = [
        create_home(home, home.path.name, None, os.urandom, post_quantum=post_quantum)
        for home in homes
    ]
    for home, own, other in zip(homes, keys, reversed(keys), strict=True):
        add_peer(home, other.name, other.card, own=own.author)
        yield Node.open(home, own, clock=lambda: time.time_ns() // 1000, entropy=os.urandom)


def _drafts(count: int) -> Iterator[Draft]:
    for line in weather_ndjson(count).splitlines():
        record = json.loads(line)
        payload = payload_from_value(record["data"])
        yield Draft(thing=record["thing"], payload=payload, time_us=record["time"])


def _settle(farm: Node, home: Node, stick: Path) -> None:
    for node in (farm, home) * 3:
        exchange_medium(node, _made(stick))


def _made(stick: Path) -> Path:
    stick.mkdir(exist_ok=True)
    return stick


def _stored(store: Store) -> int:
    """Return the bytes that the tables take; the file itself grows by pages."""
    ((count,),) = store.rows("SELECT sum(pgsize - unused) FROM dbstat")
    if not isinstance(count, int):
        raise TypeError("dbstat counts bytes")
    return count


def costs_us() -> dict[str, tuple[float, float]]:
    """Return microseconds of each operation (without, with) keys against quantum computers."""
    without, with_keys = (_operations(post_quantum=one) for one in (False, True))
    return {name: (_us(without[name]), _us(with_keys[name])) for name in without}


def _operations(*, post_quantum: bool) -> dict[str, Callable[[], object]]:
    keys = NodeKeys.generate("x", os.urandom, post_quantum=post_quantum)
    signer, verifier, unwrapper = keys.signer, keys.card.verifier, keys.unwrapper()
    signed, public = signer.sign(_TEXT), keys.card.hpke_key
    stanza = HpkeWrapper().wrap(bytes(32), public, b"")
    return {
        "sign a checkpoint": lambda: signer.sign(_TEXT),
        "verify one": lambda: verifier.verify(_TEXT, signed),
        "seal for a peer": lambda: HpkeWrapper().wrap(bytes(32), public, b""),
        "open": lambda: unwrapper.unwrap(stanza, b""),
    }


def _us(operation: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(_REPEATS):
        operation()
    return (time.perf_counter() - started) / _REPEATS * 1e6


def rows() -> Iterator[Row]:
    """Show what keys against quantum computers cost, beside keys without."""
    plain, strong = (sizes(post_quantum=post_quantum) for post_quantum in (False, True))
    for one, other in zip(plain, strong, strict=True):
        for what in ("sealed", "stored"):
            ours, theirs = getattr(other, what), getattr(one, what)
            label = f"a batch of {one.entries:,}, {what}"
            yield Row(label=label, ours=ours, theirs=theirs, rival=_WITHOUT, unit="B/entry")
    for name, (without, with_) in costs_us().items():
        yield Row(label=name, ours=with_, theirs=without, rival=_WITHOUT, unit="us")


if __name__ == "__main__":
    print(to_json(rows()))
