"""Ed25519 in plain integers: slow, open to whoever watches, and all in view (RFC 8032 section 5.1).

Points are affine (x, y). It makes signatures that no signer makes, and decides about any of them
in each of the ways that are in use.
"""

from hashlib import sha512

Point = tuple[int, int]
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SIGN = 1 << 255
ZERO: Point = (0, 1)
_ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def add(p: Point, q: Point) -> Point:
    (x1, y1), (x2, y2) = p, q
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def negative(p: Point) -> Point:
    return -p[0] % P, p[1]


def times(number: int, p: Point) -> Point:
    total = ZERO
    while number:
        if number & 1:
            total = add(total, p)
        p, number = add(p, p), number >> 1
    return total


def encode(p: Point) -> bytes:
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def decode(data: bytes) -> Point | None:
    """The point of any encoding, also of one that is not canonical; None if there is none."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (SIGN - 1)) % P
    squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(squared, (P + 3) // 8, P)
    if x * x % P != squared:
        x = x * _ROOT_OF_MINUS_1 % P
    if x * x % P != squared:
        return None
    return (-x % P if x & 1 != sign else x, y)


def _base() -> Point:
    point = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert point is not None
    return point


BASE = _base()


def _torsion() -> list[Point]:
    """The eight points of small order: all multiples of one of order 8, found by chance."""
    for y in range(2, 100):
        point = decode(y.to_bytes(32, "little"))
        if point is not None:
            small = times(L, point)
            if times(4, small) != ZERO:
                return [times(number, small) for number in range(8)]
    raise AssertionError("no point of order 8")


TORSION = _torsion()


def challenge(r: bytes, key: bytes, message: bytes, prefix: bytes = b"") -> int:
    """The number k of a signature."""
    return int.from_bytes(sha512(prefix + r + key + message).digest(), "little") % L


def verdicts(key: bytes, message: bytes, signature: bytes) -> dict[str, bool]:
    """What each kind of verifier says of a signature with S below the group order.

    ``bytes``: R is compared as it is encoded. ``points``: R is decoded. ``cofactor``: both sides
    are multiplied by 8.
    """
    s = int.from_bytes(signature[32:], "little")
    a, r = decode(key), decode(signature[:32])
    if len(signature) != 64 or s >= L or a is None:
        return dict.fromkeys(("bytes", "points", "cofactor"), False)
    k = challenge(signature[:32], key, message)
    fitting = add(times(s, BASE), negative(times(k, a)))
    return {
        "bytes": encode(fitting) == signature[:32],
        "points": fitting == r,
        "cofactor": r is not None and times(8, fitting) == times(8, r),
    }
