"""The real file system, below one folder; with the watcher all that calls `os` in this room.

Every path is walked from the root folder down, one name at a time, and no link is followed: what
lies on a medium belongs to whoever held it last. The root must stay on the device where it was
found, or else a stick that is unmounted halfway would be continued on the disk beneath.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from spool.file_system import Facts, Kind, Space
from spool.long_file import LongWriter, read_long

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Without O_NONBLOCK, opening a FIFO waits for a writer that never comes.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
# Up to here a fsync each is cheaper than a syncfs, which waits for everybody's writes.
_FEW_PATHS = 4
_RETRY_SECONDS = 0.05
_CANNOT_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
_CANNOT_SYNC = (errno.EINVAL, errno.EOPNOTSUPP)


class OsFileSystem:
    """`FileSystem` on the real one, below *root*."""

    def __init__(self, root: Path, *, patience_seconds: float = 0.0) -> None:
        """Look at *root*, the one folder whose name may be a link.

        Args:
            root: Which folder.
            patience_seconds: How long `lock` waits for another process to let go.

        Raises:
            OSError: there is no such folder.
        """
        self._root = root
        self._patience_seconds = patience_seconds
        self._rooms: list[memoryview] = []
        with _opened(root, os.O_RDONLY | os.O_DIRECTORY) as folder:
            self._device = os.fstat(folder).st_dev

    def names(self, folder: str) -> Iterator[str]:
        """See `FileSystem.names`."""
        with self._folder(folder) as fd, os.scandir(fd) as entries:
            for entry in entries:
                yield entry.name

    def inspect(self, path: str) -> Facts | None:
        """See `FileSystem.inspect`."""
        try:
            with self._parent(path) as (fd, name):
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return Facts(_kind(found.st_mode), found.st_size, found.st_mtime_ns)

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """See `FileSystem.read`."""
        with self._parent(path) as (fd, name), _opened(name, _FILE, dir_fd=fd) as file:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            # One byte more shows a file that has grown since.
            with os.fdopen(file, "rb", closefd=False) as reader:
                data = reader.read(min(found.st_size, limit_bytes) + 1)
        if len(data) > limit_bytes:
            raise OSError(errno.EOVERFLOW, f"longer than {limit_bytes} bytes", path)
        return data

    def read_into(self, path: str, room: memoryview) -> int:
        """See `FileSystem.read_into`."""
        with self._parent(path) as (fd, name), _opened(name, _FILE, dir_fd=fd) as file:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            size = read_long(file, room, min(os.fstat(file).st_size, len(room)))
            if os.read(file, 1):
                raise OSError(errno.EOVERFLOW, f"longer than {size} bytes", path)
        return size

    def make_folder(self, path: str) -> None:
        """See `FileSystem.make_folder`."""
        with self._parent(path) as (fd, name), suppress(FileExistsError):
            os.mkdir(name, dir_fd=fd)

    def create(self, path: str, chunks: Iterable[bytes | memoryview]) -> int:
        """See `FileSystem.create`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with (
            self._parent(path) as (fd, name),
            _opened(name, flags, dir_fd=fd) as file,
            LongWriter(file, self._rooms) as writer,
        ):
            size = sum(map(writer.add, chunks))
            writer.finish()
        return size

    def append(self, path: str, data: bytes) -> None:
        """See `FileSystem.append`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with self._parent(path) as (fd, name), _opened(name, flags, dir_fd=fd) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]

    def sync(self, paths: Collection[str]) -> None:
        """See `FileSystem.sync`."""
        syncfs = _find_syncfs() if len(paths) > _FEW_PATHS else None
        if syncfs is not None:
            with self._folder("") as fd:
                syncfs(fd)
            # File systems in user space (exFAT, NTFS) hear of no syncfs, but one fsync makes them
            # write out all that they hold back.
            paths = [""]
        for path in paths:
            with suppress(FileNotFoundError):
                self._fsync(path)

    def rename(self, old: str, new: str) -> None:
        """See `FileSystem.rename`."""
        with self._parent(old) as (old_fd, old_name), self._parent(new) as (new_fd, new_name):
            os.rename(old_name, new_name, src_dir_fd=old_fd, dst_dir_fd=new_fd)

    def rename_new(self, old: str, new: str) -> None:
        """See `FileSystem.rename_new`.

        Where the file system has no hard links, two processes that ask for one name at the same
        instant may both get it; the later one's file stays.
        """
        with self._parent(old) as (old_fd, old_name), self._parent(new) as (new_fd, new_name):
            try:
                os.link(
                    old_name, new_name, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False
                )
            except OSError as error:
                if error.errno not in _CANNOT_LINK:
                    raise
            else:
                os.unlink(old_name, dir_fd=old_fd)
                return
        if self.inspect(new) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        self.rename(old, new)

    def remove(self, path: str) -> None:
        """See `FileSystem.remove`."""
        with suppress(FileNotFoundError), self._parent(path) as (fd, name):
            os.unlink(name, dir_fd=fd)

    def remove_folder(self, path: str) -> None:
        """See `FileSystem.remove_folder`."""
        try:
            with self._parent(path) as (fd, name):
                os.rmdir(name, dir_fd=fd)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
                raise

    def space(self) -> Space:
        """See `FileSystem.space`."""
        with self._folder("") as fd:
            found = os.fstatvfs(fd)
        # Some file systems in user space answer nothing but zeros.
        free = found.f_bavail * found.f_frsize if found.f_blocks else None
        # Where files are not counted beforehand, as on btrfs or FAT, there are none to run out of.
        free_files = found.f_favail if found.f_files else None
        return Space(free, max(found.f_frsize, 512), free_files)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """See `FileSystem.lock`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        with self._parent(path) as (fd, name), _opened(name, flags, dir_fd=fd) as file:
            self._wait_for_lock(file)
            yield

    def _wait_for_lock(self, file: int) -> None:
        end = time.monotonic() + self._patience_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _fsync(self, path: str) -> None:
        with self._parent(path) as (fd, name), _opened(name, _FILE, dir_fd=fd) as file:
            try:
                os.fsync(file)
            except OSError as error:
                # Some network file systems cannot sync a folder, and need not.
                if error.errno not in _CANNOT_SYNC:
                    raise

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        folder, _, name = path.rpartition("/")
        with self._folder(folder) as fd:
            yield fd, name or "."

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if os.fstat(fd).st_dev != self._device:
                raise OSError(errno.ENODEV, "the device is gone", str(self._root))
            for name in path.split("/") if path else ():
                child = os.open(name, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = child
            yield fd
        finally:
            os.close(fd)


@contextmanager
def _opened(path: Path | str, flags: int, dir_fd: int | None = None) -> Iterator[int]:
    fd = os.open(path, flags, 0o666, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.OTHER


@cache
def _find_syncfs() -> Callable[[int], None] | None:
    """Return syncfs(2) of Linux, which `os` does not have; None elsewhere."""
    import ctypes  # noqa: PLC0415 -- most commands write too few files to need it

    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return None

    def syncfs(fd: int) -> None:
        if call(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return syncfs
