"""A mutant: a patch that takes one defence away, and the tests that must notice."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
_FIELD = re.compile(r"^(Promise|Killed-by): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defence, taken away.

    Attributes:
        path: The patch: fields, then a unified diff against the root of the project.
        promise: What is no longer kept.
        killed_by: Tests (pytest's node ids) of which at least one must fail.
    """

    path: Path
    promise: str
    killed_by: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the table in docs/trust.md calls it."""
        return self.path.stem

    @classmethod
    def read(cls, path: Path) -> "Mutant":
        """Read a patch file.

        Raises:
            ValueError: a field is missing.
        """
        head, separator, _ = path.read_text().partition("\n--- ")
        found = _FIELD.findall(head)
        promises = [value for key, value in found if key == "Promise"]
        tests = tuple(value for key, value in found if key == "Killed-by")
        if not separator or len(promises) != 1 or not tests:
            raise ValueError(f"{path.name} needs one Promise, at least one Killed-by, and a diff")
        return cls(path=path, promise=promises[0], killed_by=tests)

    def apply(self, folder: Path, *, only_check: bool = False) -> None:
        """Apply the patch to a copy of the project.

        Raises:
            subprocess.CalledProcessError: it does not fit (any more).
        """
        self._git_apply(folder, *(["--check"] if only_check else []))

    def take_back(self, folder: Path) -> None:
        """Make a copy of the project what it was before `apply`.

        Raises:
            subprocess.CalledProcessError: somebody changed it meanwhile.
        """
        self._git_apply(folder, "--reverse")

    def _git_apply(self, folder: Path, *options: str) -> None:
        command = ["git", "apply", "-C1", "--recount", *options, str(self.path)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def mutants() -> list[Mutant]:
    """All of them, by name."""
    return [Mutant.read(path) for path in sorted(FOLDER.glob("*.patch"))]
