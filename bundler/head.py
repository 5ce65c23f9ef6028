"""Heads: what a content begins with, who says it and which of their messages it is.

Of a full or clear bundle the head is signed, of one under a shared key it needs no signature
(docs/format.md section 5). What follows it, `bundler.sections` knows.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Self

from bundler import items
from bundler.errors import ForgedError, MalformedError
from ledger.lazy_dataclass import dataclass

NODE_ID_BYTES = 8
_VERSION = 1
_INCARNATION_BYTES = 8
_DIGEST_BYTES = 32
OPEN = b""
"""What stands in a signed payload instead of a digest of the sections."""

_SHARED_ITEMS, _GROUP_ITEMS, _PAYLOAD_ITEMS = 4, 5, 7
_DAY_US = 86_400_000_000
_FIRST_DAY = 18_262
_MAX_DAY = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Which message of its sender a bundle is.

    Attributes:
        incarnation: Of the sending node, 8 bytes.
        counter: Grows by one with each bundle of that incarnation.
        time_us: The sender's clock, microseconds since 1970 UTC; may be wrong by years.
    """

    incarnation: bytes
    counter: int
    time_us: int

    def fields(self) -> bytes:
        """Return the items that a head has of it."""
        time = self.time_us
        return b"".join(
            (
                items.byte_string(self.incarnation),
                items.uint(self.counter),
                items.uint(time) if time >= 0 else items.uint(-1 - time, 1),
            )
        )

    @classmethod
    def take(cls, reader: items.Reader) -> Self:
        """Take the items of a stamp.

        Raises:
            MalformedError: something else comes next.
        """
        return cls(
            incarnation=reader.bytes_of(_INCARNATION_BYTES),
            counter=reader.uint(),
            time_us=reader.int64(),
        )


def pairwise_head(stamp: Stamp) -> bytes:
    """Return the head of a pairwise bundle."""
    return items.array_head(_SHARED_ITEMS) + items.uint(_VERSION) + stamp.fields()


def take_pairwise_head(reader: items.Reader) -> Stamp:
    """Take the head of a pairwise bundle.

    Raises:
        MalformedError: something else comes next.
    """
    reader.array_of(_SHARED_ITEMS)
    _take_version(reader)
    return Stamp.take(reader)


def compact_head(stamp: Stamp) -> bytes:
    """Return the head of a compact bundle: its incarnation is in the key, of its time the day."""
    day = min(max(stamp.time_us // _DAY_US - _FIRST_DAY, 0), _MAX_DAY)
    return items.uint(stamp.counter) + items.uint(day)


def take_compact_head(reader: items.Reader, incarnation: bytes) -> Stamp:
    """Take the head of a compact bundle whose sender counts under *incarnation*.

    Raises:
        MalformedError: something else comes next.
        LimitError: its day is none.
    """
    counter, day = reader.uint(), reader.uint(_MAX_DAY)
    time_us = (day + _FIRST_DAY) * _DAY_US
    return Stamp(incarnation=incarnation, counter=counter, time_us=time_us)


def group_head(stamp: Stamp, sender: bytes) -> bytes:
    """Return the head of a group bundle by the node with the id *sender*, 8 bytes."""
    head = items.array_head(_GROUP_ITEMS) + items.uint(_VERSION) + stamp.fields()
    return head + items.byte_string(sender)


def take_group_head(reader: items.Reader) -> tuple[Stamp, bytes]:
    """Take the head of a group bundle; return its stamp, and the node id that it claims.

    Raises:
        MalformedError: something else comes next.
    """
    reader.array_of(_GROUP_ITEMS)
    _take_version(reader)
    return Stamp.take(reader), reader.bytes_of(NODE_ID_BYTES)


def signed_payload(
    outside: bytes, stamp: Stamp, recipients: Sequence[bytes], sections: bytes
) -> bytes:
    """Return what the sender of a full or clear bundle signs; see `payload_over`.

    Args:
        outside: The bundle without what the signature is in.
        stamp: Which message of the sender.
        recipients: Node ids, 8 bytes each.
        sections: All that follows the head.
    """
    return payload_over(outside, stamp, recipients, sha256(sections).digest())


def payload_over(
    outside: bytes, stamp: Stamp, recipients: Sequence[bytes], sections_digest: bytes
) -> bytes:
    """Return what is signed where all that follows the head has the SHA-256 *sections_digest*.

    That is empty, or `OPEN`, where contents of files are all that follows: entries prove them.
    """
    return b"".join(
        (
            items.array_head(_PAYLOAD_ITEMS),
            items.uint(_VERSION),
            stamp.fields(),
            items.byte_string(sha256(outside).digest()),
            items.array_head(len(recipients)),
            *map(items.byte_string, recipients),
            items.byte_string(sections_digest),
        )
    )


def check_payload(
    payload: bytes, *, outside: bytes, recipient: bytes, sections: memoryview
) -> tuple[Stamp, bool]:
    """Check that what was signed is this bundle, for *recipient* (a node id).

    Returns:
        Its stamp, and whether it was signed for this recipient alone without a look at *sections*.

    Raises:
        MalformedError: *payload* is none.
        ForgedError: it is of another bundle, or of one for others.
    """
    reader = items.Reader(payload)
    reader.array_of(_PAYLOAD_ITEMS)
    _take_version(reader)
    stamp = Stamp.take(reader)
    signed_outside = reader.bytes_of(_DIGEST_BYTES)
    recipients = [reader.bytes_of(NODE_ID_BYTES) for _ in range(reader.array(len(payload)))]
    signed_sections = bytes(reader.view(_DIGEST_BYTES))
    reader.end()
    is_open = signed_sections == OPEN and len(recipients) == 1
    if signed_outside != sha256(outside).digest():
        raise ForgedError("a content that was signed for another bundle: somebody sealed it again")
    if recipient not in recipients:
        raise ForgedError("a bundle that opens here and was signed for others")
    if not is_open and signed_sections != sha256(sections).digest():
        raise ForgedError("the sections of a bundle are not those that were signed")
    return stamp, is_open


def _take_version(reader: items.Reader) -> None:
    if reader.uint() != _VERSION:
        raise MalformedError("not a content of version 1; update pannier to read it")
