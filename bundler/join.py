"""Putting fragments back together, in any order and from any number of ways. Pure.

`Joiner` is fed fragments whose check fits and says what it has: never more memory than a bundle
for each set of parameters, whatever comes. Fragments with a CRC only may be forged, and then the
whole does not have the id that they name: their symbols are dropped, and joining begins again.

Source: docs/format.md section 7; RFC 6330 section 4.4.1.2.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from bundler import raptor
from bundler.errors import MalformedError
from bundler.fragment import Fragment
from bundler.geometry import Geometry, Run
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.sealed import bundle_id
from ledger.lazy_dataclass import dataclass

# So many symbols more than a block has suffice, unless somebody chose them so that they do not.
_MOST_EXTRA_SYMBOLS = 64


@dataclass(frozen=True, slots=True)
class NeedMore:
    """The bundle is not whole; *symbols* more are needed at least (see `Joiner.gaps`)."""

    symbols: int


@dataclass(frozen=True, slots=True)
class Complete:
    """The bundle is whole and has the id that its fragments name."""

    sealed: bytes


class Cause(Enum):
    """What shows that a fragment was forged."""

    DISAGREEMENT = "two fragments have the same symbol with different bytes"
    """The first was kept. Whichever is false, the other ways may still make the bundle whole."""

    WRONG_ID = "the whole bundle does not have the id that its fragments name"
    """All symbols of these parameters were dropped. Feed the sources again, leaving one out."""


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A forged fragment was among those received.

    Attributes:
        cause: What showed it.
        symbols: How many more are needed at least, now.
    """

    cause: Cause
    symbols: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Source symbols that are missing.

    Attributes:
        payload_id: Of the first of them.
        count: How many, all of one block.
    """

    payload_id: int
    count: int


class Need(NamedTuple):
    """How many symbols a block lacks at least, any that have not come."""

    block: int
    symbols: int


class Joiner:
    """Collects the fragments of one bundle.

    Invariant: holds at most ``limits.pools`` times the memory of the largest bundle, and twice
    that while the last block is rebuilt.
    """

    def __init__(self, bundle_id: bytes, *, limits: Limits = DEFAULT_LIMITS) -> None:
        """Wait for the fragments of the bundle with the id *bundle_id*."""
        self._id = bundle_id
        self._limits = limits
        self._pools: dict[tuple[int, int], _Pool] = {}
        self._complete: Complete | None = None

    def receive(self, fragment: Fragment) -> NeedMore | Complete | Spoiled:
        """Add a fragment whose check fits; once complete, answer `Complete` for ever.

        Raises:
            MalformedError: *fragment* is of another bundle, or impossible: it was forged.
            LimitError: its parameters are beyond the limits.
        """
        if fragment.bundle_id != self._id:
            raise MalformedError("a fragment of another bundle")
        if self._complete:
            return self._complete
        key = (fragment.transfer_bytes, fragment.symbol_bytes)
        pool = self._pools.get(key)
        geometry = pool.geometry if pool else Geometry.of(*key, limits=self._limits)
        run = geometry.run(fragment.payload_id, len(fragment.symbols))
        if pool is None:
            pool = self._new_pool(geometry)
        agrees = pool.add(run, fragment.symbols)
        if pool.needed == 0:
            return self._finish(pool)
        return NeedMore(pool.needed) if agrees else Spoiled(Cause.DISAGREEMENT, pool.needed)

    def gaps(self) -> Iterator[Gap]:
        """Yield the source symbols missing from the parameters that most has come for."""
        if self._pools and not self._complete:
            yield from self._fullest().gaps()

    def needs(self) -> Iterator[Need]:
        """Yield the blocks that are not whole, of the parameters that most has come for."""
        if self._pools and not self._complete:
            yield from self._fullest().needs()

    def _new_pool(self, geometry: Geometry) -> "_Pool":
        if len(self._pools) >= self._limits.pools:
            emptiest = min(self._pools, key=lambda key: self._pools[key].received_bytes)
            del self._pools[emptiest]
        pool = _Pool(geometry)
        self._pools[geometry.transfer_bytes, geometry.symbol_bytes] = pool
        return pool

    def _fullest(self) -> "_Pool":
        return max(self._pools.values(), key=lambda pool: pool.received_bytes)

    def _finish(self, pool: "_Pool") -> Complete | Spoiled:
        sealed = pool.sealed()
        if bundle_id(sealed) == self._id:
            self._pools.clear()
            self._complete = Complete(sealed)
            return self._complete
        geometry = pool.geometry
        del self._pools[geometry.transfer_bytes, geometry.symbol_bytes]
        return Spoiled(Cause.WRONG_ID, geometry.symbols)


class _Pool:
    """The symbols received under one set of parameters."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.needed = geometry.symbols
        self.received_bytes = 0
        self._blocks: dict[int, _Block] = {}

    def add(self, run: Run, symbols: bytes | memoryview) -> bool:
        """Take the symbols of *run*; return whether they agree with those here."""
        block = self._blocks.get(run.block)
        if block is None:
            block_symbols = self.geometry.block_symbols(run.block)
            block = self._blocks[run.block] = _Block(block_symbols, self.geometry.symbol_bytes)
        before = block.needed
        agrees = block.add(run, symbols)
        self.needed -= before - block.needed
        self.received_bytes += len(symbols)
        return agrees

    def sealed(self) -> bytes:
        blocks = b"".join(self._blocks[block].data for block in range(self.geometry.blocks))
        return blocks[: self.geometry.transfer_bytes]

    def needs(self) -> Iterator[Need]:
        for number in range(self.geometry.blocks):
            block = self._blocks.get(number)
            needed = self.geometry.block_symbols(number) if block is None else block.needed
            if needed:
                yield Need(number, needed)

    def gaps(self) -> Iterator[Gap]:
        for number in range(self.geometry.blocks):
            block = self._blocks.get(number)
            if block is None:
                first = Run(number, 0, 1, is_source=True).payload_id
                yield Gap(first, self.geometry.block_symbols(number))
            elif block.needed:
                for start, end in block.holes():
                    yield Gap(Run(number, start, 1, is_source=True).payload_id, end - start)


class _Block:
    """One source block.

    Attributes:
        data: Its source symbols, zeros where one is missing.
        needed: How many symbols are needed at least; 0 when `data` is whole.
    """

    def __init__(self, symbols: int, symbol_bytes: int) -> None:
        self.data = bytearray(symbols * symbol_bytes)
        self.needed = symbols
        self._size = symbol_bytes
        self._has = bytearray(symbols)
        self._missing = symbols
        self._repair: dict[int, bytes] = {}
        self._extra = 0

    def add(self, run: Run, symbols: bytes | memoryview) -> bool:
        """Take the symbols of *run*, rebuild the block if that can be done now."""
        if run.is_source:
            agrees = self._add_source(run, symbols)
        else:
            agrees = not self.needed or self._add_repair(run, symbols)
        self._settle()
        return agrees

    def holes(self) -> Iterator[tuple[int, int]]:
        """Yield (first, end) of the source symbols that are missing."""
        end = 0
        while (start := self._has.find(0, end)) >= 0:
            end = self._has.find(1, start)
            if end < 0:
                end = len(self._has)
            yield start, end

    def _add_source(self, run: Run, symbols: bytes | memoryview) -> bool:
        end = run.first + run.count
        known = self._has.count(1, run.first, end)
        if known == 0:
            start = run.first * self._size
            self.data[start : start + len(symbols)] = symbols
            self._has[run.first : end] = b"\1" * run.count
            self._missing -= run.count
            return True
        if run.count == 1:
            start = run.first * self._size
            return bytes(symbols) == self.data[start : start + len(symbols)]
        agrees = True
        for single, symbol in self._singles(run, symbols):
            agrees &= self._add_source(single, symbol)
        return agrees

    def _add_repair(self, run: Run, symbols: bytes | memoryview) -> bool:
        agrees = True
        room = len(self._has) + _MOST_EXTRA_SYMBOLS
        for single, symbol in self._singles(run, symbols):
            if len(self._repair) < room:
                agrees &= self._repair.setdefault(single.first, bytes(symbol)) == symbol
        return agrees

    def _singles(
        self, run: Run, symbols: bytes | memoryview
    ) -> Iterator[tuple[Run, bytes | memoryview]]:
        for index in range(run.count):
            symbol = symbols[index * self._size : (index + 1) * self._size]
            yield Run(run.block, run.first + index, 1, run.is_source), symbol

    def _settle(self) -> None:
        if self._missing and len(self._repair) >= self._missing + self._extra:
            self._rebuild()
        if not self._missing:
            self._repair.clear()
            self.needed = 0
        else:
            self.needed = max(1, self._missing + self._extra - len(self._repair))

    def _rebuild(self) -> None:
        block = raptor.recover(self._known(), symbol_bytes=self._size, block_symbols=len(self._has))
        if block is None:
            # An attempt costs much more than a symbol: whoever sends symbols that do not suffice
            # must not get one for each. But two more than the block has nearly always do.
            self._extra = self._extra + 1 if self._extra < 2 else 2 * self._extra + 1
            return
        self.data[:] = block
        self._has[:] = b"\1" * len(self._has)
        self._missing = 0

    def _known(self) -> Iterator[tuple[int, bytes | memoryview]]:
        view = memoryview(self.data)
        for number, has in enumerate(self._has):
            if has:
                yield number, view[number * self._size : (number + 1) * self._size]
        yield from self._repair.items()
