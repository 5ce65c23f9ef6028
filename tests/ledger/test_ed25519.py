from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import ed25519
from ledger.errors import MalformedError, UnverifiedError
from tests.vectors import load

VECTORS = load("ed25519")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
RUN: dict[str, Callable[[dict[str, Any]], None]] = {
    "key": lambda vector: ed25519.check_author(bytes.fromhex(vector["key"])),
    "signature": lambda vector: ed25519.verify(
        bytes.fromhex(vector["key"]),
        bytes.fromhex(vector["message"]),
        bytes.fromhex(vector["signature"]),
    ),
}
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    run = RUN[vector["operation"]]
    if vector["expect"] == "success":
        run(vector)
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            run(vector)


def test_a_key_that_cannot_name_an_author_verifies_nothing() -> None:
    for vector in VECTORS.values():
        if vector["operation"] == "key" and vector["expect"] == "malformed":
            with pytest.raises(UnverifiedError):
                ed25519.verify(bytes.fromhex(vector["key"]), b"", bytes(64))


Point = tuple[int, int]


def add(p: Point, q: Point) -> Point:
    """The addition law of RFC 8032 section 5.1, in affine coordinates."""
    (x1, y1), (x2, y2) = p, q
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def test_the_refused_points_are_all_eight_of_small_order() -> None:
    """All multiples of one point of order 8, computed from the curve and not from a list."""
    y = int.from_bytes(bytes.fromhex(VECTORS["key_order_8"]["key"]), "little")
    squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(squared, (P + 3) // 8, P)
    if x * x % P != squared:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == squared
    point = (0, 1)
    encodings = set()
    for _ in range(8):
        point = add(point, (x, y))
        encodings.add((point[1] | (point[0] & 1) << 255).to_bytes(32, "little"))
    assert point == (0, 1)
    assert len(encodings) == 8
    for encoding in encodings:
        with pytest.raises(MalformedError):
            ed25519.check_author(encoding)


@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=70))
def test_arbitrary_bytes_only_raise_unverified(
    key: bytes, message: bytes, signature: bytes
) -> None:
    with pytest.raises(UnverifiedError):
        ed25519.verify(key, message, signature)
