"""The durable write orders of the spool; every owner of a tree writes through these.

A crash at any instant leaves under a name either nothing (or what was there) or the whole file:
all files of a group are written under temporary names and synced together, then renamed, then
the folders are synced, so that a group costs two flushes however many files it has.

People look into these folders, and leave things there: a file where a folder should be, or a folder
where a file should be. Such a thing is not there for who reads, stays where something is removed,
and is renamed where something is to be written.

Source: POSIX rename(2) and fsync(2); docs/format.md section 9.
"""

import errno
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from typing import NamedTuple

from spool import room
from spool.errors import (
    BusyError,
    ConflictError,
    FullError,
    GoneError,
    StorageError,
    UnreadableError,
)
from spool.file_system import Facts, FileSystem, Kind, parent_of

TEMP_FOLDER = "tmp"
LOCKS_FOLDER = "locks"
# No source has this name: `spool.name.check_source`.
_MAKING_WAY = f"{LOCKS_FOLDER}/making-way"
_TEMP_NAME = re.compile(r"([0-9]{1,20})-[0-9a-f]{16}")
_DAY_NS = 86_400 * 10**9
_FOREIGN = "foreign"
# Between making a folder and renaming into it, another process may find it empty and remove it.
_TRIES = 8
# What systems say of a folder, a link or the like where a file is expected, or below a file.
_NO_FILE = (errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.ELOOP, errno.EPERM)


class Order(Enum):
    """What to do with a file that has the name already."""

    NEW = "refuse"
    SAME = "fine if the bytes are equal, else refuse"
    REPLACE = "replace"


class Write(NamedTuple):
    """One file of a group."""

    path: str
    data: bytes
    order: Order


class Files:
    """Durable writes and plain reads in one spool tree, with its errors."""

    def __init__(self, fs: FileSystem, *, entropy: Callable[[int], bytes], pid: int) -> None:
        """Name temporary files by *pid* and *entropy*, so that processes do not meet."""
        self._fs = fs
        self._entropy = entropy
        self._pid = pid

    def create_new(self, path: str, data: bytes) -> None:
        """Write *data* durably to *path*, which must not exist.

        Raises:
            ConflictError: it does.
            FullError: no room.
            StorageError: the disk refused.
        """
        self.publish([Write(path, data, Order.NEW)])

    def create_same(self, path: str, data: bytes) -> None:
        """Write *data* durably to *path*, which may exist with the same bytes.

        Raises:
            ConflictError: it exists with others.
            FullError: no room.
            StorageError: the disk refused.
        """
        self.publish([Write(path, data, Order.SAME)])

    def replace(self, path: str, data: bytes) -> None:
        """Write *data* durably to *path*, in one step whatever was there.

        Raises:
            FullError: no room.
            StorageError: the disk refused.
        """
        self.publish([Write(path, data, Order.REPLACE)])

    def publish(self, writes: Iterable[Write]) -> None:
        """Write a group of files; when this returns, all are durable.

        After an error some may be there, whole; the same group may be written again.

        Raises:
            ConflictError: a name is taken and its order does not allow that.
            FullError: no room.
            StorageError: the disk refused.
        """
        temps: dict[str, Write] = {}
        with converted("write"):
            try:
                done = set(self._write_temps(writes, temps))
                if temps or done:
                    self._fs.sync([*temps, *done])
                for temp, write in tuple(temps.items()):
                    self._place(temp, write)
                    del temps[temp]
                    done.add(write.path)
            finally:
                for temp in temps:
                    with suppress(OSError):
                        self._fs.remove(temp)
            if done:
                self._fs.sync({folder for path in done for folder in _folders_above(path)})

    def publish_over(self, writes: Sequence[Write], victims: Iterable[str]) -> None:
        """Do what `publish` does, and remove the files that give way to that once it is durable.

        Where the disk has no room for both, so many of them go before as make room for the group.
        If they would not, by what the disk says of its room, all stays as it was. If by that there
        is room, it refused for want of something else, and as much of them goes as is to come.

        Raises:
            ConflictError: a name is taken and its order does not allow that.
            FullError: no room even so.
            StorageError: the disk refused.
        """
        written = {write.path for write in writes}
        going = [path for path in victims if path not in written]
        try:
            self.publish(writes)
        except FullError:
            first = self._enough_for(writes, going)
            if not first:
                raise
            for path in first:
                self.remove(path)
            self.publish(writes)
        for path in going:
            self.remove(path)

    def append(self, path: str, data: bytes) -> None:
        """Add *data* at the end of the file *path*, made if missing; not durable before `settle`.

        After an error or a crash a beginning of *data* may be there.

        Raises:
            FullError: no room.
            StorageError: the disk refused.
        """
        with converted("write"):
            for _ in range(_TRIES):
                try:
                    self._make_folders(path)
                    return self._fs.append(path, data)
                except (NotADirectoryError, IsADirectoryError):
                    self._make_way(path)
                except FileNotFoundError:
                    pass  # somebody removed the folder just now
            raise OSError(errno.EBUSY, "the folder is removed again and again", path)

    def settle(self, folders: Iterable[str]) -> None:
        """Make files, or the names in folders, durable, whoever wrote them; missing is no error.

        Raises:
            StorageError: the disk refused.
        """
        paths = {path for folder in folders for path in (folder, *_folders_above(folder))}
        if paths:
            with converted("write"):
                self._fs.sync(paths)

    def move(self, old: str, new: str) -> bool:
        """Rename *old* durably; False when it is gone: another process was first.

        Raises:
            FullError: no room for the name, on the disk or in what the disk takes for one.
            StorageError: the disk refused.
        """
        with converted("move"):
            try:
                is_there = self._rename(self._fs.rename, old, new)
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:  # eCryptfs has 143 bytes for it
                    raise FullError(f"no name of that length is possible here: {new}") from error
                raise
            if not is_there:
                return False
            self._fs.sync([*_folders_above(new), parent_of(old)])
            return True

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """Return the content of the file *path*.

        Raises:
            GoneError: there is none.
            UnreadableError: the disk cannot read it, not at a second try either.
            StorageError: the disk refused, or the file is longer than *limit_bytes*.
        """
        with converted("read"):
            try:
                return self._read_again_if_failing(path, limit_bytes)
            except OSError as error:
                if error.errno == errno.EIO:
                    raise UnreadableError(f"the disk cannot read {path}: {error}") from error
                if error.errno in _NO_FILE and self.inspect(path) is None:
                    raise FileNotFoundError(error.errno, "not a regular file", path) from error
                raise

    def _read_again_if_failing(self, path: str, limit_bytes: int) -> bytes:
        """Read a file; what fails once, by a loose plug or a weak sector, may be read after all.

        Else a file as good as any would leave its queue for one bad moment of the disk.
        """
        try:
            return self._fs.read(path, limit_bytes=limit_bytes)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return self._fs.read(path, limit_bytes=limit_bytes)

    @contextmanager
    def alone(self, name: str, busy: str) -> Iterator[None]:
        """Be the only one in this spool that holds the lock *name*; *busy* says who else does.

        Raises:
            BusyError: somebody else does.
            StorageError: the disk refused.
        """
        with ExitStack() as held:
            with converted("lock"):
                try:
                    held.enter_context(self._fs.lock(f"{LOCKS_FOLDER}/{name}"))
                except BlockingIOError as error:
                    raise BusyError(f"{busy}; wait for its end") from error
            yield

    def names(self, folder: str) -> list[str]:
        """Return the names in *folder*, sorted; none when it is missing, or no folder.

        Raises:
            StorageError: the disk refused.
        """
        with converted("list"), suppress(FileNotFoundError, NotADirectoryError):
            return sorted(self._fs.names(folder))
        return []

    def inspect(self, path: str) -> Facts | None:
        """Return the facts about the regular file *path*, None when there is none.

        Raises:
            StorageError: the disk refused.
        """
        with converted("look at"), suppress(NotADirectoryError):
            found = self._fs.inspect(path)
            return found if found is not None and found.kind is Kind.FILE else None
        return None

    def remove(self, path: str) -> None:
        """Remove the file *path*, and its folder if it was the last in it; missing is no error.

        Raises:
            StorageError: the disk refused.
        """
        with converted("remove"):
            self._remove_file(path)
            self._remove_folder(parent_of(path))

    def remove_tree(self, folder: str) -> None:
        """Remove *folder* and the files in it; missing is no error, and folders in it stay.

        Raises:
            StorageError: the disk refused.
        """
        with converted("remove"):
            for name in self.names(folder):
                self._remove_file(f"{folder}/{name}")
            self._remove_folder(folder)

    def sweep(self, *, is_alive: Callable[[int], bool], now_ns: int) -> None:
        """Remove the temporary files of processes that are gone, and any older than a day.

        Raises:
            StorageError: the disk refused.
        """
        for name in self.names(TEMP_FOLDER):
            path = f"{TEMP_FOLDER}/{name}"
            written = _TEMP_NAME.fullmatch(name)
            facts = self.inspect(path)
            if written is None or facts is None:
                continue
            # A process number is used again some day: a living owner proves nothing for ever.
            if not is_alive(int(written[1])) or now_ns - facts.modified_ns > _DAY_NS:
                with converted("remove"):
                    self._fs.remove(path)

    def _enough_for(self, writes: Sequence[Write], victims: Iterable[str]) -> list[str]:
        """Return which of *victims* to remove, so that there is room; none if nothing helps."""
        with converted("ask for the room of"):
            space = self._fs.space()
        if space.free_bytes is None:
            return []
        above = {folder for write in writes for folder in _folders_above(write.path)[:-1]}
        need = room.needed(
            (len(write.data) for write in writes), self._missing_folders(above), space
        )
        there = [
            room.Victim(path, facts.size_bytes)
            for path in victims
            if (facts := self.inspect(path)) is not None
        ]
        # A folder that something comes into stays, or is made anew.
        folders = {parent_of(each.path) for each in there} - above
        in_folder = {folder: len(self.names(folder)) for folder in folders}
        return room.enough(there, room.lacking(need, space), in_folder, space)

    def _missing_folders(self, folders: Iterable[str]) -> list[str]:
        with converted("look at"):
            return [each for each in folders if not self._is_folder(each)]

    def _is_folder(self, path: str) -> bool:
        with suppress(NotADirectoryError):
            found = self._fs.inspect(path)
            return found is not None and found.kind is Kind.FOLDER
        return False

    def _write_temps(self, writes: Iterable[Write], temps: dict[str, Write]) -> Iterator[str]:
        """Write all but what is there; yield that, since it may not be durable yet."""
        for write in writes:
            if write.order is Order.SAME and self._is_there(write):
                yield write.path
                continue
            temp = f"{TEMP_FOLDER}/{self._pid}-{self._entropy(8).hex()}"
            temps[temp] = write
            self._fs.create(temp, (write.data,))

    def _place(self, temp: str, write: Write) -> None:
        rename = self._fs.rename if write.order is Order.REPLACE else self._fs.rename_new
        for _ in range(_TRIES):
            try:
                if not self._rename(rename, temp, write.path):
                    raise StorageError(f"cannot write {write.path}: its temporary file was removed")
            except FileExistsError:
                if write.order is Order.NEW:
                    raise ConflictError(f"{write.path} exists already") from None
                if not self._is_there(write):
                    self._make_way(write.path)
                    continue  # or another process had it and has done with it
                self._fs.remove(temp)
            return
        raise OSError(errno.EBUSY, "the file appears again and again", write.path)

    def _rename(self, rename: Callable[[str, str], None], old: str, new: str) -> bool:
        """Rename into a folder that may have to be made; False when *old* is gone."""
        for _ in range(_TRIES):
            try:
                self._make_folders(new)
                rename(old, new)
            except (NotADirectoryError, IsADirectoryError):
                self._make_way(new)
            except FileNotFoundError:
                pass  # either of the two
            else:
                return True
            if self.inspect(old) is None:
                return False
        raise OSError(errno.EBUSY, "the folder is removed again and again", new)

    def _make_folders(self, path: str) -> None:
        for folder in reversed(_folders_above(path)[:-1]):
            self._fs.make_folder(folder)

    def _make_way(self, path: str) -> None:
        """Rename what is no folder of ours above *path*, and no file at it; it loses nothing.

        One process at a time, or one would rename what another has just made in its place, with all
        that is in it. Who has waited in vain tries again.
        """
        with suppress(BlockingIOError), self._fs.lock(_MAKING_WAY):
            for place in (*reversed(_folders_above(path)[:-1]), path):
                found = self._fs.inspect(place)
                wanted = Kind.FILE if place == path else Kind.FOLDER
                if found is not None and found.kind is not wanted:
                    self._fs.rename(place, f"{place}.{_FOREIGN}-{self._entropy(4).hex()}")
                    return

    def _remove_file(self, path: str) -> None:
        try:
            self._fs.remove(path)
        except OSError as error:
            if error.errno not in _NO_FILE or self.inspect(path) is not None:
                raise

    def _remove_folder(self, path: str) -> None:
        with suppress(NotADirectoryError):
            self._fs.remove_folder(path)

    def _is_there(self, write: Write) -> bool:
        facts = self.inspect(write.path)
        if facts is None:
            return False
        if facts.size_bytes == len(write.data):
            try:
                if self._fs.read(write.path, limit_bytes=len(write.data)) == write.data:
                    return True
            except FileNotFoundError:
                return False
        raise ConflictError(f"{write.path} exists already with other bytes")


@contextmanager
def converted(action: str) -> Iterator[None]:
    """Turn an `OSError` into the error of this room that says what a caller can do."""
    try:
        yield
    except FileNotFoundError as error:
        raise GoneError(f"cannot {action}: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FullError(f"cannot {action}: the disk is full ({error})") from error
        raise StorageError(f"cannot {action}: {error}") from error


def _folders_above(path: str) -> list[str]:
    """Return the folder of *path*, the one above it and so on up to the top, "" included."""
    folders = []
    while path:
        path = parent_of(path)
        folders.append(path)
    return folders
