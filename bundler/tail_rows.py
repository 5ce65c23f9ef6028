"""An entry as the row of cells that is modelled, and back (docs/format.md section 5.4.1)."""

from collections.abc import Sequence
from typing import NamedTuple

import cbor2

from bundler import items
from bundler.errors import MalformedError, ledger_errors_converted
from bundler.tail_shape import Form, split
from ledger import cbor
from ledger.entry import MAX_PAYLOAD_BYTES, Entry, Follow, check_entry, payload_digest

LEAF_BYTES = 16
DIGEST_BYTES = 32
SALT_BYTES = 16
_AUTHOR_BYTES, _INCARNATION_BYTES = 32, 8
_MOST_NAME_BYTES = 1 << 9


class Row(NamedTuple):
    """The cells of one entry.

    Attributes:
        thing: CBOR text.
        form: What entries often have in common, see `Form`.
        time: CBOR integer.
        follows: For each entry that it follows: its log (CBOR byte string of author and
            incarnation), its number (CBOR integer) and its leaf (16 bytes).
        cells: Those of the payload, CBOR items.
        digest: Of a payload left out, else empty.
    """

    thing: bytes
    form: bytes
    time: bytes
    follows: Sequence[tuple[bytes, bytes, bytes]]
    cells: Sequence[bytes]
    digest: bytes


NO_ROW = Row(b"", b"", b"", (), (), b"")
"""What a decoder wants."""


def row_of(entry: Entry, likely: Form | None = None) -> Row:
    """Return *entry*, which follows docs/format.md and may be of the form *likely*, as cells."""
    thing, kind, action, time_us, follows, digest, payload = entry
    skeleton, cells = b"", list[bytes]()
    if payload is not None:
        skeleton, cells = (likely and likely.split(payload)) or split(payload)
    return Row(
        cbor2.dumps(thing),
        cbor2.dumps((kind, action, len(follows))) + skeleton,
        cbor2.dumps(time_us),
        [(items.byte_string(a + b), items.uint(number), leaf) for a, b, number, leaf in follows],
        cells,
        digest if payload is None else b"",
    )


def entry_of(row: Row, form: Form, salt: bytes | None) -> Entry:
    """Return the entry with the cells *row*.

    Raises:
        MalformedError: they are not those of an entry, or there is no salt for its payload.
    """
    digest, payload = row.digest, None
    if form.skeleton:
        payload = form.payload(row.cells)
        if salt is None or len(salt) != SALT_BYTES:
            raise MalformedError("a payload for which there is no salt")
        digest = payload_digest(salt, payload)
    with ledger_errors_converted():
        if payload is not None:
            cbor.decode(payload, limit_bytes=MAX_PAYLOAD_BYTES)
        entry = Entry(
            cbor.as_text(cbor.decode(row.thing, limit_bytes=_MOST_NAME_BYTES)),
            form.kind,
            form.action,
            cbor.as_int64(cbor.decode(row.time, limit_bytes=_MOST_NAME_BYTES)),
            tuple(_follow(*follow) for follow in row.follows),
            digest,
            payload,
        )
        check_entry(entry)
    return entry


def check_encodable(entry: Entry) -> None:
    """Check that *entry* follows docs/format.md.

    Raises:
        MalformedError: it does not.
    """
    with ledger_errors_converted():
        check_entry(entry)
        if entry.payload is not None:
            cbor.decode(entry.payload, limit_bytes=MAX_PAYLOAD_BYTES)


def _follow(log: bytes, number: bytes, leaf: bytes) -> Follow:
    name = cbor.as_bytes(
        cbor.decode(log, limit_bytes=_MOST_NAME_BYTES), _AUTHOR_BYTES + _INCARNATION_BYTES
    )
    return Follow(
        name[:_AUTHOR_BYTES],
        name[_AUTHOR_BYTES:],
        cbor.as_uint(cbor.decode(number, limit_bytes=_MOST_NAME_BYTES)),
        leaf,
    )
