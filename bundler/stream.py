"""Encryption of a content chunk by chunk (docs/format.md section 4).

Source: the payload of age v1 (C2SP age.md), with AES-256-GCM instead of ChaCha20-Poly1305; after
V. T. Hoang et al., "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (2015).
"""

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bundler.errors import ForgedError, MalformedError

CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
_COUNTER_BYTES = 11
_FORGED = "the ciphertext of a bundle was altered, cut or put together from others"


def encrypt(key: bytes, content: bytes) -> bytes:
    """Return *content* encrypted: 16 bytes longer for each chunk of 64 KiB begun.

    Args:
        key: 32 bytes that encrypt nothing else, ever: the nonces begin at zero.
        content: Any bytes.
    """
    cipher = AESGCM(key)
    return b"".join(
        cipher.encrypt(nonce, chunk, None) for nonce, chunk in _chunks(content, CHUNK_BYTES)
    )


def decrypt(key: bytes, ciphertext: bytes | memoryview) -> bytes:
    """Return the content of which *ciphertext* is the `encrypt`.

    Raises:
        MalformedError: no content encrypts to this length.
        ForgedError: *ciphertext* is not what was encrypted.
    """
    over = len(ciphertext) % (CHUNK_BYTES + TAG_BYTES)
    if not ciphertext or 0 < over < TAG_BYTES or (over == TAG_BYTES and len(ciphertext) > over):
        raise MalformedError(f"a ciphertext of {len(ciphertext)} bytes is of no content")
    cipher = AESGCM(key)
    try:
        return b"".join(
            cipher.decrypt(nonce, chunk, None)
            for nonce, chunk in _chunks(ciphertext, CHUNK_BYTES + TAG_BYTES)
        )
    except InvalidTag as error:
        raise ForgedError(_FORGED) from error


def encrypted_bytes(content_bytes: int) -> int:
    """Return the length of the ciphertext of a content of *content_bytes*."""
    return content_bytes + TAG_BYTES * max(1, -(-content_bytes // CHUNK_BYTES))


def _chunks(data: bytes | memoryview, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the nonce and bytes of each chunk; there is always one."""
    view = memoryview(data)
    count = max(1, -(-len(view) // size))
    for number in range(count):
        last = b"\1" if number == count - 1 else b"\0"
        nonce = number.to_bytes(_COUNTER_BYTES, "big") + last
        yield nonce, view[number * size : (number + 1) * size]
