"""Encryption of what lies in a ledger file (docs/format.md section 9.2). No I/O.

Whoever has the file but not the keys of its node learns no payload, no seed of a salt (which would
let payloads be guessed from their digests) and, where names are hidden, no name of a thing or kind.
Authors, times, sizes and the genesis stay readable.

Nothing here draws a nonce: equal data gives equal bytes, and a restored backup that repeats a nonce
gives nothing away but that. Source: AES-256-GCM-SIV, RFC 8452; a nonce from a MAC of what is
sealed, as in RFC 5297.
"""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import repeat
from operator import itemgetter
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from ledger.errors import AlteredError, MalformedError
from ledger.genesis import LedgerId
from ledger.kdf import derive
from ledger.lazy_dataclass import dataclass

TAG_BYTES = 16
NONCE_BYTES = 12
NAME_EXTRA_BYTES = NONCE_BYTES + TAG_BYTES
"""How much longer a hidden name is than the name."""

CHECK_BYTES = 16
# Hidden names that are remembered with what they say: at most some 100 MB.
_MAX_KNOWN_NAMES = 200_000
_NAME = b"name\0"
_ALTERED = "the payload is not the one that was signed: its row in the ledger file was altered"
_nonce = itemgetter(slice(0, NONCE_BYTES))
"""What of a digest is the nonce of its payload."""


@dataclass(frozen=True, slots=True)
class RestKey:
    """What the ledger files of one node are under.

    Attributes:
        key: 32 bytes.
        hides_names: Whether files made from now on hide the names of things and kinds.
    """

    key: bytes = field(repr=False)
    hides_names: bool = False

    def of_ledger(self, ledger_id: LedgerId) -> bytes:
        """Return the 32-byte key of the file of one ledger."""
        return derive(self.key, b"pannier ledger at rest 1\0" + ledger_id)


@dataclass(frozen=True, slots=True)
class FileKey:
    """What one ledger file is under, as a backup holds it: the `RestKey.of_ledger` of a node.

    Attributes:
        key: 32 bytes.
    """

    key: bytes = field(repr=False)

    def of_ledger(self, _: LedgerId) -> bytes:
        """Return the 32-byte key of the file."""
        return self.key


class Rest:
    """Seals and opens what lies in one ledger file. May be used by several threads."""

    def __init__(self, key: bytes, *, hides_names: bool = False) -> None:
        """Use the ledger's *key* (`RestKey.of_ledger`)."""
        self.key = key
        self.hides_names = hides_names
        self.check = derive(key, b"pannier check 1\0")[:CHECK_BYTES]
        self._payloads = AESGCMSIV(derive(key, b"pannier payloads 1\0"))
        self._others = AESGCMSIV(derive(key, b"pannier beside payloads 1\0"))
        self._nonce_key = derive(key, b"pannier nonces 1\0")
        self._known_names: dict[bytes, str] = {}

    def seal_payload(self, digest: bytes, payload: bytes) -> bytes:
        """Return *payload* sealed: 16 bytes longer.

        Args:
            digest: 32 bytes that commit to this payload and no other.
            payload: Any bytes.
        """
        return self._payloads.encrypt(_nonce(digest), payload, None)

    def seal_payloads(
        self, digests: Sequence[bytes], payloads: Sequence[bytes | None]
    ) -> Iterator[bytes | None]:
        """Yield the `seal_payload` of each of *payloads*, None for None."""
        seal = self._payloads.encrypt
        if None not in payloads:
            return map(seal, map(_nonce, digests), cast("Sequence[bytes]", payloads), repeat(None))
        return (
            None if payload is None else seal(_nonce(digest), payload, None)
            for digest, payload in zip(digests, payloads, strict=True)
        )

    def open_payload(self, digest: bytes, sealed: bytes) -> bytes:
        """Return the payload of which *sealed* is the `seal_payload`.

        Raises:
            AlteredError: it is not one, or *digest* is another.
        """
        try:
            return self._payloads.decrypt(_nonce(digest), sealed, None)
        except (InvalidTag, ValueError) as error:
            raise AlteredError(_ALTERED) from error

    def open_payloads(
        self, digests: Sequence[bytes], sealed: Sequence[bytes | None]
    ) -> list[bytes | None]:
        """Return the `open_payload` of each of *sealed*, None for None.

        Raises:
            AlteredError: as `open_payload`.
        """
        if None in sealed:
            pairs = zip(digests, sealed, strict=True)
            return [
                None if one is None else self.open_payload(digest, one) for digest, one in pairs
            ]
        whole, nonces = cast("Sequence[bytes]", sealed), map(_nonce, digests)
        try:
            return list(map(self._payloads.decrypt, nonces, whole, repeat(None)))
        except (InvalidTag, ValueError) as error:
            raise AlteredError(_ALTERED) from error

    def seal(self, what: bytes, data: bytes) -> bytes:
        """Return *data* sealed as *what*: 28 bytes longer; the same each time."""
        nonce = hmac.digest(self._nonce_key, what + data, "sha256")[:NONCE_BYTES]
        return nonce + self._others.encrypt(nonce, data, what)

    def open(self, what: bytes, sealed: bytes) -> bytes:
        """Return the data of which *sealed* is the `seal`.

        Raises:
            AlteredError: it is not one, or was sealed as something else.
        """
        try:
            return self._others.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], what)
        except (InvalidTag, ValueError) as error:
            label = what.partition(b"\0")[0].decode()
            raise AlteredError(f"the ledger file is damaged: a {label} was altered") from error

    def seal_name(self, name: str) -> str | bytes:
        """Return how the file knows the name of a thing or kind; always the same.

        Raises:
            MalformedError: *name* is not valid Unicode.
        """
        if not self.hides_names:
            return name
        try:
            return self.seal(_NAME, name.encode())
        except UnicodeEncodeError as error:
            raise MalformedError(f"nothing in a ledger is called so: {error}") from error

    def open_name(self, value: object) -> str:
        """Return the name that `seal_name` made *value* of.

        Raises:
            AlteredError: it is not one.
        """
        if not self.hides_names and isinstance(value, str):
            return value
        if not self.hides_names or not isinstance(value, bytes):
            raise AlteredError(
                "the ledger file is damaged: a name of another type than was written"
            )
        known = self._known_names.get(value)
        if known is None:
            known = self.open(_NAME, value).decode()
            if len(self._known_names) >= _MAX_KNOWN_NAMES:
                self._known_names.clear()
            self._known_names[value] = known
        return known
