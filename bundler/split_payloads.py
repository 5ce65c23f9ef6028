"""Payloads cut into columns of cells, by what they have in common (docs/format.md section 5.3)."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import compress, count

from bundler.cells import is_item, is_number, is_string, strings
from bundler.column_choice import Column, numbered
from bundler.errors import MalformedError
from bundler.templates import MAX_HOLES, WHOLE, Template
from ledger.lazy_dataclass import dataclass

MAX_TEMPLATES = 64
"""Of one section."""

_MAP = 5
# So many payloads are in memory as cells at once.
_CHUNK = 512
# How often a payload may be compared with a template, on average; a few need not be sparing.
_TRIES, _FREE_TRIES = 8, 4096
_SIMPLE = frozenset((b"\xf4", b"\xf5", b"\xf6"))


@dataclass(frozen=True, slots=True)
class Group:
    """Payloads of one template.

    Attributes:
        template: What they have in common.
        places: Numbers of their entries in the section, ascending.
        columns: Their cells, a column for each hole.
    """

    template: Template
    places: Sequence[int]
    columns: Sequence[Column]


def split_payloads(payloads: Sequence[bytes | None], *, limit_bytes: int) -> list[Group]:
    """Return the groups that the *payloads* make that are not None.

    Args:
        payloads: Of a section.
        limit_bytes: Most bytes that the templates may take together.

    Raises:
        MalformedError: a payload is not one deterministic item.
    """
    maps = [at for at, one in enumerate(payloads) if one and one[0] >> 5 == _MAP]
    whole: list[int] = []
    if len(maps) < len(payloads):
        others = set(range(len(payloads))).difference(maps)
        whole = [at for at in others if payloads[at] is not None]
    groups = list(_groups(payloads, maps, whole, limit_bytes))
    if whole:
        groups.append(_whole(payloads, sorted(whole)))
    return sorted(groups, key=lambda group: group.places[0])


def _groups(
    payloads: Sequence[bytes | None], left: list[int], whole: list[int], limit_bytes: int
) -> Iterator[Group]:
    """Yield groups of maps; those that are like too few others go to *whole*."""
    tries, holes = _TRIES * len(left) + _FREE_TRIES, 4 * MAX_HOLES
    for _ in range(MAX_TEMPLATES - 1):
        template = Template.of(payloads[left[0]] or b"") if left else None
        if template is None:
            break
        tries -= len(left)
        holes -= len(template.depths)
        limit_bytes -= len(template.encoded)
        if min(tries, holes, limit_bytes) < 0:
            break
        group, left, odd = _matching(template, payloads, left)
        whole += odd
        if group is not None:
            yield group
    whole += left


def _matching(
    template: Template, payloads: Sequence[bytes | None], places: Sequence[int]
) -> tuple[Group | None, list[int], list[int]]:
    """Return what matches *template*, what does not, and what seems to and yet does not."""
    match = template.pattern.fullmatch
    numbers = [defaultdict[bytes, int](count().__next__) for _ in template.depths]
    rows: list[list[int]] = [[] for _ in numbers]
    taken, left = list[int](), list[int]()
    for begin in range(0, len(places), _CHUNK):
        chunk = places[begin : begin + _CHUNK]
        found = [match(payloads[place] or b"") for place in chunk]
        hits = [one for one in found if one is not None]
        if len(hits) < len(chunk):
            left += [place for place, one in zip(chunk, found, strict=True) if one is None]
            chunk = list(compress(chunk, found))
        taken += chunk
        cells = zip(*map(re.Match.groups, hits), strict=True)
        for row, number, column in zip(rows, numbers, cells, strict=False):
            row.extend(map(number.__getitem__, column))
    columns = [Column(list(number), row) for number, row in zip(numbers, rows, strict=True)]
    columns, taken, odd = _without_odd(columns, taken, template.depths)
    if not taken and not odd:
        odd.append(left.pop(0))  # what the template was made of; as good as never
    return (Group(template, taken, columns) if taken else None), left, odd


def _without_odd(
    columns: list[Column], places: list[int], depths: Sequence[int]
) -> tuple[list[Column], list[int], list[int]]:
    """Take away the payloads of which a cell is not one item: its end was mistaken."""
    wrong = [_wrong(column.cells, depth) for column, depth in zip(columns, depths, strict=True)]
    if not any(wrong):
        return columns, places, []
    is_right = [True] * len(places)
    for column, mistaken in zip(columns, wrong, strict=True):
        if mistaken:
            for at, number in enumerate(column.numbers):
                is_right[at] &= number not in mistaken
    right = [
        numbered(column.cells[number] for number in compress(column.numbers, is_right))
        for column in columns
    ]
    odd = [place for place, is_one in zip(places, is_right, strict=True) if not is_one]
    return right, list(compress(places, is_right)), odd


def _wrong(cells: Sequence[bytes], depth: int) -> set[int]:
    """Return which of *cells*, numbers aside, are not one valid item."""
    texts = [cell for cell in cells if is_string(cell)]
    are_right = not texts or strings(texts) is not None
    return {
        number
        for number, cell in enumerate(cells)
        if not (is_number(cell) or cell in _SIMPLE or (are_right and is_string(cell)))
        and not is_item(cell, depth)
    }


def _whole(payloads: Sequence[bytes | None], places: list[int]) -> Group:
    column = numbered(payloads[place] or b"" for place in places)
    texts = [cell for cell in column.cells if cell and is_string(cell)]
    are_right = strings(texts) is not None
    for cell in column.cells:
        if not (cell and is_string(cell) and are_right) and not is_item(cell, 0):
            raise MalformedError("a payload that is not one item of deterministic CBOR")
    return Group(WHOLE, places, [column])
