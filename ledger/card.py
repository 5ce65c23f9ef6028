"""Who a node is, as its peers know it: ids, fingerprint and card (docs/format.md section 2)."""

import base64
import binascii
from hashlib import sha256
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import cbor
from ledger.algorithm import KEMS, Algorithm, HpkeKey
from ledger.ed25519 import verify
from ledger.errors import MalformedError, UnverifiedError
from ledger.lazy_dataclass import dataclass
from ledger.signing import Verifier

TEXT_PREFIX = "PANNIER1:"
MAX_NAME_CHARACTERS = 64
_MAX_CARD_BYTES = 8192
_MAX_KEYS = 4


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
    if name.isascii() and name.isprintable() and "/" not in name:  # most are
        return name
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
        keys: Public keys by the number of their `Algorithm`, ascending; those of kinds that are not
            known here are kept.
        signature: 64 bytes.
    """

    name: str
    author: bytes
    keys: tuple[tuple[int, bytes], ...]
    signature: bytes

    @classmethod
    def sign(
        cls, key: Ed25519PrivateKey, *, name: str, keys: tuple[tuple[int, bytes], ...]
    ) -> Self:
        """Make the card of the node that holds *key*.

        Raises:
            MalformedError: *name* is not a name.
        """
        check_name(name)
        author = key.public_key().public_bytes_raw()
        signature = key.sign(_signed(name, author, keys))
        return cls(name=name, author=author, keys=keys, signature=signature)

    def to_bytes(self) -> bytes:
        """Return the card as one CBOR item."""
        return cbor.encode([1, self.name, self.author, _as_lists(self.keys), self.signature])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read and verify a card.

        Raises:
            NewerError: *data* is of a later version.
            MalformedError: it is not a card.
            UnverifiedError: its signature is not by its own key.
        """
        fields = cbor.as_list(cbor.decode(data, limit_bytes=_MAX_CARD_BYTES))
        cbor.check_version(fields, "a card")
        _, name, author, keys, signature = cbor.as_list(fields, 5)
        card = cls(
            name=check_name(cbor.as_text(name)),
            author=cbor.as_bytes(author, 32),
            keys=_keys(keys),
            signature=cbor.as_bytes(signature, 64),
        )
        try:
            verify(card.author, _signed(card.name, card.author, card.keys), card.signature)
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
        signed = cbor.encode([1, self.name, self.author, _as_lists(self.keys)])
        digest = sha256(b"pannier fingerprint 1\0" + signed).digest()[:10]
        text = _base32(digest)
        return "-".join(text[i : i + 4] for i in range(0, 16, 4))

    @property
    def x25519(self) -> bytes:
        """The X25519 key, 32 bytes: every node has one, for the hints in names of files.

        Raises:
            MalformedError: the card has none.
        """
        key = self._key(Algorithm.X25519)
        if key is None:
            raise MalformedError(f"the card of {self.name} has no X25519 key; its node is too new")
        return key

    @property
    def hpke_key(self) -> HpkeKey:
        """The strongest key under which something can be wrapped for this node; no other is used.

        Raises:
            MalformedError: the card has none that is known here.
        """
        for algorithm in KEMS:
            public = self._key(algorithm)
            if public is not None:
                return HpkeKey(algorithm, public)
        raise MalformedError(f"no key in the card of {self.name} is known; its node is too new")

    @property
    def verifier(self) -> Verifier:
        """What the checkpoints of this author must be signed with."""
        return Verifier(self.author, frozenset({self._key(Algorithm.MLDSA44)}))

    @property
    def algorithms(self) -> frozenset[int]:
        """The numbers of the algorithms that the card promises, also of those not known here."""
        return frozenset(number for number, _ in self.keys)

    def _key(self, algorithm: Algorithm) -> bytes | None:
        return dict(self.keys).get(algorithm)


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


def _as_lists(keys: tuple[tuple[int, bytes], ...]) -> list[list[object]]:
    return [[number, key] for number, key in keys]


def _signed(name: str, author: bytes, keys: tuple[tuple[int, bytes], ...]) -> bytes:
    return b"pannier card 1\0" + cbor.encode([1, name, author, _as_lists(keys)])


def _keys(value: object) -> tuple[tuple[int, bytes], ...]:
    pairs = [cbor.as_list(item, 2) for item in cbor.as_list(value)]
    keys = tuple(
        (cbor.as_uint(number, maximum=0xFFFF), cbor.as_bytes(key)) for number, key in pairs
    )
    numbers = [number for number, _ in keys]
    if not 1 <= len(keys) <= _MAX_KEYS or numbers != sorted(set(numbers)):
        raise MalformedError("a card has 1 to 4 keys in ascending order of their numbers")
    found = dict(keys)
    for algorithm in Algorithm:
        if algorithm in found and len(found[algorithm]) != algorithm.public_bytes:
            raise MalformedError(f"a key for {algorithm.label} has {algorithm.public_bytes} bytes")
    return keys
