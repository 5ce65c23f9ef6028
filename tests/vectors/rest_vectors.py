"""Vectors of what is sealed in a ledger file, straight from docs/format.md section 9.2."""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Case = dict[str, object]
REST_KEY = sha256(b"the rest key of a node").digest()
LEDGER = bytes(range(16))
LOG = bytes(range(32)) + bytes(range(8))


def hkdf(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def ledger_key(rest_key: bytes, ledger: bytes) -> bytes:
    return hkdf(rest_key, b"pannier ledger at rest 1\0" + ledger)


def sealed(key: bytes, what: bytes, data: bytes) -> bytes:
    nonce = hmac.digest(hkdf(key, b"pannier nonces 1\0"), what + data, "sha256")[:12]
    others = AESGCMSIV(hkdf(key, b"pannier beside payloads 1\0"))
    return nonce + others.encrypt(nonce, data, what)


def _case(comment: str, payload: bytes, name: str, what: bytes, data: bytes) -> Case:
    key = ledger_key(REST_KEY, LEDGER)
    digest = sha256(b"a salt" + payload).digest()
    payloads = AESGCMSIV(hkdf(key, b"pannier payloads 1\0"))
    return {
        "comment": comment,
        "expect": "success",
        "rest_key": REST_KEY.hex(),
        "ledger": LEDGER.hex(),
        "check": hkdf(key, b"pannier check 1\0")[:16].hex(),
        "digest": digest.hex(),
        "payload": payload.hex(),
        "sealed_payload": payloads.encrypt(digest[:12], payload, None).hex(),
        "name": name,
        "sealed_name": sealed(key, b"name\0", name.encode()).hex(),
        "what": what.hex(),
        "data": data.hex(),
        "sealed": sealed(key, what, data).hex(),
    }


def cases() -> dict[str, Case]:
    cover = bytes.fromhex("8183000050") + bytes(range(16))
    return {
        "cover": _case(
            "a row, and the cover of its log", b"\x18\x2a", "field/3", b"cover\0" + LOG, cover
        ),
        "dropped": _case(
            "a longer payload, no name, and an entry that fell off its log",
            bytes(range(256)),
            "",
            b"dropped entry\0" + LOG,
            bytes.fromhex("83070102"),
        ),
    }
