"""Keys derived from keys (docs/format.md section 4). Source: RFC 5869."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def derive(secret: bytes, info: bytes) -> bytes:
    """Return the 32-byte key that *secret* gives for the use that *info* names.

    Args:
        secret: Key material; the salt is empty.
        info: A label that ends with a zero byte, and what the key is bound to.
    """
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)
