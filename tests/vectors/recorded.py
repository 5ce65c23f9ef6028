"""What the library draws at random, kept: ML-DSA signatures and ML-KEM ciphertexts.

Nothing here makes them the same way twice. `recorded` makes one where there is none yet, and
``make vectors`` keeps it in ``recorded.json``; what no case asks for any more is dropped then.
"""

import json
from collections.abc import Callable

from tests.vectors import FOLDER

_FILE = FOLDER / "recorded.json"
_kept: dict[str, str] = json.loads(_FILE.read_text())
_used: dict[str, str] = {}


def recorded(what: str, make: Callable[[], bytes]) -> bytes:
    """Return the bytes kept under *what*, or new ones of *make*."""
    found = _kept[what] if what in _kept else make().hex()
    _used[what] = _kept[what] = found
    return bytes.fromhex(found)


def save() -> None:
    """Keep what was asked for since this process began, and nothing else."""
    _FILE.write_text(json.dumps(_used, indent=1, sort_keys=True) + "\n")
