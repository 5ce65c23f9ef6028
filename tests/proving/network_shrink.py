"""The shortest list of deeds that still goes wrong (Zeller and Hildebrandt's ddmin, in short)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def shrink(
    things: Sequence[_T], fails: Callable[[Sequence[_T]], bool], goes_on: Callable[[], bool]
) -> list[_T]:
    """Return as few of *things*, in their order, as still fail when none of them may be left out.

    Args:
        things: What fails.
        fails: Whether some of them do.
        goes_on: Asked before each try; once it says no, what was found so far is returned.
    """
    left, size = list(things), max(len(things) // 2, 1)
    while left:
        has_shrunk, start = False, 0
        while start < len(left):
            if not goes_on():
                return left
            without = left[:start] + left[start + size :]
            if fails(without):
                left, has_shrunk = without, True
            else:
                start += size
        if size == 1 and not has_shrunk:
            break
        size = max(size // 2, 1)
    return left
