"""``pannier run``: exchanges by itself with configured folders and with media that appear.

One thread does all the work on folders, since a node is used by one thread; watchers only wake it.
The node is opened anew for each piece of work, so that a peer added meanwhile, or a setting
changed, counts from the next one on; only which folders are served is fixed at the start. Each link
(`pannier.links.keeping`) has threads of its own.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.errors import BundleError
from ledger.errors import LedgerError
from ledger.lazy_dataclass import dataclass
from pannier.errors import BusyError, PannierError, UsageError, bugs_told
from pannier.exchange import Exchanged, exchange_medium
from pannier.housekeeping import keep_house
from pannier.import_report import Report, left_undone
from pannier.importing import import_arrived
from pannier.ledger_problems import LedgerProblems
from pannier.lock import exclusive
from pannier.node import Node
from spool.errors import SpoolError
from spool.os_file_system import OsFileSystem
from spool.watcher import Watcher
from transports.errors import TransportError
from transports.identity import MAX_IDENTITY_BYTES
from transports.medium import IDENTITY_PATH, README_PATH

if TYPE_CHECKING:
    from pannier.links.keeping import KeptLinks

MEDIUM_FOLDER = "pannier"
"""A medium is exchanged by itself only if it has this folder: nobody's stick is written unasked."""

_PATIENCE_SECONDS = 30.0
"""How long it waits for commands at the same home."""

_LEDGERS = "ledgers"
"""In place of a place: what is wrong with ledger files."""

Told = Callable[[Node, Exchanged], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How a daemon tells people what it did.

    Attributes:
        say: Prints a line.
        folder: What an exchange with a drop folder did.
        medium: What an exchange with a medium that appeared did, and that it may be taken away.
        imported: What an import did.
    """

    say: Callable[[str], None]
    folder: Told
    medium: Told
    imported: Callable[[Report], list[str]]


@dataclass(frozen=True, slots=True)
class _Look:
    """What a medium looks like from outside, without an exchange.

    Sticks that are formatted alike have equal numbers of folders, and devices get the numbers of
    others that went: those alone would not tell one from the next in its place. Nor would all that
    stays the same while it is away, from the one that comes back with something new.

    Attributes:
        device: Where its `pannier` lies.
        number: Inode of that.
        identity: Content of its `medium.json`, empty where there is none.
        changed_ns: When names in its `pannier` changed last.
        noted_ns: Time of its `README.txt`, written by each exchange that left or removed something.
    """

    device: int
    number: int
    identity: bytes
    changed_ns: int
    noted_ns: int

    def is_same_medium(self, before: "_Look") -> bool:
        """Whether this is what *before* became by an exchange."""
        is_here = (self.device, self.number) == (before.device, before.number)
        return is_here and before.identity in (b"", self.identity)


class Daemon:
    """Serves a node's configured transports until stopped.

    Attributes:
        stopped: Set it, from any thread, to end `serve`.
        problems: What went wrong at the last attempt, by place; told when it changes. Of ledgers
            that cannot be read, until that is over.
    """

    def __init__(
        self,
        open_node: Callable[[], Node],
        telling: Telling,
        *,
        rescan_seconds: float = 30.0,
        poll_seconds: float = 1.0,
    ) -> None:
        """Prepare to serve.

        Args:
            open_node: Opens the node; called in the thread that calls `serve`, which closes it.
            telling: How people learn of what was done.
            rescan_seconds: How often everything is looked at even if nothing seems to happen.
            poll_seconds: How often mount points are looked at.

        Raises:
            UsageError: nothing is configured.
            PannierError: the home cannot be read.
            SpoolError: the spool cannot be opened.
        """
        with open_node() as node:
            self._home = node.home
            transports = node.config.transports.values()
            self._links = node.config.links
        self.stopped = threading.Event()
        self.problems: dict[str, list[str]] = {}
        self._open, self._telling = open_node, replace(telling, say=_surely(telling.say))
        self._ledgers = LedgerProblems(self._telling.say)
        self._rescan_seconds, self._poll_seconds = rescan_seconds, poll_seconds
        self._folders = [_path(one.path) for one in transports if one.kind == "directory"]
        self._mounts = [_path(one.path) for one in transports if one.kind == "mounts"]
        self._woken: queue.Queue[Path] = queue.Queue()
        self._served: dict[Path, _Look] = {}
        self._failed: set[Path] = set()
        if not transports and not self._links:
            raise UsageError(
                f"nothing to serve: name a folder in {self._home.config}, for example "
                '[transport.sticks] with the lines kind = "mounts" and path = "/media/me"'
            )

    def serve(self) -> None:
        """Serve until `stopped` is set.

        Raises:
            BusyError: another process serves this home.
            SpoolError: a watcher failed.
        """
        inbox = self._home.spool / "in"
        with exclusive(self._home.locks / "run", "serving this home"), ExitStack() as watchers:
            watchers.enter_context(self._watcher(inbox, lambda _: True))
            for folder in self._folders:
                watchers.enter_context(self._watcher(folder, lambda name: name.endswith(".pnr")))
            places = ", ".join(map(str, [*self._folders, *self._mounts, *self._links]))
            self._telling.say(f"Serving {places}. Stop with Ctrl-C or SIGTERM.")
            if self._links:
                watchers.enter_context(self._kept_links().running(self._links))
            rescan_due = time.monotonic()
            while not self.stopped.is_set():
                if time.monotonic() >= rescan_due:
                    self.look_everywhere()
                    rescan_due = time.monotonic() + self._rescan_seconds
                self._serve_media()
                woken = self._wait()
                if inbox in woken:
                    self._import()
                for folder in woken & set(self._folders):
                    self._exchange(folder, self._telling.folder)

    def look_everywhere(self) -> int:
        """Exchange with everything that is there; return with how many places.

        Media that were served before are left in peace, unless that failed.
        """
        for path in self._failed:
            self._served.pop(path, None)
        self._failed.clear()
        with self._ledgers.round():
            self._import()
            for folder in self._folders:
                self._exchange(folder, self._telling.folder)
            media = self._serve_media()
        self.problems[_LEDGERS] = self._ledgers.lines()
        return len(self._folders) + media

    def link_once(self) -> int:
        """Run every link that calls somebody until nothing is left to pass; return how many."""
        if not self._links:
            return 0
        kept = self._kept_links()
        count = kept.run_once(self._links)
        self.problems |= {name: [problem] for name, problem in kept.problems.items()}
        return count

    def _kept_links(self) -> "KeptLinks":
        from pannier.links.keeping import KeptLinks  # noqa: PLC0415 -- many a node has none

        telling = self._telling
        return KeptLinks(self._home, self._open, say=telling.say, imported=telling.imported)

    def _watcher(self, folder: Path, accept: Callable[[str], bool]) -> Watcher:
        return Watcher(
            folder,
            lambda _: self._woken.put(folder),
            accept=accept,
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

    def _serve_media(self) -> int:
        """Exchange with the media that appeared since the last look; return how many."""
        present = {path: look for mount in self._mounts for path, look in _media(mount)}
        for path in set(self._served) - set(present):
            del self._served[path]
            self.problems.pop(str(path), None)
        new = {path: look for path, look in present.items() if self._served.get(path) != look}
        for path, look in new.items():
            if not self._exchange(path, self._telling.medium):
                self._failed.add(path)
            # What we wrote ourselves is no news, unlike another medium that has its place by now.
            after = _look(path)
            is_it = after is not None and after.is_same_medium(look)
            self._served[path] = after if after is not None and is_it else look
        return len(new)

    def _exchange(self, folder: Path, told: Told) -> bool:
        def exchange(node: Node) -> list[str]:
            done = exchange_medium(node, folder)
            for line in told(node, done):
                self._telling.say(f"{folder}: {line}")
            return done.problems

        return self._attempt(str(folder), exchange)

    def _import(self) -> None:
        def take_in(node: Node) -> list[str]:
            keep_house(node)  # also where no medium comes for years
            try:
                report = import_arrived(node)
            except BusyError:
                if not self._links:
                    raise
                return []  # a link is importing, and looks again when it has
            for line in self._telling.imported(report):
                self._telling.say(line)
            return left_undone(report)

        self._attempt("import", take_in)

    def _attempt(self, where: str, act: Callable[[Node], list[str]]) -> bool:
        """Do a piece of work and return whether it came to its end.

        What goes wrong is told once, and does not stop the rest.
        """
        is_done = False
        try:
            with bugs_told(), self._open() as node:
                node.patience_seconds = _PATIENCE_SECONDS
                with self._ledgers.watching(node):
                    problems = act(node)
            is_done = True
        except (
            PannierError, LedgerError, BundleError, SpoolError, TransportError, OSError,
        ) as error:  # fmt: skip
            problems = [str(error)]
        if problems != self.problems.get(where):
            for problem in problems:
                self._telling.say(f"{where}: {problem}")
        self.problems[where] = problems
        self.problems[_LEDGERS] = self._ledgers.lines()
        return is_done


def _surely(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return what says a line if it can: a log that is full or gone ends nothing."""

    def said(line: str) -> None:
        with suppress(OSError):
            say(line)

    return said


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


def _media(mount: Path) -> Iterator[tuple[Path, _Look]]:
    """Yield the media below a folder of mount points, each with what it looks like."""
    try:
        children = sorted(mount.iterdir())
    except OSError:
        return
    for child in children:
        look = _look(child)
        if look is not None:
            yield child, look


def _look(medium: Path) -> _Look | None:
    """Return what a medium looks like, None where nothing is called as its folder is."""
    try:
        facts = (medium / MEDIUM_FOLDER).stat(follow_symlinks=False)
    except OSError:
        return None
    identity, noted_ns = b"", 0
    with suppress(OSError):
        files = OsFileSystem(medium)
        noted = files.inspect(README_PATH)
        noted_ns = 0 if noted is None else noted.modified_ns
        identity = files.read(IDENTITY_PATH, limit_bytes=MAX_IDENTITY_BYTES)
    return _Look(facts.st_dev, facts.st_ino, identity, facts.st_ctime_ns, noted_ns)


def _path(text: str) -> Path:
    # Path.resolve raises RuntimeError where links lead in a circle; that one cannot be exchanged
    # with, as one that is not there, and is told of like it.
    return Path(os.path.realpath(Path(text).expanduser()))
