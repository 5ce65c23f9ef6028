"""Who a node is, as its peers know it: ids, fingerprint and card (docs/format.md section 2)."""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import cbor
from ledger.ed25519 import verify
from ledger.errors import MalformedError, UnverifiedError

SUITE_X25519 = 0x0020
"""DHKEM(X25519, HKDF-SHA256), RFC 9180 section 7.1."""

TEXT_PREFIX = "PANNIER1:"
MAX_NAME_CHARACTERS = 64
_MAX_CARD_BYTES = 8192
_MAX_SUITES = 4


def node_id(author: bytes) -> str:
    """Return the node id of *author* (32 bytes) as 16 hex digits."""
    return sha256(b"pannier node 1\0" + author).digest()[:8].hex()


def check_name(name: str, what: str = "name") -> str:
    """Return *name* if a node or a ledger can have it.

    Raises:
        MalformedError: it is empty, too long, or holds a control character or a slash.
    """
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise MalformedError(f"a {what} has 1 to {MAX_NAME_CHARACTERS} characters")
    # Not by Unicode category: whether one is assigned differs between versions of Python, and with
    # it what a grant says would.
    if any(char < " " or "\x7f" <= char <= "\x9f" or char in "/\u2028\u2029" for char in name):
        raise MalformedError(f"the {what} {name!r} holds a control character or a slash")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A node's public keys under its own signature; a value of this type has been verified.

    Attributes:
        name: What the node calls itself; its peers may call it something else.
        author: Ed25519 public key, 32 bytes.
        hpke: Public keys by HPKE suite, ascending; suites not known here are kept.
        signature: 64 bytes.
    """

    name: str
    author: bytes
    hpke: tuple[tuple[int, bytes], ...]
    signature: bytes

    @classmethod
    def sign(
        cls, key: Ed25519PrivateKey, *, name: str, hpke: tuple[tuple[int, bytes], ...]
    ) -> Self:
        """Make the card of the node that holds *key*.

        Raises:
            MalformedError: *name* is not a name.
        """
        check_name(name)
        author = key.public_key().public_bytes_raw()
        signature = key.sign(_signed(name, author, hpke))
        return cls(name=name, author=author, hpke=hpke, signature=signature)

    def to_bytes(self) -> bytes:
        """Return the card as one CBOR item."""
        return cbor.encode([1, self.name, self.author, _as_lists(self.hpke), self.signature])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read and verify a card.

        Raises:
            MalformedError: *data* is not a card of version 1.
            UnverifiedError: its signature is not by its own key.
        """
        fields = cbor.as_list(cbor.decode(data, limit_bytes=_MAX_CARD_BYTES))
        if not fields or cbor.as_uint(fields[0]) != 1:
            raise MalformedError("not a card of version 1; a newer pannier may read it")
        _, name, author, hpke, signature = cbor.as_list(fields, 5)
        card = cls(
            name=check_name(cbor.as_text(name)),
            author=cbor.as_bytes(author, 32),
            hpke=_suites(hpke),
            signature=cbor.as_bytes(signature, 64),
        )
        try:
            verify(card.author, _signed(card.name, card.author, card.hpke), card.signature)
        except UnverifiedError as error:
            raise UnverifiedError(
                "the card's signature does not fit: it was altered or copied badly; get it again"
            ) from error
        return card

    def to_text(self) -> str:
        """Return the card as one line of letters and digits, for files, mail and QR codes."""
        return TEXT_PREFIX + _base32(self.to_bytes())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a card from what `to_text` gave; white space and case do not matter.

        Raises:
            MalformedError: *text* is not a card.
            UnverifiedError: its signature is not by its own key.
        """
        joined = "".join(text.split())
        # Some letters beyond ASCII have capitals in it.
        joined = joined.upper() if joined.isascii() else ""
        if not joined.startswith(TEXT_PREFIX):
            raise MalformedError(f"not a card: a card is one line that begins with {TEXT_PREFIX}")
        digits = joined.removeprefix(TEXT_PREFIX)
        try:
            data = base64.b32decode(digits + "=" * (-len(digits) % 8))
        except binascii.Error as error:
            raise MalformedError("the card is not whole: a letter is missing or wrong") from error
        if _base32(data) != digits:  # the last letter has bits to spare
            raise MalformedError("the card is not whole: its last letter is wrong")
        return cls.from_bytes(data)

    @property
    def node_id(self) -> str:
        """The node id, 16 hex digits."""
        return node_id(self.author)

    @property
    def fingerprint(self) -> str:
        """16 letters and digits for people to compare: ``ABCD-EFGH-IJKL-MNOP``."""
        signed = cbor.encode([1, self.name, self.author, _as_lists(self.hpke)])
        digest = sha256(b"pannier fingerprint 1\0" + signed).digest()[:10]
        text = _base32(digest)
        return "-".join(text[i : i + 4] for i in range(0, 16, 4))

    @property
    def x25519(self) -> bytes:
        """The X25519 HPKE key, 32 bytes.

        Raises:
            MalformedError: the card has none.
        """
        for suite, key in self.hpke:
            if suite == SUITE_X25519:
                return key
        raise MalformedError(f"the card of {self.name} has no X25519 key; its node is too new")


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


def _as_lists(hpke: tuple[tuple[int, bytes], ...]) -> list[list[object]]:
    return [[suite, key] for suite, key in hpke]


def _signed(name: str, author: bytes, hpke: tuple[tuple[int, bytes], ...]) -> bytes:
    return b"pannier card 1\0" + cbor.encode([1, name, author, _as_lists(hpke)])


def _suites(value: object) -> tuple[tuple[int, bytes], ...]:
    pairs = [cbor.as_list(item, 2) for item in cbor.as_list(value)]
    suites = tuple(
        (cbor.as_uint(suite, maximum=0xFFFF), cbor.as_bytes(key)) for suite, key in pairs
    )
    numbers = [suite for suite, _ in suites]
    if not 1 <= len(suites) <= _MAX_SUITES or numbers != sorted(set(numbers)):
        raise MalformedError("a card has 1 to 4 HPKE keys in ascending order of their suites")
    if any(suite == SUITE_X25519 and len(key) != 32 for suite, key in suites):
        raise MalformedError("an X25519 key has 32 bytes")
    return suites
