"""The log section: entries of one log and the checkpoint over them (docs/format.md section 5.1)."""

from dataclasses import field
from typing import ClassVar, Self

from bundler import items
from bundler.errors import LimitError, MalformedError
from bundler.limits import Limits
from ledger import cbor
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.note import Checkpoint
from ledger.seeds import MAX_ENTRIES, TREE_DEPTH, Cover, cover_to_cbor, root_cover
from ledger.signing import MLDSA44_SIGNATURE_BYTES

_MAX_ENCODING = (1 << 32) - 1
_LEDGER_ID_BYTES = 16
_AUTHOR_BYTES = 32
_INCARNATION_BYTES = 8
_SEED_BYTES = 16
_ROOT_BYTES = 32
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSection:
    """The entries from *first* up to the size of the checkpoint, still encoded.

    Nothing in it has been verified, nor need the encoding be known: `bundler.entry_encodings` makes
    entries of it where it is.

    Attributes:
        ledger: Which ledger.
        author: Of the log, 32 bytes.
        incarnation: Of the log, 8 bytes.
        first: Number of the first entry.
        cover: Seeds of the payloads carried; empty if the recipient has them.
        checkpoint: Signed by the author; its size is past *first*.
        encoding: Which one the entries are in.
        entries: Their bytes.
        cuts: Offsets in them at which what they hold changes; only for the compressor.
    """

    TYPE: ClassVar[int] = 1

    ledger: LedgerId
    author: bytes
    incarnation: bytes
    first: int
    cover: Cover
    checkpoint: Checkpoint
    encoding: int
    entries: bytes
    cuts: tuple[int, ...] = field(default=(), compare=False, repr=False)

    @property
    def count(self) -> int:
        """Number of entries."""
        return self.checkpoint.size - self.first

    @property
    def body_cuts(self) -> tuple[int, ...]:
        """`cuts` as offsets in the body."""
        begin = len(self._head()) if self.cuts else 0
        return tuple(begin + cut for cut in self.cuts)

    def to_body(self) -> bytes:
        """Return the section's body: CBOR, and the entries as their encoding has them."""
        return self._head() + self.entries

    def _head(self) -> bytes:
        log = [self.ledger, self.author, self.incarnation]
        checkpoint = self.checkpoint.to_cbor()
        fields = cbor.encode(
            [*log, self.first, cover_to_cbor(self.cover), checkpoint, self.encoding]
        )
        return items.array_head(8) + fields[1:]

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a log section; what the entries are is not looked at.
            LimitError: it has too many entries or seeds.
        """
        reader = items.Reader(data)
        reader.array_of(8)
        ledger = LedgerId(reader.bytes_of(_LEDGER_ID_BYTES))
        author = reader.bytes_of(_AUTHOR_BYTES)
        incarnation = reader.bytes_of(_INCARNATION_BYTES)
        first = reader.uint(MAX_ENTRIES)
        cover = _take_cover(reader)
        checkpoint = _take_checkpoint(reader)
        encoding = reader.uint(_MAX_ENCODING)
        if not first < checkpoint.size <= first + limits.entries:
            raise LimitError(f"entries {first} to {checkpoint.size} in one section")
        return cls(
            ledger=ledger,
            author=author,
            incarnation=incarnation,
            first=first,
            cover=cover,
            checkpoint=checkpoint,
            encoding=encoding,
            entries=data[reader.at :],
        )


def _take_cover(reader: items.Reader) -> Cover:
    """Return the one seed that gives all salts of a log, or nothing."""
    if not reader.array(1):
        return ()
    reader.array_of(3)
    if reader.uint(TREE_DEPTH) or reader.uint(MAX_ENTRIES):
        raise MalformedError("seeds that do not give all of a log")
    return root_cover(reader.bytes_of(_SEED_BYTES))


def _take_checkpoint(reader: items.Reader) -> Checkpoint:
    count = reader.array_of(3, 4)
    size = reader.uint(MAX_ENTRIES)
    root, signature = reader.bytes_of(_ROOT_BYTES), reader.bytes_of(_SIGNATURE_BYTES)
    second = reader.bytes_of(MLDSA44_SIGNATURE_BYTES) if count == 4 else None
    return Checkpoint(size, root, signature, second)
