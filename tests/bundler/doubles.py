"""Stand-ins for randomness that run the same way each time; HPKE as RFC 9180 writes it."""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ledger.algorithm import Algorithm, HpkeKey
from ledger.hpke import HpkeWrapper

_KEM = b"KEM\x00\x20"


class CountedEntropy:
    """The same bytes in each run, others in each call."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._calls = 0

    def __call__(self, size: int) -> bytes:
        self._calls += 1
        blocks = range(-(-size // 32))
        stream = b"".join(
            sha256(b"%b/%d/%d" % (self._seed, self._calls, block)).digest() for block in blocks
        )
        return stream[:size]


class CountedWrapper:
    """A `ledger.hpke.Wrapper` whose stanzas the real `Unwrapper` opens.

    Under X25519 the same in each run; nothing here runs ML-KEM the same way twice.
    """

    def __init__(self, seed: str) -> None:
        self._entropy = CountedEntropy(seed)

    def wrap(self, content_key: bytes, key: HpkeKey, info: bytes) -> bytes:
        if key.algorithm is not Algorithm.X25519:
            return HpkeWrapper().wrap(content_key, key, info)
        return hpke_seal(content_key, key.public, info, ephemeral=self._entropy(32))


def hpke_seal(plaintext: bytes, public_key: bytes, info: bytes, *, ephemeral: bytes) -> bytes:
    """Single shot, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    key = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = key.public_key().public_bytes_raw()
    shared = _expand(
        _KEM,
        _extract(
            _KEM, b"", b"eae_prk", key.exchange(X25519PublicKey.from_public_bytes(public_key))
        ),
        b"shared_secret",
        enc + public_key,
        32,
    )
    return enc + hpke_encrypt(0x0020, shared, plaintext, info)


def hpke_encrypt(kem: int, shared: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Return the ciphertext for the secret that *kem* gave; HKDF-SHA256, AES-256-GCM."""
    suite = b"HPKE" + kem.to_bytes(2, "big") + b"\x00\x01\x00\x02"
    context = b"\0" + _extract(suite, b"", b"psk_id_hash", b"")
    context += _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    aead = AESGCM(_expand(suite, secret, b"key", context, 32))
    return aead.encrypt(_expand(suite, secret, b"base_nonce", context, 12), plaintext, b"")


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, sha256)


def _expand(suite: bytes, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    full = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(algorithm=SHA256(), length=length, info=full).derive(secret)
