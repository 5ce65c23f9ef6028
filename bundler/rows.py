"""Entries as 17 columns, which is how a log section carries them (docs/format.md section 5.2).

Whatever the columns are, `decode_rows` gives entries that follow section 3.1 or a
`MalformedError`; `encode_rows` proves of each payload that it comes back byte for byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate, compress, islice, repeat
from operator import is_
from struct import Struct

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
from bundler.errors import LimitError, MalformedError, ledger_errors_converted
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.shapes import FIRST_SHAPE, LEFT_OUT, NO_SHAPE, Shape, ShapeList, check_payload
from ledger import cbor
from ledger.entry import Entry, Follow, check_follows, check_kind, check_thing

COLUMNS = 17
SALT_BYTES = 16
_AUTHOR_BYTES = 32
_LOG_BYTES = 40
_DIGEST_BYTES = 32
_FOLLOW = Struct("<IQ16s")
_MAX_ACTION = 2**32 - 1
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
    _check_sizes([len(payload or b"") for payload in payloads], limits)
    names, thing_numbers = _numbered(things)
    kind_names, kind_numbers = _numbered(kinds)
    _check_names(names, kind_names)
    _check_numbers(actions, times)
    _check_follows(follows)
    logs, follow_counts, followed = _pack_follows(follows)
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
        _left_out(payloads, digests),
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
    _check_names(set(things), set(kinds))
    follows = _unpack_follows(columns[6], columns[11], columns[12], count)
    actions = unpack_numbers(U32, columns[9], count)
    times = _sums(unpack_numbers(U64, columns[10], count))
    digests = _digests(payloads, salts, columns[16])
    return list(map(Entry, things, kinds, actions, times, follows, digests, payloads))


def _check_names(things: Iterable[str], kinds: Iterable[str]) -> None:
    """Check each name once, however many entries have it."""
    with ledger_errors_converted():
        for thing in things:
            check_thing(thing)
        for kind in kinds:
            check_kind(kind)


def _check_numbers(actions: Sequence[int], times: Sequence[int]) -> None:
    with ledger_errors_converted():
        for action in (min(actions), max(actions)):
            cbor.as_uint(action, maximum=_MAX_ACTION)
        for time in (min(times), max(times)):
            cbor.as_int64(time)


def _check_follows(column: Iterable[tuple[Follow, ...]]) -> None:
    with ledger_errors_converted():
        for follows in filter(None, column):
            check_follows(follows)


def _check_sizes(payload_bytes: Sequence[int], limits: Limits) -> None:
    most, total = max(payload_bytes), sum(payload_bytes)
    if most > limits.payload_bytes or total > limits.payloads_bytes:
        raise LimitError(
            f"payloads of up to {most} bytes, {total} together; "
            f"{limits.payload_bytes} and {limits.payloads_bytes} are allowed in a section"
        )


def _numbered(names: Iterable[str]) -> tuple[list[str], list[int]]:
    """Return the different *names* in order of first use, and the number there of each."""
    numbers: dict[str, int] = {}
    column = [numbers.setdefault(name, len(numbers)) for name in names]
    return list(numbers), column


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


def _pack_follows(column: Sequence[tuple[Follow, ...]]) -> tuple[bytes, list[int], bytes]:
    logs: dict[bytes, int] = {}
    packed = []
    for follow in (follow for follows in column for follow in follows):
        log = logs.setdefault(follow.author + follow.incarnation, len(logs))
        packed.append(_FOLLOW.pack(log, follow.number, follow.leaf))
    return b"".join(logs), list(map(len, column)), b"".join(packed)


def _unpack_follows(
    logs: bytes, counts: bytes, followed: bytes, count: int
) -> list[tuple[Follow, ...]]:
    numbers = unpack_numbers(U32, counts, count)
    if sum(numbers) * _FOLLOW.size != len(followed):
        raise MalformedError("what entries follow does not fit how many they do")
    if len(logs) % _LOG_BYTES or len(logs) // _LOG_BYTES > sum(numbers):
        raise MalformedError(f"{len(logs)} bytes of logs for {sum(numbers)} that are followed")
    names = [logs[at : at + _LOG_BYTES] for at in range(0, len(logs), _LOG_BYTES)]
    unpacked = list(_FOLLOW.iter_unpack(followed))
    check_first_use((log for log, _, _ in unpacked), len(names))
    if len(set(names)) != len(names):
        raise MalformedError("a log is twice in its list")
    all_follows = (
        Follow(names[log][:_AUTHOR_BYTES], names[log][_AUTHOR_BYTES:], number, leaf)
        for log, number, leaf in unpacked
    )
    follows = [tuple(islice(all_follows, many)) if many else () for many in numbers]
    _check_follows(follows)
    return follows


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
    _check_sizes(sizes, limits)
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


def _left_out(payloads: Sequence[bytes | None], digests: Sequence[bytes]) -> bytes:
    """Return the digests that cannot be derived."""
    column = b"".join(compress(digests, map(is_, payloads, repeat(None))))
    if len(column) != _DIGEST_BYTES * payloads.count(None):
        raise MalformedError("a payload left out without a digest of 32 bytes")
    return column


def _digests(
    payloads: Sequence[bytes | None], salts: Sequence[bytes | None], left_out: bytes
) -> list[bytes]:
    """Return the digest of each entry: derived, or as it came for a payload left out."""
    if len(left_out) != _DIGEST_BYTES * payloads.count(None):
        raise MalformedError(f"{len(left_out)} bytes of digests for the payloads left out")
    if any(
        payload is not None and (salt is None or len(salt) != SALT_BYTES)
        for payload, salt in zip(payloads, salts, strict=True)
    ):
        raise MalformedError("a payload for which there is no salt")
    given = (left_out[at : at + _DIGEST_BYTES] for at in range(0, len(left_out), _DIGEST_BYTES))
    return [
        next(given) if payload is None or salt is None else sha256(salt + payload).digest()
        for payload, salt in zip(payloads, salts, strict=True)
    ]
