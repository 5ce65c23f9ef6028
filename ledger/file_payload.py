"""The payload of a file entry: what a file is, by its chunks (docs/format.md section 3.10). Pure.

A map with an integer key, which no JSON gives: nobody takes one for the other.
"""

from collections.abc import Sequence

from ledger import cbor
from ledger.blob import CHUNK_BYTES, DIGEST_BYTES
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError
from ledger.lazy_dataclass import dataclass

FILE = 5
"""Key of the map."""

FILE_KIND = "file"
"""The kind of the entries that `pannier add` writes; what makes one a file is its payload."""

EXECUTABLE = 1
"""The flag of a file that may be run."""

FILE_HEAD = b"\xa1\x05\x83"
"""How the payload of every file begins."""

MAX_FILE_CHUNKS = (MAX_PAYLOAD_BYTES - 32) // DIGEST_BYTES
MAX_FILE_BYTES = MAX_FILE_CHUNKS * CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class FilePayload:
    """What a file is.

    Attributes:
        size: Bytes of content, 0..`MAX_FILE_BYTES`.
        flags: `EXECUTABLE` or not; other bits mean nothing yet.
        digests: SHA-256 of each chunk of the content, in order.
    """

    size: int
    flags: int
    digests: tuple[bytes, ...]

    @property
    def is_executable(self) -> bool:
        """Whether it may be run."""
        return bool(self.flags & EXECUTABLE)

    def sizes(self) -> list[int]:
        """Return the size of each chunk; all but the last have `CHUNK_BYTES`."""
        ends = range(CHUNK_BYTES, CHUNK_BYTES * (len(self.digests) + 1), CHUNK_BYTES)
        return [CHUNK_BYTES - max(end - self.size, 0) for end in ends]

    def to_payload(self) -> bytes:
        """Return the payload; `file_from_payload` is its inverse."""
        return cbor.encode({FILE: [self.size, self.flags, b"".join(self.digests)]})


def file_of(size: int, digests: Sequence[bytes], *, executable: bool) -> FilePayload:
    """Return what a file of *size* bytes in those chunks is.

    Raises:
        MalformedError: the chunks are not as many as the size takes, or too many for an entry.
    """
    file = FilePayload(size, EXECUTABLE * executable, tuple(digests))
    _check(file.size, len(file.digests))
    return file


def file_from_payload(payload: bytes | None) -> FilePayload | None:
    """Return the file that a payload is; None if it is something else. Never raises."""
    if payload is None or not payload.startswith(FILE_HEAD):
        return None
    try:
        return file_from_value(cbor.decode(payload, limit_bytes=MAX_PAYLOAD_BYTES))
    except MalformedError:
        return None


def file_from_value(value: object) -> FilePayload | None:
    """Return the file that a decoded payload is; None if it is something else. Never raises."""
    if not isinstance(value, dict) or value.keys() != {FILE}:
        return None
    try:
        size, flags, joined = cbor.as_list(value[FILE], 3)
        digests = cbor.as_bytes(joined)
        file = FilePayload(
            cbor.as_uint(size, maximum=MAX_FILE_BYTES),
            cbor.as_uint(flags, maximum=2**32 - 1),
            tuple(
                digests[start : start + DIGEST_BYTES]
                for start in range(0, len(digests), DIGEST_BYTES)
            ),
        )
        if len(digests) % DIGEST_BYTES:
            return None
        _check(file.size, len(file.digests))
    except MalformedError:
        return None
    return file


def _check(size: int, chunk_count: int) -> None:
    if size > MAX_FILE_BYTES:
        raise MalformedError(
            f"a file of {size} bytes; an entry names at most {MAX_FILE_BYTES} (31 GiB): split it"
        )
    if -(-size // CHUNK_BYTES) != chunk_count:
        raise MalformedError(f"a file of {size} bytes in {chunk_count} chunks")
