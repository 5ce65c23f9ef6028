"""Numbers of one, two or four bytes in acknowledgements (docs/link.md section 2.2).

Source: RFC 9000 section 16, without the numbers of eight bytes, and the shortest form only.
"""

from transports.link.errors import MalformedFrameError

_ONE, _TWO, _FOUR = 1 << 6, 1 << 14, 1 << 30
_SMALLEST = (0, _ONE, _TWO)


def encode(value: int) -> bytes:
    """Return *value*, 0..2^30-1, in as few bytes as possible."""
    if value < _ONE:
        return bytes((value,))
    if value < _TWO:
        return (value | 0x4000).to_bytes(2, "big")
    return (value | 0x8000_0000).to_bytes(4, "big")


def decode_all(data: bytes, at_most: int) -> list[int]:
    """Return the numbers that are all of *data*.

    Raises:
        MalformedFrameError: they are more than *at_most*, cut off, or longer than they need to be.
    """
    numbers: list[int] = []
    at = 0
    while at < len(data):
        prefix = data[at] >> 6
        if prefix == 3 or at + (1 << prefix) > len(data) or len(numbers) == at_most:
            raise MalformedFrameError("a number that is too long or cut off, or too many of them")
        end = at + (1 << prefix)
        value = int.from_bytes(data[at:end], "big") & ((1 << (8 * (end - at) - 2)) - 1)
        if value < _SMALLEST[prefix]:
            raise MalformedFrameError(f"the number {value} in {end - at} bytes")
        numbers.append(value)
        at = end
    return numbers
