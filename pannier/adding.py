"""Taking files into a ledger: what `pannier add` does.

Contents go into a pack, which is durable before the entries that name them are written. Each file
is read once; hashing and compressing run beside the reading, a few chunks in memory at a time.
"""

import os
import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

from ledger import views
from ledger.adopt import adopt
from ledger.append import Draft
from ledger.blob import Chunk, chunk_of
from ledger.entry import MAX_FOLLOWS, sort_follows
from ledger.file_payload import FILE_KIND, MAX_FILE_BYTES, FilePayload, file_of
from ledger.lazy_dataclass import dataclass
from ledger.members import may_write, members
from ledger.store import Store
from ledger.store_blobs import Packing
from ledger.views import Placed
from pannier import ledgers
from pannier.errors import UsageError
from pannier.files import (
    SMALL_BYTES,
    WORKERS,
    Skipped,
    Version,
    ahead,
    best_version,
    chunk_spans,
    has_double,
    unsafe_name,
    version_of,
    versions,
)
from pannier.node import Node
from pannier.origins import Origins, mark_of
from pannier.scan import Found, scan

# What is written in one transaction.
_MAX_DRAFTS = 4096
_MAX_DRAFT_BYTES = 4 << 20
_ATTEMPTS = 3
# Without O_NONBLOCK, opening what became a FIFO waits for a writer that never comes.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
# FAT keeps times in steps of this; zip does, too.
_STEP_US = 2_000_000
_STALE = (
    "an older version than the ledger's, which `pannier checkout` brings: `touch` puts it again"
)
_DELETED = "deleted in the ledger, where it was the same: --reread puts it again"
_CHANGING = "it changed while it was read: add it again when nobody writes to it"
_ODD = "it holds more or less than the system says: add a copy of it"


@dataclass(slots=True)
class Added:
    """What came of adding so far.

    Attributes:
        files: How many were put.
        size_bytes: All of those together.
        unchanged: How many are as the ledger says.
        skipped: How many were left out.
        conflicts: Of how many that were put others put versions, too, which stay beside them.
        settled: Of how many there were several versions, which were taken into account.
    """

    files: int = 0
    size_bytes: int = 0
    unchanged: int = 0
    skipped: int = 0
    conflicts: int = 0
    settled: int = 0


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a file, whose chunks came before it.

    Attributes:
        found: Which file.
        facts: What it was, before and after it was read.
        is_fresh: Whether the next change may leave it the same time.
    """

    found: Found
    facts: os.stat_result
    is_fresh: bool


class _Again:
    """What was read of a file does not count: it changed, and is read once more."""


@dataclass(frozen=True, slots=True)
class _Unchanged:
    """A file that is as the ledger says, by its size and time.

    Attributes:
        found: Which file.
        heads: What the ledger says.
        file: As which of these it is.
    """

    found: Found
    heads: list[Placed]
    file: FilePayload


_Step = Chunk | Future[Chunk] | _End | _Again | _Unchanged | Skipped


class Adding:
    """One run of `pannier add`."""

    def __init__(
        self, node: Node, store: Store, *, reread: bool = False, settle: bool = False
    ) -> None:
        """Add to *store*.

        Args:
            node: Who adds.
            store: The ledger.
            reread: Whether to read files, too, that have the size and time that the ledger knows.
            settle: Whether files take the place of all that others put, known here or not.
        """
        self.added = Added()
        self._node = node
        self._store = store
        self._reread = reread
        self._settle = settle
        self._origins = Origins(node, store)
        self._digests: list[bytes] = []
        self._new: list[bytes] = []
        self._drafts: list[Draft] = []
        self._draft_bytes = 0

    def run(self, paths: Sequence[Path | str], prefix: str = "") -> Iterator[Skipped | int]:
        """Add all files below *paths*; yield what is left out, and bytes as they are taken.

        Args:
            paths: Files and folders.
            prefix: What comes before their names.

        Raises:
            UsageError: this node may not write to the ledger, or there can be no such names.
            LedgerError: the ledger cannot be written; what was said to be put stays.
            PannierError: ``node.db`` cannot be read or written.
        """
        node, store = self._node, self._store
        if not may_write(members(store), node.author.public):
            raise UsageError(
                f"you may read the ledger {store.genesis.name} but not write to it: "
                "ask one of its admins for `ledger share`"
            )
        if prefix and unsafe_name(prefix.removesuffix("/"), windows=False):
            raise UsageError(
                f"nothing can be checked out below {prefix}: name a folder like 2026/maps"
            )
        adopt(store)
        with ThreadPoolExecutor(WORKERS) as pool:
            steps = ahead(self._steps(scan(paths, prefix, home=node.home.path), pool))
            more = True
            while more:
                with store.blobs.packing(node.entropy) as pack:
                    more = yield from self._fill(pack, steps)
                    self._commit(pack)

    # -- reading ------------------------------------------------------------------------------

    def _steps(self, files: Iterable[Found | Skipped], pool: Executor) -> Iterator[_Step]:
        for found in files:
            if isinstance(found, Skipped):
                yield found
                continue
            try:
                yield from self._read(found, pool)
            except OSError as error:
                yield Skipped(str(found.path), error.strerror or str(error))

    def _read(self, found: Found, pool: Executor) -> Iterator[_Step]:
        """Give the chunks of a file and its end, unless there is no need to read it."""
        why = _CHANGING
        for _ in range(_ATTEMPTS):
            descriptor = os.open(found.path, _OPEN)
            with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor
                facts = os.fstat(descriptor)
                is_fresh = abs(self._node.clock() - _time_us(facts)) < _STEP_US
                verdict = self._verdict(found, facts)
                if verdict is not None:
                    yield verdict
                    return
                size = yield from _chunks(file, facts.st_size, pool)
                is_all = size == facts.st_size and not file.read(1)
                is_same = _is_same(facts, os.fstat(descriptor))
                if is_all and is_same:
                    yield _End(found, facts, is_fresh)
                    return
            why = _ODD if is_same else _CHANGING
            yield _Again()
        yield Skipped(str(found.path), why)

    def _verdict(self, found: Found, facts: os.stat_result) -> _Unchanged | Skipped | None:
        """Return why a file need not be read, judged by its size and time; None if it must."""
        why = _why_unfit(facts)
        if why is not None:
            return Skipped(str(found.path), why)
        if self._reread:
            return None
        heads = views.heads(self._store, found.thing)
        if not heads or self._is_unclear(found, facts, heads):
            return None
        known = [version_of(head) for head in heads]
        alike = [one.file for one in known if one and _looks_like(one, facts)]
        if alike:
            is_here = all(one is None or self._is_here(one) for one in known)
            return _Unchanged(found, heads, alike[0]) if is_here else None
        if any(_looks_like(one, facts) for one in versions(self._store, found.thing)):
            return Skipped(str(found.path), _DELETED if _is_deleted(heads) else _STALE)
        return None

    def _is_unclear(self, found: Found, facts: os.stat_result, heads: list[Placed]) -> bool:
        """Whether size and time do not tell which version a file is, or that is not enough."""
        return (
            (self._settle and len(heads) > 1)
            or self._origins.is_fresh(found.thing, found.path)
            or has_double(self._store, found.thing, facts.st_size, _time_us(facts))
        )

    def _is_here(self, version: Version) -> bool:
        digests = set(version.file.digests)
        return self._store.blobs.held(digests) == digests

    # -- writing ------------------------------------------------------------------------------

    def _fill(self, pack: Packing, steps: Iterator[_Step]) -> Generator[Skipped | int, None, bool]:
        """Take steps until it is time to write; return whether there may be more."""
        for step in steps:
            match step:
                case Skipped():
                    self.added.skipped += 1
                    self._digests.clear()
                    self._drop_rest(pack)
                    yield step
                case _Again():
                    self._digests.clear()
                case _Unchanged():
                    self.added.unchanged += 1
                    self._note(step.found, step.heads, step.file, is_fresh=False)
                    yield 0
                case _End():
                    yield from self._end(step)
                    self._drop_rest(pack)
                case _:
                    chunk = step.result() if isinstance(step, Future) else step
                    if pack.add(chunk):
                        self._new.append(chunk.digest)
                    self._digests.append(chunk.digest)
                    yield chunk.size
            if pack.is_full or self._is_much():
                return True
        return False

    def _drop_rest(self, pack: Packing) -> None:
        """Let go of contents that only a reading which does not count has brought."""
        pack.drop(set(self._new).difference(self._digests))
        self._new.clear()
        self._digests.clear()

    def _is_much(self) -> bool:
        return len(self._drafts) >= _MAX_DRAFTS or self._draft_bytes >= _MAX_DRAFT_BYTES

    def _end(self, end: _End) -> Iterator[Skipped]:
        """Say what a file is, unless the ledger says so; yield why it is left out instead."""
        facts, thing = end.facts, end.found.thing
        file = file_of(facts.st_size, self._digests, executable=_is_executable(facts))
        heads = views.heads(self._store, thing)
        is_said = any(_is_of(head, file) for head in heads)
        if is_said and not (self._settle and len(heads) > 1):
            self.added.unchanged += 1
        elif not is_said and (why := self._why_old(file, facts, thing, heads)):
            self.added.skipped += 1
            yield Skipped(str(end.found.path), why)
            return
        else:
            self._put(end, file, heads)
        self._note(end.found, heads, file, is_fresh=end.is_fresh)

    def _why_old(
        self, file: FilePayload, facts: os.stat_result, thing: str, heads: list[Placed]
    ) -> str | None:
        """Return that a file is one that was superseded, not changed since; None if it is not.

        A copy may have another time, up to a step of the clock of FAT, or be of no use to run.
        """
        if not heads or (self._reread and _is_deleted(heads)):
            return None
        said = [version.file.digests for head in heads if (version := version_of(head))]
        for one in versions(self._store, thing):
            is_same = one.file == file or (
                one.file.digests == file.digests and file.digests not in said
            )
            if is_same and _time_us(facts) <= one.time_us + _STEP_US:
                return _DELETED if _is_deleted(heads) else _STALE
        return None

    def _put(self, end: _End, file: FilePayload, heads: list[Placed]) -> None:
        """Put a file in the place of what it was made from, and of nothing that came beside it.

        What was deleted has no content that could be lost, and what this node put last it knows.
        """
        known = self._known(end.found, heads)
        over = [one for one in heads if self._settle or one.deleted or one in known]
        self.added.conflicts += len(over) < len(heads)
        self.added.settled += views.is_conflict(heads) and len(over) == len(heads)
        payload = file.to_payload()
        follows = sort_follows(one.as_follow() for one in over)[:MAX_FOLLOWS]
        draft = Draft(end.found.thing, payload, _time_us(end.facts), FILE_KIND)
        self._drafts.append(draft._replace(follows=tuple(follows)))
        self._draft_bytes += len(payload)
        self.added.files += 1
        self.added.size_bytes += file.size

    def _note(
        self, found: Found, heads: list[Placed], file: FilePayload, *, is_fresh: bool
    ) -> None:
        """Note of which heads a file has the content, beside those that it was made from before."""
        kept = self._known(found, heads)
        kept += [one for one in heads if one not in kept and _is_of(one, file)]
        self._origins.note(found.thing, found.path, kept, is_fresh=is_fresh)

    def _known(self, found: Found, heads: list[Placed]) -> list[Placed]:
        """Return those of *heads* that the file was made from, this node's own among them."""
        if all(map(self._origins.is_own, heads)):
            return heads.copy()
        known = self._origins.of(found.thing, found.path).heads
        return [one for one in heads if self._origins.is_own(one) or mark_of(one) in known]

    def _commit(self, pack: Packing) -> None:
        """Make contents durable, then in one transaction all that says so."""
        pack.sync()
        with self._store.transaction():
            pack.keep()
            ledgers.put(self._node, self._store, self._drafts)
        self._origins.write()
        self._new.clear()
        self._drafts.clear()
        self._draft_bytes = 0


def _why_unfit(facts: os.stat_result) -> str | None:
    """Return why something can never be put; None if it can."""
    if not stat.S_ISREG(facts.st_mode):
        return "no regular file"
    if facts.st_size > MAX_FILE_BYTES:
        return f"{facts.st_size:,} bytes; an entry names at most {MAX_FILE_BYTES:,}: split it"
    return None


def _chunks(
    file: IO[bytes], size: int, pool: Executor
) -> Generator[Chunk | Future[Chunk], None, int]:
    """Yield the chunks of a file of *size* bytes, fewer if it has become shorter.

    Returns:
        How many bytes there were.
    """
    read_bytes = 0
    for _, count in chunk_spans(size):
        content = file.read(count)
        if not content:
            break
        read_bytes += len(content)
        yield chunk_of(content) if count <= SMALL_BYTES else pool.submit(chunk_of, content)
    return read_bytes


def _is_deleted(heads: list[Placed]) -> bool:
    """Whether the last word is a deletion, and nobody says beside it that there is a file."""
    return heads[0].deleted and best_version(heads) is None


def _is_of(head: Placed, file: FilePayload) -> bool:
    """Whether *head* says that its thing is *file*."""
    version = version_of(head)
    return version is not None and version.file == file


def _is_same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _looks_like(version: Version, facts: os.stat_result) -> bool:
    return (version.file.size, version.time_us, version.file.is_executable) == (
        facts.st_size,
        _time_us(facts),
        _is_executable(facts),
    )


def _is_executable(facts: os.stat_result) -> bool:
    return bool(facts.st_mode & stat.S_IXUSR)


def _time_us(facts: os.stat_result) -> int:
    return facts.st_mtime_ns // 1000
