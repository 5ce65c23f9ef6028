"""The bytes of a pack: many chunks in one file, sealed (docs/format.md section 9.5). Pure.

A pack is written once, from its beginning to its end, under a key of its own: where a record begins
is its nonce.
"""

import hmac
import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.blob import CHUNK_BYTES, MAX_BODY_BYTES, Chunk
from ledger.errors import AlteredError
from ledger.kdf import derive

MAGIC = b"pannier pack 1\n"
SALT_BYTES = 32
HEAD_BYTES = len(MAGIC) + SALT_BYTES
NAME_BYTES = 16
PACK_NAME_BYTES = 8
BLOB_KEY = "blob key"
"""Under which the key of the packs is kept beside the logs, where it is not that of the ledger."""

BLOB_KEY_LABEL = b"blob key\0"
_RECORD = struct.Struct("<IIB")
RECORD_HEAD_BYTES = _RECORD.size + NAME_BYTES
_TAG_BYTES = 16
_NONCE_BYTES = 12


class Span(NamedTuple):
    """Where a record lies in its pack.

    Attributes:
        name: 16 bytes, `BlobKeys.name` of its chunk.
        offset: Where it begins.
        length: Bytes of it, its head included.
        size: Bytes of the content of its chunk.
    """

    name: bytes
    offset: int
    length: int
    size: int


class BlobKeys:
    """What the contents of the files of one ledger are under, at one node."""

    def __init__(self, key: bytes) -> None:
        """Use the 32-byte *key* that the node's packs of the ledger were begun under."""
        self._key = key
        self._names = derive(key, b"pannier blob names 1\0")

    def name(self, digest: bytes) -> bytes:
        """Return the 16 bytes by which the node's files know a chunk.

        A thief could compare digests with those of files that everybody has.
        """
        return hmac.digest(self._names, digest, "sha256")[:NAME_BYTES]

    def pack(self, salt: bytes) -> "PackKey":
        """Return the key of the pack with the 32-byte *salt*."""
        return PackKey(derive(self._key, b"pannier pack 1\0" + salt))


RECORD_BYTES = RECORD_HEAD_BYTES + MAX_BODY_BYTES + _TAG_BYTES
"""No record is longer."""


class PackKey:
    """Seals and opens the records of one pack. May be used by several threads."""

    def __init__(self, key: bytes) -> None:
        """Use `BlobKeys.pack` instead."""
        self._cipher = AESGCM(key)

    def seal_into(self, out: memoryview, offset: int, name: bytes, chunk: Chunk) -> int:
        """Write the record of *chunk* that is to begin at *offset* to *out*; return its length.

        Args:
            out: Room for `RECORD_BYTES`.
            offset: In the pack; nothing else was, or will be, sealed for it.
            name: Of the chunk.
            chunk: What it holds.
        """
        sealed_bytes = len(chunk.body) + _TAG_BYTES
        head = _RECORD.pack(sealed_bytes, chunk.size, chunk.codec) + name
        end = RECORD_HEAD_BYTES + sealed_bytes
        out[:RECORD_HEAD_BYTES] = head
        self._cipher.encrypt_into(_nonce(offset), chunk.body, head, out[RECORD_HEAD_BYTES:end])
        return end

    def open(self, offset: int, record: bytes, digest: bytes) -> Chunk:
        """Return the chunk of the record that begins at *offset*.

        Args:
            offset: In the pack.
            record: All of it.
            digest: What the chunk is called; its content is not compared with that.

        Raises:
            AlteredError: it is not what was written there.
        """
        body = memoryview(bytearray(max(0, len(record) - RECORD_HEAD_BYTES - _TAG_BYTES)))
        size, codec = self.open_into(body, offset, memoryview(record))
        return Chunk(digest, size, codec, body)

    def open_into(self, body: memoryview, offset: int, record: memoryview) -> tuple[int, int]:
        """Write the body of the chunk of a record to *body*; return the chunk's size and codec.

        Args:
            body: Just as long as it, that is `body_bytes`.
            offset: Where the record begins in the pack.
            record: All of it.

        Raises:
            AlteredError: it is not what was written there.
        """
        head, sealed = bytes(record[:RECORD_HEAD_BYTES]), record[RECORD_HEAD_BYTES:]
        try:
            sealed_bytes, size, codec = _RECORD.unpack_from(head)
            if sealed_bytes != len(sealed):
                raise ValueError("another length")
            self._cipher.decrypt_into(_nonce(offset), sealed, head, body)
        except (InvalidTag, ValueError, struct.error) as error:
            raise AlteredError("the content of a file was altered where it is kept") from error
        return int(size), int(codec)


def body_bytes(record_bytes: int) -> int:
    """Return the length of the body of the chunk in a record of that length."""
    return record_bytes - RECORD_HEAD_BYTES - _TAG_BYTES


def next_span(head: bytes, offset: int) -> Span | None:
    """Return where the record with that *head* lies, which begins at *offset*; None: it is none."""
    if len(head) < RECORD_HEAD_BYTES:
        return None
    sealed_bytes, size, _ = _RECORD.unpack_from(head)
    if not _TAG_BYTES < sealed_bytes <= MAX_BODY_BYTES + _TAG_BYTES or not 0 < size <= CHUNK_BYTES:
        return None
    name = head[_RECORD.size : RECORD_HEAD_BYTES]
    return Span(name, offset, RECORD_HEAD_BYTES + sealed_bytes, size)


def _nonce(offset: int) -> bytes:
    return offset.to_bytes(_NONCE_BYTES, "big")
