"""Many entries at once, a column at a time: what `ledger.entry` does for one. No I/O.

Every entry that is put, imported or verified passes through here, so that each step is one call of
C for all of them where it can be. What comes out is what the functions for one entry give.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import sha256
from itertools import repeat
from operator import add
from struct import Struct
from typing import Self

from ledger.entry import (
    MAX_ACTION,
    MAX_PAYLOAD_BYTES,
    MAX_TIME_US,
    MIN_TIME_US,
    Entry,
    Follow,
    check_entry,
    check_follows,
    check_kind,
    check_thing,
    leaf_bytes,
    leaf_head,
)
from ledger.lazy_dataclass import dataclass

_DIGEST_BYTES = 32
# From here on a time takes eight bytes and their head: 4,295 s after 1970.
_LEAST_WIDE_TIME = 2**32
_WIDE_TIME = Struct(">BQ")
# No follows, and the head of the digest.
_DIGEST_HEAD = b"\x80\x58\x20"


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of one log that follow each other; each attribute is one of `Entry`, for all."""

    things: Sequence[str]
    kinds: Sequence[str]
    actions: Sequence[int]
    times_us: Sequence[int]
    follows: Sequence[tuple[Follow, ...]]
    digests: Sequence[bytes]
    payloads: Sequence[bytes | None]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """Return *entries* as columns."""
        return cls(*zip(*entries, strict=True)) if entries else cls(*[()] * len(Entry._fields))

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.things)

    def one_by_one(self) -> list[Entry]:
        """Return them as they are known elsewhere."""
        return list(
            map(
                Entry,
                self.things,
                self.kinds,
                self.actions,
                self.times_us,
                self.follows,
                self.digests,
                self.payloads,
            )
        )

    def between(self, first: int, end: int) -> "Entries":
        """Return those from *first* up to *end*."""
        if (first, end) == (0, self.count):
            return self
        return Entries(
            self.things[first:end],
            self.kinds[first:end],
            self.actions[first:end],
            self.times_us[first:end],
            self.follows[first:end],
            self.digests[first:end],
            self.payloads[first:end],
        )

    def check(self) -> None:
        """Check every field against docs/format.md, each different name once.

        Raises:
            MalformedError: one of them is out of bounds; the message names it.
        """
        if self.count and not self._are_plain():
            for entry in self.one_by_one():
                check_entry(entry)

    def leaves(self) -> list[bytes]:
        """Return what the leaf hash of each covers (`ledger.entry.leaf_bytes`)."""
        if any(self.follows) or min(self.times_us, default=0) < _LEAST_WIDE_TIME:
            return list(map(leaf_bytes, self.one_by_one()))
        # Made twice, and never kept: few tuples are alive at a time.
        names = partial(zip, self.things, self.kinds, self.actions, strict=True)
        heads = {one: leaf_head(*one) for one in set(names())}
        head = map(heads.__getitem__, names())
        time = map(_WIDE_TIME.pack, repeat(0x1B), self.times_us)
        parts = zip(head, time, repeat(_DIGEST_HEAD), self.digests, strict=False)
        return list(map(b"".join, parts))

    def _are_plain(self) -> bool:
        """Whether all is right; where it is False, or an error, one of them may not be."""
        actions, times = self.actions, self.times_us
        if not (_are_integers(actions) and _are_integers(times) and _are_digests(self.digests)):
            return False
        for thing in set(self.things):
            check_thing(thing)
        for kind in set(self.kinds):
            check_kind(kind)
        for follows in filter(None, self.follows):
            check_follows(follows)
        return (
            (min(actions) >= 0 and max(actions) <= MAX_ACTION)
            and (min(times) >= MIN_TIME_US and max(times) <= MAX_TIME_US)
            and max(map(len, filter(None, self.payloads)), default=0) <= MAX_PAYLOAD_BYTES
        )


def payload_digests(salts: Iterable[bytes], payloads: Iterable[bytes]) -> list[bytes]:
    """Return the commitment of each entry to its payload (`ledger.entry.payload_digest`)."""
    return [salted.digest() for salted in map(sha256, map(add, salts, payloads))]


def _are_integers(column: Iterable[object]) -> bool:
    return all(issubclass(one, int) and one is not bool for one in set(map(type, column)))


def _are_digests(column: Sequence[bytes]) -> bool:
    return set(map(type, column)) == {bytes} and set(map(len, column)) == {_DIGEST_BYTES}
