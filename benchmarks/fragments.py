"""What it costs to look at a fragment that arrives, and to throw a forged one away."""

import os
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.rows import Row, to_json
from bundler.fragment import fits, mac_check
from bundler.sealed import bundle_id
from bundler.sequence import sift
from bundler.split import Cut, split

MTUS = (222, 1400)
_ROUNDS, _LOOKS = 7, 2000
_BAUD, _BITS_A_BYTE = 115_200, 10


def rows() -> Iterator[Row]:
    """Show what a fragment costs beside the time that it takes on a serial line."""
    for mtu in MTUS:
        for what, took_us in zip(("forged", "genuine"), _measure(mtu), strict=True):
            yield Row(
                label=f"a {what} fragment of {mtu:,} bytes, looked at",
                ours=took_us,
                theirs=mtu * _BITS_A_BYTE / _BAUD * 1e6,
                rival=f"its time on a line of {_BAUD:,} baud",
                unit="us",
            )


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


if __name__ == "__main__":
    print(to_json(rows()))
