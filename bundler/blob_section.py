"""The blob section: one chunk of a file's content, as it lies in a pack (docs/format.md section 5).

Its codec and body are those of the chunk (`ledger.blob`), so that whoever passes it on neither
compresses it again nor takes it apart. What it is called, its content says: nothing names it here.
"""

from typing import ClassVar

import zstandard

from bundler import items
from bundler.errors import LimitError, MalformedError, ledger_errors_converted
from ledger.blob import CHUNK_BYTES, MAX_BODY_BYTES, BlobCodec, Chunk, chunk_from_body
from ledger.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class BlobSection:
    """A chunk as it came; nothing of it has been verified.

    Attributes:
        codec: Of the chunk.
        body: Of the chunk, a view into the content of the bundle.
        decoded_bytes: How long it says that its content is, at most 1 MiB.
    """

    TYPE: ClassVar[int] = 7

    codec: int
    body: bytes | memoryview
    decoded_bytes: int

    @classmethod
    def take(cls, codec: int, body: memoryview) -> "BlobSection":
        """Read a section.

        Raises:
            MalformedError: *body* is none of a chunk under *codec*.
            LimitError: it is beyond what a chunk may be.
        """
        if len(body) > MAX_BODY_BYTES:
            raise LimitError(f"a chunk of {len(body)} bytes, at most {MAX_BODY_BYTES} are allowed")
        size = len(body) if codec == BlobCodec.PLAIN else _stated_bytes(body)
        if not 0 < size <= CHUNK_BYTES:
            raise MalformedError(f"a chunk that says it has {size} bytes of content")
        return cls(codec, body, size)

    def chunk(self) -> Chunk:
        """Return the chunk, named by its content.

        Raises:
            MalformedError: it is none.
        """
        with ledger_errors_converted():
            return chunk_from_body(self.codec, self.body)

    def to_bytes(self) -> bytes:
        """Return the section as one item of a content."""
        return blob_head(self.codec, len(self.body)) + bytes(self.body)


def blob_head(codec: int, body_bytes: int) -> bytes:
    """Return what stands before the body of a chunk in a content."""
    kind = items.array_head(3) + items.uint(BlobSection.TYPE)
    return kind + items.uint(codec) + items.bytes_head(body_bytes)


def _stated_bytes(frame: memoryview) -> int:
    try:
        return zstandard.frame_content_size(frame)
    except zstandard.ZstdError as error:
        raise MalformedError(f"a chunk that is not one zstd frame: {error}") from error
