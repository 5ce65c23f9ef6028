"""Two nodes with something for each other, in processes of their own, and a line between them."""

import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.computers import Computers
from benchmarks.processes import FailedError

PATIENCE_SECONDS = 600
_SEED = 1


@dataclass(frozen=True, slots=True)
class Linked:
    """The nodes ``farm`` and ``home``, which know each other well, in a folder of their own.

    Attributes:
        computers: They.
        sent: Names of those that have something to send, and how many bytes.
    """

    computers: Computers
    sent: dict[str, int]

    @classmethod
    def make(cls, folder: Path, size: int, *names: str) -> "Linked":
        """Make both; each of *names* has an entry of *size* bytes of chance for the other."""
        computers = Computers.make(folder)
        computers.make_friends()
        for name in names:
            chance = folder / f"chance-{name}"
            chance.write_bytes(random.Random(f"{_SEED}/{name}").randbytes(size))
            computers.types(name, "put", f"from-{name}", f"@{chance}", "--bytes")
        return cls(computers, dict.fromkeys(names, size))

    def copy(self, folder: Path) -> "Linked":
        """Return the same once more, in *folder*, which is made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.computers.folder, folder, symlinks=True)
        return Linked(Computers(folder), self.sent)

    @property
    def folder(self) -> Path:
        """Where both are."""
        return self.computers.folder

    def start(self, name: str, *words: str | Path) -> subprocess.Popen[bytes]:
        """Run ``pannier link`` with *words* at one of the two; what it says is added to a file."""
        home = str(self.folder / name)
        command = [sys.executable, "-u", "-m", "pannier", "--home", home, "link"]
        with self.said_by(name).open("ab") as out:
            return subprocess.Popen([*command, *words], stdout=out, stderr=out)

    def said_by(self, name: str) -> Path:
        """Return the file with what the links of one of the two said."""
        return self.folder / f"{name}.said"

    def check(self) -> None:
        """See that all that was sent arrived.

        Raises:
            FailedError: it did not.
        """
        other = {"farm": "home", "home": "farm"}
        for name in self.sent:
            there, here = (
                self.computers.types(one, "get", f"from-{name}", "--json").output
                for one in (other[name], name)
            )
            if there != here:
                raise FailedError(f"what {name} sent is not what arrived")


def free_port(kind: int) -> int:
    """Return a port of this computer that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def all_ended(processes: Collection[subprocess.Popen[bytes]]) -> Iterator[None]:
    """End *processes* at the end of the block, however that comes."""
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
