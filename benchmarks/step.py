"""One step of the main job in a process of its own, so that its memory is its own.

``python -m benchmarks.step STEP FOLDER``: prints a line of JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ledger.members import Role
from ledger.verify import verify
from pannier import ledgers
from pannier.home import Home, add_peer, create_home, open_keys
from pannier.membership import share
from pannier.node import Node
from pannier.oneway import pack, unpack
from pannier.payloads import Payloads

MTU = 1400


def make_nodes(folder: Path) -> None:
    """Make the homes of two nodes that know each other."""
    homes = {name: Home(folder / name) for name in ("farm", "home")}
    keys = {name: create_home(home, name, None, os.urandom) for name, home in homes.items()}
    add_peer(homes["farm"], "home", keys["home"].card, own=keys["farm"].author)
    add_peer(homes["home"], "farm", keys["farm"].card, own=keys["home"].author)


def put(folder: Path) -> None:
    """Write the NDJSON into the farm's ledger."""
    with _node(folder, "farm") as node, (folder / "weather.ndjson").open("rb") as lines:
        store = ledgers.new_ledger(node, "weather")
        payloads = Payloads(node, lambda: store)
        ledgers.put(node, store, ledgers.drafts_from_ndjson(lines, payloads, now_us=0))


def pack_all(folder: Path) -> None:
    """Share the ledger and pack all of it for home."""
    with _node(folder, "farm") as node:
        (store,) = node.ledgers()
        home = node.peer_named("home")
        share(node, store, home, Role.WRITER)
        pack(node, home, folder / "medium", mtu=MTU, repair_percent=0)


def unpack_all(folder: Path) -> None:
    """Import what was packed."""
    with _node(folder, "home") as node:
        unpack(node, [folder / "medium"])


def verify_all(folder: Path) -> None:
    """Recompute everything at home."""
    with _node(folder, "home") as node:
        for store in node.ledgers():
            faults = [fault for report in verify(store) for fault in report.faults]
            if faults:
                raise SystemExit(str(faults[0]))


STEPS: dict[str, Callable[[Path], None]] = {
    "put": put,
    "pack": pack_all,
    "unpack": unpack_all,
    "verify": verify_all,
}


def _node(folder: Path, name: str) -> Node:
    home = Home(folder / name)
    return Node.open(
        home, open_keys(home, None), clock=lambda: time.time_ns() // 1000, entropy=os.urandom
    )


def main() -> None:
    """Run one step and print what it took."""
    step, folder = STEPS[sys.argv[1]], Path(sys.argv[2])
    started, cpu = time.perf_counter(), time.process_time()
    step(folder)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()
    rss = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "rss_bytes": rss}))


if __name__ == "__main__":
    main()
