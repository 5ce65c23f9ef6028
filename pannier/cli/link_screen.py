"""What a link in the foreground shows: lines of what happened, and one that tells how it goes."""

import shutil
import sys
import threading
import time
from contextlib import suppress

import click

from pannier.cli.reports import import_news
from pannier.cli.session import say, visible
from pannier.links.side import LinkTelling

_SECONDS_BETWEEN = 30.0


class Screen:
    """A terminal, whose last line changes, or a file, which gets a line now and then.

    Several threads may use it. What cannot be shown, where a disk is full or nobody reads on, ends
    no link.
    """

    def __init__(self) -> None:
        """Begin with nothing shown."""
        self._is_terminal = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._shown = 0
        self._last, self._next_seconds = "", time.monotonic() + _SECONDS_BETWEEN

    @property
    def telling(self) -> LinkTelling:
        """What a link tells it."""
        return LinkTelling(say=self.say, progress=self.progress, imported=import_news)

    def say(self, line: str) -> None:
        """Print a line."""
        with self._lock, suppress(OSError):
            self._wipe()
            say(line)

    def progress(self, line: str) -> None:
        """Show how it goes."""
        with self._lock, suppress(OSError):
            if self._is_terminal:
                columns = shutil.get_terminal_size().columns - 1
                self._wipe()
                line = visible(line)
                self._shown = min(len(line), columns)
                click.echo(line[:columns], err=True, nl=False)
            elif time.monotonic() >= self._next_seconds and line != self._last:
                self._last, self._next_seconds = line, time.monotonic() + _SECONDS_BETWEEN
                say(line)

    def clear(self) -> None:
        """Take the changing line off."""
        with self._lock, suppress(OSError):
            self._wipe()

    def _wipe(self) -> None:
        if self._shown:
            click.echo("\r" + " " * self._shown + "\r", err=True, nl=False)
            self._shown = 0
