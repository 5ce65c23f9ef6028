"""What somebody would say who speaks CBOR: examples with one item missing, too many, or another.

Bytes changed at random seldom are CBOR still, and a reader sees little of those that are not.
"""

from collections.abc import Iterator, Sequence

import cbor2

_MOST_PREFIX_BYTES = 4
_MOST_SEEDS = 64
_NUMBERS = (0, 1, -1, 23, 2**16 - 1, 2**32, 2**63, 2**64 - 1, 2**64)
_OTHERS: tuple[object, ...] = (
    *_NUMBERS,
    *(b"", bytes(8), bytes(16), bytes(32), "", "a", [], [0], [[]], {}, {"a": 0}),
    *(None, True, 1.5, cbor2.undefined, cbor2.CBORSimpleValue(99), cbor2.CBORTag(24, b"")),
)


def altered(seeds: Sequence[bytes], most: int) -> Iterator[bytes]:
    """Yield at most *most* changes of *seeds*, the same in every run.

    A seed may have a few bytes before its one CBOR item; one that is nothing of the kind gives
    none.
    """
    found = list(filter(None, map(_split, seeds)))
    chosen = found[:: len(found) // _MOST_SEEDS + 1]
    changes = [(start, other) for start, value in chosen for other in _changes(value)]
    for start, other in changes[:: len(changes) // most + 1]:
        yield start + cbor2.dumps(other)


def _split(seed: bytes) -> tuple[bytes, object] | None:
    """Return what comes before the item of *seed*, and the item."""
    for length in range(min(len(seed), _MOST_PREFIX_BYTES)):
        value = _structure(seed[length:])
        if value is not None:
            return seed[:length], value
    return None


def _structure(data: bytes) -> object:
    """Return what *data* is if that is an array, a map or a tag, and None otherwise."""
    try:
        value: object = cbor2.loads(data)
        is_whole = cbor2.dumps(value) == data
    except (cbor2.CBORDecodeError, cbor2.CBOREncodeError, ValueError, RecursionError):
        return None
    return value if is_whole and isinstance(value, list | dict | cbor2.CBORTag) else None


def _changes(value: object) -> Iterator[object]:
    """Yield *value* with one thing in it changed."""
    match value:
        case list():
            yield from (value[:-1], [*value, 0], value + value)
            for at, item in enumerate(value):
                yield value[:at] + value[at + 1 :]
                yield from ([*value[:at], other, *value[at + 1 :]] for other in _changes(item))
        case dict():
            yield {**value, "more": 0}
            for key, item in value.items():
                yield {name: kept for name, kept in value.items() if name != key}
                yield from ({**value, key: other} for other in _changes(item))
        case cbor2.CBORTag():
            yield value.value
            yield from (cbor2.CBORTag(value.tag, other) for other in _changes(value.value))
        case bytes():
            yield from (value[:-1], value + b"\0")
            if (inside := _structure(value)) is not None:
                yield from map(cbor2.dumps, _changes(inside))
        case bool():
            pass
        case int():
            yield from (value + 1, value - 1)
    yield from _OTHERS
