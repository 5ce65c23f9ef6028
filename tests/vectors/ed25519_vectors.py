"""Vectors of the keys and signatures on which verifiers in the field differ.

Some are of C2SP CCTV; the others are made here in plain integers, in the spirit of CCTV and of
Wycheproof, one reason each.
"""

from collections.abc import Iterator
from hashlib import sha512
from itertools import count, product

from tests.vectors.edwards import (
    BASE,
    SIGN,
    TORSION,
    L,
    P,
    Point,
    add,
    challenge,
    encode,
    times,
)

Case = dict[str, object]
ORDER_8_Y = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
MIXED_KEY = "10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f"
OTHER_MIXED_KEY = "fe894df18abf1c20088bfbe6c9ad45d42ec20663eaf7111eaea1d851da0d7f89"
ORDER_4_KEY = "00" * 32
MIXED_R = "36684ea91032ba5b1dbab2d02f4debc74c3327f2b3802e2e4d371aa42b12b56b"
LOW_R_NOT_CANONICAL = "ed" + "ff" * 30 + "7f"

# C2SP CCTV, ed25519/ed25519vectors.json: number, comment, verifies here, key, signature, message.
CCTV = (
    (
        1, "key and R of order 4; OpenSSL and Go verify it", False, ORDER_4_KEY, "00" * 64,
        "ed25519vectors 11",
    ),
    (
        3, "key of order 4; OpenSSL and Go verify it", False, ORDER_4_KEY,
        MIXED_R + "05ba9a796274d80437afa36f1236563f2f3b0aa84cecddc3d20914615ba4fe02",
        "ed25519vectors 3",
    ),
    (
        4, "only a verifier that multiplies by the cofactor takes it", False, MIXED_KEY,
        "00" * 32 + "5e176f12cfb0d4e6eb6929b19ae4c998ef05c1c2cf628a9b1fa1c21312627108",
        "ed25519vectors 7",
    ),
    (
        5, "R of order 4 under a key of mixed order; libsodium refuses it", False, MIXED_KEY,
        "00" * 32 + "9472a69cd9a701a50d130ed52189e2455b23767db52cacb8716fb896ffeeac09",
        "ed25519vectors 3",
    ),
    (
        6, "only a verifier that multiplies by the cofactor takes it", False, MIXED_KEY,
        MIXED_R + "c02e2b9e63e385c058bf62b14b3a2b29ccefe8e38ddb536bc3f9865320a3d801",
        "ed25519vectors 10",
    ),
    (
        7, "key and R of mixed order: it fits", True, MIXED_KEY,
        MIXED_R + "bbfd00bd9c259d8d222d15e67a3d8228585050dbb9b9585be20d8fadc721da03",
        "ed25519vectors",
    ),
    (
        9, "key not canonical; OpenSSL and Go verify it", False, LOW_R_NOT_CANONICAL, "00" * 64,
        "ed25519vectors 6",
    ),
    (
        17, "R not canonical; verifiers that decode R take it", False, MIXED_KEY,
        LOW_R_NOT_CANONICAL + "ad7a355469b5c87e550469f6b2de409ee723acd584bf35f86b80c384e8ceb702",
        "ed25519vectors 3",
    ),
    (
        893, "key and R of order 2; OpenSSL and Go verify it", False, "ec" + "ff" * 30 + "7f",
        "ec" + "ff" * 30 + "7f" + "00" * 32,
        "ed25519vectors 5",
    ),
    (
        899, "key and R of mixed order: it fits", True, OTHER_MIXED_KEY,
        "37d3076f21bd3bec4ee4ebee360fe0e3b288557810e7dda72edae09650d5caf9"
        "327f51a83cacea96d1f3fc6be0e2682f22ce35400ccb707aa30a7321ed6dff05",
        "ed25519vectors 3",
    ),
    (
        903, "key whose x is minus zero; OpenSSL and Go verify it", False, "ec" + "ff" * 31,
        "37d3076f21bd3bec4ee4ebee360fe0e3b288557810e7dda72edae09650d5caf9"
        "05ba9a796274d80437afa36f1236563f2f3b0aa84cecddc3d20914615ba4fe02",
        "ed25519vectors 4",
    ),
)  # fmt: skip


def cases() -> dict[str, Case]:
    made = (_honest, _not_signed, _mixed, _small_r, _small_keys, _high_s)
    return {**_keys(), **_cctv(), **dict(case for make in made for case in make())}


def _keys() -> dict[str, Case]:
    ys = {
        "order_1": 1,
        "order_2": P - 1,
        "order_4": 0,
        "order_4_negative": SIGN,
        "order_8": ORDER_8_Y,
        "order_8_negative": ORDER_8_Y | SIGN,
        "order_8_other": P - ORDER_8_Y,
        "order_8_other_negative": (P - ORDER_8_Y) | SIGN,
        "order_1_minus_zero": 1 | SIGN,
        "order_1_not_reduced": P + 1,
        "order_1_minus_zero_not_reduced": (P + 1) | SIGN,
        "order_2_minus_zero": (P - 1) | SIGN,
        "order_4_not_reduced": P,
        "order_4_negative_not_reduced": P | SIGN,
        "not_reduced": P + 3,
        "not_reduced_negative": (P + 3) | SIGN,
        "largest": 2**256 - 1,
    }
    refused = {
        f"key_{stem}": _key(stem.replace("_", " "), "malformed", y.to_bytes(32, "little").hex())
        for stem, y in ys.items()
    }
    return refused | {
        "key_base_point": _key("the base point", "success", "58" + "66" * 31),
        "key_mixed_order": _key("no list can refuse all of these", "success", MIXED_KEY),
        "key_31_bytes": _key("31 bytes", "malformed", "66" * 31),
        "key_33_bytes": _key("33 bytes", "malformed", "58" + "66" * 32),
        "key_empty": _key("no bytes", "malformed", ""),
    }


def _key(comment: str, expect: str, key: str) -> Case:
    return {"comment": comment, "expect": expect, "operation": "key", "key": key}


def _cctv() -> dict[str, Case]:
    return {
        f"cctv_{number}": _signature(
            comment, verifies=verifies, key=key, message=message.encode(), signature=signature
        )
        for number, comment, verifies, key, signature, message in CCTV
    }


# -- made here ------------------------------------------------------------------------------------

_HASHED = sha512(bytes(range(32))).digest()
_SECRET = int.from_bytes(_HASHED[:32], "little") & ((1 << 254) - 8) | 1 << 254
_PREFIX = _HASHED[32:]
_OWN = times(_SECRET, BASE)
_MESSAGE = b"pannier"
_R = 1_000_003


def _signed(message: bytes, *, domain: bytes = b"") -> bytes:
    """A signature as RFC 8032 has it."""
    r = int.from_bytes(sha512(domain + _PREFIX + message).digest(), "little") % L
    return _with_r(encode(times(r, BASE)), message, r=r, domain=domain)


def _with_r(
    encoded: bytes, message: bytes, *, key: bytes = b"", r: int = 0, domain: bytes = b""
) -> bytes:
    """A signature with a given R, whose multiple of the base point is *r*."""
    k = challenge(encoded, key or encode(_OWN), message, domain)
    return encoded + ((r + k * _SECRET) % L).to_bytes(32, "little")


def _case(
    stem: str,
    comment: str,
    signature: bytes,
    *,
    verifies: bool = False,
    key: bytes = b"",
    message: bytes = _MESSAGE,
) -> tuple[str, Case]:
    case = _signature(
        comment,
        verifies=verifies,
        key=(key or encode(_OWN)).hex(),
        message=message,
        signature=signature.hex(),
    )
    return f"signature_{stem}", case


def _honest() -> Iterator[tuple[str, Case]]:
    messages = {"good": _MESSAGE, "good_empty_message": b"", "good_long_message": bytes(5000)}
    for stem, message in messages.items():
        yield _case(stem, "an ordinary signature", _signed(message), verifies=True, message=message)


def _not_signed() -> Iterator[tuple[str, Case]]:
    good = _signed(_MESSAGE)
    for stem, comment, signature in (
        ("63_bytes", "63 bytes", good[:63]),
        ("65_bytes", "65 bytes", good + b"\0"),
        ("empty", "no bytes", b""),
        ("zeros", "64 zero bytes", bytes(64)),
        ("ones", "64 bytes 0xff", b"\xff" * 64),
        ("swapped", "S before R", good[32:] + good[:32]),
        ("doubled_r", "R in place of S", good[:32] * 2),
        ("r_bit", "one bit of R", bytes([good[0] ^ 1]) + good[1:]),
        ("r_sign", "the sign of R", good[:31] + bytes([good[31] ^ 128]) + good[32:]),
        ("s_bit", "one bit of S", good[:32] + bytes([good[32] ^ 1]) + good[33:]),
        ("s_is_zero", "S is zero", good[:32] + bytes(32)),
        ("s_negative", "S of the other sign", good[:32] + _negated(good[32:])),
        ("other_message", "another message", _signed(b"panniers")),
        ("not_on_curve", "R is no point of the curve", (2).to_bytes(32, "little") + good[32:]),
        (
            "context",
            "Ed25519ctx with an empty context",
            _signed(_MESSAGE, domain=b"SigEd25519 no Ed25519 collisions\0\0"),
        ),
    ):
        yield _case(stem, comment, signature)
    off_curve = (2).to_bytes(32, "little")
    yield _case("key_not_on_curve", "the key is no point of the curve", good, key=off_curve)
    yield _case("key_negative", "the key of the other sign", good, key=encode(_flipped(_OWN)))


def _negated(s: bytes) -> bytes:
    return (L - int.from_bytes(s, "little")).to_bytes(32, "little")


def _flipped(point: Point) -> Point:
    return -point[0] % P, point[1]


def _high_s() -> Iterator[tuple[str, Case]]:
    good = _signed(_MESSAGE)
    s = int.from_bytes(good[32:], "little")
    for number in (1, 2, 8, 15):
        high = (s + number * L).to_bytes(32, "little")
        name = "s_plus_l" if number == 1 else f"s_plus_{number}_l"
        yield _case(name, f"S plus {number} times the group order", good[:32] + high)
    for stem, comment, value in (
        ("s_is_l", "S is the group order", L),
        ("s_is_l_plus_1", "S is the group order and one", L + 1),
        ("s_is_largest", "S is 2^256 - 1", 2**256 - 1),
    ):
        yield _case(stem, comment, good[:32] + value.to_bytes(32, "little"))
    for bit in (253, 254, 255):
        high = (s | 1 << bit).to_bytes(32, "little")
        yield _case(f"s_bit_{bit}", f"bit {bit} of S is set", good[:32] + high)


def _mixed() -> Iterator[tuple[str, Case]]:
    """Keys and Rs off the prime-order group: the key by i, R by j times a point of order 8."""
    point = times(_R, BASE)
    for i, j, fits in product((0, 1, 2, 4, 7), (0, 1, 4, 6), (True, False)):
        if (i, j) == (0, 0) or (i == 0 and fits):
            continue
        key, encoded = encode(add(_OWN, TORSION[i])), encode(add(point, TORSION[j]))
        message = _message_for(encoded, key, i, j, fits=fits)
        if message is not None:
            ending = "it fits" if fits else "only with the cofactor"
            yield _case(
                f"mixed_{i}_{j}_{'fits' if fits else 'off'}",
                f"key {i}, R {j} points of order 8 off the prime-order group: {ending}",
                _with_r(encoded, message, key=key, r=_R),
                verifies=fits,
                key=key,
                message=message,
            )


def _message_for(encoded: bytes, key: bytes, i: int, j: int, *, fits: bool) -> bytes | None:
    """A message for which the torsion of key and R cancels out, or does not; None if there is none.

    The torsion of [S]B - [k]A is that of -k times the key's.
    """
    for number in range(100):
        message = b"mixed %d" % number
        if ((-challenge(encoded, key, message) * i - j) % 8 == 0) == fits:
            return message
    return None


def _small_r() -> Iterator[tuple[str, Case]]:
    """Rs that no signer draws: libsodium refuses them all, OpenSSL takes those that fit."""
    key = encode(add(_OWN, TORSION[1]))
    for number in range(8):
        encoded = encode(TORSION[number])
        message = _message_for(encoded, key, 1, number, fits=True)
        assert message is not None
        yield _case(
            f"small_r_{number}",
            "R of small order that fits a key of mixed order; libsodium refuses it",
            _with_r(encoded, message, key=key),
            key=key,
            message=message,
        )
    yield _case(
        "small_r_own_key",
        "R is the neutral point, under an ordinary key; libsodium refuses it",
        _with_r(encode(TORSION[0]), _MESSAGE),
    )
    for stem, y in (
        ("order_1_not_reduced", P + 1),
        ("order_1_minus_zero", 1 | SIGN),
        ("order_1_minus_zero_not_reduced", (P + 1) | SIGN),
    ):
        yield _case(
            f"r_{stem}",
            "R is the neutral point, not canonically encoded; verifiers that decode R take it",
            _with_r(y.to_bytes(32, "little"), _MESSAGE),
        )


def _small_keys() -> Iterator[tuple[str, Case]]:
    """Keys under which anybody can sign: S is what R is made of, and k times the key vanishes."""
    encodings = {
        "order_1": 1,
        "order_1_not_reduced": P + 1,
        "order_1_minus_zero": 1 | SIGN,
        "order_2": P - 1,
        "order_2_minus_zero": (P - 1) | SIGN,
        "order_4": 0,
        "order_4_not_reduced": P,
        "order_8": ORDER_8_Y,
    }
    encoded = encode(times(_R, BASE))
    for stem, y in encodings.items():
        key = y.to_bytes(32, "little")
        message = next(
            message
            for message in (b"anybody %d" % number for number in count())
            if challenge(encoded, key, message) % 8 == 0
        )
        yield _case(
            f"under_key_{stem}",
            "a signature that anybody can make; OpenSSL and Go verify it",
            encoded + _R.to_bytes(32, "little"),
            key=key,
            message=message,
        )


def _signature(comment: str, *, verifies: bool, key: str, message: bytes, signature: str) -> Case:
    return {
        "comment": comment,
        "expect": "success" if verifies else "unverified",
        "operation": "signature",
        "key": key,
        "message": message.hex(),
        "signature": signature,
    }
