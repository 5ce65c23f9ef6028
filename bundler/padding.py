"""Padding, so that the size of a sealed bundle says little of what is in it. Pure.

A padded bundle has one of few sizes, so that all it tells is O(log log n) bits; it grows by at most
12 %, and by less the larger it is.

Source: Padmé, K. Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication
with PURBs" (2019), section 4.
"""

from bisect import bisect_left
from collections.abc import Callable

from bundler import items
from ledger.padding import padme_bytes

PAD = 0
"""Type of the section that pads a content: zeros, looked at by nobody."""

_PLAIN_HEAD = items.uint(PAD)
_HEAD = items.array_head(3) + _PLAIN_HEAD + items.uint(0)


def padding(
    content_bytes: int, sealed_bytes: Callable[[int], int], *, is_plain: bool = False
) -> bytes:
    """Return the section that makes a sealed bundle's size a Padmé size; empty if it is one.

    Args:
        content_bytes: Length of the content before.
        sealed_bytes: From the length of a content to that of the sealed bundle; growing.
        is_plain: Whether its sections are those of a compact bundle.
    """
    head = _PLAIN_HEAD if is_plain else _HEAD
    size = sealed_bytes(content_bytes)
    if padme_bytes(size) == size:
        return b""
    target = size
    while True:
        # Few sizes cannot be met, where the head of a byte string grows: then the next one is.
        target = padme_bytes(target + 1)
        zeros = bisect_left(
            range(target),
            target,
            key=lambda zeros: sealed_bytes(content_bytes + _length(head, zeros)),
        )
        section = head + items.byte_string(bytes(zeros))
        if sealed_bytes(content_bytes + len(section)) == target:
            return section


def _length(head: bytes, zeros: int) -> int:
    return len(head) + len(items.bytes_head(zeros)) + zeros
