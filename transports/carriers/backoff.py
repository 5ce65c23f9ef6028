"""How long to wait before the next attempt: twice as long each time, and never all at once."""

from collections.abc import Callable

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0


class Backoff:
    """Waits that grow from one second, with jitter so that many nodes do not come at one time."""

    def __init__(
        self, entropy: Callable[[int], bytes], longest_seconds: float = LONGEST_SECONDS
    ) -> None:
        """Begin with the shortest wait.

        Args:
            entropy: Returns so many random bytes.
            longest_seconds: What no wait is longer than.
        """
        self._entropy, self._longest = entropy, longest_seconds
        self.reset()

    def reset(self) -> None:
        """Begin anew: an attempt went well."""
        self._next = min(FIRST_SECONDS, self._longest)

    def next_seconds(self) -> float:
        """Return how long to wait now: between half of what is due and all of it."""
        due, self._next = self._next, min(2 * self._next, self._longest)
        return due * (1 + int.from_bytes(self._entropy(2), "big") / 0xFFFF) / 2
