"""A disk that loses power: what a file system may keep of what was not synced.

Of a file it keeps what was there when it was last synced; of each block of 4096 bytes (or of each
sector of 512) written since any version, in any order; its length is any that it had since, and
what was not kept of it is zeros. Of names it keeps, as file systems differ:

- *journal* (ext4, XFS, APFS): the changes up to some instant, not before the last sync of anything;
- *strict* (what POSIX promises): those of each folder that was synced since, of others any, but
  none without those before it that touched the same name; a rename is one change;
- *torn* (FAT, exFAT): likewise, and a rename is two.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

BLOCK_BYTES = 4096
SECTOR_BYTES = 512
_TOP = 0

Tree = dict[str, bytes | None]
"""What lies at each path; None is a folder."""


@dataclass(eq=False, slots=True)
class File:
    """One file, whatever its names.

    Attributes:
        synced: What it was when it was last synced.
        live: What it is.
        pending: What changed since: bytes at an offset, or (None) its length.
    """

    synced: bytes = b""
    live: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        self.pending.append((offset, data))
        _change(self.live, offset, data)

    def truncate(self, size: int) -> None:
        self.pending.append((size, None))
        _change(self.live, size, None)

    def sync(self) -> None:
        self.synced = bytes(self.live)
        self.pending.clear()


def _change(content: bytearray, offset: int, data: bytes | None) -> None:
    end = offset if data is None else offset + len(data)
    if data is None:
        del content[end:]
    content.extend(bytes(max(0, end - len(content))))
    if data is not None:
        content[offset:end] = data


Keep = Callable[[File], bytes]
"""What is kept of a file."""


def keep_live(file: File) -> bytes:
    """All of it: the process was killed, or the system wrote it out in time."""
    return bytes(file.live)


def keep_synced(file: File) -> bytes:
    """What was synced, and nothing since."""
    return file.synced


def keep_length(file: File) -> bytes:
    """What was synced, at the length of what is: zeros where it grew."""
    return file.synced[: len(file.live)].ljust(len(file.live), b"\0")


def keep_some(rng: random.Random, unit_bytes: int) -> Keep:
    """Any version of each block, at any length."""

    def keep(file: File) -> bytes:
        if not file.pending:
            return file.synced
        content, sizes = bytearray(file.synced), [len(file.synced)]
        versions: dict[int, list[bytes]] = {}
        for offset, data in file.pending:
            before = len(content)
            _change(content, offset, data)
            sizes.append(len(content))
            start = min(offset, before)
            end = max(before, offset) if data is None else offset + len(data)
            for block in range(start // unit_bytes, -(-end // unit_bytes)):
                at = block * unit_bytes
                known = versions.setdefault(block, [file.synced[at : at + unit_bytes]])
                known.append(bytes(content[at : at + unit_bytes]))
        newest = rng.choice((0.0, 0.5, 0.95))
        size = sizes[-1] if rng.random() < newest else rng.choice(sizes)
        kept = bytearray(file.synced.ljust(max(sizes), b"\0"))
        for block, known in versions.items():
            chosen = known[-1] if rng.random() < newest else rng.choice(known)
            at = block * unit_bytes
            kept[at : at + unit_bytes] = chosen.ljust(unit_bytes, b"\0")
        return bytes(kept[:size].ljust(size, b"\0"))

    return keep


@dataclass(eq=False, slots=True)
class Change:
    """What a name in a folder means from then on: a file, a folder, or (None) nothing."""

    folder: int
    name: str
    node: int | None
    is_durable: bool = False


class Disk:
    """One disk, what was asked of it, and what may be left of that."""

    def __init__(self) -> None:
        self._nodes: list[File | None] = [None]  # None is a folder; the first is the top
        self._live: dict[tuple[int, str], int] = {}
        self._settled: dict[tuple[int, str], int] = {}
        self._steps: list[list[Change]] = []
        self._journaled = 0

    # -- what is asked of it ------------------------------------------------------------------

    def find(self, path: str) -> int | None:
        node: int | None = _TOP
        for name in path.split("/") if path else ():
            if node is None:
                return None
            node = self._live.get((node, name))
        return node

    def file(self, node: int) -> File:
        found = self._nodes[node]
        if found is None:
            raise ValueError("a folder is no file")
        return found

    def create(self, path: str) -> int:
        return self._add(path, File())

    def make_folder(self, path: str) -> None:
        self._add(path, None)

    def link(self, old: str, new: str) -> None:
        self._step((new, self._found(old)))

    def remove(self, path: str) -> None:
        self._step((path, None))

    def rename(self, old: str, new: str) -> None:
        if self.find(old) != self.find(new):  # two names of one file: nothing happens
            self._step((new, self._found(old)), (old, None))

    def sync(self, node: int) -> None:
        """A file, and by a journal all names; or the names in a folder."""
        file = self._nodes[node]
        if file is not None:
            file.sync()
        else:
            for step in self._steps:
                for number, change in enumerate(step):
                    if change.folder == node:
                        change.is_durable = True
                        if number:  # the old name of a rename is gone only if the new one is there
                            step[0].is_durable = True
        self._journaled = len(self._steps)
        self._settle()

    def sync_all(self) -> None:
        for file in self._nodes:
            if file is not None:
                file.sync()
        for step in self._steps:
            for change in step:
                change.is_durable = True
        self._journaled = len(self._steps)
        self._settle()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to lose."""
        return not self._steps and not any(file.pending for file in self._nodes if file)

    # -- what may be left ---------------------------------------------------------------------

    def live(self) -> Tree:
        return self._tree(self._live, keep_live)

    def strict(self, keep: Keep = keep_synced) -> Tree:
        """Only the names in folders that were synced."""
        return self._after([one for one in self._changes() if one.is_durable], keep)

    def journal(self, keep: Keep = keep_synced) -> Tree:
        """The names that were there when anything was last synced."""
        return self._after(self._changes(self._journaled), keep)

    def with_names(self, keep: Keep) -> Tree:
        """All names, but not all that the files held."""
        return self._tree(self._live, keep)

    def some_journal(self, rng: random.Random, keep: Keep) -> Tree:
        until = rng.randint(self._journaled, len(self._steps))
        return self._after(self._changes(until), keep)

    def some_strict(self, rng: random.Random, keep: Keep, *, is_torn: bool = False) -> Tree:
        chance = rng.choice((0.1, 0.5, 0.9))
        lost: set[tuple[int, str]] = set()
        kept: list[Change] = []
        for step in self._steps:
            parts = [[change] for change in step] if is_torn else [step]
            for part in parts:
                names = {(change.folder, change.name) for change in part}
                durable = [change for change in part if change.is_durable]
                if not names & lost and (len(durable) == len(part) or rng.random() < chance):
                    kept += part
                else:
                    kept += durable
                    lost |= names - {(change.folder, change.name) for change in durable}
        return self._after(kept, keep)

    # -- how ----------------------------------------------------------------------------------

    def _add(self, path: str, node: File | None) -> int:
        self._nodes.append(node)
        self._step((path, len(self._nodes) - 1))
        return len(self._nodes) - 1

    def _found(self, path: str) -> int:
        node = self.find(path)
        if node is None:
            raise ValueError(f"{path} is not there")
        return node

    def _step(self, *changes: tuple[str, int | None]) -> None:
        step = []
        for path, node in changes:
            folder, _, name = path.rpartition("/")
            step.append(Change(self._found(folder), name, node))
        self._steps.append(step)
        _apply(self._live, step)

    def _changes(self, until: int | None = None) -> Iterator[Change]:
        return (change for step in self._steps[:until] for change in step)

    def _settle(self) -> None:
        count = 0
        for step in self._steps:
            if not all(change.is_durable for change in step):
                break
            _apply(self._settled, step)
            count += 1
        del self._steps[:count]
        self._journaled -= count

    def _after(self, changes: Sequence[Change] | Iterator[Change], keep: Keep) -> Tree:
        names = dict(self._settled)
        _apply(names, changes)
        return self._tree(names, keep)

    def _tree(self, names: dict[tuple[int, str], int], keep: Keep) -> Tree:
        inside: dict[int, list[tuple[str, int]]] = {}
        for (folder, name), node in sorted(names.items()):
            inside.setdefault(folder, []).append((name, node))
        tree: Tree = {}
        kept: dict[int, bytes] = {}  # a file of two names is one
        todo = [("", _TOP)]
        while todo:
            above, folder = todo.pop()
            for name, node in inside.get(folder, ()):
                path, file = f"{above}{name}", self._nodes[node]
                if file is not None:
                    tree[path] = kept[node] = kept[node] if node in kept else keep(file)
                else:
                    tree[path] = None
                    todo.append((f"{path}/", node))
        return tree


def _apply(names: dict[tuple[int, str], int], changes: Sequence[Change] | Iterator[Change]) -> None:
    for change in changes:
        if change.node is None:
            names.pop((change.folder, change.name), None)
        else:
            names[change.folder, change.name] = change.node
