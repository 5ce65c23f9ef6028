"""The folder that files are checked out into: no link in it is followed, no half file is seen."""

import fcntl
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

from ledger.lazy_dataclass import dataclass
from pannier.files import TEMPORARY
from spool.file_system import parent_of
from spool.os_file_system import OsFileSystem

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_NS_PER_US = 1000
_DRAFT = re.compile(re.escape(TEMPORARY) + "[0-9a-f]{16}")
# As far from 1970 as all file systems, and the system's calls, can say: 1901 to 2446.
_TIMES_US = range(-(2**31) * 1_000_000, 15_032_385_535 * 1_000_000)


@dataclass(frozen=True, slots=True)
class Existing:
    """What lies at a path.

    Attributes:
        mode: With its kind.
        size: Bytes.
        time_us: Of its last change.
    """

    mode: int
    size: int
    time_us: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_executable(self) -> bool:
        """Whether its owner may run it."""
        return bool(self.mode & stat.S_IXUSR)


@dataclass(slots=True)
class Draft:
    """A file that is being written beside the one that it is to be.

    Attributes:
        path: Where it is.
        file: To be written.
        written: What it looks like when it is written.
    """

    path: str
    file: IO[bytes]
    written: Existing | None = None


def name_below(outer: Path, inner: Path) -> str | None:
    """Return what *inner* is called below *outer*, by whatever paths they are given.

    Returns:
        Names joined by ``/``, empty if both are one folder; None if it is not below.

    Raises:
        OSError: one of them cannot be looked at.
    """
    found = outer.stat()
    names: list[str] = []
    # Path.resolve raises RuntimeError where links lead in a circle, and nothing lies.
    for folder in (resolved := Path(os.path.realpath(inner)), *resolved.parents):
        if folder.exists() and os.path.samestat(folder.stat(), found):
            return "/".join(reversed(names))
        names.append(folder.name)
    return None


class TargetFolder(OsFileSystem):
    """A folder of the user's. Paths in it are relative, checked by the caller, joined by ``/``.

    Attributes:
        is_held: Whether no other run checks out into it; not all file systems can tell.
    """

    is_held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out while the block runs, where folders can be locked.

        Raises:
            BlockingIOError: another one is at work in it.
            OSError: it is gone.
        """
        with self._folder("") as folder:
            try:
                _lock(folder)
                self.is_held = True
            except BlockingIOError:
                raise
            except OSError:
                pass  # as on NFS: `is_ours` looks after the drafts
            try:
                yield
            finally:
                self.is_held = False

    def sweep(self, path: str, kept: Collection[str]) -> None:
        """Remove the drafts that runs left in the folder *path* when they were killed.

        Nothing is removed where others may be at work, nor what has another name than drafts have,
        or is no file. That something stays is no error.

        Args:
            path: Which folder.
            kept: Drafts of this run: a folder may be known by several names.
        """
        if not self.is_held:
            return
        ours = {draft.rpartition("/")[2] for draft in kept}
        with suppress(OSError), self._folder(path) as folder:
            if path:
                _lock(folder)  # a run into that one may be going on
            for name in [name for name in self.names(path) if _DRAFT.fullmatch(name)]:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and name not in ours:
                    os.unlink(name, dir_fd=folder)

    def look(self, path: str) -> Existing | None:
        """Return what lies at *path*, itself if it is a link; None if nothing does.

        Raises:
            OSError: a folder of *path* is a link, or something else.
        """
        try:
            with self._parent(path) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return _facts(found)

    def is_spelled(self, path: str) -> bool:
        """Whether the folders on its way have the names in *path* just as they stand in it.

        Where the case of letters does not count, a file is found by other names than its own.

        Raises:
            OSError: a folder of *path* is not there, is a link or something else.
        """
        parts = path.split("/")
        return all(part in self.names("/".join(parts[:at])) for at, part in enumerate(parts))

    def keeps_mode(self, path: str, existing: Existing) -> bool:
        """Whether a file made at *path* can be run just if *existing* can.

        On FAT all files have one mode. A draft is made to see it.

        Raises:
            OSError: the disk said no, or a folder of *path* is a link.
        """
        with self.draft(path, existing) as draft:
            pass
        self.remove(draft.path)
        return draft.written is not None and draft.written.is_executable == existing.is_executable

    @contextmanager
    def opened(self, path: str) -> Iterator[IO[bytes]]:
        """Open the regular file *path* to read it.

        Raises:
            OSError: it is something else, or cannot be read.
        """
        with self._parent(path) as (folder, name):
            descriptor = os.open(name, _READ, dir_fd=folder)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor
            yield file

    @contextmanager
    def draft(self, path: str, existing: Existing) -> Iterator[Draft]:
        """Give a file beside *path* to be written and then renamed to *path*.

        What an interrupted run left there is replaced. Whatever goes wrong in the block leaves
        nothing.

        Args:
            path: Where the file is to be; its folders are made.
            existing: What it is to look like; of the mode only whether it may be run counts.

        Raises:
            OSError: the disk said no, or a folder of *path* is a link.
        """
        draft_path = _draft_of(path)
        self._make_folders(parent_of(path))
        self.remove(draft_path)
        try:
            with self._parent(draft_path) as (folder, name):
                mode = 0o777 if existing.is_executable else 0o666
                descriptor = os.open(name, _CREATE, mode, dir_fd=folder)
            with open(descriptor, "wb") as file:  # noqa: PTH123 -- a descriptor
                draft = Draft(draft_path, file)
                yield draft
                file.flush()
                if existing.time_us in _TIMES_US:
                    time_ns = existing.time_us * _NS_PER_US
                    os.utime(descriptor, ns=(time_ns, time_ns))
                draft.written = _facts(os.fstat(descriptor))
        except BaseException:
            self.remove(draft_path)
            raise

    def remove_draft(self, path: str) -> None:
        """Remove what an interrupted run left of *path*, which keeps room that is needed.

        Raises:
            OSError: the disk said no, or a folder of *path* is a link.
        """
        self.remove(_draft_of(path))

    def is_ours(self, draft: Draft) -> bool:
        """Whether *draft* is as it was written, and not what another run has put there since.

        A file that is being written has neither its size nor its time. Where other runs are kept
        out it is not looked at.

        Raises:
            OSError: the disk said no, or a folder of it is a link.
        """
        return self.is_held or self.look(draft.path) == draft.written

    def _make_folders(self, path: str) -> None:
        parts = path.split("/") if path else []
        for end in range(1, len(parts) + 1):
            self.make_folder("/".join(parts[:end]))


def _facts(found: os.stat_result) -> Existing:
    return Existing(found.st_mode, found.st_size, found.st_mtime_ns // _NS_PER_US)


def _draft_of(path: str) -> str:
    parent, slash, _ = path.rpartition("/")
    return f"{parent}{slash}{TEMPORARY}{sha256(path.encode()).hexdigest()[:16]}"


def _lock(folder: int) -> None:
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
