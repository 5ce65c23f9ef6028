"""What is worth a line in the log, once a session. Pure."""

from collections import deque

from transports.link.events import Event, Noted


class Notes:
    """Says each thing once, however often it happens."""

    def __init__(self, events: deque[Event]) -> None:
        """Add to *events*."""
        self._events = events
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Note *text*: one of a few, which nothing that came is part of."""
        if text not in self._said:
            self._said.add(text)
            self._events.append(Noted(text))

    def begin(self) -> None:
        """A session began: everything may be said again."""
        self._said.clear()
