"""Computers as their disks see them: the calls of a log, applied to models of the disks."""

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from tests.proving.power_disk import Disk, Tree
from tests.proving.power_log import Call, Opened

_INVISIBLE = ("-shm",)
"""Files that SQLite writes through shared memory, and makes anew after a restart."""


@dataclass(slots=True)
class _Handle:
    disk: Disk
    node: int
    position: int
    appends: bool


class Machine:
    """All disks below a folder: each folder in it is one.

    Attributes:
        disks: By name.
        said: What was written to standard output so far.
    """

    def __init__(self, top: Path, names: tuple[str, ...]) -> None:
        self.top = str(top)
        self.disks = {name: Disk() for name in names}
        self.said = b""
        self._handles: dict[tuple[int, int], _Handle] = {}

    def apply(self, call: Call) -> str | None:
        """Do what *call* did; return which disk it changed, or "" if it spoke; else None."""
        if call.name == "write" and call.opened[0].number == 1:
            self.said += call.texts[0]
            return ""
        if call.name == "sync":
            raise ValueError("sync(2) says nothing of what it reached")
        handler = _HANDLERS.get(call.name)
        return None if handler is None else handler(self, call)

    # -- calls that name a descriptor ---------------------------------------------------------

    def _open(self, call: Call) -> str | None:
        at = self._below(call.texts[0], call.opened[0] if call.opened else None)
        self._handles.pop((call.process, call.result), None)
        if at is None:
            return None
        name, path = at
        disk, flags = self.disks[name], call.rest
        node, changed = disk.find(path), None
        if node is None:
            node, changed = disk.create(path), name
        elif "O_TRUNC" in flags:
            disk.file(node).truncate(0)
            changed = name
        key = call.process, call.result
        self._handles[key] = _Handle(disk, node, 0, "O_APPEND" in flags)
        return changed

    def _write(self, call: Call) -> str | None:
        found = self._handle(call)
        if found is None:
            return None
        name, handle = found
        if call.opened[0].path.endswith(_INVISIBLE):
            return None
        data = b"".join(call.texts)[: call.result]
        file = handle.disk.file(handle.node)
        if call.name.startswith("pwrite"):
            offset = call.numbers[-2 if call.name == "pwritev2" else -1]
        else:
            offset = len(file.live) if handle.appends else handle.position
            handle.position = offset + len(data)
        file.write(offset, data)
        return name

    def _seek(self, call: Call) -> str | None:
        found = self._handle(call)
        if found is not None:
            found[1].position = call.result
        return None

    def _truncate(self, call: Call) -> str | None:
        found = self._handle(call)
        if found is None:
            return None
        found[1].disk.file(found[1].node).truncate(call.numbers[-1])
        return None if call.opened[0].path.endswith(_INVISIBLE) else found[0]

    def _sync(self, call: Call) -> str | None:
        found = self._handle(call)
        if found is None:
            return None
        found[1].disk.sync(found[1].node)
        return found[0]

    def _sync_all(self, call: Call) -> str | None:
        found = self._handle(call)
        if found is None:
            return None
        found[1].disk.sync_all()
        return found[0]

    def _unknown(self, call: Call) -> str | None:
        if any(self._split(one.path) for one in call.opened) or any(
            self._below(text, None) for text in call.texts
        ):
            raise ValueError(f"{call.name} is not modelled")
        return None

    # -- calls that name paths ----------------------------------------------------------------

    def _make_folder(self, call: Call) -> str | None:
        (at,) = self._paths(call)
        if at is None:
            return None
        self.disks[at[0]].make_folder(at[1])
        return at[0]

    def _remove(self, call: Call) -> str | None:
        (at,) = self._paths(call)
        if at is None:
            return None
        self.disks[at[0]].remove(at[1])
        return at[0]

    def _rename(self, call: Call) -> str | None:
        old, new = self._paths(call)
        if old is None or new is None:
            return None
        self.disks[old[0]].rename(old[1], new[1])
        return old[0]

    def _link(self, call: Call) -> str | None:
        old, new = self._paths(call)
        if old is None or new is None:
            return None
        self.disks[old[0]].link(old[1], new[1])
        return old[0]

    # -- where --------------------------------------------------------------------------------

    def _paths(self, call: Call) -> list[tuple[str, str] | None]:
        folders = call.opened or (None,) * len(call.texts)
        return [self._below(text, folder) for text, folder in zip(call.texts, folders, strict=True)]

    def _below(self, text: bytes, folder: Opened | None) -> tuple[str, str] | None:
        path = os.fsdecode(text)
        if not path.startswith("/"):
            if folder is None:
                return None  # below the checkout: nothing of ours is written there
            path = f"{folder.path}/{path}"
        return self._split(path)

    def _split(self, path: str) -> tuple[str, str] | None:
        """Return the disk of *path*, and what it is called there."""
        relative = posixpath.relpath(path, self.top)
        name, _, rest = relative.partition("/")
        return (name, rest) if path.startswith("/") and name in self.disks else None

    def _handle(self, call: Call) -> tuple[str, _Handle] | None:
        opened = call.opened[0]
        at = self._split(opened.path)
        if at is None:
            return None
        name, path = at
        key = call.process, opened.number
        if key not in self._handles:  # a copy of another descriptor
            node = self.disks[name].find(path)
            if node is None:
                raise ValueError(f"{path} is written by nobody knows what descriptor")
            self._handles[key] = _Handle(self.disks[name], node, 0, False)
        return name, self._handles[key]


_HANDLERS = {
    "open": Machine._open,
    "openat": Machine._open,
    "write": Machine._write,
    "pwrite64": Machine._write,
    "writev": Machine._write,
    "pwritev": Machine._write,
    "pwritev2": Machine._write,
    "lseek": Machine._seek,
    "ftruncate": Machine._truncate,
    "fsync": Machine._sync,
    "fdatasync": Machine._sync,
    "syncfs": Machine._sync_all,
    "mkdir": Machine._make_folder,
    "mkdirat": Machine._make_folder,
    "unlink": Machine._remove,
    "unlinkat": Machine._remove,
    "rmdir": Machine._remove,
    "rename": Machine._rename,
    "renameat": Machine._rename,
    "renameat2": Machine._rename,
    "link": Machine._link,
    "linkat": Machine._link,
    **dict.fromkeys(
        (
            "creat",
            "openat2",
            "truncate",
            "fallocate",
            "copy_file_range",
            "sendfile",
            "splice",
            "symlink",
            "symlinkat",
        ),
        Machine._unknown,
    ),
}


def on_disk(folder: Path) -> Tree:
    """Return what lies below *folder* that the calls tell of."""
    return visible(
        {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
            for path in folder.rglob("*")
        }
    )


def visible(tree: Tree) -> Tree:
    """Return *tree* without what the calls do not tell of."""
    return {path: data for path, data in tree.items() if not path.endswith(_INVISIBLE)}


def lay_out(folder: Path, tree: Tree) -> None:
    """Make *folder*, with what is in *tree*."""
    folder.mkdir(parents=True)
    for path, data in sorted(visible(tree).items()):
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)
