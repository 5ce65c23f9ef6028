"""What the fuzz targets share: where they are, seeds from the vectors, one run, mutations.

A target is a module ``fuzz_<name>.py`` beside this one with a `Target` called ``TARGET``. It takes
any bytes; nothing escapes it but the root errors of the room that it asks. This module imports
none of the rooms: a fuzzer has to see them imported.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from tests.fuzz.structures import altered
from tests.vectors import load

FOLDER = Path(__file__).parent
Draw = Callable[[int], int]
"""Gives a number below another one; 0 where there is none."""

MAX_BYTES = 1 << 16
SECONDS_AN_INPUT = 20
MEMORY_MB = 2048
_ALTERED = 3000
# Heads of CBOR, lengths and numbers at which something changes.
_WORDS = tuple(
    bytes.fromhex(word)
    for word in (
        *("00", "01", "17", "18", "1818", "19ffff", "1a00010000", "1affffffff", "20", "40", "44"),
        *("1bffffffffffffffff", "3bffffffffffffffff", "5820", "5affffffff", "60", "7f", "80"),
        *("81", "82", "84", "9fff", "9b0000000100000000", "a0", "bfff", "c2", "d28443", "f4"),
        *("f6", "f90000", "f97e00", "fa7f800000", "ff", "28b52ffd", "ffffffff", "00" * 8),
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """One way for foreign bytes to come in.

    Attributes:
        take: Reads them; asserts what the format promises of those that are good.
        errors: What it may raise.
        seeds: Gives examples, good and bad, some of which are taken without an error.
        longest: What a fuzzer tries at most, in bytes: where all is said in few, more is slower.
    """

    take: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[], Iterator[bytes]]
    longest: int = MAX_BYTES

    def run(self, data: bytes) -> bool:
        """Take *data*; return whether it was good. Whatever escapes is a bug."""
        try:
            self.take(data)
        except self.errors:
            return False
        return True


def names() -> list[str]:
    return sorted(path.stem.removeprefix("fuzz_") for path in FOLDER.glob("fuzz_*.py"))


def load_target(name: str) -> Target:
    target = importlib.import_module(f"tests.fuzz.fuzz_{name}").TARGET
    assert isinstance(target, Target)
    return target


def examples(target: Target) -> list[bytes]:
    """Return what fuzzing begins with: seeds, and what is one item away from them."""
    seeds = list(dict.fromkeys(target.seeds()))
    return [seed[: target.longest] for seed in (*seeds, *altered(seeds, _ALTERED))]


def vectors(area: str, field: str) -> Iterator[bytes]:
    """Yield what the vectors of *area* have as bytes in *field*, all that is not too long."""
    for vector in load(area).values():
        value = vector.get(field)
        if isinstance(value, str) and len(value) <= 2 * MAX_BYTES:
            yield bytes.fromhex(value)


def mutations(seeds: Sequence[bytes], how_many: int) -> Iterator[bytes]:
    """Yield what a fuzzer would try first, the same in every run."""
    return (mutated(seeds, _Draw(number)) for number in range(how_many))


def mutated(seeds: Sequence[bytes], draw: Draw) -> bytes:
    """Return one of *seeds* with up to four changes."""
    data = bytearray(seeds[draw(len(seeds))])
    for _ in range(1 + draw(4)):
        _mutate(data, seeds, draw)
    return bytes(data[:MAX_BYTES])


class _Draw:
    """Numbers that follow from another number."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = count()

    def __call__(self, below: int) -> int:
        text = f"{self._seed} {next(self._count)}".encode()
        return int.from_bytes(sha256(text).digest()[:8], "big") % max(below, 1)


def _mutate(data: bytearray, seeds: Sequence[bytes], draw: Draw) -> None:
    at, length = draw(len(data) + 1), 1 + draw(8)
    match draw(6):
        case 0 if data:
            data[at % len(data)] ^= 1 << draw(8)
        case 1:
            del data[at : at + length]
        case 2:
            word = _WORDS[draw(len(_WORDS))]
            data[at : at + len(word)] = word
        case 3:
            data[at:at] = _WORDS[draw(len(_WORDS))]
        case 4:
            data[at:at] = data[at : at + 4 * length]
        case _:
            other = seeds[draw(len(seeds))]
            data[at:] = other[draw(len(other) + 1) :]
