"""Contents of files in chunks, named by what they are (docs/format.md sections 3.10 and 9.5).

Pure: what a chunk is, how it is compressed, and the checking of one that came from elsewhere.
"""

from enum import IntEnum
from hashlib import sha256
from threading import local
from typing import TYPE_CHECKING, cast

from ledger.errors import MalformedError, UnverifiedError
from ledger.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from zstandard import ZstdCompressor, ZstdDecompressor

CHUNK_BYTES = 1 << 20
"""Content of every chunk of a file but the last, which may be shorter."""

DIGEST_BYTES = 32
MAX_BODY_BYTES = CHUNK_BYTES
"""A body is never longer than its content: what does not get shorter stays plain."""

# The fast strategy, as of zstd's level 1, with a longer least match: of texts within some percent
# of level 3, which takes half as long again. Its table stays where a core reaches it at once.
_HASH_LOG, _WINDOW_LOG, _LEAST_MATCH = 14, 20, 7
# zstd needs no more for a frame that states a content of at most a chunk.
_MAX_WINDOW_BYTES = CHUNK_BYTES
_SAMPLE_BYTES = 16 << 10
_SAMPLE_COUNT = 4
_of_thread = local()


class BlobCodec(IntEnum):
    """How the body of a chunk gives its content."""

    PLAIN = 0
    ZSTD = 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file's content, as it lies in a pack and as it travels.

    Attributes:
        digest: SHA-256 of the content, 32 bytes.
        size: Bytes of content, 1..1,048,576.
        codec: See `BlobCodec`.
        body: The content, or one zstd frame of it that states its size; never longer than it.
    """

    digest: bytes
    size: int
    codec: int
    body: bytes | memoryview

    def content(self) -> bytes:
        """Return the content, verified.

        Raises:
            MalformedError: the body is not one of this codec and size.
            UnverifiedError: it is the body of another content.
        """
        content = bytes(_decode(self.codec, self.body))
        if len(content) != self.size:
            raise MalformedError(
                f"a chunk of {len(content)} bytes that is said to have {self.size}"
            )
        if sha256(content).digest() != self.digest:
            raise UnverifiedError("the content of a chunk is not the one that it is named by")
        return content


def chunk_of(content: bytes) -> Chunk:
    """Return the chunk with *content*, compressed where that makes it shorter.

    Lets other threads run: nearly all of it is hashing and compressing one large buffer.

    Args:
        content: 1..1,048,576 bytes.

    Raises:
        MalformedError: empty, or longer.
    """
    _check_size(len(content))
    digest = sha256(content).digest()
    if _seems_compressible(content):
        frame = _compressor().compress(content)
        if len(frame) < len(content):
            return Chunk(digest, len(content), BlobCodec.ZSTD, frame)
    return Chunk(digest, len(content), BlobCodec.PLAIN, content)


def chunk_from_body(codec: int, body: bytes | memoryview) -> Chunk:
    """Return the chunk that came as *codec* and *body*, named by its content.

    Args:
        codec: As it came.
        body: As it came.

    Raises:
        MalformedError: it is none, or beyond the bounds.
    """
    content = _decode(codec, body)
    return Chunk(sha256(content).digest(), len(content), codec, body)


def _decode(codec: int, body: bytes | memoryview) -> bytes | memoryview:
    if len(body) > MAX_BODY_BYTES:
        raise MalformedError(f"the body of a chunk of {len(body)} bytes, at most {MAX_BODY_BYTES}")
    if codec == BlobCodec.PLAIN:
        content = body
    elif codec == BlobCodec.ZSTD:
        content = _decompress(body)
    else:
        raise MalformedError(f"the codec {codec} of a chunk is unknown")
    _check_size(len(content))
    return content


def _compressor() -> "ZstdCompressor":
    """Return what compresses for the calling thread: making one takes memory, time and again."""
    if not hasattr(_of_thread, "compressor"):
        import zstandard  # noqa: PLC0415

        parameters = zstandard.ZstdCompressionParameters(
            window_log=_WINDOW_LOG,
            hash_log=_HASH_LOG,
            min_match=_LEAST_MATCH,
            strategy=zstandard.STRATEGY_FAST,
        )
        _of_thread.compressor = zstandard.ZstdCompressor(compression_params=parameters)
    return cast("ZstdCompressor", _of_thread.compressor)


def _decompressor() -> "ZstdDecompressor":
    """Return what decompresses for the calling thread, likewise."""
    if not hasattr(_of_thread, "decompressor"):
        import zstandard  # noqa: PLC0415

        _of_thread.decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
    return cast("ZstdDecompressor", _of_thread.decompressor)


def _decompress(frame: bytes | memoryview) -> bytes:
    """Return the content of one zstd frame, whose header says beforehand what memory it takes."""
    import zstandard  # noqa: PLC0415 -- most commands have nothing to do with files

    try:
        header = zstandard.get_frame_parameters(frame)
        if header.content_size > CHUNK_BYTES or header.window_size > _MAX_WINDOW_BYTES:
            raise MalformedError("a chunk that states no size, or decodes to more than 1 MiB")
        return _decompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MalformedError(f"a chunk that is not one zstd frame: {error}") from error


def _check_size(size: int) -> None:
    if not 0 < size <= CHUNK_BYTES:
        raise MalformedError(f"a chunk of {size} bytes; 1 to {CHUNK_BYTES} are allowed")


def _seems_compressible(content: bytes) -> bool:
    """Try some places: photos and archives are not worth the time, wherever their head ends."""
    if len(content) <= _SAMPLE_COUNT * _SAMPLE_BYTES:
        return True
    step = (len(content) - _SAMPLE_BYTES) // (_SAMPLE_COUNT - 1)
    samples = (content[start : start + _SAMPLE_BYTES] for start in range(0, len(content), step))
    return any(len(_compressor().compress(one)) < len(one) * 63 // 64 for one in samples if one)
