"""What went in sessions that are over, so that it is counted when it goes again. Pure."""

from collections.abc import Hashable, Iterable

from transports.link.offering import Offering
from transports.link.ranges import Ranges

MOST_KEYS = 256
"""So many wares that were cut in the middle are remembered, the latest."""


class Again:
    """Bytes of wares that went, or were there already, when their session ended."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._went: dict[Hashable, Ranges] = {}

    def end(self, offerings: Iterable[Offering]) -> None:
        """Take note of what went of *offerings*, whose session is over."""
        for one in offerings:
            went = one.went()
            for start, end in self._went.pop(one.ware.key, ()):
                went.add(start, end)
            if went:
                self._went[one.ware.key] = went
        for key in list(self._went)[:-MOST_KEYS]:
            del self._went[key]

    def take(self, key: Hashable, ranges: Iterable[tuple[int, int]]) -> int:
        """Return how many bytes of *ranges*, which are asked for, went before: once for each."""
        went = self._went.get(key)
        if went is None:
            return 0
        before = went.total
        for start, end in ranges:
            went.remove(start, end)
        return before - went.total

    def forget(self, key: Hashable) -> None:
        """Forget a ware that is not sent any more."""
        self._went.pop(key, None)
