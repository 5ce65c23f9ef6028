"""The fields of the entries of a section, checked, whatever encoding they come in.

What log sections have in common (docs/format.md sections 5.2 and 5.3), but for the payloads.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import compress, islice, repeat
from operator import is_, is_not
from struct import Struct

from bundler.columns import check_first_use
from bundler.errors import LimitError, MalformedError, ledger_errors_converted
from bundler.limits import Limits
from ledger import cbor
from ledger.entry import Follow, check_follows, check_kind, check_thing

SALT_BYTES = 16
LOG_BYTES = 40
FOLLOW_BYTES = 28
DIGEST_BYTES = 32
_AUTHOR_BYTES = 32
_FOLLOW = Struct("<IQ16s")
_MAX_ACTION = 2**32 - 1


def check_names(things: Iterable[str], kinds: Iterable[str]) -> None:
    """Check each name once, however many entries have it.

    Raises:
        MalformedError: one cannot name a thing, or a kind.
    """
    with ledger_errors_converted():
        for thing in things:
            check_thing(thing)
        for kind in kinds:
            check_kind(kind)


def check_numbers(actions: Sequence[int], times: Sequence[int]) -> None:
    """Check that *actions* and *times*, which are not empty, may stand in entries.

    Raises:
        MalformedError: one may not.
    """
    with ledger_errors_converted():
        for action in (min(actions), max(actions)):
            cbor.as_uint(action, maximum=_MAX_ACTION)
        for time in (min(times), max(times)):
            cbor.as_int64(time)


def check_all_follows(column: Iterable[tuple[Follow, ...]]) -> None:
    """Check what each entry follows.

    Raises:
        MalformedError: that of an entry is out of bounds.
    """
    with ledger_errors_converted():
        for follows in filter(None, column):
            check_follows(follows)


def check_sizes(payload_bytes: Sequence[int], limits: Limits) -> None:
    """Check the sizes of the payloads of a section.

    Raises:
        LimitError: one of them is too big, or all together are.
    """
    most, total = max(payload_bytes), sum(payload_bytes)
    if most > limits.payload_bytes or total > limits.payloads_bytes:
        raise LimitError(
            f"payloads of up to {most} bytes, {total} together; "
            f"{limits.payload_bytes} and {limits.payloads_bytes} are allowed in a section"
        )


def numbered(names: Iterable[str]) -> tuple[list[str], list[int]]:
    """Return the different *names* in order of first use, and the number there of each."""
    numbers: dict[str, int] = {}
    column = [numbers.setdefault(name, len(numbers)) for name in names]
    return list(numbers), column


def pack_follows(column: Sequence[tuple[Follow, ...]]) -> tuple[bytes, list[int], bytes]:
    """Return what `unpack_follows` makes *column* of again."""
    logs: dict[bytes, int] = {}
    packed = []
    for follow in (follow for follows in column for follow in follows):
        log = logs.setdefault(follow.author + follow.incarnation, len(logs))
        packed.append(_FOLLOW.pack(log, follow.number, follow.leaf))
    return b"".join(logs), list(map(len, column)), b"".join(packed)


def unpack_follows(
    logs: bytes, numbers: Sequence[int], followed: bytes
) -> list[tuple[Follow, ...]]:
    """Return what each entry follows.

    Args:
        logs: Different ones, 40 bytes each, in the order of their first use.
        numbers: How many each entry follows, each 0 or more.
        followed: In order, 28 bytes each: number of the log, number in it, start of the leaf.

    Raises:
        MalformedError: these do not fit each other, or an entry.
    """
    if sum(numbers) * _FOLLOW.size != len(followed):
        raise MalformedError("what entries follow does not fit how many they do")
    if len(logs) % LOG_BYTES or len(logs) // LOG_BYTES > sum(numbers):
        raise MalformedError(f"{len(logs)} bytes of logs for {sum(numbers)} that are followed")
    names = [logs[at : at + LOG_BYTES] for at in range(0, len(logs), LOG_BYTES)]
    unpacked = list(_FOLLOW.iter_unpack(followed))
    check_first_use((log for log, _, _ in unpacked), len(names))
    if len(set(names)) != len(names):
        raise MalformedError("a log is twice in its list")
    all_follows = (
        Follow(names[log][:_AUTHOR_BYTES], names[log][_AUTHOR_BYTES:], number, leaf)
        for log, number, leaf in unpacked
    )
    follows = [tuple(islice(all_follows, many)) if many else () for many in numbers]
    check_all_follows(follows)
    return follows


def given_digests(payloads: Sequence[bytes | None], digests: Sequence[bytes]) -> bytes:
    """Return the digests that cannot be derived, joined.

    Raises:
        MalformedError: one of them has another length than 32 bytes.
    """
    column = b"".join(compress(digests, map(is_, payloads, repeat(None))))
    if len(column) != DIGEST_BYTES * payloads.count(None):
        raise MalformedError("a payload left out without a digest of 32 bytes")
    return column


def derived_digests(
    payloads: Sequence[bytes | None], salts: Sequence[bytes | None], left_out: bytes
) -> list[bytes]:
    """Return the digest of each entry: derived, or as it came for a payload left out.

    Raises:
        MalformedError: *left_out* are not these, or a salt is missing.
    """
    if len(left_out) != DIGEST_BYTES * payloads.count(None):
        raise MalformedError(f"{len(left_out)} bytes of digests for the payloads left out")
    needed = salts if not left_out else compress(salts, map(is_not, payloads, repeat(None)))
    if not set(map(len, (salt or b"" for salt in needed))) <= {SALT_BYTES}:
        raise MalformedError("a payload for which there is no salt")
    given = (left_out[at : at + DIGEST_BYTES] for at in range(0, len(left_out), DIGEST_BYTES))
    return [
        next(given) if payload is None or salt is None else sha256(salt + payload).digest()
        for payload, salt in zip(payloads, salts, strict=True)
    ]
