"""One number for all that a node says it holds, and one for each part of it (format.md 5, have).

So two nodes find out, for a few bytes, whether the one remembers what the other holds; and where
not, in which parts. Pure: nothing here knows who holds what.
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct

from bundler.notices import ASK_DIGEST_BYTES, MAX_ASK_BITS, SCOPE_DIGEST_BYTES, Ask, HeldLog
from ledger.genesis import LedgerId

Holding = tuple[LedgerId, HeldLog]
"""One log that is held, and of which ledger."""

_ITEM = Struct("<16s32s8sQ16sQ")
_LABEL = b"pannier have 1\0"
_LOGS_OF_A_BUCKET = 4
_PREFIX_BYTES, _PREFIX_BITS = 2, 16


def item_of(holding: Holding) -> bytes:
    """Return the 88 bytes that stand for one log in a digest."""
    ledger, held = holding
    return _ITEM.pack(ledger, *held[:4], held.files)


def digest_of(holdings: Iterable[Holding]) -> bytes:
    """Return the digest of all that is held, 8 bytes, whatever the order."""
    items = b"".join(sorted(map(item_of, holdings)))
    return sha256(_LABEL + items).digest()[:SCOPE_DIGEST_BYTES]


def bucket_of(holding: Holding, bits: int) -> int:
    """Return in which of 2^*bits* buckets a log falls, by its name alone."""
    ledger, held = holding
    name = sha256(ledger + held.author + held.incarnation).digest()
    return int.from_bytes(name[:_PREFIX_BYTES], "big") >> _PREFIX_BITS - bits


def buckets_of(holdings: Iterable[Holding], bits: int) -> dict[int, list[Holding]]:
    """Return the buckets that are not empty."""
    buckets: dict[int, list[Holding]] = {}
    for one in holdings:
        buckets.setdefault(bucket_of(one, bits), []).append(one)
    return buckets


def ask_for(holdings: Iterable[Holding]) -> Ask:
    """Return the question what of *holdings*, as remembered of somebody, is otherwise."""
    known = list(holdings)
    bits = min((len(known) // _LOGS_OF_A_BUCKET).bit_length(), MAX_ASK_BITS)
    buckets = buckets_of(known, bits)
    return Ask(bits, b"".join(_bucket_digest(buckets.get(one, [])) for one in range(1 << bits)))


def differing(ask: Ask, holdings: Iterable[Holding]) -> dict[int, list[Holding]]:
    """Return the buckets that the asker does not remember as they are, with what is in them."""
    buckets = buckets_of(holdings, ask.bits)
    step = ASK_DIGEST_BYTES
    return {
        one: buckets.get(one, [])
        for one in range(1 << ask.bits)
        if _bucket_digest(buckets.get(one, [])) != ask.digests[one * step : (one + 1) * step]
    }


def _bucket_digest(holdings: Iterable[Holding]) -> bytes:
    return sha256(_LABEL + b"".join(sorted(map(item_of, holdings)))).digest()[:ASK_DIGEST_BYTES]
