"""Bundles that came in part: what its reader says it lacks of one, its sender sends and no more.

The words for it are those of docs/format.md section 5.8. Of bundles for a group nobody says so:
until one is opened, who sent it is not known.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice

from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.geometry import Geometry
from bundler.lack_section import (
    MAX_BUNDLES,
    MAX_RUNS,
    LackSection,
    PartlyCome,
    SymbolRun,
)
from bundler.sequence import parse_sequence
from bundler.split import Numbers
from ledger import cbor
from ledger.lazy_dataclass import dataclass
from pannier.lack_rows import lack_of
from pannier.links.gaps import lacking
from pannier.node import Node
from spool.name import BundleName
from transports.questions import Part

# No bundle has a block of this number.
_NO_BLOCK = 255 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a peer lacks of a bundle for it.

    Attributes:
        numbers: Its symbols, by blocks.
        size_bytes: Of them all.
    """

    numbers: tuple[Numbers, ...]
    size_bytes: int

    @property
    def part(self) -> Part:
        """The same, for a transport.

        Under the name of another file of the bundle it would be taken for that: who carries that
        one, spoilt, would not take this along, or put the longer one in its place.
        """
        digest = sha256(cbor.encode([tuple(one) for one in self.numbers])).digest()
        return Part(_NO_BLOCK | int.from_bytes(digest[:3], "big"), self.size_bytes)


# -- the reader -----------------------------------------------------------------------------------


def lack_section(node: Node, peer: str) -> LackSection | None:
    """Return what lacks of the bundles of *peer* that came in part; None if none did.

    Raises:
        SpoolError: the inbox cannot be read.
    """
    numbers = {number for sender, number, _ in node.spool.inbox.known() if sender == peer}
    unseen = (one for one in sorted(numbers) if node.db.seen(one, peer) is None)
    found = (
        PartlyCome(bytes.fromhex(one), runs) for one in unseen if (runs := _runs(node, one, peer))
    )
    bundles = tuple(islice(found, MAX_BUNDLES))
    return LackSection(bundles=bundles) if bundles else None


def _runs(node: Node, number: str, peer: str) -> tuple[SymbolRun, ...]:
    """Return what lacks of a bundle of *peer*; nothing if it is whole, or past mending."""
    arrived = partial(_arrived, node, number, peer)
    first = next((part for data in arrived() for part in _fragments(data)), None)
    if first is None:
        return ()
    try:
        geometry = Geometry.of(first.transfer_bytes, first.symbol_bytes)
    except BundleError:
        return ()  # more blocks than a bundle has: its sender breaks its word
    ranges = lacking(bytes.fromhex(number), geometry, arrived)
    if not isinstance(ranges, tuple):
        return ()
    size = geometry.symbol_bytes
    return _few([SymbolRun(a // size, -(-b // size) - a // size) for a, b in ranges])


def _arrived(node: Node, number: str, peer: str) -> Iterator[bytes]:
    return (one.data for one in node.spool.inbox.read(number, peer))


def _fragments(data: bytes) -> Iterator[Fragment]:
    return (one for one in parse_sequence(data, is_plausible) if isinstance(one, Fragment))


def _few(runs: Sequence[SymbolRun]) -> tuple[SymbolRun, ...]:
    """Return *runs*, no more than `MAX_RUNS`: those are joined that have the least between them."""
    between = sorted(range(1, len(runs)), key=lambda at: runs[at].first - runs[at - 1].end)
    begins = [0, *sorted(between[len(runs) - MAX_RUNS :] if len(runs) > MAX_RUNS else between)]
    ends = [*begins[1:], len(runs)]
    return tuple(
        SymbolRun(runs[begin].first, runs[end - 1].end - runs[begin].first)
        for begin, end in zip(begins, ends, strict=True)
        if begin < end
    )


# -- the sender -----------------------------------------------------------------------------------


def rest_of(node: Node, peer: str, name: BundleName) -> Rest | None:
    """Return what *peer* lacks of a queued bundle; None if that is all, or not known.

    Raises:
        PannierError: ``node.db`` cannot be read, or is damaged.
    """
    runs = lack_of(node.db, peer, name.bundle_id)
    bundle = node.db.bundle(name.bundle_id) if runs else None
    if bundle is None:
        return None
    geometry = Geometry.of(bundle.size_bytes, name.symbol_bytes)
    if runs[-1].end > geometry.symbols:
        return None  # it means something else by that id
    size = geometry.symbol_bytes
    total = sum(min(one.end * size, geometry.transfer_bytes) - one.first * size for one in runs)
    return Rest(numbers=tuple(_by_blocks(geometry, runs)), size_bytes=total)


def _by_blocks(geometry: Geometry, runs: Iterable[SymbolRun]) -> Iterator[Numbers]:
    for run in runs:
        start = 0
        for block in range(geometry.blocks):
            end = start + geometry.block_symbols(block)
            if run.first < end and start < run.end:
                yield Numbers(block, max(run.first - start, 0), min(run.end, end) - start)
            start = end
