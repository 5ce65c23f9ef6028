"""The encodings of the entries of a log section, and the choice between them (docs/format.md 5.1).

Columns are smaller and quicker; rows are for what they cannot hold, and where they are smaller.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bundler import items
from bundler.columnar import decode_columnar, encode_columnar
from bundler.errors import LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.log_section import LogSection
from bundler.number_columns import cost_bytes
from bundler.rows import COLUMNS, decode_rows, encode_rows
from ledger.entries import Entries

ROWS, COLUMNAR = 1, 2

# In sections of so few entries what stands around the columns may be more than what is in them.
_FEW = 256
# Parts of so many bytes have statistics of their own.
_BLOCK_BYTES = 2048


class Encoded(NamedTuple):
    """Entries as they stand in a log section.

    Attributes:
        encoding: Number of the encoding.
        data: Their bytes.
        cuts: Offsets in them at which what they hold changes: for the compressor.
    """

    encoding: int
    data: bytes
    cuts: tuple[int, ...] = ()


def is_known(encoding: int) -> bool:
    """Return whether this version reads entries in that encoding."""
    return encoding in (ROWS, COLUMNAR)


def encode_entries(entries: Entries, *, limits: Limits = DEFAULT_LIMITS) -> Encoded:
    """Return *entries* in the encoding that makes least of them.

    Args:
        entries: 1..65,536 of them; the digest of one with a payload is not looked at.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: an entry does not follow docs/format.md.
        LimitError: there are none or too many, or they are too much together.
    """
    try:
        parts = encode_columnar(entries, limits=limits)
    except LimitError:
        return Encoded(ROWS, _rows(entries, limits))
    data = b"".join(parts)
    if entries.count <= _FEW:
        rows = _rows(entries, limits)
        if cost_bytes([rows]) < cost_bytes([data]):
            return Encoded(ROWS, rows)
    return Encoded(COLUMNAR, data, _cuts(parts))


def decode_entries(
    section: LogSection, salts: Sequence[bytes | None], *, limits: Limits = DEFAULT_LIMITS
) -> Entries:
    """Return the entries of *section*, each of which follows docs/format.md.

    Args:
        section: Not verified.
        salts: 16 bytes for each entry; may be None where the payload is left out.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: it does not hold entries in an encoding that is known, or a salt is missing.
        LimitError: they are too much together.
    """
    if section.encoding == COLUMNAR:
        return decode_columnar(section.entries, section.count, salts, limits=limits)
    if section.encoding != ROWS:
        raise MalformedError("entries in an encoding that is not known here")
    reader = items.Reader(section.entries)
    reader.array_of(COLUMNS)
    columns = [bytes(reader.view(limits.section_bytes)) for _ in range(COLUMNS)]
    reader.end()
    return Entries.of(decode_rows(columns, section.count, salts, limits=limits))


def _rows(entries: Entries, limits: Limits) -> bytes:
    columns = encode_rows(entries.one_by_one(), limits=limits)
    return items.array_head(COLUMNS) + b"".join(map(items.byte_string, columns))


def _cuts(parts: Sequence[bytes]) -> tuple[int, ...]:
    """Return where a part begins or ends that is big enough to be compressed on its own."""
    cuts, at = set[int](), 0
    for part in parts:
        end = at + len(part)
        if len(part) >= _BLOCK_BYTES:
            cuts |= {at, end}
        at = end
    return tuple(sorted(cuts - {0, at}))
