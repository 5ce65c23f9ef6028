"""The one place that calls the `raptorq` library.

Wrong parameters make the library panic or abort the process, so that callers pass only what
follows from a `bundler.geometry.Geometry`. A panic all the same, which is no `Exception`, becomes
a `MalformedError` here.

Source: RFC 6330 sections 4.4.2 and 5.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bundler.errors import MalformedError

_PAYLOAD_ID_BYTES = 4
_STEP_BYTES = 8
_WORKING_BYTES = 64 << 20
"""What all symbols of a block up to the last one wanted may take at once, about."""


def repair_symbols(block: bytes, *, symbol_bytes: int, first: int, count: int) -> list[bytes]:
    """Return repair symbols number *first*.. of a source block, *symbol_bytes* each.

    All from 0 on are computed: the library begins there always. Where that would take much memory
    it is done in columns of the symbols, one after another: each byte of a repair symbol depends on
    the bytes at its place in the source symbols alone.

    Args:
        block: Whole source symbols, the last one padded with zeros.
        symbol_bytes: Size of a symbol, a multiple of 8.
        first: 0 is the symbol after the last source symbol.
        count: How many.

    Raises:
        MalformedError: the library refused the parameters.
    """
    symbols = len(block) // symbol_bytes + first + count
    width = max(_WORKING_BYTES // symbols // _STEP_BYTES, 1) * _STEP_BYTES
    if width >= symbol_bytes:
        return _repair_symbols(block, symbol_bytes, first, count)
    columns = []
    for start in range(0, symbol_bytes, width):
        column = _column(block, symbol_bytes, start, width)
        columns.append(_repair_symbols(column, min(width, symbol_bytes - start), first, count))
    return [b"".join(parts) for parts in zip(*columns, strict=True)]


def _repair_symbols(block: bytes, symbol_bytes: int, first: int, count: int) -> list[bytes]:
    import raptorq  # noqa: PLC0415 -- few bundles have repair symbols

    with _panics_converted():
        encoder = raptorq.Encoder.with_defaults(block, symbol_bytes)
        packets: list[bytes] = encoder.get_encoded_packets(first + count)
    start = len(block) // symbol_bytes + first
    return [packet[_PAYLOAD_ID_BYTES:] for packet in packets[start:]]


def _column(block: bytes, symbol_bytes: int, start: int, width: int) -> bytes:
    """Return bytes *start* to *start* + *width* of each symbol of a block."""
    end = min(start + width, symbol_bytes)
    return b"".join(block[at + start : at + end] for at in range(0, len(block), symbol_bytes))


def recover(
    symbols: Iterable[tuple[int, bytes | memoryview]], *, symbol_bytes: int, block_symbols: int
) -> bytes | None:
    """Return a source block from any of its symbols; None if they do not suffice.

    Args:
        symbols: Number in the block and content, each number once.
        symbol_bytes: Size of a symbol, a multiple of 8.
        block_symbols: Number of source symbols of the block.

    Raises:
        MalformedError: the library refused the parameters.
    """
    import raptorq  # noqa: PLC0415 -- few bundles have repair symbols

    with _panics_converted():
        decoder = raptorq.Decoder.with_defaults(block_symbols * symbol_bytes, symbol_bytes)
        for number, symbol in symbols:
            block: bytes | None = decoder.decode(number.to_bytes(_PAYLOAD_ID_BYTES, "big") + symbol)
            if block is not None:
                return block
    return None


@contextmanager
def _panics_converted() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # Its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise MalformedError(f"the erasure code refused the symbols: {error}") from error
