"""The layout of a sealed bundle: what a carrier may see of it (docs/format.md section 4).

Says nothing of whether it opens; that is `bundler.seal`.
"""

from hashlib import sha256
from typing import TypeAlias

from bundler import items
from bundler.errors import LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from ledger.lazy_dataclass import dataclass

BUNDLE_ID_BYTES = 8
COMMITMENT_BYTES = 16
NONCE_BYTES = 12
MAX_PRIORITY = 7
MAX_EXPIRY_DAYS = 65_535
_VERSION, _COMPACT_VERSION = 1, 2
_FULL_ITEMS, _SHARED_ITEMS, _CLEAR_ITEMS, _COMPACT_ITEMS = 6, 5, 4, 4


def bundle_id(sealed: bytes | memoryview) -> bytes:
    """Return the id of a sealed bundle, 8 bytes."""
    return sha256(sealed).digest()[:BUNDLE_ID_BYTES]


@dataclass(frozen=True, slots=True)
class Header:
    """What carriers go by.

    Attributes:
        priority: 0 (first) to 7.
        expiry_days: Whole days since 2020-01-01 UTC, 0..65,535.
    """

    priority: int
    expiry_days: int

    def __post_init__(self) -> None:
        """Refuse what cannot be written.

        Raises:
            LimitError: priority or expiry are out of range.
        """
        if not (0 <= self.priority <= MAX_PRIORITY and 0 <= self.expiry_days <= MAX_EXPIRY_DAYS):
            raise LimitError(f"no priority {self.priority} or no expiry {self.expiry_days}")

    def to_bytes(self) -> bytes:
        """Return what the keys of the bundle are bound to."""
        return items.array_head(3) + self.fields()

    def fields(self, version: int = _VERSION) -> bytes:
        """Return the items that a bundle and its header begin with, without the array's head."""
        return b"".join(map(items.uint, (version, self.priority, self.expiry_days)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFull:
    """A bundle for several recipients, under a key of its own.

    Attributes:
        header: See `Header`.
        stanzas: The content key, wrapped for each recipient; 1..64.
        commitment: 16 bytes that only the one content key gives.
        ciphertext: Of the content, chunk by chunk.
    """

    header: Header
    stanzas: tuple[bytes, ...]
    commitment: bytes
    ciphertext: bytes | memoryview = b""

    def outside(self) -> bytes:
        """Return the bytes before the ciphertext; the signature inside covers them."""
        return b"".join(
            (
                items.array_head(_FULL_ITEMS),
                self.header.fields(),
                items.array_head(len(self.stanzas)),
                *map(items.byte_string, self.stanzas),
                items.byte_string(self.commitment),
            )
        )

    def to_bytes(self) -> bytes:
        """Return the sealed bundle."""
        return _with_ciphertext(self.outside(), self.ciphertext)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedShared:
    """A bundle under a key that two nodes share, or a group: nobody else can tell which.

    Attributes:
        header: See `Header`.
        nonce: 12 bytes.
        ciphertext: Of the whole content.
    """

    header: Header
    nonce: bytes
    ciphertext: bytes | memoryview = b""

    def outside(self) -> bytes:
        """Return the bytes before the ciphertext."""
        head = items.array_head(_SHARED_ITEMS)
        return head + self.header.fields() + items.byte_string(self.nonce)

    def to_bytes(self) -> bytes:
        """Return the sealed bundle."""
        return _with_ciphertext(self.outside(), self.ciphertext)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedClear:
    """A bundle that anybody can read, signed as a full one is.

    Attributes:
        header: See `Header`.
        content: Head and sections.
    """

    header: Header
    content: bytes | memoryview = b""

    def outside(self) -> bytes:
        """Return the bytes before the content; the signature inside covers them."""
        return items.array_head(_CLEAR_ITEMS) + self.header.fields()

    def to_bytes(self) -> bytes:
        """Return the bundle."""
        return _with_ciphertext(self.outside(), self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCompact:
    """A bundle under a key that two nodes share, of which the nonce and the sender are part.

    Attributes:
        header: See `Header`.
        ciphertext: Of the whole content.
    """

    header: Header
    ciphertext: bytes | memoryview = b""

    def outside(self) -> bytes:
        """Return the bytes before the ciphertext."""
        return items.array_head(_COMPACT_ITEMS) + self.header.fields(_COMPACT_VERSION)

    def bound(self) -> bytes:
        """Return what the ciphertext is bound to."""
        return items.array_head(3) + self.header.fields(_COMPACT_VERSION)

    def to_bytes(self) -> bytes:
        """Return the sealed bundle."""
        return _with_ciphertext(self.outside(), self.ciphertext)


Sealed: TypeAlias = SealedFull | SealedShared | SealedClear | SealedCompact


def parse_sealed(data: bytes | memoryview, *, limits: Limits = DEFAULT_LIMITS) -> Sealed:
    """Read the bundle that is all of *data*; its ciphertext or content is a view into that.

    Raises:
        MalformedError: *data* is not a sealed bundle.
        LimitError: it is too big, or is for too many.
    """
    if len(data) > limits.bundle_bytes:
        raise LimitError(f"a bundle of {len(data)} bytes, at most {limits.bundle_bytes} may come")
    reader = items.Reader(data)
    count = reader.array_of(_FULL_ITEMS, _SHARED_ITEMS, _CLEAR_ITEMS)
    version = reader.uint()
    if version != _VERSION and (version, count) != (_COMPACT_VERSION, _COMPACT_ITEMS):
        raise MalformedError("not a bundle of version 1 or 2; update pannier to read it")
    header = Header(reader.uint(MAX_PRIORITY), reader.uint(MAX_EXPIRY_DAYS))
    sealed: Sealed
    if count == _FULL_ITEMS:
        sealed = SealedFull(
            header=header,
            stanzas=_take_stanzas(reader, limits),
            commitment=reader.bytes_of(COMMITMENT_BYTES),
            ciphertext=reader.view(limits.bundle_bytes),
        )
    elif count == _SHARED_ITEMS:
        sealed = SealedShared(
            header=header,
            nonce=reader.bytes_of(NONCE_BYTES),
            ciphertext=reader.view(limits.bundle_bytes),
        )
    elif version == _COMPACT_VERSION:
        sealed = SealedCompact(header=header, ciphertext=reader.view(limits.bundle_bytes))
    else:
        sealed = SealedClear(header=header, content=reader.view(limits.bundle_bytes))
    reader.end()
    return sealed


def _take_stanzas(reader: items.Reader, limits: Limits) -> tuple[bytes, ...]:
    count = reader.array(limits.recipients)
    if not count:
        raise MalformedError("a bundle for nobody")
    return tuple(bytes(reader.view(limits.stanza_bytes)) for _ in range(count))


def sealed_bytes(outside: bytes, ciphertext_bytes: int) -> int:
    """Return the length of the bundle with *outside* and a ciphertext or content of that length."""
    return len(outside) + len(items.bytes_head(ciphertext_bytes)) + ciphertext_bytes


def _with_ciphertext(outside: bytes, ciphertext: bytes | memoryview) -> bytes:
    return b"".join((outside, items.bytes_head(len(ciphertext)), ciphertext))
