"""The folder that files are checked out into: no link in it is followed, no half file is seen."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from ledger.lazy_dataclass import dataclass
from pannier.files import TEMPORARY
from spool.os_file_system import OsFileSystem

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_NS_PER_US = 1000
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
    """A folder of the user's. Paths in it are relative, checked by the caller, joined by ``/``."""

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
        return Existing(found.st_mode, found.st_size, found.st_mtime_ns // _NS_PER_US)

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
    def draft(self, path: str, existing: Existing) -> Iterator[tuple[str, IO[bytes]]]:
        """Give a file beside *path*, and its path, to be written and then renamed to *path*.

        What an interrupted run left there is replaced. Whatever goes wrong in the block leaves
        nothing.

        Args:
            path: Where the file is to be; its folders are made.
            existing: What it is to look like; of the mode only whether it may be run counts.

        Raises:
            OSError: the disk said no, or a folder of *path* is a link.
        """
        parent, slash, _ = path.rpartition("/")
        draft = f"{parent}{slash}{TEMPORARY}{sha256(path.encode()).hexdigest()[:16]}"
        self._make_folders(parent)
        self.remove(draft)
        try:
            with self._parent(draft) as (folder, name):
                mode = 0o777 if existing.is_executable else 0o666
                descriptor = os.open(name, _CREATE, mode, dir_fd=folder)
            with open(descriptor, "wb") as file:  # noqa: PTH123 -- a descriptor
                yield draft, file
                file.flush()
                if existing.time_us in _TIMES_US:
                    time_ns = existing.time_us * _NS_PER_US
                    os.utime(descriptor, ns=(time_ns, time_ns))
        except BaseException:
            self.remove(draft)
            raise

    def _make_folders(self, path: str) -> None:
        parts = path.split("/") if path else []
        for end in range(1, len(parts) + 1):
            self.make_folder("/".join(parts[:end]))
