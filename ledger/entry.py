"""One entry of a log: what its author did to a thing (docs/format.md section 3.1).

`Entry` keeps the payload beside what the leaf commits to; `leaf_bytes` is what is hashed.
"""

from collections.abc import Iterable
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

from ledger import cbor
from ledger.errors import MalformedError

MAX_THING_BYTES = 255
MAX_KIND_BYTES = 63
MAX_FOLLOWS = 64
MAX_PAYLOAD_BYTES = 1 << 20
MAX_ACTION = 2**32 - 1
MIN_TIME_US, MAX_TIME_US = -(2**63), 2**63 - 1
NULL_PAYLOAD = b"\xf6"
FOLLOW_LEAF_BYTES = 16

MEMBERS_THING = "members"
INCARNATIONS_THING = "incarnations"


class Action(IntEnum):
    """What an entry does; numbers not named here are kept, proven and shown in no view."""

    PUT = 0
    DELETE = 1
    GRANT = 2
    REVOKE = 3
    CLOSE = 4
    EPOCH = 5


class Follow(NamedTuple):
    """An entry of another log that an entry supersedes.

    Attributes:
        author: 32 bytes.
        incarnation: 8 bytes.
        number: Its number in that log, from 0.
        leaf: The first 16 bytes of its leaf hash.
    """

    author: bytes
    incarnation: bytes
    number: int
    leaf: bytes


class Entry(NamedTuple):
    """An entry, and its payload unless that was left out.

    A named tuple and not a dataclass: a bulk import makes hundreds of thousands of them.

    Attributes:
        thing: 1..255 bytes of UTF-8 without control characters.
        kind: 0..63 bytes of UTF-8 without control characters.
        action: See `Action`.
        time_us: Microseconds since 1970 UTC, as the author gave it.
        follows: Entries of other logs, ascending, at most 64.
        digest: SHA-256(salt | payload), 32 bytes.
        payload: One CBOR item of at most 1 MiB, encoded; None when left out.
    """

    thing: str
    kind: str
    action: int
    time_us: int
    follows: tuple[Follow, ...]
    digest: bytes
    payload: bytes | None


def payload_digest(salt: bytes, payload: bytes) -> bytes:
    """Return the 32-byte commitment of an entry to its payload."""
    return sha256(salt + payload).digest()


def leaf_bytes(entry: Entry) -> bytes:
    """Return what the leaf hash covers; `entry_from_bytes` is its inverse but for the payload.

    The same bytes as `cbor.encode` of the list, put together by hand.
    """
    thing, kind, action, time_us, follows, digest, _ = entry
    return b"".join(
        (
            leaf_head(thing, kind, action),
            _integer(time_us),
            cbor.encode(follows) if follows else b"\x80",
            b"\x58\x20",
            digest,
        )
    )


def leaf_head(thing: str, kind: str, action: int) -> bytes:
    """Return what `leaf_bytes` begins with."""
    return b"".join((b"\x86", _text(thing), _text(kind), _integer(action)))


def check_entry(entry: Entry) -> None:
    """Check every field of *entry* against docs/format.md.

    Raises:
        MalformedError: one of them is out of bounds; the message names it.
    """
    check_thing(entry.thing)
    check_kind(entry.kind)
    cbor.as_uint(entry.action, maximum=MAX_ACTION)
    cbor.as_int64(entry.time_us)
    cbor.as_bytes(entry.digest, 32)
    if entry.follows:
        check_follows(entry.follows)
    if entry.payload is not None and len(entry.payload) > MAX_PAYLOAD_BYTES:
        raise MalformedError(
            f"a payload of {len(entry.payload)} bytes; at most {MAX_PAYLOAD_BYTES} fit an entry"
        )


def check_thing(thing: str) -> None:
    """Raise `MalformedError` unless *thing* can name a thing."""
    _check_name(thing, "thing", 1, MAX_THING_BYTES)


def check_kind(kind: str) -> None:
    """Raise `MalformedError` unless *kind* can name a kind."""
    _check_name(kind, "kind", 0, MAX_KIND_BYTES)


def check_follows(follows: tuple[Follow, ...]) -> None:
    """Raise `MalformedError` unless *follows* is bounded, ascending and without repeats."""
    if len(follows) > MAX_FOLLOWS:
        raise MalformedError(f"an entry that follows {len(follows)} others, at most {MAX_FOLLOWS}")
    for follow in follows:
        cbor.as_bytes(follow.author, 32)
        cbor.as_bytes(follow.incarnation, 8)
        cbor.as_uint(follow.number, maximum=2**32 - 1)
        cbor.as_bytes(follow.leaf, FOLLOW_LEAF_BYTES)
    if list(follows) != sort_follows(follows):
        raise MalformedError("what an entry follows is not in ascending order")


def sort_follows(follows: Iterable[Follow]) -> list[Follow]:
    """Return *follows* without repeats in the order that an entry wants."""
    return sorted(set(follows), key=cbor.encode)


def follows_from(value: object) -> tuple[Follow, ...]:
    """Return the `follows` field of a decoded entry, checked.

    Raises:
        MalformedError: it is not one.
    """
    follows = []
    for item in cbor.as_list(value):
        author, incarnation, index, leaf = cbor.as_list(item, 4)
        follows.append(
            Follow(
                cbor.as_bytes(author), cbor.as_bytes(incarnation), cbor.as_uint(index),
                cbor.as_bytes(leaf),
            )
        )  # fmt: skip
    check_follows(tuple(follows))
    return tuple(follows)


def entry_from_bytes(data: bytes, payload: bytes | None) -> Entry:
    """Return the entry whose leaf bytes are *data*; the payload is taken as it is.

    Raises:
        MalformedError: *data* is not an entry.
    """
    fields = cbor.as_list(cbor.decode(data, limit_bytes=1 << 16), 6)
    thing, kind, action, time_us, follows, digest = fields
    entry = Entry(
        cbor.as_text(thing),
        cbor.as_text(kind),
        cbor.as_uint(action),
        cbor.as_int64(time_us),
        follows_from(follows),
        cbor.as_bytes(digest),
        payload,
    )
    check_entry(entry)
    return entry


def _check_name(name: str, what: str, least: int, most: int) -> None:
    if least <= len(name) <= most and name.isascii() and name.isprintable():
        return
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise MalformedError(f"the {what} is not valid Unicode") from error
    if not least <= size <= most:
        raise MalformedError(f"a {what} of {size} bytes; {least} to {most} are allowed")
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name):
        raise MalformedError(f"the {what} {name!r} contains a control character")


def _text(text: str) -> bytes:
    data = text.encode()
    return _head(0x60, len(data)) + data


def _integer(value: int) -> bytes:
    return _head(0x00, value) if value >= 0 else _head(0x20, -1 - value)


def _head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes((major | value,))
    if value < 256:
        return bytes((major | 24, value))
    if value < 65536:
        return bytes((major | 25,)) + value.to_bytes(2, "big")
    if value < 1 << 32:
        return bytes((major | 26,)) + value.to_bytes(4, "big")
    return bytes((major | 27,)) + value.to_bytes(8, "big")
