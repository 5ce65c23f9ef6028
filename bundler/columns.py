"""Columns of fixed width and lists of strings, as byte strings (docs/format.md section 5.2).

Reading checks each length before anything is made of the bytes, and never makes more of them than
a few times their size.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

from bundler.errors import MalformedError

U16, U32, U64 = "H", "I", "Q"
_WIDTHS = {U16: 2, U32: 4, U64: 8}


def pack_numbers(kind: str, numbers: Sequence[int]) -> bytes:
    """Return *numbers* as unsigned little-endian integers of *kind* (`U16`, `U32`, `U64`)."""
    return struct.pack(f"<{len(numbers)}{kind}", *numbers)


def unpack_numbers(kind: str, column: bytes, count: int) -> tuple[int, ...]:
    """Return the *count* numbers of *column*.

    Raises:
        MalformedError: it has another number of bytes.
    """
    if len(column) != count * _WIDTHS[kind]:
        raise MalformedError(f"a column of {len(column)} bytes for {count} numbers")
    return struct.unpack(f"<{count}{kind}", column)


def pack_strings(kind: str, strings: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the lengths of *strings*, as numbers of *kind*, and the strings joined."""
    return pack_numbers(kind, list(map(len, strings))), b"".join(strings)


def unpack_strings(kind: str, lengths: bytes, joined: bytes, most: int) -> list[bytes]:
    """Return the strings of a list, at most *most*, all different.

    Raises:
        MalformedError: there are more, or the lengths do not add up.
    """
    count = len(lengths) // _WIDTHS[kind]
    if count > most:
        raise MalformedError(f"a list of {count} strings for {most} entries")
    strings = list(slices(unpack_numbers(kind, lengths, count), joined))
    if len(set(strings)) != count:
        raise MalformedError("a string is twice in its list")
    return strings


def slices(lengths: Iterable[int], joined: bytes) -> Iterator[bytes]:
    """Return the parts of *joined* with these *lengths*, made one by one.

    Raises:
        MalformedError: the lengths do not add up to that of *joined*.
    """
    offsets = list(accumulate(lengths, initial=0))
    if offsets[-1] != len(joined):
        raise MalformedError(f"lengths that sum to {offsets[-1]} for {len(joined)} bytes")
    return (joined[start:end] for start, end in pairwise(offsets))


def check_first_use(numbers: Iterable[int], count: int) -> None:
    """Check that *numbers* use all of a list of *count*, in the order in which it stands.

    Raises:
        MalformedError: one is beyond the list, unused, or not where it is first used.
    """
    if list(dict.fromkeys(numbers)) != list(range(count)):
        raise MalformedError("a list is not in the order of first use by the entries")
