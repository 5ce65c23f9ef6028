"""Cutting a sealed bundle into fragments (docs/format.md section 7). Pure.

The symbol size belongs to the bundle and is the same on every way that it takes; a fragment has as
many symbols as fit the carrier. So a stick's fragment holds thousands and a radio frame one, and
the symbols from all ways add up.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bundler import raptor
from bundler.errors import LimitError
from bundler.fragment import (
    LONG_BODY_BYTES,
    Check,
    crc_check,
    fragment_body,
    fragment_head,
    fragment_start,
)
from bundler.geometry import Geometry, Run, symbol_bytes_for
from bundler.items import byte_string
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.sealed import bundle_id
from ledger.lazy_dataclass import dataclass

# The code needs as many symbols as the block has, and two more so that all but 1 in 10^7 of
# blocks can be rebuilt: without them a bundle of one block fails once in a hundred.
EXTRA_SYMBOLS = 2
_PAYLOAD_ID_BYTES = 5
_HEADS = ((1, 23), (2, 0xFF), (3, 0xFFFF), (5, 0xFFFFFFFF))


class Numbers(NamedTuple):
    """Symbols of one block, *first* to *end*, from 0: source symbols, then repair symbols."""

    block: int
    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a bundle is cut for one carrier.

    Attributes:
        mtu_bytes: Largest fragment that the carrier takes, at least 48.
        symbol_bytes: The bundle's, fixed when it was made; None takes the largest for the MTU.
        check: Makes the check of each fragment.
    """

    mtu_bytes: int
    symbol_bytes: int | None = None
    check: Check = crc_check


def split(
    sealed: bytes | memoryview,
    cut: Cut,
    *,
    repair_percent: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[bytes]:
    """Return the fragments of a sealed bundle: all source symbols, then repair symbols.

    Args:
        sealed: 1 byte to 16 MiB.
        cut: How large the fragments are.
        repair_percent: Share of the fragments of each block whose loss is made good: it gets as
            many symbols as are in so many fragments, rounded up, and two more; none for 0.
        limits: Bounds on *sealed*.

    Returns:
        Encoded fragments, each at most ``cut.mtu_bytes`` long, made one by one.

    Raises:
        MalformedError: *sealed* is empty, or there is no such symbol size.
        LimitError: *sealed* is too big for the symbol size, or the MTU too small for a symbol.
    """
    return _Press.of(sealed, cut, limits).both(repair_percent)


def parts(
    sealed: bytes | memoryview, cut: Cut, *, number: bytes, limits: Limits = DEFAULT_LIMITS
) -> Iterator[bytes | memoryview]:
    """Return what `split` returns without repair, joined, in parts: the symbols are not copied.

    Args:
        sealed: 1 byte to 16 MiB.
        cut: How large the fragments are.
        number: The id of the bundle, 8 bytes: it is not computed again.
        limits: Bounds on *sealed*.

    Raises:
        MalformedError: *sealed* is empty, or there is no such symbol size.
        LimitError: *sealed* is too big for the symbol size, or the MTU too small for a symbol.
    """
    press = _Press.of(sealed, cut, limits, number)
    for run, symbols in press.runs():
        around = fragment_start(press.head, run.payload_id, len(symbols))
        yield around
        yield symbols
        yield byte_string(cut.check(around, symbols))


def symbols_of(
    sealed: bytes | memoryview,
    cut: Cut,
    runs: Iterable[Numbers],
    *,
    number: bytes | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[bytes]:
    """Return fragments with the symbols of *runs*, each block of which is coded by itself.

    Args:
        sealed: The same bytes as were given to `split`.
        cut: With the same symbol size.
        runs: Which symbols; source symbols and repair symbols may follow each other.
        number: The id of the bundle, 8 bytes; None: it is computed.
        limits: Bounds on *sealed* and on the numbers.

    Raises:
        MalformedError: *sealed* is empty, or there is no such symbol size.
        LimitError: as `split`; or there is no such block, or more repair symbols are asked for than
            one block may have.
    """
    press = _Press.of(sealed, cut, limits, number)
    chosen = list(runs)
    for run in chosen:
        if not 0 <= run.block < press.geometry.blocks:
            raise LimitError(f"block {run.block} of {press.geometry.blocks}")
        most = press.geometry.block_symbols(run.block) + limits.repair_symbols
        if run.end > most:
            raise LimitError(f"symbol {run.end - 1} of a block, at most {most} there are")
    return press.some(chosen)


def repair_count(block_symbols: int, repair_percent: int, run_symbols: int = 1) -> int:
    """Return how many repair symbols a block of *block_symbols* gets.

    Where a fragment has *run_symbols*, what gets lost is whole fragments: so many are made good.
    """
    if repair_percent <= 0:
        return 0
    run = min(run_symbols, block_symbols)
    fragments = -(-block_symbols // run)
    return -(-fragments * repair_percent // 100) * run + EXTRA_SYMBOLS


@dataclass(frozen=True, slots=True)
class _Press:
    """Makes fragments of one bundle for one carrier."""

    sealed: memoryview
    geometry: Geometry
    head: bytes
    run_symbols: int
    check: Check

    @classmethod
    def of(
        cls, sealed: bytes | memoryview, cut: Cut, limits: Limits, number: bytes | None = None
    ) -> "_Press":
        symbol_bytes = cut.symbol_bytes or symbol_bytes_for(cut.mtu_bytes)
        geometry = Geometry.of(len(sealed), symbol_bytes, limits=limits)
        head = fragment_head(number or bundle_id(sealed), len(sealed), symbol_bytes)
        longest = bytes(LONG_BODY_BYTES if cut.mtu_bytes > LONG_BODY_BYTES else 0)
        around = len(head) + _PAYLOAD_ID_BYTES + len(byte_string(cut.check(longest)))
        room = cut.mtu_bytes - around
        run_symbols = max(min(room - size, most) // symbol_bytes for size, most in _HEADS)
        if run_symbols < 1:
            raise LimitError(
                f"no symbol of {symbol_bytes} bytes fits a fragment of {cut.mtu_bytes} bytes"
            )
        return cls(memoryview(sealed), geometry, head, run_symbols, cut.check)

    def both(self, repair_percent: int) -> Iterator[bytes]:
        yield from self.source()
        for block in range(self.geometry.blocks):
            count = repair_count(
                self.geometry.block_symbols(block), repair_percent, self.run_symbols
            )
            yield from self.repair(block, 0, count)

    def source(self) -> Iterator[bytes]:
        for run, symbols in self.runs():
            yield self._fragment(run, symbols)

    def runs(self) -> Iterator[tuple[Run, memoryview]]:
        """Yield the source symbols of each fragment."""
        geometry = self.geometry
        for block in range(geometry.blocks):
            for run in self._runs(block, 0, geometry.block_symbols(block), is_source=True):
                yield run, self._source_of(run)

    def _source_of(self, run: Run) -> memoryview:
        start = self.geometry.run_offset(run)
        return self.sealed[start : start + self.geometry.run_bytes(run)]

    def some(self, runs: Iterable[Numbers]) -> Iterator[bytes]:
        """Yield the fragments of *runs*."""
        for block, first, end in runs:
            source = self.geometry.block_symbols(block)
            for run in self._runs(block, first, min(end, source) - first, is_source=True):
                yield self._fragment(run, self._source_of(run))
            yield from self.repair(block, max(first - source, 0), end - max(first, source))

    def repair(self, block: int, first: int, count: int) -> Iterator[bytes]:
        if count <= 0:
            return
        geometry = self.geometry
        source = geometry.block_symbols(block)
        symbols = raptor.repair_symbols(
            self._padded_block(block), symbol_bytes=geometry.symbol_bytes, first=first, count=count
        )
        for run in self._runs(block, source + first, count, is_source=False):
            start = run.first - source - first
            yield self._fragment(run, b"".join(symbols[start : start + run.count]))

    def _runs(self, block: int, first: int, count: int, *, is_source: bool) -> Iterator[Run]:
        for done in range(0, count, self.run_symbols):
            yield Run(block, first + done, min(self.run_symbols, count - done), is_source)

    def _padded_block(self, block: int) -> bytes:
        start = self.geometry.block_offset(block)
        length = self.geometry.block_symbols(block) * self.geometry.symbol_bytes
        return bytes(self.sealed[start : start + length]).ljust(length, b"\0")

    def _fragment(self, run: Run, symbols: bytes | memoryview) -> bytes:
        body = fragment_body(self.head, run.payload_id, symbols)
        return body + byte_string(self.check(body))
