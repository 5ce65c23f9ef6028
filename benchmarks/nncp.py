"""The rival that does most of what pannier does: NNCP, two nodes of it, and its way by stick."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Spent, missing, spend

_PUBLIC = ("id", "exchpub", "signpub", "noisepub")
_KEY = re.compile(r"^\s+(id|exchpub|exchprv|signpub|signprv|noiseprv|noisepub): (\w+)$", re.M)


def absent() -> str | None:
    """Return what to say if NNCP is not installed."""
    return missing("nncp-file", "nncp")


@dataclass(frozen=True, slots=True)
class Nncp:
    """Two NNCP nodes, ``farm`` and ``home``, and a stick."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Nncp":
        """Make both nodes; they know each other."""
        folder.mkdir()
        keys = {name: _new_keys() for name in ("farm", "home")}
        for name, other in (("farm", "home"), ("home", "farm")):
            for part in ("incoming", "spool"):
                (folder / name / part).mkdir(parents=True)
            (folder / f"{name}.hjson").write_text(
                json.dumps(_config(folder / name, keys[name], {other: keys[other]}))
            )
        (folder / "stick").mkdir()
        return cls(folder)

    @property
    def incoming(self) -> Path:
        """Where files arrive at home."""
        return self.folder / "home" / "incoming"

    @property
    def stick(self) -> Path:
        """What is carried."""
        return self.folder / "stick"

    def queueing(self, path: Path) -> list[str | Path]:
        """Return the command that queues a file for home, encrypted."""
        return ["nncp-file", "-quiet", "-cfg", self._config("farm"), path, "home:"]

    def queue(self, path: Path) -> Spent:
        """Queue a file, or each file of a folder: a command each, as NNCP has it."""
        if not path.is_dir():
            return spend(self.queueing(path))
        command, *words = map(str, self.queueing(Path("$path")))
        quoted = " ".join(f'"{word}"' for word in words)
        return spend(["sh", "-c", f'for path in "{path}"/*; do {command} {quoted} || exit 1; done'])

    def write_stick(self) -> Spent:
        """Write to the stick what is queued."""
        return self._run("farm", "nncp-xfer", "-mkdir", str(self.stick))

    def read_stick(self) -> Spent:
        """Take from the stick, and decrypt into the folder for it."""
        return self._run("home", "nncp-xfer", str(self.stick)) + self._run("home", "nncp-toss")

    def whole_way(self, path: Path) -> Spent:
        """Bring a file, or each file of a folder, from one node to the other."""
        return self.queue(path) + self.write_stick() + self.read_stick()

    def _run(self, node: str, command: str, *words: str) -> Spent:
        return spend([command, "-quiet", "-cfg", self._config(node), *words])

    def _config(self, node: str) -> Path:
        return self.folder / f"{node}.hjson"


def _new_keys() -> dict[str, str]:
    made = subprocess.run(
        ["nncp-cfgnew", "-nocomments"], check=True, capture_output=True, text=True
    )
    return dict(_KEY.findall(made.stdout))


def _config(
    folder: Path, own: Mapping[str, str], others: Mapping[str, Mapping[str, str]]
) -> dict[str, object]:
    neighbours: dict[str, object] = {"self": _public(own)}
    for name, keys in others.items():
        neighbours[name] = {**_public(keys), "incoming": str(folder / "incoming")}
    return {
        "spool": str(folder / "spool"),
        "log": str(folder / "log"),
        "noprogress": True,
        "self": dict(own),
        "neigh": neighbours,
    }


def _public(keys: Mapping[str, str]) -> dict[str, str]:
    return {name: keys[name] for name in _PUBLIC}
