"""Two computers with pannier, driven by the commands that their users would type."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Spent, python, spend


@dataclass(frozen=True, slots=True)
class Computers:
    """The nodes ``farm`` and ``home`` in a folder, and a stick."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *options: str) -> "Computers":
        """Make both nodes, with *options* of ``init``; they know each other."""
        folder.mkdir(parents=True, exist_ok=True)
        pair = cls(folder)
        for name in ("farm", "home"):
            pair.types(name, "init", "--name", name, "--no-passphrase", *options)
        for name, other in (("farm", "home"), ("home", "farm")):
            card = pair.types(other, "card").output.decode().strip()
            pair.types(name, "peer", "add", other, card)
        pair.stick.mkdir()
        return pair

    @property
    def stick(self) -> Path:
        """What is carried."""
        return self.folder / "stick"

    def types(
        self, name: str, *words: str | Path, cores: int = 2, stdin: Path | None = None
    ) -> Spent:
        """Run one command at one of the two; see `spend`."""
        return spend(
            python("-m", "pannier", "--home", self.folder / name, *words), cores=cores, stdin=stdin
        )

    def exchange(self, name: str) -> Spent:
        """Put the stick into one of the two."""
        return self.types(name, "exchange", self.stick)

    def make_friends(self) -> None:
        """Let both hold a ledger called ``farm`` and know what the other has and can."""
        self.types("farm", "put", "first", "0")
        self.types("farm", "ledger", "share", "home")
        for name in ("farm", "home") * 3:
            self.exchange(name)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in *folder* and below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
