"""The newest entries of a log, modelled by those before them (docs/format.md section 5.4).

Both sides learn from the context first. Then cell by cell is coded, by a model that is written
once: the coder that it is given writes or reads.
"""

from collections.abc import Sequence

from bundler.errors import LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.range_coder import RangeDecoder, RangeEncoder
from bundler.tail_rows import NO_ROW, check_encodable, entry_of, row_of
from bundler.tail_section import MAX_CONTEXT, MAX_ENTRIES, MAX_PAYLOADS_BYTES
from bundler.tail_table import Table
from ledger.entry import Entry

_BESIDE_PAYLOADS_BYTES = 1 << 10  # of a string: what it may be longer than all payloads


def encode_tail(
    entries: Sequence[Entry], context: Sequence[Entry], *, limits: Limits = DEFAULT_LIMITS
) -> bytes:
    """Return *entries* in few bytes, for a reader that has *context*.

    Args:
        entries: 1..256 consecutive ones of a log, payloads together at most 64 KiB; the digest of
            one with a payload is not looked at.
        context: Those of the same log directly before, 0..1024, all with payload.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: an entry does not follow docs/format.md.
        LimitError: there are none or too many, or their payloads are too big together.
    """
    _check_counts(len(entries), len(context), limits)
    for entry in entries:
        check_encodable(entry)
    payloads_bytes = sum(len(entry.payload or b"") for entry in entries)
    most = _most_payloads_bytes(limits)
    if payloads_bytes > most:
        raise LimitError(f"payloads of {payloads_bytes} bytes, at most {most} are modelled")
    table, coder = Table(context, _most_string_bytes(limits)), RangeEncoder()
    for entry in entries:
        wanted = row_of(entry)
        row, form = table.code(coder, wanted)
        # What a decoder will be told is what was meant.
        if row != wanted or (form.skeleton and form.payload(row.cells) != entry.payload):
            raise MalformedError("an entry that does not come back as it was")
    return coder.finish()


def decode_tail(
    data: bytes,
    count: int,
    salts: Sequence[bytes | None],
    context: Sequence[Entry],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Entry]:
    """Return the *count* entries that `encode_tail` made *data* of.

    Args:
        data: As it stands in a tail section, to its end.
        count: Entries in it.
        salts: 16 bytes for each entry; may be None where the payload is left out.
        context: The same that the encoder had.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: *data* is not that of *count* entries after *context*, or a salt is missing.
        LimitError: there are none or too many, or their payloads are too big together.
    """
    _check_counts(count, len(context), limits)
    if len(salts) != count:
        raise MalformedError(f"{len(salts)} salts for {count} entries")
    table, coder = Table(context, _most_string_bytes(limits)), RangeDecoder(data)
    left = _most_payloads_bytes(limits)
    entries = []
    for salt in salts:
        row, form = table.code(coder, NO_ROW)
        entries.append(entry_of(row, form, salt))
        left -= len(entries[-1].payload or b"")
        if left < 0:
            raise LimitError("payloads of more bytes than are modelled")
    coder.finish()
    return entries


def _check_counts(entries: int, context: int, limits: Limits) -> None:
    most = min(MAX_ENTRIES, limits.entries)
    if not 1 <= entries <= most or context > MAX_CONTEXT:
        raise LimitError(
            f"{entries} entries after {context}, 1 to {most} after 0 to {MAX_CONTEXT} are modelled"
        )


def _most_payloads_bytes(limits: Limits) -> int:
    return min(MAX_PAYLOADS_BYTES, limits.payloads_bytes)


def _most_string_bytes(limits: Limits) -> int:
    return _most_payloads_bytes(limits) + _BESIDE_PAYLOADS_BYTES
