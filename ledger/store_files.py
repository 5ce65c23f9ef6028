"""Which entries of a ledger are files, and what of their contents is not here.

Both tables follow from the entries and the packs; they answer without reading either.
"""

from collections.abc import Iterator

from ledger import cbor
from ledger.entries import Entries
from ledger.entry import Action
from ledger.errors import DamagedError
from ledger.file_payload import FILE_HEAD, FilePayload, file_from_payload
from ledger.lazy_dataclass import dataclass
from ledger.records import read_back
from ledger.schema import NUMBER_BITS
from ledger.storage_errors import found_in
from ledger.store_blobs import Blobs
from ledger.store_file import StoreFile

_MASK = (1 << NUMBER_BITS) - 1
# File entries that are in memory at once: at most 64 MiB.
_STEP = 64
_HEAD_BYTES = len(FILE_HEAD)
_EVERYTHING = (0, 2**63 - 1)
_FILES = "SELECT entry FROM file"
_LACKS_OF = "SELECT name FROM lack WHERE entry = ?"
_LACKING = "SELECT DISTINCT entry FROM lack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What of the files of a ledger is not here.

    Attributes:
        versions: How many entries name a content that is not all here.
        chunks: How many chunks of them are missing.
    """

    versions: int
    chunks: int


class Files:
    """The file entries of one ledger; `Store.file_entries`."""

    def __init__(self, store: StoreFile, blobs: Blobs) -> None:
        """Look into *store*, whose contents of files are *blobs*."""
        self._store = store
        self._blobs = blobs

    def between(self, row: int | None, first: int, end: int) -> Iterator[tuple[int, FilePayload]]:
        """Yield (number, file) of the file entries *first* up to *end* of the log in *row*.

        Raises:
            DamagedError: the file cannot be read.
        """
        for found, file in self._read(_bounds(row, first, end), _FILES):
            yield found & _MASK, file

    def missing(self, row: int | None, first: int, end: int) -> Iterator[bytes]:
        """Yield the digests that are not here of the files that `between` gives; some repeat.

        Raises:
            DamagedError: the file cannot be read.
        """
        for _, file in self._read(_bounds(row, first, end), _LACKING):
            held = self._blobs.held(file.digests)
            yield from (digest for digest in dict.fromkeys(file.digests) if digest not in held)

    def complete(self, row: int | None, size: int) -> int:
        """Return of how many leading entries, of *size* in the log in *row*, all is here."""
        found = self._store.rows(
            "SELECT min(entry) FROM lack WHERE entry >= ? AND entry < ?", *_bounds(row, 0, size)
        )[0][0]
        return size if found is None else _uint(found) & _MASK

    def lacking(self) -> Lacking:
        """Return how much is missing, of all logs."""
        versions, chunks = self._store.rows(
            "SELECT count(DISTINCT entry), count(DISTINCT name) FROM lack"
        )[0]
        return Lacking(versions=_uint(versions), chunks=_uint(chunks))

    def has_any(self) -> bool:
        """Return whether any entry is a file."""
        return bool(self._store.rows("SELECT 1 FROM file LIMIT 1"))

    def count(self) -> int:
        """Return how many entries are files, of all logs."""
        return _uint(self._store.rows("SELECT count(*) FROM file")[0][0])

    def note(self, first: int, entries: Entries) -> None:
        """Note which of *entries* are files, and what of them is not here; in a transaction.

        Args:
            first: Row id of the first entry.
            entries: All of a commit.
        """
        for number, file in _files(first, entries):
            self._store.run("INSERT INTO file VALUES (?)", number)
            self._note_lacks(number, file)

    def is_noted(self, first: int, entries: Entries) -> bool:
        """Return whether it is noted as by `note` which of *entries* are files, and what they lack.

        Raises:
            DamagedError: the file cannot be read.
        """
        bounds = first, first + entries.count
        files = dict(_files(first, entries))
        noted = self._store.rows(f"{_FILES} WHERE entry >= ? AND entry < ?", *bounds)
        lacks = self._store.rows(
            "SELECT count(*) FROM lack WHERE entry >= ? AND entry < ?", *bounds
        )[0][0]
        if {number for (number,) in noted} != files.keys():
            return False
        for number, file in files.items():
            lacked = self._lacked(file)
            if lacked != {name for (name,) in self._store.rows(_LACKS_OF, number)}:
                return False
            lacks = _uint(lacks) - len(lacked)
        return not lacks

    def forget(self, first: int, end: int) -> None:
        """Note that the rows *first* up to *end* are entries no more; in a transaction."""
        self._store.run("DELETE FROM file WHERE entry >= ? AND entry < ?", first, end)
        self._store.run("DELETE FROM lack WHERE entry >= ? AND entry < ?", first, end)

    def look_again(self) -> None:
        """Find anew what is missing, after something was lost; in a transaction."""
        self._store.run("DELETE FROM lack")
        for number, file in self._read(_EVERYTHING, _FILES):
            self._note_lacks(number, file)

    def _note_lacks(self, number: int, file: FilePayload) -> None:
        for name in self._lacked(file):
            self._store.run("INSERT OR IGNORE INTO lack VALUES (?, ?)", name, number)

    def _lacked(self, file: FilePayload) -> set[bytes]:
        """Return the names of the contents of *file* that are not here."""
        digests = set(file.digests)
        return set(map(self._blobs.keys.name, digests - self._blobs.held(digests)))

    def _read(self, bounds: tuple[int, int], which: str) -> Iterator[tuple[int, FilePayload]]:
        """Yield (row id, file), some in memory at once."""
        first, end = bounds
        select = (
            f"SELECT id, digest, payload FROM entry WHERE id IN ({which} "  # noqa: S608 -- our own words
            "WHERE entry >= ? AND entry < ? ORDER BY entry LIMIT ?) ORDER BY id"
        )
        while found := self._store.rows(select, first, end, _STEP):
            for number, digest, sealed in found:
                with found_in(self._store.path), read_back():
                    payload = self._store.rest.open_payload(
                        cbor.as_bytes(digest), cbor.as_bytes(sealed)
                    )
                file = file_from_payload(payload)
                if file is None:
                    with found_in(self._store.path):
                        raise DamagedError("the ledger file is damaged: a file entry that is none")
                yield _uint(number), file
            first = _uint(found[-1][0]) + 1


def _files(first: int, entries: Entries) -> Iterator[tuple[int, FilePayload]]:
    """Yield (row id, file) of those of *entries*, from the row *first* on, that are files."""
    payloads = entries.payloads
    # Once an entry of every put and merge: nothing but a slice for those that are no files.
    likely = [at for at, one in enumerate(payloads) if one and one[:_HEAD_BYTES] == FILE_HEAD]
    for at in likely:
        file = file_from_payload(payloads[at]) if entries.actions[at] == Action.PUT else None
        if file is not None:
            yield first + at, file


def _bounds(row: int | None, first: int, end: int) -> tuple[int, int]:
    base = (row or 0) << NUMBER_BITS
    return base + first, base + end


def _uint(value: object) -> int:
    with read_back():
        return cbor.as_uint(value)
