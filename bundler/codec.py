"""Compression of sections, and its safe undoing (docs/format.md section 5).

Source: Zstandard, RFC 8878. Everything that decides how much memory a frame takes stands in its
header, which is checked first.
"""

from collections.abc import Sequence
from itertools import pairwise

import zstandard

from bundler.errors import LimitError, MalformedError
from bundler.limits import Limits

DEFAULT_LEVEL = 3


def compress(
    data: bytes, *, level: int = DEFAULT_LEVEL, cuts: Sequence[int] = (), before: bytes = b""
) -> bytes:
    """Return *data* as one zstd frame with its content size.

    Args:
        data: What to compress.
        level: Of zstd, 1..22.
        cuts: Ascending offsets at which to begin a new block, with statistics of its own.
        before: What the reader has as well: repetitions of it cost next to nothing.
    """
    compressor = zstandard.ZstdCompressor(level=level, dict_data=_dictionary(before))
    if not cuts:
        return compressor.compress(data)
    stream = compressor.compressobj(size=len(data))
    parts = []
    for begin, end in pairwise((0, *cuts, len(data))):
        parts.append(stream.compress(data[begin:end]))
        if end < len(data):
            parts.append(stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    return b"".join((*parts, stream.flush()))


def decompress(
    frame: bytes | memoryview, *, limit_bytes: int, limits: Limits, before: bytes = b""
) -> bytes:
    """Return the content of the one zstd frame that is all of *frame*.

    Args:
        frame: One frame, with its content size and without the id of a dictionary.
        limit_bytes: Largest content.
        limits: Bounds on the window.
        before: As it was compressed with.

    Raises:
        MalformedError: *frame* is not one.
        LimitError: its content or its window is too big.
    """
    try:
        header = zstandard.get_frame_parameters(frame)
        if header.content_size == zstandard.CONTENTSIZE_UNKNOWN:
            raise MalformedError("a zstd frame without its content size")
        if header.content_size > limit_bytes or header.window_size > limits.window_bytes:
            raise LimitError(
                f"a section of {header.content_size} bytes, at most {limit_bytes} are allowed"
            )
        decompressor = zstandard.ZstdDecompressor(
            max_window_size=limits.window_bytes, dict_data=_dictionary(before)
        )
        return decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MalformedError(f"not one zstd frame: {error}") from error


def _dictionary(before: bytes) -> zstandard.ZstdCompressionDict | None:
    """Return *before* as a dictionary that is all content."""
    if not before:
        return None
    return zstandard.ZstdCompressionDict(before, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
