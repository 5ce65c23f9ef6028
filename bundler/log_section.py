"""The log section: entries of one log and the checkpoint over them (docs/format.md section 5.1)."""

from dataclasses import dataclass
from typing import ClassVar, Self

from bundler import items
from bundler.errors import LimitError, MalformedError, ledger_errors_converted
from bundler.limits import Limits
from bundler.rows import COLUMNS
from ledger import cbor
from ledger.genesis import LedgerId
from ledger.note import Checkpoint
from ledger.seeds import MAX_COVER_SEEDS, MAX_ENTRIES, TREE_DEPTH, Cover, check_cover, cover_to_cbor
from ledger.signing import MLDSA44_SIGNATURE_BYTES

_LEDGER_ID_BYTES = 16
_AUTHOR_BYTES = 32
_INCARNATION_BYTES = 8
_SEED_BYTES = 16
_ROOT_BYTES = 32
_SIGNATURE_BYTES = 64
_ROWS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSection:
    """The entries from *first* up to the size of the checkpoint, still as columns.

    Nothing in it has been verified. `bundler.rows.decode_rows` makes entries of the columns.

    Attributes:
        ledger: Which ledger.
        author: Of the log, 32 bytes.
        incarnation: Of the log, 8 bytes.
        first: Number of the first entry.
        cover: Seeds of the payloads carried; empty if the recipient has them.
        checkpoint: Signed by the author; its size is past *first*.
        columns: 17 byte strings.
    """

    TYPE: ClassVar[int] = 1

    ledger: LedgerId
    author: bytes
    incarnation: bytes
    first: int
    cover: Cover
    checkpoint: Checkpoint
    columns: tuple[bytes, ...]

    @property
    def count(self) -> int:
        """Number of entries."""
        return self.checkpoint.size - self.first

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        log = [self.ledger, self.author, self.incarnation]
        checkpoint = self.checkpoint.to_cbor()
        fields = cbor.encode([*log, self.first, cover_to_cbor(self.cover), checkpoint, _ROWS])
        columns = map(items.byte_string, self.columns)
        return b"".join(
            (items.array_head(8), fields[1:], items.array_head(len(self.columns)), *columns)
        )

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a log section in an encoding that is known.
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
        if reader.uint() != _ROWS:
            raise MalformedError("entries in an encoding that is not known here")
        if not first < checkpoint.size <= first + limits.entries:
            raise LimitError(f"entries {first} to {checkpoint.size} in one section")
        reader.array_of(COLUMNS)
        columns = tuple(bytes(reader.view(limits.section_bytes)) for _ in range(COLUMNS))
        reader.end()
        return cls(
            ledger=ledger,
            author=author,
            incarnation=incarnation,
            first=first,
            cover=cover,
            checkpoint=checkpoint,
            columns=columns,
        )


def _take_cover(reader: items.Reader) -> Cover:
    seeds: list[object] = []
    for _ in range(reader.array(MAX_COVER_SEEDS)):
        reader.array_of(3)
        level, position = reader.uint(TREE_DEPTH), reader.uint(MAX_ENTRIES)
        seeds.append([level, position, reader.bytes_of(_SEED_BYTES)])
    with ledger_errors_converted():
        return check_cover(seeds)


def _take_checkpoint(reader: items.Reader) -> Checkpoint:
    count = reader.array_of(3, 4)
    size = reader.uint(MAX_ENTRIES)
    root, signature = reader.bytes_of(_ROOT_BYTES), reader.bytes_of(_SIGNATURE_BYTES)
    second = reader.bytes_of(MLDSA44_SIGNATURE_BYTES) if count == 4 else None
    return Checkpoint(size, root, signature, second)
