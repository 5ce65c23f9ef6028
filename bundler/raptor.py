"""The one place that calls the `raptorq` library.

Wrong parameters make the library panic or abort the process, so that callers pass only what
follows from a `bundler.geometry.Geometry`. A panic all the same, which is no `Exception`, becomes
a `MalformedError` here.

Source: RFC 6330 sections 4.4.2 and 5.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import raptorq

from bundler.errors import MalformedError

_PAYLOAD_ID_BYTES = 4


def repair_symbols(block: bytes, *, symbol_bytes: int, first: int, count: int) -> list[bytes]:
    """Return repair symbols number *first*.. of a source block, *symbol_bytes* each.

    All from 0 on are computed: the library begins there always.

    Args:
        block: Whole source symbols, the last one padded with zeros.
        symbol_bytes: Size of a symbol, a multiple of 8.
        first: 0 is the symbol after the last source symbol.
        count: How many.

    Raises:
        MalformedError: the library refused the parameters.
    """
    with _panics_converted():
        encoder = raptorq.Encoder.with_defaults(block, symbol_bytes)
        packets: list[bytes] = encoder.get_encoded_packets(first + count)
    start = len(block) // symbol_bytes + first
    return [packet[_PAYLOAD_ID_BYTES:] for packet in packets[start:]]


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
