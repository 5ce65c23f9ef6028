"""Modelled entries; the first byte says how many, and after which context."""

from collections.abc import Iterator

from bundler.errors import BundleError
from bundler.limits import Limits
from bundler.tail_model import decode_tail, encode_tail
from ledger import cbor
from ledger.entry import Entry, payload_digest
from tests.fuzz.harness import Target, vectors

_SALT = bytes(range(16))
_COUNTS = (1, 2)
_LIMITS = Limits(payloads_bytes=1 << 8)  # few bytes may stand for many, and those cost time


def _context(length: int) -> list[Entry]:
    entries = []
    for number in range(length):
        payload = cbor.encode({"rh": 50 + number % 3, "t": (200 + number // 2) / 10, "name": "a"})
        digest = payload_digest(_SALT, payload)
        entries.append(Entry("shed", "reading", 0, number * 60_000_000, (), digest, payload))
    return entries


_CONTEXTS = tuple(map(_context, (0, 4)))


def take(data: bytes) -> None:
    which, count_at = divmod(data[0] if data else 0, len(_COUNTS))
    context, count = _CONTEXTS[which % len(_CONTEXTS)], _COUNTS[count_at]
    entries = decode_tail(data[1:], count, [_SALT] * count, context, limits=_LIMITS)
    again = encode_tail(entries, context, limits=_LIMITS)
    assert decode_tail(again, count, [_SALT] * count, context, limits=_LIMITS) == entries


def seeds() -> Iterator[bytes]:
    for first in range(len(_COUNTS) * len(_CONTEXTS)):
        for data in vectors("tail", "data"):
            yield bytes([first]) + data
    for at, context in enumerate(_CONTEXTS):
        more = _context(len(context) + 12)[len(context) :]
        for count_at, count in enumerate(_COUNTS):
            yield bytes([at * len(_COUNTS) + count_at]) + encode_tail(more[:count], context)


TARGET = Target(take, (BundleError,), seeds, longest=48)
