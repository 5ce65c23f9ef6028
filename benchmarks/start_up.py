"""What a command costs before it does anything, beside starting Python with nothing to do."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import nncp
from benchmarks.computers import Computers
from benchmarks.processes import missing, python, spend
from benchmarks.rows import Row

_ROUNDS = 15


def rows() -> Iterator[Row]:
    """Start each command some times, in turn, and take the best of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        computers = Computers.make(folder / "pannier")
        at_farm = python("-m", "pannier", "--home", folder / "pannier" / "farm")
        spend([*at_farm, "put", "x", "0"])
        found = _best_ms(
            {
                "pass": python("-c", "pass"),
                "help": python("-m", "pannier", "--help"),
                "put": [*at_farm, "put", "x", "1"],
                "get": [*at_farm, "get", "x"],
                "exchange": [*at_farm, "exchange", computers.stick],
                **_rivals(folder),
            }
        )
    python_ms = found["pass"]
    for command, target in (("help", 60), ("put", 150), ("get", None), ("exchange", None)):
        yield Row(
            label=f"{'--help' if command == 'help' else command}, more than `python3 -c pass`",
            ours=found[command] - python_ms,
            theirs=python_ms,
            rival="python3 -c pass",
            unit="ms",
            target=target,
        )
    for rival, told in (("nncp", "nncp-file of 100 bytes"), ("git", "git commit, durable")):
        absent = nncp.absent() if rival == "nncp" else missing("git", "git")
        yield Row(
            label="put of one entry, process and all",
            ours=found["put"],
            theirs=found.get(rival),
            rival=absent or told,
            unit="ms",
        )


def _rivals(folder: Path) -> dict[str, list[str | Path]]:
    """Return the commands of those rivals that are here."""
    found: dict[str, list[str | Path]] = {}
    note = folder / "note"
    note.write_bytes(bytes(100))
    if nncp.absent() is None:
        found["nncp"] = nncp.Nncp.make(folder / "nncp").queueing(note)
    if missing("git", "git") is None:
        repository = folder / "git"
        spend(["git", "init", "--quiet", repository])
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.fsync=all")
        words = ("commit", "--quiet", "--allow-empty", "--message", "x")
        found["git"] = ["git", "-C", repository, *who, *words]
    return found


def _best_ms(commands: Mapping[str, Sequence[str | Path]]) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(_ROUNDS):
        for name, command in commands.items():
            found[name].append(spend(command, cores=1).seconds * 1e3)
    return {name: min(times) for name, times in found.items()}
