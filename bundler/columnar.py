"""Entries as columns, of which each is written in the smallest way (docs/format.md section 5.3).

Whatever the bytes are, `decode_columnar` gives entries that follow section 3.1 or a `BundleError`;
`encode_columnar` takes only what comes back byte for byte.
"""

from collections.abc import Sequence

from bundler import items
from bundler.cell_columns import Reader, take_columns, take_strings
from bundler.column_choice import encode_strings
from bundler.columns import check_first_use
from bundler.entry_fields import (
    DIGEST_BYTES,
    FOLLOW_BYTES,
    LOG_BYTES,
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
from bundler.number_columns import cost_bytes, encode_numbers, take_numbers
from bundler.split_payloads import MAX_TEMPLATES, Group, split_payloads
from bundler.tables import encode_columns
from bundler.templates import Template
from ledger.entries import Entries
from ledger.entry import Follow


def encode_columnar(entries: Entries, *, limits: Limits = DEFAULT_LIMITS) -> list[bytes]:
    """Return the parts that *entries* make together; what is in each is of one kind.

    Args:
        entries: 1..65,536 of them; the digest of one with a payload is not looked at.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: an entry does not follow docs/format.md.
        LimitError: there are none or too many, or they are too much together.
    """
    if not 1 <= entries.count <= limits.entries:
        raise LimitError(f"{entries.count} entries in a section, 1 to {limits.entries} may be")
    check_sizes([len(payload or b"") for payload in entries.payloads], limits)
    names, thing_numbers = numbered(entries.things)
    kind_names, kind_numbers = numbered(entries.kinds)
    check_names(names, kind_names)
    check_numbers(entries.actions, entries.times_us)
    check_all_follows(entries.follows)
    groups = split_payloads(entries.payloads, limit_bytes=limits.shapes_bytes)
    _check_cells(sum(len(one.columns) * len(one.places) for one in groups), limits)
    return [
        *_encode_names(names, thing_numbers),
        *_encode_names(kind_names, kind_numbers),
        *encode_numbers(entries.actions),
        *_encode_times(entries.times_us, grouped(thing_numbers)),
        *_encode_follows(entries.follows),
        *_encode_groups(groups, thing_numbers),
        given_digests(entries.payloads, entries.digests),
    ]


def decode_columnar(
    data: bytes,
    count: int,
    salts: Sequence[bytes | None],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Entries:
    """Return the *count* entries of a section in columns.

    Args:
        data: As it stands in the section.
        count: Entries that the section says it has.
        salts: 16 bytes for each entry; may be None where the payload is left out.
        limits: Bounds on what one section carries.

    Raises:
        MalformedError: *data* is not that of *count* entries, or a salt is missing.
        LimitError: there are none or too many, or they are too much together.
    """
    if not 1 <= count <= limits.entries:
        raise LimitError(f"{count} entries in a section, 1 to {limits.entries} may be")
    if len(salts) != count:
        raise MalformedError(f"{len(salts)} salts for {count} entries")
    reader = Reader(data, limits.payloads_bytes)
    names, thing_numbers = _take_names(reader, count)
    kind_names, kind_numbers = _take_names(reader, count)
    check_names(names, kind_names)
    actions = take_numbers(reader, count)
    times = _take_times(reader, thing_numbers)
    check_numbers(actions, times)
    follows = _take_follows(reader, count)
    payloads = _take_payloads(reader, thing_numbers, limits)
    left_out = reader.raw(DIGEST_BYTES * payloads.count(None))
    reader.end()
    digests = derived_digests(payloads, salts, left_out)
    things = list(map(names.__getitem__, thing_numbers))
    kinds = list(map(kind_names.__getitem__, kind_numbers))
    return Entries(things, kinds, actions, times, follows, digests, payloads)


def grouped(things: Sequence[int]) -> Sequence[int]:
    """Return the order in which the entries of each thing follow each other; none if they do."""
    order = sorted(range(len(things)), key=things.__getitem__)
    return [] if order == list(range(len(things))) else order


def _check_cells(count: int, limits: Limits) -> None:
    if count > limits.cells:
        raise LimitError(f"{count} cells in a section, at most {limits.cells} are allowed")


def _encode_names(names: Sequence[str], numbers: Sequence[int]) -> list[bytes]:
    encoded = encode_strings([name.encode() for name in names])
    return [items.uint(len(names)), *encoded, *encode_numbers(numbers)]


def _take_names(reader: items.Reader, count: int) -> tuple[list[str], list[int]]:
    try:
        names = [name.decode() for name in take_strings(reader, reader.uint(count))]
    except UnicodeDecodeError as error:
        raise MalformedError(f"a name is not valid UTF-8: {error}") from error
    if len(set(names)) != len(names):
        raise MalformedError("a name is twice in its list")
    numbers = take_numbers(reader, count)
    check_first_use(numbers, len(names))
    return names, numbers


def _encode_times(times: Sequence[int], order: Sequence[int]) -> list[bytes]:
    plain = [b"\0", *encode_numbers(times)]
    if not order:
        return plain
    by_thing = [b"\1", *encode_numbers(list(map(times.__getitem__, order)))]
    return min(plain, by_thing, key=cost_bytes)


def _take_times(reader: items.Reader, things: Sequence[int]) -> list[int]:
    is_by_thing = reader.uint(1)
    times = take_numbers(reader, len(things))
    if is_by_thing:
        by_thing = times.copy()
        for number, time in zip(grouped(things), by_thing, strict=False):
            times[number] = time
    return times


def _encode_follows(column: Sequence[tuple[Follow, ...]]) -> list[bytes]:
    logs, counts, followed = pack_follows(column)
    if not followed:
        return [items.uint(0)]
    return [items.uint(len(logs) // LOG_BYTES), *encode_numbers(counts), logs, followed]


def _take_follows(reader: items.Reader, count: int) -> list[tuple[Follow, ...]]:
    many = reader.uint()
    if many == 0:
        return [()] * count
    counts = take_numbers(reader, count)
    if min(counts) < 0:
        raise MalformedError("an entry that follows less than none")
    logs = reader.raw(many * LOG_BYTES)
    return unpack_follows(logs, counts, reader.raw(sum(counts) * FOLLOW_BYTES))


def _encode_groups(groups: Sequence[Group], things: Sequence[int]) -> list[bytes]:
    """Return the templates, which of them each payload has, and the columns of each."""
    which = [0] * len(things)
    for number, group in enumerate(groups, 1):
        for place in group.places:
            which[place] = number
    parts = [items.uint(len(groups)), *(items.byte_string(one.template.encoded) for one in groups)]
    parts += encode_numbers(which)
    for group in groups:
        order = grouped([things[place] for place in group.places])
        parts += encode_columns(group.columns, order)
    return parts


def _take_payloads(reader: Reader, things: Sequence[int], limits: Limits) -> list[bytes | None]:
    """Take the payload of each entry, of bounded size alone and together."""
    templates = _take_templates(reader, limits)
    which = take_numbers(reader, len(things))
    if min(which) < 0:
        raise MalformedError("a template before the first")
    check_first_use((number - 1 for number in which if number), len(templates))
    counts = [which.count(number) for number in range(1, len(templates) + 1)]
    holes = (len(template.depths) for template in templates)
    _check_cells(sum(many * count for many, count in zip(holes, counts, strict=True)), limits)
    payloads: list[bytes | None] = [None] * len(things)
    room_bytes = limits.payloads_bytes
    for number, template in enumerate(templates, 1):
        places = [at for at, one in enumerate(which) if one == number]
        order = grouped([things[place] for place in places])
        columns = take_columns(reader, template.depths, len(places), order)
        room_bytes -= template.size_bytes * len(places)
        room_bytes -= sum(sum(map(len, column)) for column in columns)
        if room_bytes < 0:
            raise LimitError(f"payloads of over {limits.payloads_bytes} bytes in a section")
        for place, payload in zip(places, template.payloads(columns), strict=True):
            payloads[place] = payload
    check_sizes([len(payload or b"") for payload in payloads], limits)
    return payloads


def _take_templates(reader: items.Reader, limits: Limits) -> list[Template]:
    room_bytes, templates = limits.shapes_bytes, []
    for _ in range(reader.uint(MAX_TEMPLATES)):
        encoded = bytes(reader.view(room_bytes))
        room_bytes -= len(encoded)
        templates.append(Template.from_bytes(encoded))
    return templates
