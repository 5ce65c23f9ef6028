"""Contents of files, in a folder of packs beside the ledger file (docs/format.md section 9.5).

A row of the ledger file says where a chunk lies. A pack is durable before its rows are: a power cut
in between leaves a pack without rows, which `ledger.adopt` takes in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TypeVar

from ledger import cbor
from ledger.blob import Chunk, chunk_from_body
from ledger.blob_pack import BLOB_KEY, BLOB_KEY_LABEL, BlobKeys, Span
from ledger.errors import AlteredError, DamagedError, MalformedError, MissingError
from ledger.keys import Entropy
from ledger.lazy_dataclass import dataclass
from ledger.pack_file import PackWriter, read_bodies, read_record
from ledger.records import SqlValue, read_back
from ledger.storage_errors import found_in
from ledger.store_file import StoreFile

MAX_PACK_BYTES = 1 << 30
"""What makes a pack big enough: who writes more begins another."""

_STEP = 500
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk lies.

    Attributes:
        pack: 8 bytes, the name of the pack.
        span: Where in it.
    """

    pack: bytes
    span: Span


class Blobs:
    """The contents of the files of one ledger; `Store.blobs`."""

    def __init__(self, store: StoreFile) -> None:
        """Keep them beside the file of *store*."""
        self._store = store
        self.folder: Path = store.path.with_suffix(".blobs")

    # -- chunks -------------------------------------------------------------------------------

    def add(self, chunks: Iterable[Chunk], entropy: Entropy) -> int:
        """Keep *chunks*, durable on return; return how many were not here.

        Args:
            chunks: Each with the digest of its content, which is not compared again.
            entropy: For the pack.

        Raises:
            BusyError: another process held the ledger file for too long.
            DamagedError: the disk said no; none of them is kept.
        """
        with self.packing(entropy) as pack:
            for chunk in chunks:
                pack.add(chunk)
            return pack.keep()

    @contextmanager
    def packing(self, entropy: Entropy) -> Iterator["Packing"]:
        """Give a pack to add chunks to; what was not kept when the block ends is gone.

        Raises:
            BusyError: another process held the ledger file for too long.
            DamagedError: the disk said no.
        """
        pack = Packing(self, self._store, lambda: PackWriter(self.folder, self.keys, entropy))
        try:
            yield pack
        finally:
            pack.close()

    def held(self, digests: Iterable[bytes]) -> set[bytes]:
        """Return which of *digests* are here."""
        return self._known("SELECT name FROM blob WHERE name", digests)

    def wanted(self, digests: Iterable[bytes]) -> set[bytes]:
        """Return which of *digests* a file entry names that are not here."""
        return self._known("SELECT DISTINCT name FROM lack WHERE name", digests)

    def find(self, digests: Iterable[bytes]) -> dict[bytes, Place]:
        """Return where those of *digests* lie that are here."""
        found: dict[bytes, Place] = {}
        for some in _steps(digests, _STEP):
            names = {self.keys.name(digest): digest for digest in some}
            rows = self._store.rows(f"{_FIND} IN ({_marks(names)})", *names)
            for pack, *row in rows:
                span = _span(row)
                with found_in(self._store.path), read_back():
                    found[names[span.name]] = Place(cbor.as_bytes(pack), span)
        return found

    def read(self, digest: bytes) -> Chunk:
        """Return the chunk called *digest*; `Chunk.content` verifies what is in it.

        Raises:
            MissingError: it is not here.
            DamagedError: it was altered, or its pack cannot be read.
        """
        place = self.find([digest]).get(digest)
        if place is None:
            raise MissingError(f"the content {digest.hex()[:16]} of a file is not here")
        return self.read_at(place, digest)

    def read_at(self, place: Place, digest: bytes) -> Chunk:
        """Return the chunk called *digest*, which `find` found. Any thread may ask.

        Raises:
            DamagedError: it was altered, or its pack cannot be read.
        """
        return read_record(self.folder, place.pack, self.keys, place.span, digest)

    def bodies_at(self, places: Iterable[Place]) -> Iterator[tuple[int, memoryview]]:
        """Yield codec and body of each chunk at *places*, which `find` gave. Any thread may ask.

        Yields:
            Bodies, each of which is there until the next one is asked for.

        Raises:
            DamagedError: one was altered, or its pack cannot be read.
        """
        return read_bodies(self.folder, self.keys, ((one.pack, one.span) for one in places))

    def check_at(self, place: Place) -> None:
        """Check that the content that its name says lies at *place*. Any thread may ask.

        Raises:
            AlteredError: another does.
            DamagedError: its pack cannot be read.
        """
        kept = self.read_at(place, b"")
        try:
            chunk = chunk_from_body(kept.codec, kept.body)
        except MalformedError as error:
            raise AlteredError(f"the content of a file was altered: {error}") from error
        if (self.keys.name(chunk.digest), chunk.size) != (place.span.name, place.span.size):
            raise AlteredError("the content of a file is another than the one that was kept")

    def is_whole(self, name: bytes) -> bool:
        """Return whether the chunk called so (`BlobKeys.name`) is here and as it was kept."""
        rows = self._store.rows(f"{_FIND} = ?", name)
        try:
            for pack, *row in rows:
                with read_back():
                    self.check_at(Place(cbor.as_bytes(pack), _span(row)))
        except DamagedError:
            return False
        return bool(rows)

    def is_named(self, name: bytes) -> bool:
        """Return whether a row says where the chunk called so (`BlobKeys.name`) lies."""
        return bool(self._store.rows("SELECT 1 FROM blob WHERE name = ?", name))

    def places(self) -> Iterator[Place]:
        """Yield where all chunks lie, in the order of the packs.

        Raises:
            DamagedError: the file cannot be read.
        """
        for pack, number in sorted(self.packs().items(), key=lambda one: one[1]):
            for row in self._store.rows(f"{_SPANS} WHERE pack = ? ORDER BY offset", number):
                yield Place(pack, _span(row))

    # -- packs --------------------------------------------------------------------------------

    def note_pack(self, pack: bytes, found: Sequence[Span]) -> None:
        """Note that a pack is there and what is in it; in a transaction."""
        store = self._store
        store.run("INSERT INTO pack (name) VALUES (?)", pack)
        number = _uint(store.rows("SELECT id FROM pack WHERE name = ?", pack)[0][0])
        for span in found:
            store.run(
                "INSERT OR IGNORE INTO blob VALUES (?, ?, ?, ?, ?)",
                span.name,
                number,
                span.offset,
                span.length,
                span.size,
            )
            store.run("DELETE FROM lack WHERE name = ?", span.name)

    @property
    def key(self) -> bytes:
        """What the packs are under: the ledger's key, or the one that it had before `reseal`."""
        kept, rest = self._store.meta(BLOB_KEY), self._store.rest
        with found_in(self._store.path):
            return rest.key if kept is None else rest.open(BLOB_KEY_LABEL, kept)

    @cached_property
    def keys(self) -> BlobKeys:
        """What `key` gives. Read it before other threads do, which cannot ask the ledger file."""
        return BlobKeys(self.key)

    def packs(self) -> dict[bytes, int]:
        """Return the names of the packs that rows name, and their numbers."""
        with found_in(self._store.path), read_back():
            rows = self._store.rows("SELECT name, id FROM pack")
            return {cbor.as_bytes(name): cbor.as_uint(number) for name, number in rows}

    def _known(self, select: str, digests: Iterable[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        for some in _steps(digests, _STEP):
            names = {self.keys.name(digest): digest for digest in some}
            rows = self._store.rows(f"{select} IN ({_marks(names)})", *names)
            with found_in(self._store.path), read_back():
                found.update(names[cbor.as_bytes(name)] for (name,) in rows)
        return found


_SPANS = "SELECT blob.name, offset, length, size FROM blob"
_FIND = (
    "SELECT pack.name, blob.name, offset, length, size FROM blob "
    "JOIN pack ON pack.id = blob.pack WHERE blob.name"
)


class Packing:
    """A pack in the making, begun with its first chunk; `Blobs.packing`."""

    def __init__(self, blobs: Blobs, store: StoreFile, begin: Callable[[], PackWriter]) -> None:
        """Use `Blobs.packing` instead."""
        self._blobs = blobs
        self._store = store
        self._begin = begin
        self._writer: PackWriter | None = None
        self._spans: dict[bytes, Span] = {}
        self._is_synced = True

    @property
    def is_full(self) -> bool:
        """Whether it is time to begin another."""
        return self._writer is not None and self._writer.size_bytes >= MAX_PACK_BYTES

    def add(self, chunk: Chunk) -> bool:
        """Append a chunk, unless it is here; return whether it was not.

        Raises:
            DamagedError: the disk said no.
        """
        name = self._blobs.keys.name(chunk.digest)
        if name in self._spans or self._blobs.held([chunk.digest]):
            return False
        if self._writer is None:
            self._writer = self._begin()
        self._spans[name] = self._writer.add(name, chunk)
        self._is_synced = False
        return True

    def drop(self, digests: Iterable[bytes]) -> None:
        """Let go of chunks that were appended, which nobody will name.

        What was written of them stays in the pack, if anything else does: where a record begins is
        its nonce, so another must not begin there.
        """
        for digest in digests:
            self._spans.pop(self._blobs.keys.name(digest), None)

    def sync(self) -> None:
        """Make what was added durable; `keep` does so too, but in the transaction around it.

        Raises:
            DamagedError: the disk said no.
        """
        if self._writer is not None and self._spans and not self._is_synced:
            self._writer.sync()
            self._is_synced = True

    def keep(self) -> int:
        """Keep all that was added, and return how many chunks that is; it counts with the commit.

        If there is nothing, or others have kept all of it meanwhile, that is 0, and this pack is
        gone with `close`.

        Raises:
            BusyError: another process held the ledger file for too long.
            DamagedError: the disk said no.
        """
        self.sync()
        if self._writer is None:
            return 0
        with self._store.transaction():
            if all(map(self._blobs.is_named, self._spans)):
                return 0
            self._writer.publish()
            self._blobs.note_pack(self._writer.name, tuple(self._spans.values()))
        return len(self._spans)

    def close(self) -> None:
        """Let go of the pack; what was not kept is gone."""
        if self._writer is not None:
            self._writer.close()


def _span(row: Sequence[SqlValue]) -> Span:
    name, *numbers = row
    with read_back():
        offset, length, size = map(cbor.as_uint, numbers)
        return Span(cbor.as_bytes(name), offset, length, size)


def _steps(items: Iterable[_T], count: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while some := list(islice(iterator, count)):
        yield some


def _marks(items: Iterable[object]) -> str:
    return ", ".join("?" for _ in items)


def _uint(value: object) -> int:
    with read_back():
        return cbor.as_uint(value)
