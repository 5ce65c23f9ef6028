"""A bundle with contents of files while it waits: how it is made, and not its bytes.

The contents lie in the packs of their ledger already; written once more, sealed, they would cost
the disk as much again. So the outbox holds a *recipe* (docs/format.md section 9.6), a few hundred
bytes under the node's rest key, from which the same bundle is made whenever a carrier takes it.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from bundler.blob_section import blob_head
from bundler.errors import BundleError
from bundler.remade import Frame, remake
from bundler.sealed import Header
from ledger import cbor
from ledger.blob import DIGEST_BYTES, BlobCodec
from ledger.blob_pack import body_bytes
from ledger.errors import LedgerError
from ledger.genesis import LedgerId
from ledger.kdf import KEY_BYTES, derive
from ledger.keys import Entropy
from ledger.lazy_dataclass import dataclass
from ledger.store_blobs import Blobs, Place
from pannier.errors import PannierError

_VERSION = 1
_NONCE_BYTES = 12
_LEDGER_ID_BYTES = 16
_MAX_BYTES = 1 << 20
_CLEAR, _PADDED = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that a bundle is made of but the contents.

    Attributes:
        ledger_id: In which ledger's packs they lie.
        key: The content key, 32 bytes: of these contents, and no others, ever.
        frame: What stands around them.
        digests: Of the chunks, in order.
        placement: What `placement_of` gave when the bundle was sealed first.
    """

    ledger_id: LedgerId
    key: bytes
    frame: Frame
    digests: tuple[bytes, ...]
    placement: bytes

    def seal(self, rest_key: bytes, entropy: Entropy) -> bytes:
        """Return it as it lies on the disk, under the *rest_key* of the node."""
        frame, nonce = self.frame, entropy(_NONCE_BYTES)
        fields = [
            _VERSION,
            self.ledger_id,
            self.key,
            frame.header.priority,
            frame.header.expiry_days,
            _CLEAR * frame.is_clear | _PADDED * frame.is_padded,
            frame.outside,
            frame.head,
            b"".join(self.digests),
            self.placement,
        ]
        return nonce + _cipher(rest_key).encrypt(nonce, cbor.encode(fields), None)

    @classmethod
    def open(cls, data: bytes, rest_key: bytes) -> Self:
        """Return the recipe of which *data* is the `seal`.

        Raises:
            PannierError: it is none, or under another key.
        """
        try:
            plain = _cipher(rest_key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
            fields = cbor.as_list(cbor.decode(plain, limit_bytes=_MAX_BYTES), 10)
            version, ledger_id, key, priority, expiry, flags, outside, head = fields[:8]
            joined, placement = fields[8:]
            header = Header(cbor.as_uint(priority), cbor.as_uint(expiry))
            digests, kind = cbor.as_bytes(joined), cbor.as_uint(flags)
            if version != _VERSION:
                raise PannierError("a recipe of a later version: update pannier")
            return cls(
                ledger_id=LedgerId(cbor.as_bytes(ledger_id, _LEDGER_ID_BYTES)),
                key=cbor.as_bytes(key, KEY_BYTES),
                frame=Frame(
                    header=header,
                    outside=cbor.as_bytes(outside),
                    head=cbor.as_bytes(head),
                    is_clear=bool(kind & _CLEAR),
                    is_padded=bool(kind & _PADDED),
                ),
                digests=tuple(
                    digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)
                ),
                placement=cbor.as_bytes(placement),
            )
        except (InvalidTag, ValueError, LedgerError, BundleError) as error:
            raise PannierError("a recipe in the outbox was altered") from error

    def make(
        self, blobs: Blobs, places: Mapping[bytes, Place], room: memoryview | None = None
    ) -> memoryview:
        """Return the bundle. Any thread may ask.

        Args:
            blobs: Of its ledger.
            places: Where all of its chunks lie.
            room: Where it is put, if there is room for it.

        Raises:
            LedgerError: one of them cannot be read.
            BundleError: it cannot be made.
        """
        ordered = [places[digest] for digest in self.digests]
        parts, size = sections(blobs, ordered), sections_bytes(ordered)
        return remake(self.frame, self.key, parts, size, room)


def placement_of(places: Iterable[Place]) -> bytes:
    """Return a digest of where chunks lie, 32 bytes.

    A pack is never changed, and what is read from it is authenticated with its offset: from the
    same places come the same bytes.
    """
    digest = sha256()
    for pack, span in ((place.pack, place.span) for place in places):
        digest.update(pack + span.offset.to_bytes(8, "big") + span.length.to_bytes(8, "big"))
    return digest.digest()


def sections(blobs: Blobs, places: Iterable[Place]) -> Iterator[bytes | memoryview]:
    """Yield the sections that carry the chunks at *places*, in parts; each is there until the next.

    Raises:
        LedgerError: one of them cannot be read.
    """
    for codec, body in blobs.bodies_at(places):
        yield blob_head(codec, len(body))
        yield body


def sections_bytes(places: Iterable[Place]) -> int:
    """Return the length of the sections that carry the chunks at *places*."""
    lengths = (body_bytes(place.span.length) for place in places)
    return sum(len(blob_head(BlobCodec.PLAIN, length)) + length for length in lengths)


def _cipher(rest_key: bytes) -> AESGCMSIV:
    return AESGCMSIV(derive(rest_key, b"pannier recipes 1\0"))
