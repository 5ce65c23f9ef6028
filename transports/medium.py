"""A stick or drop folder: `<medium>/pannier/...` (docs/format.md section 8).

What lies there is hostile until proven otherwise. Only regular files whose names are exactly a
fragment's are ever opened, without following a link at any level; so a temporary name or conflict
copy of any sync tool is never read, and whatever is none of ours is left alone. Names are taken
without regard to letter case, since copies made through FAT may come back in capitals.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from spool.errors import MalformedNameError
from spool.file_system import FileSystem, Kind
from spool.name import FragmentName
from spool.os_file_system import OsFileSystem
from transports.errors import (
    MediumFaultError,
    MediumFullError,
    MediumReadOnlyError,
    NotAMediumError,
)
from transports.identity import MAX_IDENTITY_BYTES, Identity, clean_label, parse_identity
from transports.medium_files import TOP, MediumFiles

# 256 folders of 13,107 names, where FAT32 ends, would be more; a later pass takes the rest.
MAX_ENTRIES: Final = 100_000
# Kept free for folders that grow.
_RESERVE_CLUSTERS: Final = 8
README_PATH: Final = f"{TOP}/README.txt"
IDENTITY_PATH: Final = f"{TOP}/medium.json"
_OURS = {README_PATH, IDENTITY_PATH}
_INTRO = """\
This folder belongs to pannier, which carries sealed messages between computers.
Nobody who finds it can read them. Please leave it as it is, and give it back.
"""


class Found(NamedTuple):
    """A file on the medium with a fragment's name; the most urgent sorts first.

    Attributes:
        name: What its name says.
        path: Where it is, below the medium.
        size_bytes: How long it is.
        modified_ns: Its time, by the clock of whoever wrote it.
    """

    name: FragmentName
    path: str
    size_bytes: int
    modified_ns: int


class Survey(NamedTuple):
    """What a pass over the names on a medium found.

    Attributes:
        found: Files with a fragment's name, the most urgent first.
        foreign_count: Other names; they were left alone.
        is_cut: There was more than the pass may look at.
    """

    found: tuple[Found, ...]
    foreign_count: int
    is_cut: bool


class _Names(NamedTuple):
    """What a pass over names alone found.

    Attributes:
        fragments: Each with its path.
        foreign_count: Other names.
        is_cut: There was more than the pass may look at.
    """

    fragments: list[tuple[FragmentName, str]]
    foreign_count: int
    is_cut: bool


class Medium:
    """One medium, known by its id.

    Its methods raise what `MediumFiles` says.

    Attributes:
        files: What is on it.
        id: 16 hex digits; for this time only where nothing can be written and none was there.
        label: What people call it, may be empty.
    """

    def __init__(self, files: MediumFiles, identity: Identity) -> None:
        """Use `Medium.open` or `Medium.attach`."""
        self.files = files
        self.id = identity.id
        self.label = identity.label

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        entropy: Callable[[int], bytes],
        label: str | None = None,
        mark: str | None = None,
    ) -> "Medium":
        """Return the medium at *path*, made one if it is none yet.

        Args:
            path: An existing folder, the mount point of a stick for example.
            entropy: Returns as many random bytes as it is asked for.
            label: What to call it if it has no name yet.
            mark: 8 hex digits of whoever opens it; what was left half done under them is replaced.

        Raises:
            NotAMediumError: there is no such folder, or it cannot be used.
            MediumFullError: there is no room for its first folder.
            MediumGoneError: it went away meanwhile.
        """
        try:
            fs = OsFileSystem(path)
        except OSError as error:
            why = error.strerror or error
            raise NotAMediumError(f"{path} cannot be used as a medium: {why}") from error
        return cls.attach(fs, entropy=entropy, label=label, mark=mark)

    @classmethod
    def attach(
        cls,
        fs: FileSystem,
        *,
        entropy: Callable[[int], bytes],
        label: str | None = None,
        mark: str | None = None,
    ) -> "Medium":
        """Do what `Medium.open` does, on any file system.

        A damaged `medium.json` is replaced, with a new id. Where nothing can be written the medium
        is opened all the same, since it may be collected from.

        Raises:
            NotAMediumError: its `pannier` is missing and cannot be made, is no folder, or is of a
                later version.
            MediumGoneError: it went away meanwhile.
        """
        _make_top(fs)
        files = MediumFiles(fs)
        known = None
        with suppress(MediumFaultError):
            known = parse_identity(files.read(IDENTITY_PATH, limit_bytes=MAX_IDENTITY_BYTES))
        if known is not None:
            return cls(files, known)
        medium = cls(files, Identity(entropy(8).hex(), clean_label(label)))
        with suppress(MediumFaultError, MediumFullError, MediumReadOnlyError):
            medium._name_it(mark or entropy(4).hex())
        return medium

    def survey(self, *, limit: int = MAX_ENTRIES) -> Survey:
        """Look at the names on the medium, at most *limit*, and open nothing.

        Rubbish in one folder does not hide the others. One that cannot be listed counts as foreign.
        """
        names = self._names(limit)
        looked = (self._look(name, path) for name, path in names.fragments)
        found = [one for one in looked if one is not None]
        foreign = names.foreign_count + len(names.fragments) - len(found)
        return Survey(tuple(sorted(found)), foreign, names.is_cut)

    def free_bytes(self) -> int | None:
        """Return how much may still be written in files, None where nobody can tell."""
        space = self.files.space()
        if space.free_bytes is None:
            return None
        clusters = space.free_bytes // space.cluster_bytes - _RESERVE_CLUSTERS
        return max(0, clusters * space.cluster_bytes)

    def clear(
        self, bundle_ids: Iterable[str], is_spent: Callable[[FragmentName], bool] | None = None
    ) -> int:
        """Remove the fragment files of these bundles; return how many there were.

        Args:
            bundle_ids: Of the bundles.
            is_spent: Whether a file of them may leave; None: all may.
        """
        ids = frozenset(bundle_ids)
        return self._remove_where(
            lambda name: name.bundle_id in ids and (is_spent is None or is_spent(name))
        )

    def expire(self, today_days: int) -> int:
        """Remove all fragment files of no use after *today_days*; return how many there were."""
        return self._remove_where(lambda name: name.expiry_days < today_days)

    def note(self, text: str, *, mark: str) -> None:
        """Write README.txt anew: what this is, then *text*, such as the last exchange.

        Args:
            text: For people.
            mark: `Spool.mark` of whoever writes.
        """
        self._replace(README_PATH, f"{_INTRO}\n{text}\n".encode(errors="replace"), mark)

    def _name_it(self, mark: str) -> None:
        self._replace(IDENTITY_PATH, Identity(self.id, self.label).to_bytes(), mark)
        if self.files.inspect(README_PATH) is None:
            self._replace(README_PATH, _INTRO.encode(), mark)

    def _replace(self, path: str, data: bytes, mark: str) -> None:
        self.files.unstage([path], mark=mark)
        self.files.stage(path, [data], mark=mark)
        for reason in self.files.publish([path], mark=mark).values():
            raise MediumFaultError(reason)

    def _names(self, limit: int) -> _Names:
        """Look at names alone, as `survey` does."""
        tops = self.files.names(TOP, limit)
        folders = sorted(name for name in tops if _is_folder_name(name))
        foreign = sum(f"{TOP}/{name}" not in _OURS for name in tops) - len(folders)
        listed, is_cut = self._list_fairly(folders, limit)
        foreign += len(folders) - len(listed) + sum(map(len, listed.values()))
        fragments = [one for folder, names in listed.items() for one in _fragments(folder, names)]
        return _Names(fragments, foreign - len(fragments), is_cut or len(tops) == limit)

    def _list_fairly(self, folders: Sequence[str], limit: int) -> tuple[dict[str, list[str]], bool]:
        """Return the names in each folder that can be listed, and whether there are more.

        First each gets an equal share of what is left of *limit*, then those with more the rest.
        """
        listed: dict[str, list[str]] = {}
        longer: list[tuple[str, int]] = []
        left = limit
        for index, folder in enumerate(folders):
            share = left // (len(folders) - index)
            with suppress(MediumFaultError):
                names = self.files.names(f"{TOP}/{folder}", share + 1)
                listed[folder] = names[:share]
                left -= len(listed[folder])
                if len(names) > share:
                    longer.append((folder, share))
        is_cut = False
        for folder, share in longer:
            with suppress(MediumFaultError):
                names = self.files.names(f"{TOP}/{folder}", share + left + 1)
                listed[folder] = names[: share + left]
                is_cut |= len(names) > share + left
                left -= len(listed[folder]) - share
        return listed, is_cut

    def _look(self, name: FragmentName, path: str) -> Found | None:
        with suppress(MediumFaultError):
            facts = self.files.inspect(path)
            if facts is not None:
                return Found(name, path, facts.size_bytes, facts.modified_ns)
        return None

    def _remove_where(self, is_due: Callable[[FragmentName], bool]) -> int:
        """Remove files by what their names say; no others are looked at."""
        due = [one for one in self._names(MAX_ENTRIES).fragments if is_due(one[0])]
        found = [path for name, path in due if self._look(name, path) is not None]
        for path in found:
            self.files.remove(path)
        return len(found)


def fragment_path(name: FragmentName) -> str:
    """Return where a file of fragments belongs on a medium."""
    return f"{TOP}/{name.bundle_id[:2]}/{name.to_text()}"


def _fragments(folder: str, names: Iterable[str]) -> Iterator[tuple[FragmentName, str]]:
    """Yield those of *names* in *folder* that are a fragment's, each with its path."""
    for text in names:
        with suppress(MalformedNameError):
            yield FragmentName.from_text(text.lower()), f"{TOP}/{folder}/{text}"


def _is_folder_name(name: str) -> bool:
    return len(name) == 2 and set(name) <= set("0123456789abcdefABCDEF")


def _make_top(fs: FileSystem) -> None:
    try:
        fs.make_folder(TOP)
        found = fs.inspect(TOP)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise MediumFullError("the medium is full: make room on it") from error
        raise NotAMediumError(f"no folder {TOP} can be made there: {error}") from error
    if found is None or found.kind is not Kind.FOLDER:
        raise NotAMediumError(f"{TOP} is there, but is no folder")
