"""Vectors of the hints in file names (docs/format.md section 7.1)."""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Case = dict[str, object]

OWN, OTHER = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
ONE, TWO = bytes([3]) * 32, bytes([4]) * 32
BUNDLE_ID = bytes(range(8))


def _case(comment: str, *, sender: bytes, recipient: bytes) -> Case:
    info = b"pannier hint 1\0" + sender + recipient
    secret = OWN.exchange(OTHER.public_key())
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
    hint = hmac.digest(key, BUNDLE_ID, sha256)[:4]
    return {
        "comment": comment,
        "expect": "success",
        "own_hpke_private": OWN.private_bytes_raw().hex(),
        "other_hpke_public": OTHER.public_key().public_bytes_raw().hex(),
        "sender": sender.hex(),
        "recipient": recipient.hex(),
        "bundle_id": BUNDLE_ID.hex(),
        "hint": hint.hex(),
        "name": f"30a1b-{hint.hex()}-{BUNDLE_ID.hex()}-00000000.pnr",
    }


def cases() -> dict[str, Case]:
    low_order = _case("a public key with which no secret can be shared", sender=ONE, recipient=TWO)
    low_order |= {"expect": "malformed", "other_hpke_public": "00" * 32}
    return {
        "there": _case("from one to two", sender=ONE, recipient=TWO),
        "back": _case("from two to one: another hint", sender=TWO, recipient=ONE),
        "low_order": low_order,
    }
