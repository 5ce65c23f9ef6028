"""One step of the main job in a process of its own, without what starting Python costs.

``python -m benchmarks.step STEP FOLDER``: prints a line of JSON. The steps of pannier are its
commands as people type them; those of SQLite do the least that could stand for the same.
"""

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path

from benchmarks.bulk import LIBRARY, MEDIUM, MTU
from pannier import ledgers
from pannier.cli import carry, put, verify
from pannier.cli import ledgers as cli_ledgers
from pannier.cli.root import run
from pannier.cli.session import clock
from pannier.home import Home, add_peer, create_home, open_keys
from pannier.node import Node

_BARE = "bare.db"
_IMPORTED = (carry, cli_ledgers, put, verify)  # before the clock runs


def make_nodes(folder: Path) -> None:
    """Make the homes of two nodes that know each other, ``farm`` and ``home``."""
    homes = {name: Home(folder / name) for name in ("farm", "home")}
    keys = {name: create_home(home, name, None, os.urandom) for name, home in homes.items()}
    add_peer(homes["farm"], "home", keys["home"].card, own=keys["farm"].author)
    add_peer(homes["home"], "farm", keys["farm"].card, own=keys["home"].author)


def _put(folder: Path) -> None:
    """Write the lines into the farm's first ledger."""
    _type(folder, "farm", "put", "--ndjson", str(_lines(folder)))


def _put_values(folder: Path) -> Callable[[Path], None]:
    """Do the same as a program does that has the ledger open, and the values already."""
    records = map(json.loads, _lines(folder).read_text().splitlines())
    values = [(one["thing"], one["data"], one["time"]) for one in records]
    home = Home(folder / LIBRARY)
    node = Node.open(home, open_keys(home, None), clock=clock, entropy=os.urandom)
    store = ledgers.new_ledger(node, "farm")

    def write(_: Path) -> None:
        with node:
            ledgers.put_values(node, store, values)

    return write


def _pack(folder: Path) -> None:
    """Share the ledger and pack all of it for home."""
    _type(folder, "farm", "ledger", "share", "home")
    words = ("--into", str(folder / MEDIUM), "--mtu", str(MTU))
    _type(folder, "farm", "pack", "home", *words)


def _unpack(folder: Path) -> None:
    """Import what was packed."""
    _type(folder, "home", "unpack", str(folder / MEDIUM))
    if not list((folder / "home" / "ledgers").glob("*.db")):
        raise SystemExit("the ledger did not arrive")


def _verify(folder: Path) -> None:
    """Recompute everything at home."""
    _type(folder, "home", "verify")


def _sqlite_put(folder: Path) -> None:
    """Make the same rows durable in a bare table, the parsing of the lines included."""
    db = sqlite3.connect(folder / _BARE, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, thing TEXT, time INTEGER, data TEXT)")
    db.execute("BEGIN")
    with _lines(folder).open() as lines:
        rows = map(json.loads, lines)
        db.executemany(
            "INSERT INTO row (thing, time, data) VALUES (?, ?, ?)",
            ((row["thing"], row["time"], json.dumps(row["data"])) for row in rows),
        )
    db.execute("COMMIT")
    db.close()


def _sqlite_copy(folder: Path) -> None:
    """Copy the bare table into another file, durably: what an import cannot do without."""
    db = sqlite3.connect(folder / "copy.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, thing TEXT, time INTEGER, data TEXT)")
    source = sqlite3.connect(folder / _BARE)
    db.execute("BEGIN")
    db.executemany("INSERT INTO row VALUES (?, ?, ?, ?)", source.execute("SELECT * FROM row"))
    db.execute("COMMIT")
    db.close()


def _sqlite_hash(folder: Path) -> None:
    """Read the bare table and hash each row once: what a check cannot do without."""
    db = sqlite3.connect(folder / _BARE)
    for (data,) in db.execute("SELECT data FROM row"):
        sha256(data.encode()).digest()
    db.close()


STEPS: dict[str, Callable[[Path], None]] = {
    "put": _put,
    "pack": _pack,
    "unpack": _unpack,
    "verify": _verify,
    "sqlite put": _sqlite_put,
    "sqlite copy": _sqlite_copy,
    "sqlite hash": _sqlite_hash,
}
PREPARED_STEPS: dict[str, Callable[[Path], Callable[[Path], None]]] = {"put values": _put_values}
"""Steps of which a part comes before the clock runs."""


def _lines(folder: Path) -> Path:
    """Return the one NDJSON file in the folder of a benchmark."""
    (path,) = folder.glob("*.ndjson")
    return path


def _type(folder: Path, name: str, *words: str) -> None:
    with redirect_stdout(StringIO()):
        status = run(["--home", str(folder / name), *words])
    if status != 0:
        raise SystemExit(status)


def main() -> None:
    """Run one step and print what it took."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    step = PREPARED_STEPS[name](folder) if name in PREPARED_STEPS else STEPS[name]
    started, cpu = time.perf_counter(), time.process_time()
    step(folder)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()
    rss = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "rss_bytes": rss}))


if __name__ == "__main__":
    main()
