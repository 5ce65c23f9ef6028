"""Encryption of a content chunk by chunk (docs/format.md section 4).

Source: the payload of age v1 (C2SP age.md), with AES-256-GCM instead of ChaCha20-Poly1305; after
V. T. Hoang et al., "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (2015).
"""

from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bundler.errors import ForgedError, MalformedError

Read = Callable[[int], bytes]
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


def encrypt_into(
    key: bytes, parts: Iterable[bytes | memoryview], size: int, out: memoryview
) -> None:
    """Write the `encrypt` of a content to *out*: no memory is asked for.

    Args:
        key: As for `encrypt`.
        parts: The content; each part is done with before the next one is asked for.
        size: Length of them together.
        out: Just as long as the result.
    """
    cipher, last = AESGCM(key), max(1, -(-size // CHUNK_BYTES)) - 1
    rest, filled, number = memoryview(bytearray(CHUNK_BYTES)), 0, 0

    def encrypt_chunk(chunk: memoryview) -> None:
        at = number * (CHUNK_BYTES + TAG_BYTES)
        nonce = _nonce(number, is_last=number == last)
        cipher.encrypt_into(nonce, chunk, None, out[at : at + len(chunk) + TAG_BYTES])

    for given in parts:
        part, at = memoryview(given), 0
        while at < len(part):
            if not filled and len(part) - at >= CHUNK_BYTES:
                encrypt_chunk(part[at : at + CHUNK_BYTES])
                at, number = at + CHUNK_BYTES, number + 1
                continue
            count = min(CHUNK_BYTES - filled, len(part) - at)
            rest[filled : filled + count] = part[at : at + count]
            at, filled = at + count, filled + count
            if filled == CHUNK_BYTES:
                encrypt_chunk(rest)
                filled, number = 0, number + 1
    if filled or not size:
        encrypt_chunk(rest[:filled])


def decrypt(
    key: bytes, ciphertext: bytes | memoryview, out: memoryview | None = None
) -> memoryview:
    """Return the content of which *ciphertext* is the `encrypt`.

    Args:
        key: As for `encrypt`.
        ciphertext: What was encrypted.
        out: Where the content is put, if it has room for it.

    Raises:
        MalformedError: no content encrypts to this length.
        ForgedError: *ciphertext* is not what was encrypted.
    """
    over = len(ciphertext) % (CHUNK_BYTES + TAG_BYTES)
    if not ciphertext or 0 < over < TAG_BYTES or (over == TAG_BYTES and len(ciphertext) > over):
        raise MalformedError(f"a ciphertext of {len(ciphertext)} bytes is of no content")
    cipher, size = AESGCM(key), CHUNK_BYTES + TAG_BYTES
    content_bytes = len(ciphertext) - TAG_BYTES * -(-len(ciphertext) // size)
    if out is None or len(out) < content_bytes:
        out = memoryview(bytearray(content_bytes))
    content = out[:content_bytes]
    try:
        for number, (nonce, chunk) in enumerate(_chunks(ciphertext, size)):
            at = number * CHUNK_BYTES
            cipher.decrypt_into(nonce, chunk, None, content[at : at + len(chunk) - TAG_BYTES])
    except InvalidTag as error:
        raise ForgedError(_FORGED) from error
    return content


def encrypt_chunks(key: bytes, read: Read) -> Iterator[bytes]:
    """Yield the `encrypt` of what *read* gives; a few chunks are in memory.

    Args:
        key: As for `encrypt`.
        read: Returns that many bytes, fewer only at the end.
    """
    cipher = AESGCM(key)
    for nonce, chunk in _read_chunks(read, CHUNK_BYTES):
        yield cipher.encrypt(nonce, chunk, None)


def decrypt_chunks(key: bytes, read: Read) -> Iterator[bytes]:
    """Yield the content of which *read* gives the `encrypt`; all of it is there only at the end.

    Raises:
        ForgedError: it is not what was encrypted, or not all of it.
    """
    cipher = AESGCM(key)
    for nonce, chunk in _read_chunks(read, CHUNK_BYTES + TAG_BYTES):
        if len(chunk) == TAG_BYTES and nonce[:_COUNTER_BYTES].strip(b"\0"):
            raise ForgedError(_FORGED)  # an empty last chunk is only that of an empty content
        try:
            yield cipher.decrypt(nonce, chunk, None)
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
        yield (
            _nonce(number, is_last=number == count - 1),
            view[number * size : (number + 1) * size],
        )


def _read_chunks(read: Read, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the nonce and bytes of each chunk; there is always one."""
    chunk, number = read(size), 0
    while following := read(size):
        yield _nonce(number, is_last=False), chunk
        chunk, number = following, number + 1
    yield _nonce(number, is_last=True), chunk


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + (b"\1" if is_last else b"\0")
