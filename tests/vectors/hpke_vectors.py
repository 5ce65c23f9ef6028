"""Vectors of stanzas (docs/format.md section 4), put together from RFC 9180 and the X-Wing draft.

Source: RFC 9180 sections 4.1, 5.1 and 6.1; draft-connolly-cfrg-xwing-kem sections 5.2 to 5.5.
"""

from hashlib import sha3_256, shake_256

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.bundler.doubles import hpke_encrypt, hpke_seal
from tests.vectors.recorded import recorded

Case = dict[str, object]
CONTENT_KEY = bytes(range(32))
INFO = b"what the stanza is bound to"
X25519 = bytes([7]) * 32
# The first seed of the test vectors in the draft.
SEED = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
# What the draft draws as a wing, in ASCII.
_LABEL = bytes.fromhex("5c2e2f2f5e5c")


def hybrid_stanza(content_key: bytes = CONTENT_KEY, *, seed: bytes = SEED) -> bytes:
    """Return the stanza under MLKEM768-X25519 for the one who has *seed*."""
    expanded = shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    ciphertext = recorded(
        f"ML-KEM-768 for {seed.hex()}", lambda: mlkem.public_key().encapsulate()[1]
    )
    ephemeral = X25519PrivateKey.from_private_bytes(bytes([9]) * 32).public_key()
    shared = sha3_256(
        mlkem.decapsulate(ciphertext)
        + x25519.exchange(ephemeral)
        + ephemeral.public_bytes_raw()
        + x25519.public_key().public_bytes_raw()
        + _LABEL
    ).digest()
    sealed = hpke_encrypt(0x647A, shared, content_key, INFO)
    return ciphertext + ephemeral.public_bytes_raw() + sealed


def cases() -> dict[str, Case]:
    public = X25519PrivateKey.from_private_bytes(X25519).public_key().public_bytes_raw()
    short = hpke_seal(CONTENT_KEY, public, INFO, ephemeral=bytes([9]) * 32)
    long = hybrid_stanza()
    stanzas: dict[str, tuple[str, str, str, bytes]] = {
        "x25519": ("under X25519", "success", "x25519", short),
        "hybrid": ("under MLKEM768-X25519", "success", "seed", long),
        "refused_weaker": ("for a hybrid key, under X25519 alone", "refused", "seed", short),
        "refused_stronger": ("for an X25519 key, under a hybrid", "refused", "x25519", long),
        "refused_mlkem": ("a bit of the ML-KEM part flipped", "refused", "seed", _flip(long, 0)),
        "refused_enc": ("a bit of the X25519 part flipped", "refused", "seed", _flip(long, 1090)),
        "refused_ct": ("a bit of what is sealed flipped", "refused", "seed", _flip(long, 1120)),
        "refused_long": ("a byte too many", "refused", "seed", long + b"\0"),
        "refused_long_key": (
            "a key of 33 bytes inside",
            "refused",
            "seed",
            hybrid_stanza(bytes(33)),
        ),
        "refused_other": (
            "for somebody else",
            "refused",
            "seed",
            hybrid_stanza(seed=bytes(32)),
        ),
    }
    return {
        stem: {
            "comment": comment,
            "expect": expect,
            "private": (SEED if key == "seed" else X25519).hex(),
            "kem": 0x647A if key == "seed" else 0x0020,
            "info": INFO.hex(),
            "stanza": stanza.hex(),
            "content_key": CONTENT_KEY.hex(),
        }
        for stem, (comment, expect, key, stanza) in stanzas.items()
    }


def _flip(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
