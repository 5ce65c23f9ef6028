"""Deterministic CBOR, strict in both directions (docs/format.md section 1).

The one place where CBOR bytes become Python values and back, and where a decoded `object` is
narrowed to a type: other modules take fields with `as_text`, `as_bytes`, `as_uint` and `as_list`.

Source: RFC 8949 section 4.2.1. Keys of a map are all text or all non-negative integers, for which
the length-first order of `cbor2` (RFC 7049) and the bytewise order of RFC 8949 are the same.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite

import cbor2

from ledger.errors import MalformedError, NewerError

MAX_DEPTH = 16
# An item of one byte (an empty array) takes 70 bytes of memory and 1 us to check: without this, a
# section of 32 MiB of them would take 2.5 GB.
MAX_ITEMS = 1 << 20
_UINT64_MAX = 2**64 - 1
_BYTES, _TEXT = 2, 3  # major types whose argument counts bytes that are no items
_SCALARS = frozenset({int, float, str, bytes, bool, type(None)})
_ARRAYS = (list, tuple)
# The encodings of NaN, the infinities and integers beyond 64 bits. Elsewhere the same bytes may be
# part of another value: only where they occur are the numbers looked at one by one.
_SUSPECT = re.compile(rb"\xf9[\x7c\x7e\xfc]\x00|[\xc2\xc3][\x49-\x5b]")


def encode(value: object) -> bytes:
    """Return the one deterministic encoding of *value*.

    Raises:
        MalformedError: *value* holds something that docs/format.md does not allow.
    """
    try:
        data = cbor2.dumps(value, canonical=True)
    except (cbor2.CBOREncodeError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedError(f"cannot be encoded: {error}") from error
    _check(value, has_suspects=_SUSPECT.search(data) is not None)
    return data


def encode_scalar(value: float | str) -> bytes:
    """Return `encode` of a finite float, an integer of 64 bits or ASCII, without looking at it."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, limit_bytes: int) -> object:
    """Return the value of one CBOR item that is all of *data*.

    Args:
        data: The encoding; nothing may follow it.
        limit_bytes: Longest *data* that is looked at.

    Raises:
        MalformedError: too long, not well-formed, deeper than `MAX_DEPTH`, of more than `MAX_ITEMS`
            items, or not the deterministic encoding of its value.
    """
    if len(data) > limit_bytes:
        raise MalformedError(f"{len(data)} bytes of CBOR, at most {limit_bytes} are allowed")
    if len(data) > MAX_ITEMS:
        _check_item_count(data)
    value = _loads(data)
    if encode(value) != data:
        raise MalformedError("CBOR is not in its deterministic encoding")
    return value


def _check_item_count(data: bytes) -> None:
    """Refuse more than `MAX_ITEMS` items, before any of them takes memory.

    What follows a head that is not valid is counted wrongly, and never decoded.
    """
    position = count = 0
    while position < len(data):
        major, detail = divmod(data[position], 32)
        position += 1
        argument = detail
        if detail > 23:
            end = position + (1 << (detail - 24))
            argument = int.from_bytes(data[position:end], "big")
            position = end
        if major in (_BYTES, _TEXT):
            position += argument
        count += 1
        if count > MAX_ITEMS:
            raise MalformedError(f"CBOR of more than {MAX_ITEMS} items")


def _loads(data: bytes) -> object:
    try:
        value: object = cbor2.loads(
            data,
            max_depth=MAX_DEPTH,
            allow_duplicate_keys=False,
            allow_indefinite=False,
            semantic_decoders=_NO_TAGS,
            tag_hook=_refuse_tag,
        )
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MalformedError(f"not valid CBOR: {error}") from error
    return value


def _refuse_tag(_decoder: object, *_tag: object) -> object:
    raise MalformedError("a tag, which is not allowed here")


# Every tag that cbor2 6 gives a meaning: some run a regular expression or an e-mail parser.
_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004)
_NO_TAGS = dict.fromkeys((*_TAGS, 1040, 43000, 55799), _refuse_tag)


def _check(value: object, *, has_suspects: bool) -> None:
    """Refuse what docs/format.md does not allow, level by level: others choose what is nested.

    Args:
        value: What was encoded.
        has_suspects: Whether `_SUSPECT` was found in the encoding of the whole.
    """
    level: Collection[object] = (value,)
    for _ in range(MAX_DEPTH + 1):
        if has_suspects:
            _check_numbers(level)
        if _SCALARS.issuperset(map(type, level)):
            return
        level = _children(level)
    raise MalformedError(f"nested deeper than {MAX_DEPTH} levels")


def _children(values: Iterable[object]) -> list[object]:
    """Return what is in those of *values* that are arrays or maps."""
    children: list[object] = []
    for value in values:
        if isinstance(value, _ARRAYS):
            children += value
        elif isinstance(value, dict):
            if not _has_uniform_keys(value):
                raise MalformedError("keys of a map are all text or all non-negative integers")
            children += value.values()
        elif type(value) not in _SCALARS:
            raise MalformedError(f"a value of type {type(value).__name__} is not allowed")
    return children


def _has_uniform_keys(value: Mapping[object, object]) -> bool:
    kinds = set(map(type, value))
    return kinds <= {str} or (
        kinds == {int} and all(isinstance(key, int) and 0 <= key < 2**64 for key in value)
    )


def _check_numbers(values: Collection[object]) -> None:
    for value in values:
        if isinstance(value, float) and not isfinite(value):
            raise MalformedError(f"{value} is not a finite number")
        if isinstance(value, int) and not -(2**64) <= value < 2**64:
            raise MalformedError("an integer beyond 64 bits")


def as_list(value: object, *lengths: int) -> Sequence[object]:
    """Return *value* as an array, of one of *lengths* items if any are given.

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(value, list) or (lengths and len(value) not in lengths):
        raise MalformedError(f"expected an array of {lengths or 'any'} items")
    return value


def as_map(value: object, *keys: str) -> Mapping[str, object]:
    """Return *value* as a map with exactly the text *keys*.

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(value, dict) or set(value) != set(keys):
        raise MalformedError(f"expected a map with the keys {', '.join(keys)}")
    return value


def as_bytes(value: object, *lengths: int) -> bytes:
    """Return *value* as a byte string, of one of *lengths* bytes if any are given.

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(value, bytes) or (lengths and len(value) not in lengths):
        raise MalformedError(f"expected a byte string of {lengths or 'any'} bytes")
    return value


def as_text(value: object) -> str:
    """Return *value* as text.

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(value, str):
        raise MalformedError("expected text")
    return value


def as_uint(value: object, *, maximum: int = _UINT64_MAX) -> int:
    """Return *value* as an integer of 0..*maximum*.

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
        raise MalformedError(f"expected an integer of 0 to {maximum}")
    return value


def check_version(fields: Sequence[object], what: str) -> None:
    """Check that the first of *fields* is 1, the version of *what*.

    Raises:
        NewerError: it is a later one.
        MalformedError: it is none.
    """
    version = as_uint(fields[0]) if fields else 0
    if version > 1:
        raise NewerError(f"{what} of version {version}: update pannier to read it")
    if version < 1:
        raise MalformedError(f"not {what} of version 1")


def as_int64(value: object) -> int:
    """Return *value* as a signed 64-bit integer (a time in microseconds).

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise MalformedError("expected a signed 64-bit integer")
    return value
