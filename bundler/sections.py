"""The sequence of sections that a content holds (docs/format.md section 5).

Sections are packed and read one after another, so that memory holds one of them at a time.
"""

from collections.abc import Iterator
from typing import get_args

from bundler import codec, items
from bundler.blob_section import BlobSection
from bundler.errors import LimitError, MalformedError
from bundler.lack_section import LackSection
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.log_section import LogSection
from bundler.notices import (
    ForkSection,
    GenesisSection,
    HaveSection,
    KeySection,
    ReceiptSection,
    SentSection,
)
from bundler.tail_section import TailSection
from bundler.witness_section import WitnessSection
from ledger.lazy_dataclass import dataclass

BodySection = (
    LogSection
    | HaveSection
    | SentSection
    | LackSection
    | ReceiptSection
    | GenesisSection
    | KeySection
    | ForkSection
    | WitnessSection
    | TailSection
)
Section = BodySection | BlobSection
_TYPES: dict[int, type[BodySection]] = {kind.TYPE: kind for kind in get_args(BodySection)}
_PLAIN, _ZSTD, _ZSTD_AFTER = 0, 1, 2
MAX_BEFORE_BYTES = 1 << 15
"""So much of the log sections before it, decoded, may a log section repeat."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A section of a type that this version does not know; its body was not looked at."""

    type: int


def encode_section(
    section: Section,
    *,
    level: int = codec.DEFAULT_LEVEL,
    before: bytes = b"",
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Return *section* as one item of a content, compressed if that makes it smaller.

    Args:
        section: Any.
        level: Of zstd, 1..22.
        before: For a log section, what `repeatable` gives of those before it in its content.
        limits: Bounds on its size.

    Raises:
        MalformedError: it holds what no reader would take.
        LimitError: no reader would take a section of this size.
    """
    if isinstance(section, BlobSection):
        return section.to_bytes()
    body = section.to_body()
    limit_bytes = _limit_bytes(section.TYPE, limits)
    if len(body) > limit_bytes:
        raise LimitError(f"a section of {len(body)} bytes, at most {limit_bytes} are allowed")
    cuts = section.body_cuts if isinstance(section, LogSection) else ()
    frame = codec.compress(body, level=level, cuts=cuts, before=before)
    packed = _ZSTD_AFTER if before else _ZSTD
    chosen, data = (packed, frame) if len(frame) < len(body) else (_PLAIN, body)
    head = items.array_head(3) + items.uint(section.TYPE) + items.uint(chosen)
    return head + items.byte_string(data)


def repeatable(before: bytes, section: LogSection) -> bytes:
    """Return what a log section may repeat that follows *section*, which may repeat *before*."""
    return _last(before, section.to_body())


def _last(before: bytes, body: bytes) -> bytes:
    return (before + body[-MAX_BEFORE_BYTES:])[-MAX_BEFORE_BYTES:]


def section_type(encoded: bytes) -> int:
    """Return the type of a section as `encode_section` gave it.

    Raises:
        MalformedError: *encoded* is none.
    """
    reader = items.Reader(encoded)
    reader.array_of(3)
    return reader.uint()


def decode_sections(
    data: bytes | memoryview, *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Section | Skipped]:
    """Yield the sections that are all of *data*, each decoded when it is asked for.

    Raises:
        MalformedError: what comes next is not a section.
        LimitError: it is too big, or there are too many.
    """
    reader = items.Reader(data)
    left_bytes = limits.decoded_bytes
    before = b""
    for _ in range(limits.sections):
        if reader.is_at_end():
            return
        reader.array_of(3)
        kind, chosen = reader.uint(), reader.uint()
        body = reader.view(limits.section_bytes)
        if kind == BlobSection.TYPE:
            blob = BlobSection.take(chosen, body)
            left_bytes -= blob.decoded_bytes
            if left_bytes < 0:
                raise LimitError(f"sections that decode to more than {limits.decoded_bytes} bytes")
            yield blob
            continue
        if kind not in _TYPES:
            yield Skipped(kind)
            continue
        limit_bytes = min(left_bytes, _limit_bytes(kind, limits))
        if chosen == _ZSTD_AFTER and kind == LogSection.TYPE and before:
            plain = codec.decompress(body, limit_bytes=limit_bytes, limits=limits, before=before)
        else:
            plain = _decoded(chosen, body, limit_bytes, limits)
        left_bytes -= len(plain)
        if kind == LogSection.TYPE:
            before = _last(before, plain)
        yield _TYPES[kind].from_body(plain, limits=limits)
    if not reader.is_at_end():
        raise LimitError(f"more than {limits.sections} sections")


def _decoded(chosen: int, body: memoryview, limit_bytes: int, limits: Limits) -> bytes:
    if chosen == _ZSTD:
        return codec.decompress(body, limit_bytes=limit_bytes, limits=limits)
    if chosen != _PLAIN:
        raise MalformedError(f"a section under codec {chosen}, which has no place here")
    if len(body) > limit_bytes:
        raise LimitError(f"a section of {len(body)} bytes, at most {limit_bytes} are allowed")
    return bytes(body)


def _limit_bytes(kind: int, limits: Limits) -> int:
    return limits.section_bytes if kind == LogSection.TYPE else limits.small_section_bytes
