"""The few operations on files that the spool and the media need, as a Protocol.

A file system here is a tree below one folder. Paths are texts relative to it, with `/` between
names and "" for the folder itself; no link below it is ever followed, so that a path cannot leave
the tree. `spool.os_file_system` is the real one; tests put one in its place that crashes, fails
and forgets what was not synced.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from typing import NamedTuple, Protocol


class Kind(Enum):
    """What a name stands for, links not followed."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"


class Facts(NamedTuple):
    """What is known of a name without opening it.

    Attributes:
        kind: Only `Kind.FILE` is ever read.
        size_bytes: Length of the file.
        modified_ns: Time of the last change by the clock of whoever wrote it; never trusted.
    """

    kind: Kind
    size_bytes: int
    modified_ns: int


class Space(NamedTuple):
    """Room left.

    Attributes:
        free_bytes: What we may still write, None where the file system does not tell.
        cluster_bytes: Every file takes a whole number of these.
        free_files: How many files and folders may still be made, None likewise.
    """

    free_bytes: int | None
    cluster_bytes: int
    free_files: int | None = None


class FileSystem(Protocol):
    """A tree of files; every method raises `OSError` when the system refuses, and nothing else.

    All may be called by several threads and processes at once; after a failure or a crash they may
    be called again. What they change is durable only after `sync`.
    """

    def names(self, folder: str) -> Iterator[str]:
        """Yield the names in *folder*, in any order; bytes that are not UTF-8 as surrogates."""
        ...

    def inspect(self, path: str) -> Facts | None:
        """Return the facts about *path*, None when it is missing."""
        ...

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """Return the content of the regular file *path*; a longer one than the limit fails."""
        ...

    def read_into(self, path: str, room: memoryview) -> int:
        """Read the regular file *path* into *room*, and return its length; a longer one fails.

        It is taken for one that nobody here reads again soon.
        """
        ...

    def make_folder(self, path: str) -> None:
        """Create the folder *path* in an existing one; whatever has the name already stays."""
        ...

    def create(self, path: str, chunks: Iterable[bytes | memoryview]) -> int:
        """Create *path* (it must not exist), write all *chunks*, and return their length.

        What iterating over *chunks* raises passes through; the part written stays.
        """
        ...

    def append(self, path: str, data: bytes) -> None:
        """Add *data* at the end of the file *path*, made if it is missing.

        After a failure or a crash a beginning of *data* may be there.
        """
        ...

    def sync(self, paths: Collection[str]) -> None:
        """Make contents of the files and names in the folders among *paths* survive a power cut.

        Many paths cost about one flush. More than *paths* may become durable. One that is missing
        is skipped: another process has taken it.
        """
        ...

    def rename(self, old: str, new: str) -> None:
        """Give the file *old* the name *new* in one step; a file *new* is replaced."""
        ...

    def rename_new(self, old: str, new: str) -> None:
        """Give the file *old* the name *new*; `FileExistsError` when that is taken."""
        ...

    def remove(self, path: str) -> None:
        """Remove the file *path*; missing is no error."""
        ...

    def remove_folder(self, path: str) -> None:
        """Remove the folder *path*; missing or not empty is no error."""
        ...

    def space(self) -> Space:
        """Return the room left in the tree."""
        ...

    def lock(self, path: str) -> AbstractContextManager[None]:
        """Hold the lock file *path*; `BlockingIOError` on entry when anybody else does.

        It is let go at the end of the context or of the process, whichever comes first.
        """
        ...


def parent_of(path: str) -> str:
    """Return the folder that *path* lies in, "" at the top."""
    return path.rpartition("/")[0]


def footprint_bytes(size_bytes: int) -> int:
    """Return what a file of *size_bytes* takes of a quota: whole blocks of 4 KiB, at least one.

    So a quota in bytes bounds the number of files, too.
    """
    return max(1, -(-size_bytes // 4096)) * 4096
