"""Tickets: what somebody who cannot answer still lacks of a bundle, in a few spoken words. Pure.

A ticket says how many symbols of which blocks are wanted, any that were never sent before, and
bears a check by the one for whom the bundle is: nobody else can ask. Whoever hears one learns that
a bundle, whose number every carrier sees, has not arrived whole.

Specification: docs/link.md section 8.
Source: truncated HMAC, RFC 2104 section 5.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Self

from bundler.errors import MalformedError
from bundler.join import Need
from ledger.lazy_dataclass import dataclass

MAX_BYTES = 100
START_BYTES = 4
"""So much of its id a ticket says of a bundle; the check is over all of it."""

_VERSION = 1
_CHECK_BYTES = 4
_BLOCK_BYTES = 3
_AROUND_BYTES = 1 + START_BYTES + _CHECK_BYTES
MAX_BLOCKS = (MAX_BYTES - _AROUND_BYTES) // _BLOCK_BYTES
_LABEL = b"pannier ticket 1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What is wanted of a bundle.

    Attributes:
        start: First 4 bytes of the bundle's id.
        wanted: 1 to 30 blocks, ascending, with 1 to 65,535 symbols each.
        check: 4 bytes, see `is_for`.
    """

    start: bytes
    wanted: tuple[Need, ...]
    check: bytes

    @classmethod
    def of(cls, key: bytes, bundle_id: bytes, wanted: Iterable[Need]) -> Self:
        """Return the ticket for what is *wanted* of a bundle, or as much of it as one can say.

        Args:
            key: Of the checks of fragments from the bundle's recipient to its sender, 32 bytes.
            bundle_id: 8 bytes.
            wanted: At least one block, ascending.
        """
        some = tuple(wanted)[:MAX_BLOCKS]
        body = _body(bundle_id[:START_BYTES], some)
        return cls(start=bundle_id[:START_BYTES], wanted=some, check=_check(key, bundle_id, body))

    def is_for(self, key: bytes, bundle_id: bytes) -> bool:
        """Return whether whoever has *key* made this for the bundle *bundle_id*."""
        check = _check(key, bundle_id, _body(self.start, self.wanted))
        return hmac.compare_digest(check, self.check)

    def to_bytes(self) -> bytes:
        """Return the wire form, 12 bytes for one block and 3 for each further one."""
        return _body(self.start, self.wanted) + self.check

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a ticket that is all of *data*, whoever made it.

        Raises:
            MalformedError: it is none.
        """
        blocks, rest = divmod(len(data) - _AROUND_BYTES, _BLOCK_BYTES)
        if len(data) > MAX_BYTES or blocks < 1 or rest:
            raise MalformedError(f"{len(data)} bytes are no ticket")
        if data[0] != _VERSION:
            raise MalformedError(f"mistyped, or of version {data[0]}: update pannier then")
        body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
        starts = range(1 + START_BYTES, len(body), _BLOCK_BYTES)
        wanted = tuple(
            Need(body[at], int.from_bytes(body[at + 1 : at + 3], "big")) for at in starts
        )
        numbers = [one.block for one in wanted]
        if numbers != sorted(set(numbers)) or not all(one.symbols for one in wanted):
            raise MalformedError("a ticket that names a block twice, or wants nothing of it")
        return cls(start=body[1 : 1 + START_BYTES], wanted=wanted, check=check)


def _body(start: bytes, wanted: Iterable[Need]) -> bytes:
    blocks = (bytes((one.block,)) + one.symbols.to_bytes(2, "big") for one in wanted)
    return b"".join((bytes((_VERSION,)), start, *blocks))


def _check(key: bytes, bundle_id: bytes, body: bytes) -> bytes:
    return hmac.digest(key, _LABEL + bundle_id + body, sha256)[:_CHECK_BYTES]
