"""Vectors of passphrase ledgers, put together by hand from docs/format.md section 3.7."""

from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Case = dict[str, object]
_X25519 = 0x0020


def _hkdf(secret: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label + b"\0").derive(secret)


def _card(key: Ed25519PrivateKey, name: str, public: bytes) -> bytes:
    author = key.public_key().public_bytes_raw()
    fields = [1, name, author, [[_X25519, public]]]
    signature = key.sign(b"pannier card 1\0" + cbor2.dumps(fields))
    return cbor2.dumps([*fields, signature])


def _good(comment: str, name: str, passphrase: str, *, normal: tuple[str, str]) -> Case:
    """*normal*: both texts as they are in normal form C."""
    salt = sha256(b"pannier passphrase ledger 1\0" + normal[0].encode()).digest()
    stretched = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=65_536).derive(
        normal[1].encode()
    )
    admin = Ed25519PrivateKey.from_private_bytes(_hkdf(stretched, b"pannier passphrase admin 1"))
    hpke = X25519PrivateKey.from_private_bytes(_hkdf(stretched, b"pannier passphrase hpke 1"))
    card = _card(admin, normal[0], hpke.public_key().public_bytes_raw())
    nonce = _hkdf(stretched, b"pannier passphrase nonce 1")[:16]
    genesis = cbor2.dumps([1, normal[0], [card], 0, nonce, ["passphrase"]])
    return {
        "comment": comment,
        "expect": "success",
        "name": name,
        "passphrase": passphrase,
        "genesis": genesis.hex(),
        "ledger": sha256(b"pannier ledger 1\0" + genesis).hexdigest()[:32],
        "admin_secret": admin.private_bytes_raw().hex(),
        "network_key": _hkdf(stretched, b"pannier passphrase network 1").hex(),
    }


def cases() -> dict[str, Case]:
    plain = ("harbour", "correct horse battery staple")
    accented = ("caf\u00e9", "na\u00efve \U0001f6a2")
    return {
        "plain": _good("a name and a passphrase", *plain, normal=plain),
        "accented": _good(
            "accents as marks of their own, as some keyboards write them",
            "cafe\u0301",
            "nai\u0308ve \U0001f6a2",
            normal=accented,
        ),
        "bad_name": {
            "comment": "a slash in the name",
            "expect": "malformed",
            "name": "a/b",
            "passphrase": "correct horse battery staple",
        },
    }
