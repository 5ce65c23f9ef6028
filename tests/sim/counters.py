"""What the simulated lines tell: where they can be reached, and what became of the bytes."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path


def say(*words: object) -> None:
    """Print a line at once: somebody waits for it."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def save_counters(path: str | None, counters: Mapping[str, object]) -> None:
    """Write *counters* as JSON; whoever reads them finds the last whole ones."""
    if path:
        draft = Path(path + ".new")
        draft.write_text(json.dumps(counters, indent=1))
        draft.replace(path)
