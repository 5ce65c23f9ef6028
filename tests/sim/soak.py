"""Many random lives, one after another: ``python -m tests.sim.soak --seconds 600``.

Prints the seed of a life that ends badly, and its deeds; ``--seed`` lives that one again.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from hashlib import sha256
from pathlib import Path

from tests.sim.model import KINDS, KINDS_WITH_BACKUPS, Deed, Life, deeds_from, live


class Numbers:
    """Numbers that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def __call__(self, below: int) -> int:
        self._drawn += 1
        digest = sha256(f"{self._seed}/{self._drawn}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % below


def live_from(seed: int, folder: Path, *, with_backups: bool) -> tuple[Life, list[Deed]]:
    """Live the life that *seed* stands for."""
    number = Numbers(seed)
    nodes, skew, mtu = 2 + number(4), number(9), (1400, 222)[seed % 2]
    life = Life(folder, nodes, skew=skew, seed=seed, mtu=mtu)
    kinds = KINDS_WITH_BACKUPS if with_backups else KINDS
    deeds = list(deeds_from(number, 20 + number(150), kinds))
    try:
        live(life, deeds)
    except BaseException:
        sys.stdout.write(f"seed {seed}: {life.names}\n{deeds}\n")
        raise
    return life, deeds


def main() -> int:
    """Live until the time is over or a life ends badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="Live this one alone.")
    parser.add_argument("--first", type=int, default=0, help="Seed to begin with.")
    parser.add_argument("--backups", action="store_true", help="Homes are restored, too.")
    chosen = parser.parse_args()
    seen: Counter[str] = Counter()
    end = time.monotonic() + chosen.seconds
    seed, lives = chosen.first if chosen.seed is None else chosen.seed, 0
    while lives == 0 or (chosen.seed is None and time.monotonic() < end):
        with tempfile.TemporaryDirectory() as folder:
            try:
                life, _ = live_from(seed, Path(folder), with_backups=chosen.backups)
            except Exception:  # noqa: BLE001 -- whatever it was is what we look for
                traceback.print_exc()
                sys.stdout.write(f"python -m tests.sim.soak --seed {seed}\n")
                return 1
        seen += life.seen
        seed, lives = seed + 1, lives + 1
    sys.stdout.write(f"{lives} lives: {dict(seen)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
