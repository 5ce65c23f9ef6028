"""Tells of files that arrive in a folder: kernel events as hints, and a slow look at everything.

An event is only a reason to look. What the callback gets is a path that is a regular file now and
that was not told of yet with this size and time. Events get lost on network mounts, in overflows
and when a folder is mounted again; the rescan finds what they missed.

Of the events only those are asked for that mean "somebody has finished": a close after writing and
a rename; and new folders, whose first files may be older than the watch on them. Closes are seen
on Linux only; elsewhere the rescan does most of the work.
"""

import logging
import os
import queue
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from spool.errors import WatchError

_EVENTS: Final[list[type[FileSystemEvent]]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileMovedEvent,
]
# Hints beyond this many are dropped, and everything is looked at once instead.
_MAX_HINTS: Final = 4096
# Stopped while an event comes, watchdog calls that an error, on standard error; it is none.
_SILENT: Final = logging.NullHandler()
# A look takes in this many names at most, so that a folder full of rubbish costs bounded time.
_MAX_ENTRIES: Final = 100_000


class Watcher:
    """Calls back once for each file that arrives or changes below a folder, until closed."""

    def __init__(
        self,
        folder: Path,
        arrived: Callable[[Path], None],
        *,
        accept: Callable[[str], bool] = lambda name: not name.startswith("."),
        rescan_seconds: float = 30.0,
        events: bool = True,
    ) -> None:
        """Prepare; entering the context starts.

        Args:
            folder: What to watch, with all folders below it; links are not followed. It may be
                missing, and come and go.
            arrived: Called in the watcher's own thread, also for each file that is there at the
                start. If it raises, the watcher stops and its context ends with `WatchError`.
            accept: Whether a file of that name is of interest.
            rescan_seconds: Pause between two looks at everything.
            events: Whether to ask the kernel at all.
        """
        logging.getLogger("watchdog").addHandler(_SILENT)
        # Of a folder made within a new one watchdog may learn by two ways; it warns, and goes on.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        self._folder = folder
        self._arrived = arrived
        self._accept = accept
        self._rescan_seconds = rescan_seconds
        self._events = _Events(folder) if events else None
        self._hints = self._events.hints if self._events else queue.Queue[str | None]()
        self._seen: dict[str, tuple[int, int]] = {}
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="pannier-watcher", daemon=True)

    def __enter__(self) -> Self:
        """Start to watch."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and wait for the callback that may be running.

        Raises:
            WatchError: the callback had failed.
        """
        self._hints.put(None)
        self._thread.join()
        if self._failure is not None:
            raise WatchError(f"the watcher of {self._folder} has failed") from self._failure

    def _run(self) -> None:
        try:
            while True:
                if self._events is not None:
                    self._events.renew()
                self._look_everywhere()
                if self._follow_hints(time.monotonic() + self._rescan_seconds):
                    return
        except Exception as error:  # noqa: BLE001 - the root of a thread: handed to __exit__
            self._failure = error
        finally:
            if self._events is not None:
                self._events.stop()

    def _follow_hints(self, deadline: float) -> bool:
        """Look where hints point until *deadline* or until some were lost; True to stop."""
        while (left_seconds := deadline - time.monotonic()) > 0:
            try:
                hint = self._hints.get(timeout=left_seconds)
            except queue.Empty:
                return False
            if hint is None:
                return True
            for path, look in _walk(hint):
                self._tell(path, look)
            if self._events is not None and self._events.has_lost_some():
                return False
        return False

    def _look_everywhere(self) -> None:
        found = dict(_walk(str(self._folder)))
        # Forget what is gone, so that memory is bounded by what is there.
        self._seen = {path: look for path, look in self._seen.items() if path in found}
        for path, look in found.items():
            self._tell(path, look)

    def _tell(self, path: str, look: tuple[int, int]) -> None:
        if self._seen.get(path) != look and self._accept(os.path.basename(path)):  # noqa: PTH119
            self._seen[path] = look
            self._arrived(Path(path))


class _Events(FileSystemEventHandler):
    """The kernel's events for one folder, as a bounded queue of paths to look at."""

    def __init__(self, folder: Path) -> None:
        self.hints: queue.Queue[str | None] = queue.Queue()
        self._folder = folder
        self._observer: BaseObserver | None = None
        self._identity: tuple[int, int] | None = None
        self._lost = threading.Event()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if self.hints.qsize() < _MAX_HINTS:
            self.hints.put(os.fsdecode(event.dest_path or event.src_path))
        else:
            self._lost.set()

    def has_lost_some(self) -> bool:
        """Return whether hints were dropped since the last call, once the rest is worked off."""
        if not self._lost.is_set() or not self.hints.empty():
            return False
        self._lost.clear()
        return True

    def renew(self) -> None:
        """Watch the folder that has the name now: it may have come, gone or been mounted anew."""
        try:
            found = self._folder.stat()
            identity = (found.st_dev, found.st_ino)
        except OSError:
            identity = None
        if identity == self._identity:
            return
        self.stop()
        if identity is not None:
            # Without watches to spare, or on a mount without events, the rescan must do.
            with suppress(OSError):
                observer = _make_observer()
                observer.schedule(self, str(self._folder), recursive=True, event_filter=_EVENTS)
                observer.start()
                self._observer = observer
                self._identity = identity

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        self._observer = self._identity = None


def _make_observer() -> BaseObserver:
    if sys.platform != "linux":
        return Observer()
    else:  # not left out: a type checker calls what follows a return unreachable
        from watchdog.observers.inotify import InotifyObserver  # noqa: PLC0415 - exists there only

        # "Full": a file that is renamed into the folder from outside is a move, too; otherwise it
        # would be announced as created, like a file that nobody has written to yet.
        return InotifyObserver(generate_full_events=True)


def _walk(top: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the regular files at and below *top* with their size and time."""
    waiting = [top]
    budget = _MAX_ENTRIES
    while waiting and budget > 0:
        path = waiting.pop()
        budget -= 1
        with suppress(OSError):
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode):
                yield path, (found.st_size, found.st_mtime_ns)
            elif stat.S_ISDIR(found.st_mode):
                # Never more than may still be looked at: folders in folders would add up.
                waiting += _names(path, budget - len(waiting))


def _names(folder: str, limit: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry, _ in zip(entries, range(limit), strict=False)]
