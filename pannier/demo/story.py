"""The story that ``pannier demo`` tells: every step is a command that a user could type."""

import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.resources import as_file, files
from pathlib import Path

from ledger.data import value_from_payload
from ledger.lazy_dataclass import dataclass
from ledger.store import Store
from ledger.views import heads
from pannier.errors import PannierError, UsageError
from pannier.home import Home, open_keys
from pannier.node import Node

Run = Callable[[list[str]], int]
"""Runs a command line and returns its exit status."""

Say = Callable[[str], None]
"""Prints a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the story plays: a scratch folder with two homes and a stick.

    Attributes:
        folder: Everything is in here.
        run: Runs a command.
        say: Tells a person.
    """

    folder: Path
    run: Run
    say: Say

    def home(self, name: str) -> Path:
        """Return the home of one of the nodes."""
        return self.folder / name

    @property
    def stick(self) -> Path:
        """The folder that plays the stick."""
        return self.folder / "stick"

    def at(self, name: str, *command: str) -> None:
        """Show a command as typed on the computer *name*, and run it there.

        Raises:
            PannierError: it failed.
        """
        shown = " ".join(f"'{word}'" if set(word) & set('{" ') else word for word in command)
        self.say(f"\n  {name} $ pannier {shown}")
        status = self.run(["--home", str(self.home(name)), *command])
        if status:
            raise PannierError(f"the demo's step on {name} failed with status {status}")


def tell(run: Run, say: Say, *, keep: Path | None = None) -> None:
    """Tell the story from beginning to end.

    Args:
        run: Runs a command line.
        say: Prints a line.
        keep: A folder to play in, which stays; otherwise one that is removed at the end.

    Raises:
        UsageError: *keep* is there already.
        PannierError: a step failed, or the two nodes did not end up equal.
    """
    if keep is not None and keep.exists():
        raise UsageError(f"{keep} is there already: name a new folder")
    folder = keep or Path(tempfile.mkdtemp(prefix="pannier-demo-"))
    stage = Stage(folder=folder.resolve(), run=run, say=say)
    try:
        stage.stick.mkdir(parents=True)
        _introduce(stage)
        _write(stage)
        _carry(stage)
        _disagree(stage)
        _check(stage)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _introduce(stage: Stage) -> None:
    stage.say("Two computers that never meet online: one at the farm, one at home.")
    stage.say("Each becomes a node, and the two exchange their cards once.")
    for name in ("farm", "home"):
        stage.at(name, "init", "--name", name, "--no-passphrase")
        stage.say(f"\n  {name} $ pannier card > {name}.card")
        with _node(stage.home(name)) as node:
            (stage.folder / f"{name}.card").write_text(node.card.to_text() + "\n")
    stage.at("farm", "peer", "add", "home", str(stage.folder / "home.card"))
    stage.at("home", "peer", "add", "farm", str(stage.folder / "farm.card"))


def _write(stage: Stage) -> None:
    stage.say("\nThe farm records: hourly weather of three stations, as it was measured in 2013,")
    stage.say("and some readings of the very computer that this runs on.")
    stage.at("farm", "ledger", "new", "weather")
    with as_file(files("pannier.demo") / "weather.ndjson") as weather:
        stage.at("farm", "put", "--ndjson", str(weather))
    for thing, reading in machine_readings().items():
        stage.at("farm", "put", thing, reading)
    stage.say("\nHome may read and write that ledger from now on.")
    stage.at("farm", "ledger", "share", "home")


def _carry(stage: Stage) -> None:
    stage.say("\nA stick goes into the farm's computer. What home lacks is packed, signed,")
    stage.say("encrypted for home alone, and written to it.")
    stage.at("farm", "exchange", str(stage.stick))
    _show_stick(stage)
    stage.say("\nSomebody carries the stick home.")
    stage.at("home", "exchange", str(stage.stick))
    stage.say("\nHome verified every signature and hash before it took anything in:")
    stage.at("home", "verify")
    stage.at("home", "get", "EWR")


def _disagree(stage: Stage) -> None:
    stage.say("\nBoth now write about the same thing, without knowing of each other.")
    stage.at("home", "put", "EWR", '{"note": "the sensor was moved"}')
    stage.at("farm", "put", "EWR", '{"note": "new batteries"}')
    stage.say("\nThe stick goes back to the farm, and home once more.")
    stage.at("farm", "exchange", str(stage.stick))
    stage.at("home", "exchange", str(stage.stick))
    stage.at("farm", "exchange", str(stage.stick))
    stage.say("\nNeither note is lost: both nodes show the conflict, and the next put settles it.")
    stage.at("farm", "get", "EWR")
    stage.at("home", "get", "EWR")
    stage.at("farm", "status")


def _check(stage: Stage) -> None:
    stage.say("\nAre both nodes equal?")
    facts = {name: _facts(stage.home(name)) for name in ("farm", "home")}
    if facts["farm"].logs != facts["home"].logs:
        raise PannierError("the two nodes do not hold the same logs")
    for log, (size, root) in facts["farm"].logs.items():
        entries = "1 entry" if size == 1 else f"{size} entries"
        stage.say(f"  log {log}: {entries}, root {root}… on both")
    if any(len(one.conflict) != 2 for one in facts.values()):
        raise PannierError("the conflict is not shown on both sides")
    if facts["farm"].conflict != facts["home"].conflict:
        raise PannierError("the two nodes show different conflicts")
    if facts["farm"].queued:
        raise PannierError("the receipt did not empty the farm's queue")
    stage.say("Yes: equal logs, equal roots, the same conflict shown on both, and home's receipt")
    stage.say("has emptied the farm's queue. Nothing left the two computers but that stick.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    logs: Mapping[str, tuple[int, str]]
    conflict: list[str]
    queued: int


def _facts(home: Path) -> _Facts:
    with _node(home) as node:
        (store,) = node.ledgers()
        (peer,) = node.peers.values()
        logs = {str(log.name): (log.size, log.frontier.root().hex()[:16]) for log in store.logs()}
        queued = [one for one in node.db.bundles(peer.node_id) if not one.control]
        return _Facts(logs=logs, conflict=_versions(store, "EWR"), queued=len(queued))


def _node(home: Path) -> Node:
    where = Home(home)
    keys = open_keys(where, None)
    return Node.open(where, keys, clock=lambda: time.time_ns() // 1000, entropy=os.urandom)


def _versions(store: Store, thing: str) -> list[str]:
    payloads = (one.entry.payload for one in heads(store, thing))
    return sorted(str(value_from_payload(payload)) for payload in payloads if payload is not None)


def _show_stick(stage: Stage) -> None:
    stage.say("\nWhat a finder of the stick sees: names without meaning, and bytes.")
    for path in sorted(stage.stick.rglob("*.pnr")):
        stage.say(f"  {path.relative_to(stage.stick)}   {path.stat().st_size:,} bytes")


def machine_readings() -> dict[str, str]:
    """Return some readings of this computer, as JSON by thing."""
    where = f"machine/{platform.node() or 'here'}"
    disk = shutil.disk_usage("/")
    readings: dict[str, dict[str, int | float | str]] = {
        f"{where}/disk": {"free": disk.free, "size": disk.total},
        f"{where}/system": {"processors": os.cpu_count() or 1, "system": platform.system()},
    }
    if hasattr(os, "getloadavg"):
        names = ("1min", "5min", "15min")
        readings[f"{where}/load"] = dict(zip(names, os.getloadavg(), strict=True))
    return {thing: json.dumps(reading) for thing, reading in readings.items()}
