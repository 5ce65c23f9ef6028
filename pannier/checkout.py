"""Bringing the files of a ledger into a folder: what `pannier checkout` does.

A file is there whole or not at all. What somebody else put there, or changed, is left alone.
"""

import errno
import stat
from collections.abc import Collection, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from shlex import quote
from shutil import disk_usage
from unicodedata import normalize

from ledger import views
from ledger.adopt import adopt
from ledger.errors import LedgerError, MalformedError
from ledger.file_payload import FilePayload
from ledger.lazy_dataclass import dataclass
from ledger.store import Store
from ledger.store_blobs import Place
from ledger.views import Placed
from pannier.checked_out import CheckedOut, CheckoutOptions, Disputed
from pannier.durable_files import make_folder
from pannier.errors import BusyError, PannierError, UsageError
from pannier.files import (
    SMALL_BYTES,
    WORKERS,
    Skipped,
    Version,
    ahead,
    best_version,
    chunk_spans,
    has_double,
    lacking_bytes,
    unsafe_name,
    version_of,
    versions,
)
from pannier.node import Node
from pannier.origins import Origins
from pannier.target_folder import Draft, Existing, TargetFolder, name_below

# What is made durable together.
_MAX_PENDING_FILES = 256
_MAX_PENDING_BYTES = 64 << 20
_REFUSING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the next file will fare no better
_OTHER = "its content there is none that the ledger knows: move it away, or take --force"
_CHANGED = "it was changed meanwhile"
_SHARED = "another pannier checks it out, too: try again when that has ended"
_TO_DELETE = "if that is a folder now, `pannier delete {}`"


_Step = Skipped | Disputed | int


@dataclass(frozen=True, slots=True)
class _Pending:
    """A file that is written but has another name.

    Attributes:
        thing: Its path.
        draft: What was written.
        size: Bytes.
        existing: What it is to replace.
        heads: Of which it is the first file.
    """

    thing: str
    draft: Draft
    size: int
    existing: Existing | None
    heads: list[Placed]


class Checkout:
    """One run of `pannier checkout`."""

    def __init__(self, node: Node, store: Store, folder: Path, options: CheckoutOptions) -> None:
        """Check out from *store* into *folder*, which is made where it is not there.

        Nothing is written below the own folder of *node*: whoever chooses names there chooses its
        settings and peers.

        Raises:
            UsageError: *folder* lies in the node's own.
            PannierError: there cannot be such a folder.
        """
        home = node.home.path
        try:
            if name_below(home, folder) is not None:
                raise UsageError(f"{folder} lies in this node's own folder: name another")
            make_folder(folder)
            self._path, self._folder = folder, TargetFolder(folder)
            own = name_below(folder, home)
        except OSError as error:
            raise PannierError(f"cannot use {folder}: {error.strerror}") from error
        self._own = None if own is None else _folded(own)
        self.done = CheckedOut()
        self._node = node
        self._store = store
        self._origins = Origins(node, store)
        self._options = options
        self._pending: list[_Pending] = []
        self._pending_bytes = 0
        self._swept: set[str] = set()
        self._modes_kept: dict[bool, bool] = {}
        self._by_folded: dict[str, list[str]] = {}

    def run(self, prefix: str = "") -> Iterator[Skipped | Disputed | int]:
        """Bring all files; yield those that are left as they are, and bytes as they are written.

        Where several wrote of a thing without knowing of each other, the first file of its heads is
        brought, whatever else there is: yielded, too, if that is no file.

        Args:
            prefix: Only files whose names begin so.

        Raises:
            BusyError: another run checks out into the same folder.
            LedgerError: the ledger cannot be read.
            PannierError: the disk is full or takes nothing, the folder is gone, or ``node.db``
                cannot be read or written; what was not finished is gone.
            OSError: the disk said no to all that was written last.
        """
        adopt(self._store)
        with self._alone(), ThreadPoolExecutor(WORKERS) as pool:
            try:
                for thing in views.things(self._store, prefix):
                    yield from self._tell(thing, self._bring(thing, pool))
                    if self._is_much():
                        yield from self._finish()
                yield from self._finish()
            finally:
                for one in self._pending:
                    self._folder.remove(one.draft.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs out of the folder: they would take our drafts for what a kill left."""
        with ExitStack() as held:
            try:
                held.enter_context(self._folder.held())
            except BlockingIOError as error:
                raise BusyError(
                    f"another pannier is checking out into {self._path}; "
                    "wait for it, then try again"
                ) from error
            except OSError as error:
                raise PannierError(f"cannot use {self._path}: {error.strerror}") from error
            yield

    def _sweep(self, thing: str) -> None:
        """Remove what killed runs left in the folders of *thing*, of each once."""
        for folder in _folders_of(thing):
            if folder not in self._swept:
                self._swept.add(folder)
                self._folder.sweep(folder, [one.draft.path for one in self._pending])

    def _tell(self, thing: str, steps: Iterator[_Step]) -> Iterator[_Step]:
        """Pass on *steps*; what goes wrong is about this file alone, unless a disk refuses all."""
        try:
            for step in steps:
                self.done.skipped += isinstance(step, Skipped)
                yield step
        except (OSError, LedgerError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            if isinstance(error, OSError) and error.errno in _REFUSING:
                raise PannierError(f"cannot write {thing}: {why}") from error
            self.done.skipped += 1
            yield Skipped(thing, self._clash(thing) or why or str(error))

    # -- one file -----------------------------------------------------------------------------

    def _bring(self, thing: str, pool: Executor) -> Iterator[_Step]:
        heads = views.heads(self._store, thing)
        version = best_version(heads)
        if version is None and not (self._options.delete and views.is_gone(heads)):
            return
        self.done.found += 1
        why = unsafe_name(thing, windows=self._options.windows)
        if self._own is not None and f"{_folded(thing)}/".startswith(f"{self._own}/"):
            why = "this node's own folder"
        if why is None:
            self._sweep(thing)
            existing = self._find(thing) if version is None else self._folder.look(thing)
            if version is None:
                why = self._remove(thing, existing)
            elif self._is_there(thing, version, existing):
                yield from self._note(thing, heads)
            else:
                why = self._obstacle(thing, existing)
                places = {} if why else self._store.blobs.find(set(version.file.digests))
                why = why or _shortfall(version.file, places)
                why = why or self._no_room(thing, version.file.size)
                if why is None:
                    content = self._content(version.file, places, pool)
                    yield from self._write(heads, version, existing, content)
        if why is not None:
            yield Skipped(thing, why)

    def _note(self, thing: str, heads: list[Placed]) -> Iterator[Disputed]:
        """Note what the file that is there now takes into account; yield who says it is none."""
        self._origins.note(thing, self._path / thing, heads)
        self.done.conflicts += len(heads) > 1
        others = [one for one in heads if version_of(one) is None]
        if others:
            said = dict.fromkeys(map(self._what_is_said, others))  # once, and in order
            yield Disputed(thing, f"in conflict with {', '.join(said)}")

    def _what_is_said(self, head: Placed) -> str:
        what = "a deletion" if head.deleted else "data"
        return f"{what} by {self._node.who(head.log.author)}"

    def _is_there(self, thing: str, version: Version, existing: Existing | None) -> bool:
        """Whether there is nothing to do."""
        file = version.file
        if existing is None or not existing.is_file or existing.size != file.size:
            return False
        if existing.is_executable != file.is_executable and self._keeps_mode(thing, version):
            return False
        looks_so = existing.time_us == version.time_us and not self._options.reread
        is_there = looks_so and not has_double(self._store, thing, file.size, version.time_us)
        is_there = is_there or self._digests(thing, existing.size) == file.digests
        self.done.same += is_there
        return is_there

    def _keeps_mode(self, thing: str, version: Version) -> bool:
        """Whether files in the folder can be as executable as this one, or not, asked once each."""
        wanted = version.file.is_executable
        if wanted not in self._modes_kept:
            self._modes_kept[wanted] = self._folder.keeps_mode(thing, _target(version))
        return self._modes_kept[wanted]

    def _obstacle(self, thing: str, existing: Existing | None) -> str | None:
        """Return why nothing can take the place of what is there."""
        if existing is not None:
            if not existing.is_file and not (self._options.force and stat.S_ISLNK(existing.mode)):
                return self._clash(thing) or "something that is no file is there: move it away"
            if not self._options.force and not self._is_known(thing, existing):
                return _OTHER
        return None

    def _no_room(self, thing: str, size_bytes: int) -> str | None:
        """Return that a file is larger than the disk has room for: others may fit."""
        self._folder.remove_draft(thing)
        if size_bytes <= disk_usage(self._path).free:
            return None
        return f"there is no room for its {size_bytes:,} bytes: make room, then try again"

    def _clash(self, thing: str) -> str | None:
        """Return what to do where the ledger has a file and, of the same name, a folder."""
        parts = thing.split("/")
        for above in ("/".join(parts[:end]) for end in range(1, len(parts))):
            if self._is_file(above):
                return f"{above} is a file in the ledger: {_TO_DELETE.format(quote(above))}"
        if any(map(self._is_file, views.things(self._store, f"{thing}/"))):
            return f"the ledger has files below it, too: {_TO_DELETE.format(quote(thing))}"
        return None

    def _is_file(self, thing: str) -> bool:
        return best_version(views.heads(self._store, thing)) is not None

    def _is_known(self, thing: str, existing: Existing) -> bool:
        """Whether what is there is a version that the ledger has: nothing is lost with it."""
        fitting = {
            one.file.digests
            for one in versions(self._store, thing)
            if one.file.size == existing.size
        }
        return bool(fitting) and self._digests(thing, existing.size) in fitting

    def _digests(self, thing: str, size: int) -> tuple[bytes, ...]:
        """Return the digests of the chunks of the file that is there."""
        with self._folder.opened(thing) as file:
            return tuple(sha256(file.read(count)).digest() for _, count in chunk_spans(size))

    def _find(self, thing: str) -> Existing | None:
        """Return what lies where a deleted thing did; None where something else took its place.

        That is a folder by now, or what was a folder above it is none.

        Raises:
            OSError: the disk said no.
        """
        try:
            found = self._folder.look(thing)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                return None
            raise
        return None if found is None or stat.S_ISDIR(found.mode) else found

    def _has_another_name(self, thing: str, existing: Existing) -> bool:
        """Whether what is found there is a file of the ledger that is spelled otherwise.

        Not by its inode: drivers in user space give each spelling one of its own.
        """
        if not any(map(self._find, _spellings(thing))):
            return False
        is_spelled = self._folder.is_spelled(thing)
        return any(
            self._find(one) == existing
            and not (is_spelled and self._folder.is_spelled(one))
            and self._is_known(one, existing)
            for one in self._alike(thing)
        )

    def _alike(self, thing: str) -> Iterator[str]:
        """Yield the files of the ledger whose names differ from *thing* in their spelling alone."""
        if not self._by_folded:
            for one in views.things(self._store):
                self._by_folded.setdefault(_folded(one), []).append(one)
        for one in self._by_folded.get(_folded(thing), ()):
            if one != thing and self._is_file(one):
                yield one

    def _remove(self, thing: str, existing: Existing | None) -> str | None:
        """Remove what was deleted, and folders that are empty then; return why not."""
        if existing is None or not any(True for _ in versions(self._store, thing)):
            return None
        if self._has_another_name(thing, existing):
            return None
        if not existing.is_file or not self._is_known(thing, existing):
            return f"deleted in the ledger, but {_OTHER}"
        self._folder.remove(thing)
        self.done.removed += 1
        parts = thing.split("/")
        for end in range(len(parts) - 1, 0, -1):
            self._folder.remove_folder("/".join(parts[:end]))
        return None

    def _write(
        self,
        heads: list[Placed],
        version: Version,
        existing: Existing | None,
        content: Iterator[bytes],
    ) -> Iterator[int]:
        file, thing = version.file, heads[0].entry.thing
        with self._folder.draft(thing, _target(version)) as draft:
            for piece in content:
                yield draft.file.write(piece)
        self._pending.append(_Pending(thing, draft, file.size, existing, heads))
        self._pending_bytes += file.size

    def _content(
        self, file: FilePayload, places: dict[bytes, Place], pool: Executor
    ) -> Iterator[bytes]:
        pairs = zip(file.digests, file.sizes(), strict=True)
        if file.size <= SMALL_BYTES:
            for digest, size in pairs:
                yield self._piece(places[digest], digest, size)
            return
        started: Iterator[Future[bytes]] = (
            pool.submit(self._piece, places[digest], digest, size) for digest, size in pairs
        )
        for one in ahead(started):
            yield one.result()

    def _piece(self, place: Place, digest: bytes, size: int) -> bytes:
        content = self._store.blobs.read_at(place, digest).content()
        if len(content) != size:
            raise MalformedError("its author names contents that do not have its size")
        return content

    # -- many files ---------------------------------------------------------------------------

    def _is_much(self) -> bool:
        return len(self._pending) >= _MAX_PENDING_FILES or self._pending_bytes >= _MAX_PENDING_BYTES

    def _finish(self) -> Iterator[_Step]:
        """Make what is pending durable, give it its names, and make those durable, too."""
        self._folder.sync([one.draft.path for one in self._pending])
        folders = {parent for one in self._pending for parent in _folders_of(one.thing)}
        while self._pending:
            one = self._pending[-1]
            yield from self._tell(one.thing, self._put_in_place(one))
            self._pending.pop()
        self._pending_bytes = 0
        self._folder.sync(folders)
        self._origins.write()

    def _put_in_place(self, one: _Pending) -> Iterator[_Step]:
        if not self._folder.is_ours(one.draft):
            yield Skipped(one.thing, _SHARED)
            return
        if self._folder.look(one.thing) != one.existing:
            self._folder.remove(one.draft.path)
            yield Skipped(one.thing, self._clash(one.thing) or _CHANGED)
            return
        self._folder.rename(one.draft.path, one.thing)
        self.done.files += 1
        self.done.size_bytes += one.size
        yield from self._note(one.thing, one.heads)


def _folders_of(thing: str) -> list[str]:
    """Return the folders that *thing* lies in, the one that is checked out into last."""
    parts = thing.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, -1, -1)]


def _target(version: Version) -> Existing:
    """Return what a file of this version looks like."""
    mode = stat.S_IFREG | (stat.S_IXUSR if version.file.is_executable else 0)
    return Existing(mode, version.file.size, version.time_us)


def _spellings(name: str) -> set[str]:
    """Return other spellings of *name*: if none leads anywhere, they count where it lies."""
    return {name.swapcase(), normalize("NFC", name), normalize("NFD", name)} - {name}


def _folded(name: str) -> str:
    """Return what some file systems take *name* for, too."""
    return normalize("NFC", normalize("NFC", name).casefold())


def _shortfall(file: FilePayload, held: Collection[bytes]) -> str | None:
    """Return what of *file* is not here; None if all is."""
    lacking = lacking_bytes(file, held)
    return f"{lacking:,} of its {file.size:,} bytes are not here yet" if lacking else None
