"""What becomes of a stick in the middle of a visit: it fills up, is protected, is pulled.

The real file system on a real image, with one difference: before its N-th call that touches the
stick something is done to that stick. Every chunk that is written counts as a call.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from spool.file_system import Facts, Space
from spool.os_file_system import OsFileSystem
from tests.proving.media_faults import MOVIE
from tests.proving.media_images import fill, protect, pull
from transports import medium


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that becomes of a stick while it is being used.

    Attributes:
        name: For the table.
        do: Does it to what is mounted there; returns whether that could be.
    """

    name: str
    do: Callable[[Path], bool]


FULL = Deed("filled up by somebody else", lambda at: fill(at / MOVIE))
PROTECTED = Deed("turns read-only", protect)
PULLED = Deed("pulled", pull)
DEEDS = (FULL, PROTECTED, PULLED)


class Watch:
    """Counts calls, and does something before one of them."""

    def __init__(self, before: int = 0, do: Callable[[], bool] = lambda: True) -> None:
        """Count from 0; *do* it before call number *before*, or the first one where it can be."""
        self.calls = 0
        self.kinds: dict[str, int] = {}
        self.is_done = False
        self._before = before
        self._do = do

    def __call__(self, kind: str) -> None:
        """Count a call."""
        if self.calls >= self._before and not self.is_done:
            self.is_done = self._do()
        self.calls += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


class WatchedFileSystem(OsFileSystem):
    """The real one; *watch* hears of each call before it is made."""

    def __init__(self, root: Path, watch: Watch) -> None:
        """Look at *root*, as any does."""
        self._watch = watch
        super().__init__(root)

    def names(self, folder: str) -> Iterator[str]:
        """Count a listing."""
        self._watch("names")
        return super().names(folder)

    def inspect(self, path: str) -> Facts | None:
        """Count a look."""
        self._watch("inspect")
        return super().inspect(path)

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """Count a file that is read."""
        self._watch("read")
        return super().read(path, limit_bytes=limit_bytes)

    def read_into(self, path: str, room: memoryview) -> int:
        """Count a file that is read."""
        self._watch("read")
        return super().read_into(path, room)

    def make_folder(self, path: str) -> None:
        """Count a folder."""
        self._watch("make_folder")
        super().make_folder(path)

    def create(self, path: str, chunks: Iterable[bytes | memoryview]) -> int:
        """Count a file, and each of its chunks."""
        self._watch("create")
        return super().create(path, self._counted(chunks))

    def sync(self, paths: Collection[str]) -> None:
        """Count a flush."""
        self._watch("sync")
        super().sync(paths)

    def rename(self, old: str, new: str) -> None:
        """Count a rename."""
        self._watch("rename")
        super().rename(old, new)

    def remove(self, path: str) -> None:
        """Count a removal."""
        self._watch("remove")
        super().remove(path)

    def remove_folder(self, path: str) -> None:
        """Count a removal."""
        self._watch("remove_folder")
        super().remove_folder(path)

    def space(self) -> Space:
        """Count a question."""
        self._watch("space")
        return super().space()

    def _counted(self, chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        for chunk in chunks:
            self._watch("write")
            yield chunk


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Let *watch* hear of every call to a medium that is opened meanwhile."""
    with patch.object(medium, "OsFileSystem", lambda root: WatchedFileSystem(root, watch)):
        yield
