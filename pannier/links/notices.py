"""What a person is told of a link, each thing once; some of it has a part that a peer chooses."""

from collections.abc import Callable

MOST_SAID = 200
FORGET_US = 3_600_000_000
"""So many different things are said; then no more for the rest of the hour."""


class Notices:
    """Tells what was not told before; no peer fills a log with it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Begin with nothing said; *say* tells a person."""
        self._say = say
        self._said: set[str] = set()
        self._since_us: int | None = None

    def say(self, text: str) -> None:
        """Tell *text*, unless it was told, or too much was."""
        if text not in self._said and len(self._said) < MOST_SAID:
            self._said.add(text)
            self._say(text)

    def step(self, now_us: int) -> None:
        """Let time pass: where so much was told that nothing more is, begin anew after a while."""
        if self._since_us is None:
            self._since_us = now_us
        if len(self._said) >= MOST_SAID and now_us >= self._since_us + FORGET_US:
            self._said.clear()
            self._since_us = now_us
