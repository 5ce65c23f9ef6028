"""``pannier run``: exchanges by itself with configured folders and with media that appear.

One thread does all the work, since a node is used by one thread; watchers only wake it.
"""

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bundler.errors import BundleError
from ledger.errors import LedgerError
from pannier.errors import PannierError, UsageError
from pannier.exchange import Exchanged, exchange_medium
from pannier.importing import Report, import_arrived
from pannier.node import Node
from spool.errors import SpoolError
from spool.watcher import Watcher
from transports.errors import TransportError

MEDIUM_FOLDER = "pannier"
"""A medium is exchanged by itself only if it has this folder: nobody's stick is written unasked."""

Say = Callable[[str], None]
Done = Callable[[Exchanged], list[str]]
Imported = Callable[[Report], list[str]]


class Daemon:
    """Serves a node's configured transports until stopped.

    Attributes:
        stopped: Set it, from any thread, to end `serve`.
    """

    def __init__(
        self,
        node: Node,
        say: Say,
        *,
        told: tuple[Done, Imported],
        rescan_seconds: float = 30.0,
        poll_seconds: float = 1.0,
    ) -> None:
        """Prepare to serve.

        Args:
            node: Used by the thread that calls `serve` alone.
            say: Prints a line.
            told: How an exchange, and how an import, is told to people.
            rescan_seconds: How often everything is looked at even if nothing seems to happen.
            poll_seconds: How often mount points are looked at.

        Raises:
            UsageError: nothing is configured.
        """
        transports = node.config.transports
        self.node = node
        self.stopped = threading.Event()
        self._say = say
        self._exchanged, self._imported = told
        self._rescan_seconds, self._poll_seconds = rescan_seconds, poll_seconds
        self._folders = [_path(one.path) for one in transports.values() if one.kind == "directory"]
        self._mounts = [_path(one.path) for one in transports.values() if one.kind == "mounts"]
        self._woken: queue.Queue[Path] = queue.Queue()
        self._served: dict[Path, tuple[int, int]] = {}
        if not transports:
            raise UsageError(
                f"nothing to serve: name a folder in {node.home.config}, for example\n"
                '[transport.sticks]  kind = "mounts"  path = "/media/me"'
            )

    def serve(self) -> None:
        """Serve until `stopped` is set."""
        with ExitStack() as watchers:
            for folder in (*self._folders, self.node.home.spool / "in"):
                watchers.enter_context(self._watcher(folder))
            self._say(f"Serving {', '.join(map(str, [*self._folders, *self._mounts]))}.")
            idle_seconds = self._rescan_seconds
            while not self.stopped.is_set():
                if idle_seconds >= self._rescan_seconds:
                    self.look_everywhere()
                    idle_seconds = 0.0
                self._serve_media()
                woken = self._wait()
                if self.node.home.spool / "in" in woken:
                    self._import()
                for folder in woken & set(self._folders):
                    self._exchange(folder)
                idle_seconds += self._poll_seconds

    def look_everywhere(self) -> None:
        """Exchange once with everything that is there now."""
        self._import()
        for folder in self._folders:
            self._exchange(folder)
        self._serve_media()

    def _watcher(self, folder: Path) -> Watcher:
        return Watcher(
            folder,
            lambda _: self._woken.put(folder),
            accept=lambda name: name.endswith(".pnr") or folder.name == "in",
            rescan_seconds=self._rescan_seconds,
        )

    def _wait(self) -> set[Path]:
        """Return the folders where something arrived, after at most the poll time."""
        woken = set()
        try:
            woken.add(self._woken.get(timeout=self._poll_seconds))
            while True:
                woken.add(self._woken.get_nowait())
        except queue.Empty:
            return woken

    def _serve_media(self) -> None:
        """Exchange with the media that appeared since the last look."""
        present = {path: key for mount in self._mounts for path, key in _media(mount)}
        for path in set(self._served) - set(present):
            del self._served[path]
        for path, key in present.items():
            if self._served.get(path) != key:
                self._served[path] = key
                self._exchange(path)

    def _exchange(self, folder: Path) -> None:
        with self._errors_told(str(folder)):
            done = exchange_medium(self.node, folder)
            for line in self._exchanged(done):
                self._say(f"{folder}: {line}")
            for problem in done.problems:
                self._say(f"{folder}: {problem}")

    def _import(self) -> None:
        with self._errors_told("import"):
            for line in self._imported(import_arrived(self.node)):
                self._say(line)

    @contextmanager
    def _errors_told(self, where: str) -> Iterator[None]:
        """Tell of an error and go on: one bad medium must not stop the others."""
        try:
            yield
        except (PannierError, LedgerError, BundleError, SpoolError, TransportError) as error:
            self._say(f"{where}: {error}")


@contextmanager
def stopped_by_signals(daemon: Daemon) -> Iterator[None]:
    """Let SIGTERM and SIGINT end *daemon* between two steps instead of in one."""
    kept = {
        number: signal.signal(number, lambda *_: daemon.stopped.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _media(mount: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield the media below a folder of mount points, each with what tells it from the next."""
    try:
        children = sorted(mount.iterdir())
    except OSError:
        return
    for child in children:
        try:
            facts = (child / MEDIUM_FOLDER).stat(follow_symlinks=False)
        except OSError:
            continue
        yield child, (facts.st_dev, facts.st_ino)


def _path(text: str) -> Path:
    return Path(text).expanduser().resolve()
