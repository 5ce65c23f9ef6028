"""Whose turn it is where there is no room for all: another's each day, and one after the other."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from hashlib import sha256
from typing import TypeVar

_T = TypeVar("_T")


def turn(day: int, names: Iterable[bytes]) -> bytes:
    """Return the place of a log, or what else has such *names*, in the order of *day*.

    Nobody who named it chose that.
    """
    return sha256(day.to_bytes(4, "big") + b"".join(names)).digest()


def in_turns(found: Iterable[_T], whose: Callable[[_T], Hashable]) -> list[_T]:
    """Return all of *found* in turns, one of each owner, so that nobody's many hide another's one.

    Of one owner they stay in the order in which they were.
    """
    counts: Counter[Hashable] = Counter()
    ranked = []
    for one in found:
        ranked.append((counts[whose(one)], one))
        counts[whose(one)] += 1
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]
