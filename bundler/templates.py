"""Templates: what the payloads of a section have in common, with holes for what they have not.

A template is a map in which each null stands for a cell, and a map in it for a map of the same
kind; null alone is the template of any payload (docs/format.md section 5.3). A payload is its
literals with the cells between them, so that splitting and joining is about bytes alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from typing import Self

from bundler import items
from bundler.cells import NUMBER
from bundler.errors import MalformedError, ledger_errors_converted
from bundler.quick_cbor import CBOR_ERRORS, dumps, loads
from ledger import cbor

MAX_HOLES = 1024
"""Of one template: a column takes time however few entries it has."""

_MAP = 5
_HOLE = b"\xf6"
# A number, true, false or null; or else what ends where the next literal begins. No way back: what
# matched once stays, or a hostile payload could take exponential time.
_CELL = b"(?>(" + NUMBER + rb"|[\xf4-\xf6]|[\x40-\x5b\x60-\x7b\x80-\xbf].*?)%b)"


@dataclass(frozen=True)
class Template:
    """What lies before each cell, and how many levels deep the cell lies.

    Attributes:
        encoded: As it stands in a section.
        literals: For each cell what is between the one before and it; nothing follows the last.
        depths: For each cell in how many maps it is.
    """

    encoded: bytes
    literals: tuple[bytes, ...]
    depths: tuple[int, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a template.

        Raises:
            MalformedError: *data* is none.
        """
        with ledger_errors_converted():
            value = cbor.decode(data, limit_bytes=len(data))
        literals, depths = list[bytes](), list[int]()
        _flatten(value, b"", 0, literals, depths)
        if len(depths) > MAX_HOLES:
            raise MalformedError(f"a template of {len(depths)} cells, at most {MAX_HOLES} may be")
        return cls(data, tuple(literals), tuple(depths))

    @classmethod
    def of(cls, payload: bytes) -> Self | None:
        """Return the template of payloads like *payload*; None if it is no map, or one too big."""
        try:
            return cls.from_bytes(dumps(_emptied(loads(payload))))
        except (MalformedError, *CBOR_ERRORS):
            return None

    @property
    def size_bytes(self) -> int:
        """How many bytes a payload has besides its cells."""
        return sum(map(len, self.literals))

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """Matches all of a payload of this template, with its cells as groups.

        Where a string holds the next literal its cell may come out short: see that it is one item.
        """
        ends = (*map(re.escape, self.literals[1:]), rb"\Z")
        cells = b"".join(_CELL % end for end in ends)
        return re.compile(re.escape(self.literals[0]) + cells, re.DOTALL)

    def payloads(self, columns: Sequence[Sequence[bytes]]) -> list[bytes]:
        """Return the payloads with these cells, given as a column for each hole."""
        if self.literals == (b"",):
            return list(columns[0])
        pairs = zip(map(repeat, self.literals), columns, strict=True)
        return list(map(b"".join, zip(*chain.from_iterable(pairs), strict=False)))


WHOLE = Template(_HOLE, (b"",), (0,))
"""The template of any payload: one cell."""


def _emptied(value: object) -> object:
    """Return the template of *value*: maps that are not empty, with null for all else."""
    if not isinstance(value, dict) or not value:
        return None
    return {key: _emptied(child) for key, child in value.items()}


def _flatten(
    value: object, before: bytes, depth: int, literals: list[bytes], depths: list[int]
) -> None:
    """Add the holes of *value*, which stands after *before*, to *literals* and *depths*."""
    if value is None:
        literals.append(before)
        depths.append(depth)
    elif isinstance(value, Mapping) and value:
        before += items.uint(len(value), _MAP)
        for key, child in value.items():
            _flatten(child, before + dumps(key), depth + 1, literals, depths)
            before = b""
    else:
        raise MalformedError("a template that holds something else than maps and null")
