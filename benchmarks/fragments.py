"""What it costs to look at a fragment that arrives, and to throw a forged one away."""

import os
import time
from collections.abc import Callable, Sequence

from bundler.fragment import fits, mac_check
from bundler.sealed import bundle_id
from bundler.sequence import sift
from bundler.split import Cut, split

MTUS = (222, 1400)
_ROUNDS, _LOOKS = 7, 2000


def table() -> list[str]:
    """Return the figures as lines of text."""
    lines = [f"{'':34}{MTUS[0]:>12,}{MTUS[1]:>12,}  bytes a fragment"]
    measured = [_measure(mtu) for mtu in MTUS]
    for row, label in enumerate(("forged, thrown away, us", "genuine, us")):
        lines.append(f"{label:34}{measured[0][row]:>12.1f}{measured[1][row]:>12.1f}")
    return lines


def _measure(mtu: int) -> tuple[float, float]:
    """Return how many microseconds a forged and a genuine fragment take, the best of some runs."""
    key, sealed = os.urandom(32), os.urandom(100 * mtu)
    verify, number = fits(mac_check(key)), bundle_id(sealed)
    genuine = list(split(sealed, Cut(mtu_bytes=mtu, check=mac_check(key))))
    forged = list(split(sealed, Cut(mtu_bytes=mtu, check=mac_check(os.urandom(32)))))

    def look(data: bytes) -> None:
        sift(data, number, verify)

    return _best_us(look, forged), _best_us(look, genuine)


def _best_us(look: Callable[[bytes], None], fragments: Sequence[bytes]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for index in range(_LOOKS):
            look(fragments[index % len(fragments)])
        seconds.append(time.perf_counter() - started)
    return min(seconds) / _LOOKS * 1e6
