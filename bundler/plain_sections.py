"""The sections of a compact bundle: each a type and a body, uncompressed (format.md section 5).

They are so small that no compression would pay for saying so.
"""

from collections.abc import Iterable, Iterator
from typing import get_args

from bundler import items
from bundler.errors import LimitError
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.sections import BodySection, Skipped

_TYPES: dict[int, type[BodySection]] = {kind.TYPE: kind for kind in get_args(BodySection)}


def encode_plain(sections: Iterable[BodySection]) -> bytes:
    """Return *sections* as the content of a compact bundle has them.

    Raises:
        MalformedError: one holds what no reader would take.
    """
    return b"".join(items.uint(one.TYPE) + items.byte_string(one.to_body()) for one in sections)


def decode_plain(
    data: bytes | memoryview, *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[BodySection | Skipped]:
    """Yield the sections that are all of *data*, each decoded when it is asked for.

    Raises:
        MalformedError: what comes next is not a section.
        LimitError: it is too big, or there are too many.
    """
    reader = items.Reader(data)
    for _ in range(limits.sections):
        if reader.is_at_end():
            return
        kind = reader.uint()
        body = reader.view(limits.small_section_bytes)
        if kind in _TYPES:
            yield _TYPES[kind].from_body(bytes(body), limits=limits)
        else:
            yield Skipped(kind)
    if not reader.is_at_end():
        raise LimitError(f"more than {limits.sections} sections")
