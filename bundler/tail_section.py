"""The tail section: the newest entries of a log that its reader holds already (format.md 5.5).

What the reader knows is left out: it finds the log by a short reference, learns from the entries
before these how to read them, and computes itself the root that the author signed.
"""

from hashlib import sha256
from typing import ClassVar, NamedTuple, Self

from bundler import items
from bundler.errors import MalformedError
from bundler.limits import Limits
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from ledger.seeds import MAX_ENTRIES as MAX_LOG_ENTRIES

REFERENCE_BYTES = 4
MAX_ENTRIES = 256
MAX_CONTEXT = 1024
MAX_PAYLOADS_BYTES = 1 << 16
MAX_CONTEXT_BYTES = 1 << 18
"""What the entries of one context cost together (64 bytes each, names, `follows`, payload)."""

MAX_TAILS_ENTRIES = 65_536
"""Entries of all tails of a bundle with those that they build on: bounds what a reader computes."""

_SIGNATURE_BYTES = 64
_LENGTHS = 12


def log_reference(ledger_id: LedgerId, log: LogName) -> bytes:
    """Return the 4 bytes by which a tail names its log; another log may have the same."""
    name = ledger_id + log.author + log.incarnation
    return sha256(b"pannier log reference 1\0" + name).digest()[:REFERENCE_BYTES]


class Context(NamedTuple):
    """Which entries before a tail its encoding builds on.

    Attributes:
        back: How many entries lie between them and the tail.
        step: 0 for none, else at most 2^(step - 1) of them; up to 11.
    """

    back: int
    step: int

    def span(self, first: int) -> tuple[int, int]:
        """Return the numbers of the first of them, and of the one after the last.

        Args:
            first: Number of the first entry of the tail.
        """
        end = first - self.back
        return max(end - (1 << self.step >> 1), 0), end

    @classmethod
    def of(cls, *, first: int, begin: int, end: int) -> Self:
        """Return the longest context before a tail from *first* on that lies in *begin*..*end*."""
        step = min((end - begin).bit_length(), _LENGTHS - 1)
        if not begin and step < _LENGTHS - 1 and end:
            step = (end - 1).bit_length() + 1  # one that reaches over the beginning of the log
        return cls(first - end, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailSection:
    """Entries at the end of a log; nothing in it has been verified.

    Attributes:
        reference: Of the log, see `log_reference`.
        signature: Of the author over the log as it is with these entries, 64 bytes.
        first: Number of the first entry.
        count: How many, 1..256.
        context: What `bundler.tail_model` decodes *data* with.
        data: The entries.
    """

    TYPE: ClassVar[int] = 13

    reference: bytes
    signature: bytes
    first: int
    count: int
    context: Context
    data: bytes

    def to_body(self) -> bytes:
        """Return the section's bytes."""
        code = self.context.back * _LENGTHS + self.context.step
        numbers = map(items.uint, (self.first, self.count, code))
        return b"".join((self.reference, self.signature, *numbers, self.data))

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a tail section.
            LimitError: it has too many entries.
        """
        reader = items.Reader(data)
        reference, signature = reader.raw(REFERENCE_BYTES), reader.raw(_SIGNATURE_BYTES)
        first = reader.uint(MAX_LOG_ENTRIES)
        count = reader.uint(min(MAX_ENTRIES, limits.entries, MAX_LOG_ENTRIES - first))
        context = Context(*divmod(reader.uint(), _LENGTHS))
        if not count or context.back > first:
            raise MalformedError("a tail without entries, or one that builds on none that is")
        return cls(
            reference=reference,
            signature=signature,
            first=first,
            count=count,
            context=context,
            data=data[reader.at :],
        )
