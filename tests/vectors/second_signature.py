"""Second signatures for the vectors of checkpoints, forks and closes."""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from tests.vectors.recorded import recorded

SEED = sha256(b"the second key of the author").digest()
OTHER_SEED = sha256(b"the second key of somebody else").digest()


def public_key(seed: bytes = SEED) -> bytes:
    return MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def second_signature(text: bytes, seed: bytes = SEED) -> bytes:
    """Return an ML-DSA-44 signature over *text* (FIPS 204, empty context)."""
    what = f"ML-DSA-44 of {seed.hex()[:8]} over {sha256(text).hexdigest()}"
    return recorded(what, lambda: MLDSA44PrivateKey.from_seed_bytes(seed).sign(text))
