"""A bundle so small that it travels whole in one frame (docs/format.md section 7).

There is no check: the tag inside is one, and the id is computed from what came.
"""

from typing import Self

from bundler import items
from bundler.errors import MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from ledger.lazy_dataclass import dataclass

HINT_BYTES = 4
# An array of three that begins with version 1 and a byte string of four bytes.
START = b"\x83\x01\x44"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole bundle in a frame.

    Attributes:
        hint: 4 bytes by which its recipient knows it, see `bundler.hint`.
        sealed: The sealed bundle, at least 1 byte.
    """

    hint: bytes
    sealed: bytes

    def to_bytes(self) -> bytes:
        """Return the wire form, ``frame_bytes(len(sealed))`` long."""
        return START + self.hint + items.byte_string(self.sealed)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, *, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Read a frame that is all of *data*.

        Raises:
            MalformedError: *data* is not one.
            LimitError: the bundle is too big.
        """
        reader = items.Reader(data)
        reader.expect(START, "a whole bundle of version 1; update pannier to read it")
        hint = reader.raw(HINT_BYTES)
        sealed = bytes(reader.view(limits.bundle_bytes))
        reader.end()
        if not sealed:
            raise MalformedError("an empty bundle")
        return cls(hint=hint, sealed=sealed)


def is_of_later_version(data: bytes) -> bool:
    """Return whether *data* begins as every version of a file that comes after this one will.

    Source: docs/format.md section 7.
    """
    return len(data) >= 2 and 0x80 <= data[0] <= 0x97 and 2 <= data[1] <= 23


def frame_bytes(sealed_bytes: int) -> int:
    """Return the size of the frame that holds a whole bundle of *sealed_bytes*."""
    return len(START) + HINT_BYTES + len(items.bytes_head(sealed_bytes)) + sealed_bytes
