"""Files, chunks of their contents, and packs."""

from collections.abc import Callable, Iterator
from hashlib import sha256

from ledger.blob import CHUNK_BYTES, chunk_from_body
from ledger.blob_pack import HEAD_BYTES, RECORD_HEAD_BYTES, BlobKeys, next_span
from ledger.errors import LedgerError, MalformedError
from ledger.file_payload import file_from_payload
from tests.fuzz.harness import Target, vectors

KEY = BlobKeys(bytes(32)).pack(bytes(32))


def _payload(data: bytes) -> None:
    file = file_from_payload(data)
    if file is None:
        raise MalformedError("no file")
    assert file.to_payload() == data
    assert sum(file.sizes()) == file.size


def _chunk(data: bytes) -> None:
    chunk = chunk_from_body(data[0] if data else 0, data[1:])
    content = chunk.content()
    assert 0 < len(content) == chunk.size <= CHUNK_BYTES
    assert sha256(content).digest() == chunk.digest


def _record(data: bytes) -> None:
    span = next_span(data[:RECORD_HEAD_BYTES], HEAD_BYTES)
    assert span is None or span.length > RECORD_HEAD_BYTES
    KEY.open(HEAD_BYTES, data, bytes(32))


READERS: tuple[Callable[[bytes], None], ...] = (_payload, _chunk, _record)


def take(data: bytes) -> None:
    READERS[data[0] % len(READERS) if data else 0](data[1:])


def seeds() -> Iterator[bytes]:
    for number in range(len(READERS)):
        for field in ("payload", "body", "record"):
            for data in vectors("files", field):
                yield bytes([number]) + data
                yield bytes([number, len(data) % 2]) + data


TARGET = Target(take, (LedgerError,), seeds)
