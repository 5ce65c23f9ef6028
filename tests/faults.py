"""A file system in memory that crashes, fails and forgets what was not synced, on demand."""

import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from spool.file_system import Facts, Kind, Space, parent_of


class CrashError(Exception):
    """The power went out, or the process was killed."""


@dataclass(eq=False)
class MemoryFile:
    """One file; `synced` is what a power cut leaves of it, whatever its names."""

    data: bytes = b""
    synced: bytes = b""
    modified_ns: int = 0


Node = MemoryFile | None  # None is a folder


@dataclass
class Faults:
    """When to break: before step *crash_at*, or with *error* at step *fail_at* (0-based).

    Attributes:
        lasts: Whether every step from *fail_at* on fails.
        unreadable: errno by path, for reading.
        once: The same, at the next reading alone.
    """

    crash_at: int | None = None
    fail_at: int | None = None
    error: int = errno.EIO
    lasts: bool = False
    unreadable: Mapping[str, int] = field(default_factory=dict)
    once: dict[str, int] = field(default_factory=dict)


class MemoryFileSystem:
    """`FileSystem` in memory; every change is a step that may be the last.

    A power cut keeps of a file what was synced, and of names not synced any subset: see
    `after_power_cut`. Capacity counts clusters of 4 KiB.
    """

    CLUSTER_BYTES = 4096

    def __init__(self, *, capacity_bytes: int | None = None) -> None:
        self.live: dict[str, Node] = {"": None}
        self.durable: dict[str, Node] = {"": None}
        self.capacity_bytes = capacity_bytes
        self.faults = Faults()
        self.steps: list[str] = []
        self.is_dead = False
        self.is_gone = False
        self.now_ns = 0
        self._locked: set[str] = set()

    def names(self, folder: str) -> Iterator[str]:
        self._check_alive(folder)
        if folder not in self.live:
            raise _error(errno.ENOENT, folder)
        if self.live[folder] is not None:
            raise _error(errno.ENOTDIR, folder)
        yield from [
            path.rpartition("/")[2]
            for path in tuple(self.live)
            if path and parent_of(path) == folder
        ]

    def inspect(self, path: str) -> Facts | None:
        self._check_alive(path)
        if path not in self.live:
            return None
        node = self.live[path]
        if node is None:
            return Facts(Kind.FOLDER, 0, 0)
        return Facts(Kind.FILE, len(node.data), node.modified_ns)

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        self._check_alive(path)
        if path in self.faults.once:
            raise _error(self.faults.once.pop(path), path)
        if path in self.faults.unreadable:
            raise _error(self.faults.unreadable[path], path)
        node = self._file(path)
        if len(node.data) > limit_bytes:
            raise _error(errno.EOVERFLOW, path)
        return node.data

    def read_into(self, path: str, room: memoryview) -> int:
        data = self.read(path, limit_bytes=len(room))
        room[: len(data)] = data
        return len(data)

    def make_folder(self, path: str) -> None:
        if path in self.live:
            self._check_alive(path)
            return
        self._step("make_folder", path)
        self._check_parent(path)
        self.live[path] = None

    def create(self, path: str, chunks: Iterable[bytes | memoryview]) -> int:
        self._step("create", path)
        self._check_parent(path)
        if path in self.live:
            raise _error(errno.EEXIST, path)
        file = MemoryFile(modified_ns=self._tick())
        self.live[path] = file
        for chunk in chunks:
            self._step("write", path)
            free = self.space().free_bytes
            used = _clusters(len(file.data)) * self.CLUSTER_BYTES
            if free is not None and len(file.data) + len(chunk) > free + used:
                raise _error(errno.ENOSPC, path)
            file.data += chunk
        return len(file.data)

    def append(self, path: str, data: bytes) -> None:
        self._step("append", path)
        self._check_parent(path)
        if path not in self.live:
            self.live[path] = MemoryFile(modified_ns=self._tick())
        file = self._file(path)
        free, used = self.space().free_bytes, _clusters(len(file.data)) * self.CLUSTER_BYTES
        if free is not None and len(file.data) + len(data) > free + used:
            raise _error(errno.ENOSPC, path)
        file.data += data[: len(data) // 2]
        self._step("append", path)
        file.data += data[len(data) // 2 :]

    def sync(self, paths: Collection[str]) -> None:
        self._step("sync", " ".join(paths))
        for path in paths:
            if path not in self.live:
                continue
            node = self.live[path]
            if node is not None:
                node.synced = node.data
            else:
                self._sync_names(path)

    def rename(self, old: str, new: str) -> None:
        self._step("rename", new)
        file = self._file(old)
        self._check_parent(new)
        if new in self.live:
            self._file(new)
        del self.live[old]
        self.live[new] = file

    def rename_new(self, old: str, new: str) -> None:
        self._step("rename", new)
        file = self._file(old)
        self._check_parent(new)
        if new in self.live:
            raise _error(errno.EEXIST, new)
        self.live[new] = file
        self._step("unlink", old)
        del self.live[old]

    def remove(self, path: str) -> None:
        if path in self.live:
            self._step("remove", path)
            self._file(path)
            del self.live[path]
        self._check_alive(path)

    def remove_folder(self, path: str) -> None:
        if path in self.live and not any(parent_of(other) == path for other in self.live if other):
            if self.live[path] is not None:
                raise _error(errno.ENOTDIR, path)
            self._step("remove_folder", path)
            del self.live[path]
        self._check_alive(path)

    def space(self) -> Space:
        self._check_alive("")
        if self.capacity_bytes is None:
            return Space(None, self.CLUSTER_BYTES)
        files = (node.data for node in self.live.values() if node is not None)
        used = sum(_clusters(len(data)) for data in files) * self.CLUSTER_BYTES
        return Space(self.capacity_bytes - used, self.CLUSTER_BYTES)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        self._check_alive(path)
        if path in self._locked:
            raise BlockingIOError(errno.EWOULDBLOCK, "locked", path)
        self._locked.add(path)
        try:
            yield
        finally:
            self._locked.discard(path)

    def files(self) -> dict[str, bytes]:
        """All files with their content."""
        return {path: node.data for path, node in self.live.items() if node is not None}

    def after_kill(self) -> "MemoryFileSystem":
        """What the next process finds: everything as it was."""
        return self._reborn(self.live)

    def after_power_cut(self, keep: Callable[[str], bool]) -> "MemoryFileSystem":
        """What a reboot finds; *keep* says which names not synced survive, with what was synced."""
        paths = sorted({*self.live, *self.durable})
        tree: dict[str, Node] = {"": None}
        for path in paths:
            source = self.live if keep(path) else self.durable
            if path and path in source and tree.get(parent_of(path), MemoryFile()) is None:
                node = source[path]
                tree[path] = node and MemoryFile(node.synced, node.synced, node.modified_ns)
        return self._reborn(tree)

    def _reborn(self, tree: Mapping[str, Node]) -> "MemoryFileSystem":
        fs = MemoryFileSystem(capacity_bytes=self.capacity_bytes)
        fs.live, fs.now_ns = dict(tree), self.now_ns
        # What a reboot finds lies on the disk; what a killed process leaves may still be lost.
        fs.durable = dict(self.durable if tree is self.live else tree)
        return fs

    def _sync_names(self, folder: str) -> None:
        gone = [path for path in self.durable if path and parent_of(path) == folder]
        for path in gone:
            if path not in self.live:
                del self.durable[path]
        for path, node in self.live.items():
            if path and parent_of(path) == folder:
                self.durable[path] = node

    def _file(self, path: str) -> MemoryFile:
        if path not in self.live:
            raise _error(errno.ENOENT, path)
        node = self.live[path]
        if node is None:
            raise _error(errno.EISDIR, path)
        return node

    def _check_parent(self, path: str) -> None:
        folder = parent_of(path)
        if folder not in self.live:
            raise _error(errno.ENOENT, folder)
        if self.live[folder] is not None:
            raise _error(errno.ENOTDIR, folder)

    def _check_alive(self, path: str) -> None:
        if self.is_dead:
            raise CrashError(path)
        if self.is_gone:
            raise _error(errno.ENODEV, path)

    def _step(self, action: str, path: str) -> None:
        self._check_alive(path)
        number = len(self.steps)
        self.steps.append(f"{action} {path}")
        if number == self.faults.crash_at:
            self.is_dead = True
            raise CrashError(f"before step {number}: {action} {path}")
        first = self.faults.fail_at
        if first is not None and (number == first or (self.faults.lasts and number > first)):
            raise _error(self.faults.error, path)

    def _tick(self) -> int:
        self.now_ns += 1
        return self.now_ns


KEEP_NOTHING: Callable[[str], bool] = lambda _path: False  # noqa: E731
KEEP_ALL: Callable[[str], bool] = lambda _path: True  # noqa: E731
KEEP_SOME: Callable[[str], bool] = lambda path: sum(path.encode()) % 2 == 0  # noqa: E731
KEEPS = (KEEP_NOTHING, KEEP_ALL, KEEP_SOME)


def counting_entropy() -> Callable[[int], bytes]:
    """Return a source of bytes that are all different and the same in every run."""
    numbers = iter(range(1, 1 << 62))
    return lambda size: next(numbers).to_bytes(8, "big")[-size:]


def _clusters(size: int) -> int:
    return -(-size // MemoryFileSystem.CLUSTER_BYTES)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
