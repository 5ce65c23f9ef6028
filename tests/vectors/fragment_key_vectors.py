"""Vectors of the keys by which fragments and hints are checked (docs/format.md section 7)."""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.vectors import fragment_vectors

Case = dict[str, object]

OWN, OTHER = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
ONE, TWO = bytes([3]) * 32, bytes([4]) * 32
EPOCH_KEY = bytes(range(60, 92))


def _derive(secret: bytes, label: bytes, rest: bytes = b"") -> bytes:
    info = label + b"\0" + rest
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _case(comment: str, *, key: bytes, hint_key: bytes, **more: str) -> Case:
    """With the fragment `mac` of the area fragment, as this key would check it."""
    data = bytes.fromhex(str(fragment_vectors.cases()["mac"]["data"]))
    body = data[:-9]
    return {
        "comment": comment,
        "expect": "success",
        "own_hpke_private": OWN.private_bytes_raw().hex(),
        "other_hpke_public": OTHER.public_key().public_bytes_raw().hex(),
        "fragment_key": key.hex(),
        "hint_key": hint_key.hex(),
        "fragment": (body + b"\x48" + hmac.digest(key, body, sha256)[:8]).hex(),
        **more,
    }


def _of_two(comment: str, sender: bytes, recipient: bytes) -> Case:
    secret = OWN.exchange(OTHER.public_key())
    return _case(
        comment,
        key=_derive(secret, b"pannier fragment 1", sender + recipient),
        hint_key=_derive(secret, b"pannier hint 1", sender + recipient),
        sender=sender.hex(),
        recipient=recipient.hex(),
    )


def cases() -> dict[str, Case]:
    there = _of_two("from one to two", ONE, TWO)
    return {
        "there": there,
        "back": _of_two("from two to one: another key", TWO, ONE),
        "group": _case(
            "to all who hold an epoch key",
            key=_derive(EPOCH_KEY, b"pannier fragment 1"),
            hint_key=_derive(EPOCH_KEY, b"pannier hint 1"),
            epoch_key=EPOCH_KEY.hex(),
        ),
        "low_order": {
            **there,
            "comment": "a public key with which no secret can be shared",
            "expect": "malformed",
            "other_hpke_public": "00" * 32,
        },
    }
