"""How a bundle is divided into source blocks and symbols (docs/format.md section 7).

Source: RFC 6330 section 4.4.1.2, with Al = 8 and N = 1 (no sub-blocks).
"""

from typing import Self

from bundler.errors import LimitError, MalformedError
from bundler.fragment import MAX_SYMBOL_BYTES, SYMBOL_STEP_BYTES, is_symbol_size
from bundler.limits import DEFAULT_LIMITS, Limits
from ledger.lazy_dataclass import dataclass

MIN_MTU_BYTES = 48
# Most that stands around the symbols of a fragment that is no longer than 65,535 bytes.
OVERHEAD_BYTES = 36
_MAX_BLOCK_SYMBOLS = 8192
# The library divides larger blocks into sub-blocks, which our format does not have.
_MAX_BLOCK_BYTES = 8_000_000
_MAX_BLOCKS = 255
_SYMBOL_ID_BITS = 24


def symbol_bytes_for(mtu_bytes: int) -> int:
    """Return the size of symbols of which one fits a fragment of *mtu_bytes*.

    Raises:
        LimitError: none does.
    """
    if mtu_bytes < MIN_MTU_BYTES:
        raise LimitError(f"an MTU of {mtu_bytes} bytes; at least {MIN_MTU_BYTES} are needed")
    room = (mtu_bytes - OVERHEAD_BYTES) // SYMBOL_STEP_BYTES * SYMBOL_STEP_BYTES
    return min(room, MAX_SYMBOL_BYTES)


@dataclass(frozen=True, slots=True)
class Run:
    """Symbols of one block with consecutive numbers, all source or all repair.

    Attributes:
        block: Source block number.
        first: Number (ESI) of the first symbol.
        count: How many, at least 1.
        is_source: Whether they are parts of the bundle itself.
    """

    block: int
    first: int
    count: int
    is_source: bool

    @property
    def payload_id(self) -> int:
        """The first symbol as a fragment names it."""
        return self.block << _SYMBOL_ID_BITS | self.first


@dataclass(frozen=True, slots=True)
class Geometry:
    """Parameters of the code for one bundle; `of` makes only ones that are safe to work with.

    Attributes:
        transfer_bytes: Length of the sealed bundle.
        symbol_bytes: Size of a symbol.
        symbols: Number of source symbols.
        blocks: Number of source blocks, 1..255.
    """

    transfer_bytes: int
    symbol_bytes: int
    symbols: int
    blocks: int

    @classmethod
    def of(cls, transfer_bytes: int, symbol_bytes: int, *, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Divide a bundle of *transfer_bytes* into symbols of *symbol_bytes*.

        Raises:
            MalformedError: there is no such symbol size, or nothing to divide.
            LimitError: the bundle is too big, as such or for so small symbols.
        """
        if transfer_bytes < 1 or not is_symbol_size(symbol_bytes):
            raise MalformedError(f"{transfer_bytes} bytes in symbols of {symbol_bytes}")
        if transfer_bytes > limits.bundle_bytes:
            raise LimitError(
                f"a bundle of {transfer_bytes} bytes, at most {limits.bundle_bytes} are allowed"
            )
        symbols = -(-transfer_bytes // symbol_bytes)
        most = max(1, min(_MAX_BLOCK_SYMBOLS, _MAX_BLOCK_BYTES // symbol_bytes))
        blocks = -(-symbols // most)
        if blocks > _MAX_BLOCKS:
            raise LimitError(f"{transfer_bytes} bytes are too many for symbols of {symbol_bytes}")
        return cls(transfer_bytes, symbol_bytes, symbols, blocks)

    def block_symbols(self, block: int) -> int:
        """Return the number of source symbols of *block*: the first ones may have one more."""
        return self.symbols // self.blocks + (block < self.symbols % self.blocks)

    def block_offset(self, block: int) -> int:
        """Return where *block* begins in the bundle, in bytes."""
        before = block * (self.symbols // self.blocks) + min(block, self.symbols % self.blocks)
        return before * self.symbol_bytes

    def run_offset(self, run: Run) -> int:
        """Return where the source symbols of *run* begin in the bundle, in bytes."""
        return self.block_offset(run.block) + run.first * self.symbol_bytes

    def run(self, payload_id: int, length: int) -> Run:
        """Return which symbols *length* bytes that begin with *payload_id* are.

        Raises:
            MalformedError: they are not whole symbols of one kind of one block.
        """
        block, first = payload_id >> _SYMBOL_ID_BITS, payload_id & (1 << _SYMBOL_ID_BITS) - 1
        count = -(-length // self.symbol_bytes)
        if block >= self.blocks or not count or first + count > 1 << _SYMBOL_ID_BITS:
            raise MalformedError(f"symbol {first} of block {block} in {self.blocks} blocks")
        source = self.block_symbols(block)
        run = Run(block, first, count, is_source=first < source)
        if run.is_source and first + count > source:
            raise MalformedError("source and repair symbols in one fragment")
        if length != self.run_bytes(run):
            raise MalformedError(f"{length} bytes are not {count} symbols")
        return run

    def run_bytes(self, run: Run) -> int:
        """Return the length of *run*: the last symbol of the bundle has no padding."""
        length = run.count * self.symbol_bytes
        is_last = run.block == self.blocks - 1 and run.first + run.count == self.block_symbols(
            run.block
        )
        if run.is_source and is_last:
            length -= self.symbols * self.symbol_bytes - self.transfer_bytes
        return length
