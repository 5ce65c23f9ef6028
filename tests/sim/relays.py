"""Simulated lines as processes of their own: real pseudo-terminals and real sockets on loopback."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent.parent
_LIFE_SECONDS = "120"
PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Relay:
    """A running simulator.

    Attributes:
        process: It.
        said: The words of its first line: paths of devices, or ports.
        stats: Where it counts.
    """

    process: subprocess.Popen[str]
    said: list[str]
    stats: Path

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)

    def counters(self) -> Any:
        """Stop it and return what it counted."""
        self.stop()
        return json.loads(self.stats.read_text())


@contextmanager
def relay(name: str, folder: Path, *options: str) -> Iterator[Relay]:
    """Run the simulator *name* (linesim, udpsim, tcpsim); its counters lie in *folder*."""
    stats = folder / f"{name}.json"
    words = [sys.executable, "-m", f"tests.sim.{name}", "--max-seconds", _LIFE_SECONDS]
    with subprocess.Popen(
        [*words, "--stats", str(stats), *options], stdout=subprocess.PIPE, text=True, cwd=_ROOT
    ) as process:
        try:
            assert process.stdout
            yield Relay(process, process.stdout.readline().split(), stats)
        finally:
            process.terminate()


@contextmanager
def serial_line(folder: Path, *options: str) -> Iterator[tuple[Path, Path, Relay]]:
    """Yield the two ends of a serial line, under names that stay when it is cut and comes back."""
    ends = folder / "tty-a", folder / "tty-b"
    links = ("--link-a", str(ends[0]), "--link-b", str(ends[1]))
    with relay("linesim", folder, *links, *options) as line:
        yield *ends, line
