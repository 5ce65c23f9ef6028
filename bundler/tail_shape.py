"""A payload as its structure and the cells in it (docs/format.md section 5.4.1).

The *skeleton* of a CBOR item is the item with 0xff in place of everything in it that is neither an
array, a map, nor a key. What stood there are its *cells*.
"""

from collections.abc import Sequence

from bundler.errors import MalformedError, ledger_errors_converted
from ledger import cbor
from ledger.lazy_dataclass import dataclass

HOLE = b"\xff"
MAX_CELLS = 256
MAX_FORM_BYTES = 1 << 14

_BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(2, 7)
_WIDE, _RESERVED = 24, 28
_MAX_DEPTH = 16
_FORM_FIELDS = 3
_MAX_FOLLOWS = 64

# Length of an item that is a cell by its first byte; 0 where that does not tell it.
_CELL_BYTES = [
    0 if low >= _RESERVED or major in (_ARRAY, _MAP, _TAG)
    else (0 if low >= _WIDE else 1 + low) if major in (_BYTES, _TEXT)
    else 1 if low < _WIDE else 1 + (1 << low - _WIDE)
    for major in range(8) for low in range(32)
]  # fmt: skip

Path = tuple[bytes | int, ...]
"""Keys, encoded, and positions in arrays that lead to a cell."""


@dataclass(frozen=True, slots=True)
class Form:
    """What entries often have in common.

    Attributes:
        kind: Of the entry.
        action: Of the entry.
        follow_count: How many entries it follows.
        skeleton: Of the payload; empty if that is left out.
        paths: Of the cells of the payload, in order.
    """

    kind: str
    action: int
    follow_count: int
    skeleton: bytes
    paths: tuple[Path, ...]
    _between: tuple[bytes, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> "Form":
        """Read the CBOR array [kind, action, number of follows] and the skeleton after it.

        Raises:
            MalformedError: *data* is something else.
        """
        _, end = _cells_of(data, 0)
        skeleton = data[end:]
        with ledger_errors_converted():
            fields = cbor.as_list(cbor.decode(data[:end], limit_bytes=end), _FORM_FIELDS)
            kind, action = cbor.as_text(fields[0]), cbor.as_uint(fields[1])
            follow_count = cbor.as_uint(fields[2], maximum=_MAX_FOLLOWS)
        cells: list[_Cell] = []
        if skeleton:
            cells, end = _cells_of(skeleton, 0)
            if end != len(skeleton) or any(skeleton[a:b] != HOLE for _, a, b in cells):
                raise MalformedError("not a skeleton")
        paths = tuple(path for path, _, _ in cells)
        return cls(kind, action, follow_count, skeleton, paths, _between(skeleton, cells))

    def split(self, payload: bytes) -> tuple[bytes, list[bytes]] | None:
        """Return what `split` does, sooner, if *payload* has this skeleton and no long cell."""
        cells = []
        at = 0
        for between in self._between[:-1]:
            start = at + len(between)
            if payload[at:start] != between or start >= len(payload):
                return None
            length = _CELL_BYTES[payload[start]]
            if not length:
                return None
            at = start + length
            cells.append(payload[start:at])
        if not cells or payload[at:] != self._between[-1]:
            return None
        return self.skeleton, cells

    def payload(self, cells: Sequence[bytes]) -> bytes:
        """Return the payload with *cells*, one for each path."""
        filled = [part for pair in zip(self._between, cells, strict=False) for part in pair]
        return b"".join((*filled, self._between[-1]))


def split(payload: bytes) -> tuple[bytes, list[bytes]]:
    """Return the skeleton and the cells of *payload*; the only one is all of it if it has too many.

    Args:
        payload: One CBOR item.
    """
    try:
        cells, _ = _cells_of(payload, 0)
    except MalformedError:
        return HOLE, [payload]
    skeleton = HOLE.join(_between(payload, cells))
    if len(skeleton) > MAX_FORM_BYTES:
        return HOLE, [payload]
    return skeleton, [payload[start:end] for _, start, end in cells]


_Cell = tuple[Path, int, int]
"""Where a cell lies in an item: path, start, end."""


def _between(data: bytes, cells: Sequence[_Cell]) -> tuple[bytes, ...]:
    starts = [0, *(end for _, _, end in cells)]
    ends = [*(start for _, start, _ in cells), len(data)]
    return tuple(data[a:b] for a, b in zip(starts, ends, strict=True))


def _cells_of(data: bytes, at: int) -> tuple[list[_Cell], int]:
    """Return the cells of the item or skeleton at *at*, and where it ends.

    Raises:
        MalformedError: there is none, or it has more than `MAX_CELLS` cells.
    """
    cells: list[_Cell] = []
    end = _walk(data, at, (), cells)
    if end > len(data):
        raise MalformedError("an item ends too early")
    return cells, end


def _walk(data: bytes, at: int, path: Path, cells: list[_Cell]) -> int:
    """Add the cells of the item at *at* to *cells*, and return where it ends."""
    major, argument, end = _head(data, at)
    if major not in (_ARRAY, _MAP):
        end = _end_of_scalar(data, at)
        cells.append((path, at, end))
        return end
    if argument + len(cells) > MAX_CELLS or len(path) == _MAX_DEPTH:
        raise MalformedError("too many cells, or too deep")
    for position in range(argument):
        step: bytes | int = position
        if major == _MAP:
            start, end = end, _end_of_scalar(data, end)
            step = data[start:end]
        end = _walk(data, end, (*path, step), cells)
    return end


def _end_of_scalar(data: bytes, at: int) -> int:
    major, argument, end = _head(data, at)
    if major in (_ARRAY, _MAP, _TAG):
        raise MalformedError("an item that is not allowed here")
    return end + argument if major in (_BYTES, _TEXT) else end


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the major type and argument of the item at *at*, and where its head ends."""
    if at >= len(data):
        raise MalformedError("an item ends too early")
    first = data[at]
    low = first & 31
    if low < _WIDE or first == HOLE[0]:
        return first >> 5, low, at + 1
    if low >= _RESERVED:
        raise MalformedError("an item of indefinite or reserved length")
    end = at + 1 + (1 << low - _WIDE)
    return first >> 5, int.from_bytes(data[at + 1 : end], "big"), end
