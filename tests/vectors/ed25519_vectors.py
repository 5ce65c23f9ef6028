"""Vectors of the keys and signatures on which verifiers in the field differ."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Case = dict[str, object]
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
SIGN = 1 << 255
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
        5, "R of order 4 under a key of mixed order: it fits", True, MIXED_KEY,
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
    return {**_keys(), **_cctv(), **_signatures()}


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


def _signatures() -> dict[str, Case]:
    secret = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key = secret.public_key().public_bytes_raw().hex()
    message = b"pannier"
    good = secret.sign(message)
    s = int.from_bytes(good[32:], "little")
    signatures = {
        "good": ("an ordinary signature", good),
        "s_plus_l": ("S plus the group order", good[:32] + (s + L).to_bytes(32, "little")),
        "s_is_l": ("S is the group order", good[:32] + L.to_bytes(32, "little")),
        "s_high_bits": ("the three high bits of S", good[:63] + bytes([good[63] | 0xE0])),
        "63_bytes": ("63 bytes", good[:63]),
        "65_bytes": ("65 bytes", good + b"\0"),
        "empty": ("no bytes", b""),
        "not_on_curve": ("R is no point of the curve", (2).to_bytes(32, "little") + good[32:]),
    }
    return {
        f"signature_{stem}": _signature(
            comment,
            verifies=stem == "good",
            key=key,
            message=message,
            signature=signature.hex(),
        )
        for stem, (comment, signature) in signatures.items()
    } | {
        "signature_key_not_on_curve": _signature(
            "the key is no point of the curve",
            verifies=False,
            key=(2).to_bytes(32, "little").hex(),
            message=message,
            signature=good.hex(),
        )
    }


def _signature(comment: str, *, verifies: bool, key: str, message: bytes, signature: str) -> Case:
    return {
        "comment": comment,
        "expect": "success" if verifies else "unverified",
        "operation": "signature",
        "key": key,
        "message": message.hex(),
        "signature": signature,
    }
