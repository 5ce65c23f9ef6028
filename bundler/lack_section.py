"""What has not come of bundles that came in part (docs/format.md section 5.8). Pure."""

from itertools import chain, pairwise
from typing import ClassVar, NamedTuple, Self

from bundler.errors import MalformedError, ledger_errors_converted
from bundler.limits import Limits
from bundler.sealed import BUNDLE_ID_BYTES
from ledger import cbor
from ledger.lazy_dataclass import dataclass

MAX_BUNDLES = 256
MAX_RUNS = 256
"""Of one bundle."""
# 255 blocks of 8,192: no bundle has more symbols.
_MAX_SYMBOLS = 255 * 8192


class SymbolRun(NamedTuple):
    """Source symbols of a bundle that follow each other, counted through all of its blocks.

    Attributes:
        first: Number of the first, from 0.
        length: How many, at least 1.
    """

    first: int
    length: int

    @property
    def end(self) -> int:
        """Number of the first symbol after it."""
        return self.first + self.length


class PartlyCome(NamedTuple):
    """A bundle that came in part.

    Attributes:
        bundle_id: 8 bytes.
        lacking: What makes it whole: ascending, none next to another, 1 to `MAX_RUNS`.
    """

    bundle_id: bytes
    lacking: tuple[SymbolRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LackSection:
    """Bundles of the recipient of which the sender has all but some symbols, each named once."""

    TYPE: ClassVar[int] = 5

    bundles: tuple[PartlyCome, ...]

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        return cbor.encode([(one.bundle_id, [*chain(*one.lacking)]) for one in self.bundles])

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a lack section.
        """
        with ledger_errors_converted():
            items = cbor.as_list(cbor.decode(data, limit_bytes=limits.small_section_bytes))
            if len(items) > MAX_BUNDLES:
                raise MalformedError(f"{len(items)} bundles in a lack section")
            bundles = tuple(map(_partly_come, items))
        if len({one.bundle_id for one in bundles}) != len(bundles):
            raise MalformedError("a bundle twice in a lack section")
        return cls(bundles=bundles)


def _partly_come(value: object) -> PartlyCome:
    bundle_id, numbers = cbor.as_list(value, 2)
    return PartlyCome(cbor.as_bytes(bundle_id, BUNDLE_ID_BYTES), runs_of(numbers))


def runs_of(value: object) -> tuple[SymbolRun, ...]:
    """Return the runs that *value*, decoded, lists as first, count, first, count and so on.

    Raises:
        MalformedError: it lists none.
        LedgerError: it is no list of numbers.
    """
    numbers = [cbor.as_uint(one, maximum=_MAX_SYMBOLS) for one in cbor.as_list(value)]
    if not numbers or len(numbers) % 2 or len(numbers) > 2 * MAX_RUNS:
        raise MalformedError(f"{len(numbers)} numbers are no runs of symbols")
    runs = tuple(map(SymbolRun, numbers[::2], numbers[1::2]))
    if any(not run.length for run in runs) or any(a.end >= b.first for a, b in pairwise(runs)):
        raise MalformedError("runs of symbols ascend, with something between them")
    return runs
