"""Files on a medium: bounded reads, durable writes, and the errors of this room.

Format of the temporary names: docs/format.md section 8.
"""

import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Final

from spool.file_system import Facts, FileSystem, Kind, Space, parent_of
from transports.errors import (
    MediumFaultError,
    MediumFullError,
    MediumGoneError,
    MediumReadOnlyError,
)

TOP: Final = "pannier"
_TEMP = re.compile(r"\.(?:[0-9a-f-]{40}\.pnr|README\.txt|medium\.json)\.tmp-([0-9a-f]{8})")
_MAX_TEMPS = 100_000
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DAY_NS = 86_400 * 10**9


class MediumFiles:
    """The files of one medium.

    Every method raises `MediumGoneError` when the medium was pulled, `MediumReadOnlyError` when
    it can only be read, `MediumFullError` when it has no room, `MediumFaultError` when it refuses
    for another reason; a method that says more lists it.
    """

    def __init__(self, fs: FileSystem) -> None:
        """Look at nothing yet."""
        self._fs = fs

    def names(self, folder: str, limit: int) -> list[str]:
        """Return at most *limit* of the names in *folder*, in any order."""
        with self._converted("list"):
            return list(islice(self._fs.names(folder), limit))

    def inspect(self, path: str) -> Facts | None:
        """Return the facts about the regular file *path*, None when there is none."""
        with self._converted("look at"):
            facts = self._fs.inspect(path)
        return facts if facts is not None and facts.kind is Kind.FILE else None

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """Return the content of the regular file *path*; a longer one is a `MediumFaultError`."""
        with self._converted("read"):
            return self._fs.read(path, limit_bytes=limit_bytes)

    def read_into(self, path: str, room: memoryview) -> int:
        """Read the regular file *path*; return its length; a `MediumFaultError` if it is longer."""
        with self._converted("read"):
            return self._fs.read_into(path, room)

    def remove(self, path: str) -> None:
        """Remove a file, and its folder if it was the last in it."""
        with self._converted("remove"):
            self._fs.remove(path)
            if parent_of(path) != TOP:
                self._fs.remove_folder(parent_of(path))

    def space(self) -> Space:
        """Return the room that is left."""
        with self._converted("ask for its room"):
            return self._fs.space()

    def stage(self, path: str, chunks: Iterable[bytes | memoryview], *, mark: str) -> int:
        """Write what shall become *path* under a temporary name; return its length.

        If it fails nothing stays. What iterating over *chunks* raises passes through.

        Args:
            path: Where `publish` will put it.
            chunks: Its content, one after another.
            mark: 8 hex digits of whoever writes.
        """
        temp = _temp(path, mark)
        is_staged = False
        try:
            with self._converted("write"):
                size = self._fs.create(temp, chunks)
            is_staged = True
        finally:
            if not is_staged:
                self._discard(temp)
        return size

    def publish(self, paths: Iterable[str], *, mark: str) -> dict[str, str]:
        """Give staged files their names; return why for those that failed.

        First the bytes of all are made durable, and only then a name: FAT and exFAT have no
        journal, and a name without its bytes is a damaged file. On return all is durable; after
        an error nothing staged stays.
        """
        staged = {path: _temp(path, mark) for path in paths}
        failed: dict[str, str] = {}
        try:
            with self._converted("write"):
                self._fs.sync(list(staged.values()))
            for path, temp in staged.items():
                try:
                    with self._converted("rename"):
                        self._fs.make_folder(parent_of(path))
                        self._fs.rename(temp, path)
                except (MediumFullError, MediumFaultError) as error:
                    failed[path] = str(error)
                    self._discard(temp)
            with self._converted("write"):
                self._fs.sync([*{parent_of(path) for path in staged}, TOP, ""])
        except BaseException:
            self.unstage(staged, mark=mark)
            raise
        return failed

    def unstage(self, paths: Iterable[str], *, mark: str) -> None:
        """Remove what was staged and not published; that it is gone is no error."""
        for path in paths:
            self._discard(_temp(path, mark))

    def sweep(self, *, mark: str, now_ns: int) -> None:
        """Remove temporary files that nobody will finish: ours, and any older than a day.

        Temporary files of other tools have other names and stay.
        """
        for name in self.names(TOP, _MAX_TEMPS):
            written = _TEMP.fullmatch(name)
            facts = self.inspect(f"{TOP}/{name}") if written else None
            if written is None or facts is None:
                continue
            if written[1] == mark or now_ns - facts.modified_ns > _DAY_NS:
                self._discard(f"{TOP}/{name}")

    def _discard(self, path: str) -> None:
        with suppress(OSError):
            self._fs.remove(path)

    @contextmanager
    def _converted(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"cannot {action} on the medium: {error}"
            if not self._is_present():
                raise MediumGoneError(f"the medium is gone: {error}") from error
            if error.errno in _FULL:
                raise MediumFullError(message) from error
            if error.errno == errno.EROFS:
                raise MediumReadOnlyError(message) from error
            raise MediumFaultError(message) from error

    def _is_present(self) -> bool:
        try:
            next(iter(self._fs.names(TOP)), None)
        except OSError:
            return False
        return True


def _temp(path: str, mark: str) -> str:
    return f"{TOP}/.{path.rpartition('/')[2]}.tmp-{mark}"
