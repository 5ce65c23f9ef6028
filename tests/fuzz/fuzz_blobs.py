"""Blob sections as they stand in a content, and recipes: what is under the seal, too."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from bundler.blob_section import BlobSection
from bundler.errors import BundleError
from bundler.sections import decode_sections, encode_section
from ledger.blob import CHUNK_BYTES
from ledger.kdf import derive
from pannier.errors import PannierError
from pannier.recipe import Recipe
from tests.fuzz.harness import Target, vectors
from tests.vectors.rest_vectors import REST_KEY

_CIPHER = AESGCMSIV(derive(REST_KEY, b"pannier recipes 1\0"))
_NONCE = bytes(12)
_LENGTH_BYTES = 8


def _sections(data: bytes) -> None:
    found = [one for one in decode_sections(data) if isinstance(one, BlobSection)]
    for section in found:
        chunk = section.chunk()
        content = chunk.content()
        assert 0 < len(content) == section.decoded_bytes <= CHUNK_BYTES
        assert sha256(content).digest() == chunk.digest
        assert encode_section(section) in data


def _recipe(data: bytes) -> None:
    Recipe.open(data[_LENGTH_BYTES:], REST_KEY)


def _fields(data: bytes) -> None:
    recipe = Recipe.open(_NONCE + _CIPHER.encrypt(_NONCE, data, None), REST_KEY)
    again = recipe.seal(REST_KEY, bytes)
    assert Recipe.open(again, REST_KEY) == recipe


READERS: tuple[Callable[[bytes], None], ...] = (_sections, _recipe, _fields)


def take(data: bytes) -> None:
    READERS[data[0] % len(READERS) if data else 0](data[1:])


def seeds() -> Iterator[bytes]:
    for data in vectors("blob", "data"):
        yield b"\0" + data
    for data in vectors("recipe", "recipe"):
        yield b"\1" + data
        sealed = data[_LENGTH_BYTES:]
        with suppress(InvalidTag, ValueError):
            yield b"\2" + _CIPHER.decrypt(sealed[:12], sealed[12:], None)


TARGET = Target(take, (BundleError, PannierError), seeds)
