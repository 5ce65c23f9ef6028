"""Entries as 17 columns, which is how a log section carries them (docs/format.md section 5.2).

Whatever the columns are, `decode_rows` gives entries that follow section 3.1 or a
`MalformedError`; `encode_rows` proves of each payload that it comes back byte for byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from bundler.columns import (
    U16,
    U32,
    U64,
    check_first_use,
    pack_numbers,
    pack_strings,
    slices,
    unpack_numbers,
    unpack_strings,
)
from bundler.entry_fields import (
    check_all_follows,
    check_names,
    check_numbers,
    check_sizes,
    derived_digests,
    given_digests,
    numbered,
    pack_follows,
    unpack_follows,
)
from bundler.errors import LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.shapes import FIRST_SHAPE, LEFT_OUT, NO_SHAPE, Shape, ShapeList, check_payload
from ledger.entry import Entry

COLUMNS = 17
_TIME_MODULUS = 1 << 64
_TIME_OFFSET = 1 << 63


def encode_rows(entries: Sequence[Entry], *, limits: Limits = DEFAULT_LIMITS) -> list[bytes]:
    """Return *entries* as 17 columns.

    Args:
        entries: 1..65,536 of them; the digest of one with a payload is not looked at.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: an entry does not follow docs/format.md.
        LimitError: there are none or too many, or their payloads are too big together.
    """
    if not 1 <= len(entries) <= limits.entries:
        raise LimitError(f"{len(entries)} entries in a section, 1 to {limits.entries} may be")
    things, kinds, actions, times, follows, digests, payloads = zip(*entries, strict=True)
    check_sizes([len(payload or b"") for payload in payloads], limits)
    names, thing_numbers = numbered(things)
    kind_names, kind_numbers = numbered(kinds)
    check_names(names, kind_names)
    check_numbers(actions, times)
    check_all_follows(follows)
    logs, follow_counts, followed = pack_follows(follows)
    shapes = ShapeList(limits)
    packed = [(LEFT_OUT, b"") if item is None else shapes.pack(item) for item in payloads]
    shape_numbers, rows = zip(*packed, strict=True)
    return [
        *pack_strings(U16, [name.encode() for name in names]),
        *pack_strings(U16, [name.encode() for name in kind_names]),
        *pack_strings(U32, shapes.encoded()),
        logs,
        pack_numbers(U32, thing_numbers),
        pack_numbers(U32, kind_numbers),
        pack_numbers(U32, actions),
        pack_numbers(U64, _differences(times)),
        pack_numbers(U32, follow_counts),
        followed,
        pack_numbers(U32, shape_numbers),
        *pack_strings(U32, rows),
        given_digests(payloads, digests),
    ]


def decode_rows(
    columns: Sequence[bytes],
    count: int,
    salts: Sequence[bytes | None],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Entry]:
    """Return the *count* entries of 17 columns.

    Args:
        columns: As they stand in a log section.
        count: Entries that the section says it has.
        salts: 16 bytes for each entry; may be None where the payload is left out.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: the columns are not those of *count* entries, or a salt is missing.
        LimitError: there are none or too many, or their payloads are too big together.
    """
    if not 1 <= count <= limits.entries:
        raise LimitError(f"{count} entries in a section, 1 to {limits.entries} may be")
    if len(columns) != COLUMNS or len(salts) != count:
        raise MalformedError(f"{len(columns)} columns and {len(salts)} salts for {count} entries")
    payloads = _unpack_payloads(columns[4:6], columns[13:16], count, limits)
    things = _names(columns[0], columns[1], columns[7], count)
    kinds = _names(columns[2], columns[3], columns[8], count)
    check_names(set(things), set(kinds))
    counts = unpack_numbers(U32, columns[11], count)
    follows = unpack_follows(columns[6], counts, columns[12])
    actions = unpack_numbers(U32, columns[9], count)
    times = _sums(unpack_numbers(U64, columns[10], count))
    digests = derived_digests(payloads, salts, columns[16])
    return list(map(Entry, things, kinds, actions, times, follows, digests, payloads))


def _names(lengths: bytes, joined: bytes, column: bytes, count: int) -> list[str]:
    try:
        names = [name.decode() for name in unpack_strings(U16, lengths, joined, count)]
    except UnicodeDecodeError as error:
        raise MalformedError(f"a name is not valid UTF-8: {error}") from error
    numbers = unpack_numbers(U32, column, count)
    check_first_use(numbers, len(names))
    return list(map(names.__getitem__, numbers))


def _differences(times: Sequence[int]) -> list[int]:
    return [
        (time - before) % _TIME_MODULUS for before, time in zip((0, *times), times, strict=False)
    ]


def _sums(differences: Iterable[int]) -> list[int]:
    return [
        (total + _TIME_OFFSET) % _TIME_MODULUS - _TIME_OFFSET for total in accumulate(differences)
    ]


def _unpack_payloads(
    shape_list: Sequence[bytes], columns: Sequence[bytes], count: int, limits: Limits
) -> list[bytes | None]:
    """Return the payload of each entry, of bounded size alone and together."""
    if len(shape_list[1]) > limits.shapes_bytes:
        raise LimitError(f"shapes of {len(shape_list[1])} bytes in a section")
    shapes = [
        Shape.from_bytes(data) for data in unpack_strings(U32, shape_list[0], shape_list[1], count)
    ]
    numbers = unpack_numbers(U32, columns[0], count)
    lengths = unpack_numbers(U32, columns[1], count)
    check_first_use((n - FIRST_SHAPE for n in numbers if n >= FIRST_SHAPE), len(shapes))
    grown = [0, 0, *(shape.grown_bytes for shape in shapes)]
    sizes = [length + grown[number] for length, number in zip(lengths, numbers, strict=True)]
    check_sizes(sizes, limits)
    return list(_payloads(shapes, numbers, slices(lengths, columns[2])))


def _payloads(
    shapes: Sequence[Shape], numbers: Iterable[int], rows: Iterable[bytes]
) -> Iterator[bytes | None]:
    for number, row in zip(numbers, rows, strict=True):
        if number >= FIRST_SHAPE:
            yield shapes[number - FIRST_SHAPE].payload(row)
        elif number == NO_SHAPE:
            check_payload(row)
            yield row
        elif row:
            raise MalformedError("a row for a payload that is left out")
        else:
            yield None
