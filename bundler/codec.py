"""Compression of sections, and its safe undoing (docs/format.md section 5).

Source: Zstandard, RFC 8878. Everything that decides how much memory a frame takes stands in its
header, which is checked first.
"""

import zstandard

from bundler.errors import LimitError, MalformedError
from bundler.limits import Limits

DEFAULT_LEVEL = 3


def compress(data: bytes, *, level: int = DEFAULT_LEVEL) -> bytes:
    """Return *data* as one zstd frame with its content size."""
    return zstandard.ZstdCompressor(level=level).compress(data)


def decompress(frame: bytes | memoryview, *, limit_bytes: int, limits: Limits) -> bytes:
    """Return the content of the one zstd frame that is all of *frame*.

    Args:
        frame: One frame, with its content size and without a dictionary.
        limit_bytes: Largest content.
        limits: Bounds on the window.

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
        decompressor = zstandard.ZstdDecompressor(max_window_size=limits.window_bytes)
        return decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MalformedError(f"not one zstd frame: {error}") from error
