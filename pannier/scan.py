"""Finding the files below what a person names: regular ones only, no link followed."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.entry import check_thing
from ledger.errors import LedgerError
from ledger.lazy_dataclass import dataclass
from pannier.files import TEMPORARY, Skipped, unsafe_name

_KINDS = {
    stat.S_IFLNK: "a link; only what lies behind it could be added",
    stat.S_IFIFO: "a FIFO and no file",
    stat.S_IFSOCK: "a socket and no file",
    stat.S_IFBLK: "a device and no file",
    stat.S_IFCHR: "a device and no file",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file.

    Attributes:
        path: Where.
        thing: What the ledger calls it.
    """

    path: Path
    thing: str


def scan(paths: Sequence[Path | str], prefix: str, *, home: Path) -> Iterator[Found | Skipped]:
    """Yield all files that *paths* name or that lie below them, each folder in order of names.

    A file below the folder ``a/b`` is called ``b/...``, as `tar` has it; below ``a/b/.`` or ``.``
    it is called as it lies in there. Of several that would be called the same the first counts.

    Args:
        paths: Files and folders.
        prefix: What comes before each name, with a slash between; may be empty.
        home: This node's folder, which is left out.
    """
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    names = [_own_name(path) for path in paths]
    # All of what lies below names that differ is called differently: nothing need be remembered.
    is_clear = len(set(names)) == len(names) and (len(names) == 1 or "" not in names)
    before: dict[str, Path] = {}
    for path, name in zip(paths, names, strict=True):
        found = _below(Path(path), start + name, home)
        yield from found if is_clear else _unlike(found, before)


def _unlike(files: Iterator[Found | Skipped], before: dict[str, Path]) -> Iterator[Found | Skipped]:
    """Yield *files* without those whose names stand in *before*, and note the names."""
    for found in files:
        if isinstance(found, Skipped):
            yield found
            continue
        other = before.setdefault(found.thing, found.path)
        if other is found.path:
            yield found
        elif not _is_one(found.path, other):
            yield Skipped(str(found.path), f"{other} is called {found.thing}, too: name one alone")


def _own_name(path: Path | str) -> str:
    text = os.fspath(path)
    if text.rstrip("/").endswith("/.") or Path(text).name in ("", ".."):
        return ""
    return Path(text).name


def _below(top: Path, thing: str, home: Path) -> Iterator[Found | Skipped]:
    waiting = [(top, thing.rstrip("/"))]
    while waiting:
        path, thing = waiting.pop()
        try:
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                why = "this node's own folder" if _is_same(found, home) else _unsafe(thing)
                if why is not None:
                    yield Skipped(str(path), why)
                    continue
                names = sorted((child.name for child in path.iterdir()), reverse=True)
                start = f"{thing}/" if thing else ""
                waiting.extend((path / name, start + name) for name in names)
            else:
                yield _file(path, thing, found.st_mode)
        except OSError as error:
            yield Skipped(str(path), error.strerror or str(error))


def _file(path: Path, thing: str, mode: int) -> Found | Skipped:
    if not stat.S_ISREG(mode):
        return Skipped(str(path), _KINDS.get(stat.S_IFMT(mode), "no regular file"))
    if path.name.startswith(TEMPORARY):
        return Skipped(str(path), "a file that was being written by `pannier checkout`")
    try:
        check_thing(thing)
    except LedgerError as error:
        return Skipped(str(path), str(error))
    why = _unsafe(thing)
    return Found(path, thing) if why is None else Skipped(str(path), why)


def _unsafe(thing: str) -> str | None:
    """Return why nobody could check *thing* out; the folder that was named may have no name."""
    return unsafe_name(thing, windows=False) if thing else None


def _is_one(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _is_same(found: os.stat_result, folder: Path) -> bool:
    try:
        return os.path.samestat(found, folder.stat())
    except OSError:
        return False
