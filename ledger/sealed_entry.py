"""Payloads for some members of a ledger only (docs/format.md section 3.9). Pure.

All members carry and prove the entry; only those for whom it was sealed read it. Sealed is a map
with integer keys, which no JSON gives: nobody takes one for data.

Source: RFC 9180 (`ledger.hpke`); AES-256-GCM under a key used once. GCM alone lets its maker choose
a ciphertext that two keys open to two plaintexts, so that a commitment to the key stands beside it.
"""

from collections.abc import Sequence
from hmac import compare_digest
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger import cbor
from ledger.algorithm import HpkeKey
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError, UnverifiedError
from ledger.genesis import LedgerId
from ledger.hpke import Unwrapper, Wrapper
from ledger.kdf import derive
from ledger.keys import Entropy
from ledger.lazy_dataclass import dataclass
from ledger.padding import padme_bytes

STANZAS, COMMITMENT, CIPHERTEXT = 0, 1, 2
"""Keys of the map."""

MAX_RECIPIENTS = 64
"""The writer included. A reader tries each stanza: 64 take 3 ms."""

COMMITMENT_BYTES = 32
"""Its maker draws both keys, so that a collision must be out of reach: 128 bits of work."""

_MAX_STANZA_BYTES = 4096
_KEY_BYTES = 32
_NONCE = bytes(12)
# Padmé leaves the sizes of small payloads nearly as they are: true and false would differ.
_LEAST_BYTES = 64
_MARK = b"\x80"
_STANZA_LABEL = b"pannier entry 1\0"
_COMMITMENT_LABEL = b"pannier entry commitment 1\0"
_CIPHERTEXT_LABEL = b"pannier entry key 1\0"


class Place(NamedTuple):
    """Where a sealed payload belongs; in another place it does not open.

    Attributes:
        ledger_id: 16 bytes.
        author: Whose log it is in, 32 bytes.
        thing: What the entry is about.
    """

    ledger_id: LedgerId
    author: bytes
    thing: str

    def info(self, label: bytes) -> bytes:
        """Return what keys for the use *label* are bound to."""
        return label + self.ledger_id + self.author + self.thing.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPayload:
    """A payload that some can open.

    Attributes:
        stanzas: The content key wrapped for each recipient, 1..64; none says for whom it is.
        commitment: To the content key, 32 bytes.
        ciphertext: The payload, padded and encrypted.
    """

    stanzas: tuple[bytes, ...]
    commitment: bytes
    ciphertext: bytes

    def to_payload(self) -> bytes:
        """Return the payload of the entry.

        Raises:
            MalformedError: it is longer than a payload may be.
        """
        payload = cbor.encode(
            {
                STANZAS: list(self.stanzas),
                COMMITMENT: self.commitment,
                CIPHERTEXT: self.ciphertext,
            }
        )
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise MalformedError(
                f"{len(payload)} bytes of sealed data in one entry, at most {MAX_PAYLOAD_BYTES}; "
                "split it over several things"
            )
        return payload

    @classmethod
    def from_value(cls, value: object) -> Self | None:
        """Return the sealed payload that a decoded payload is; None if it has another form."""
        if not isinstance(value, dict) or value.keys() != {STANZAS, COMMITMENT, CIPHERTEXT}:
            return None
        try:
            stanzas = tuple(cbor.as_bytes(item) for item in cbor.as_list(value[STANZAS]))
            commitment = cbor.as_bytes(value[COMMITMENT], COMMITMENT_BYTES)
            ciphertext = cbor.as_bytes(value[CIPHERTEXT])
        except MalformedError:
            return None
        if not 1 <= len(stanzas) <= MAX_RECIPIENTS or max(map(len, stanzas)) > _MAX_STANZA_BYTES:
            return None
        return cls(stanzas=stanzas, commitment=commitment, ciphertext=ciphertext)

    def open(self, place: Place, unwrapper: Unwrapper) -> bytes | None:
        """Return the payload inside; None if it is not for the holder of this key, or not of here.

        Raises:
            UnverifiedError: it is for the holder, but its maker spoiled it, or made it so that
                others would read something else.
            MalformedError: what is inside is not a payload.
        """
        info = place.info(_STANZA_LABEL)
        for stanza in self.stanzas:
            content_key = unwrapper.unwrap(stanza, info)
            if content_key is not None:
                return self._decrypted(place, content_key)
        return None

    def _decrypted(self, place: Place, content_key: bytes) -> bytes:
        if len(content_key) != _KEY_BYTES or not compare_digest(
            self.commitment, derive(content_key, place.info(_COMMITMENT_LABEL))
        ):
            raise UnverifiedError("its author sealed it under several keys: others may read else")
        try:
            key = AESGCM(derive(content_key, place.info(_CIPHERTEXT_LABEL)))
            padded = key.decrypt(_NONCE, self.ciphertext, None)
        except InvalidTag as error:
            raise UnverifiedError(
                "its author spoiled what is sealed: it opens for nobody"
            ) from error
        marked = padded.rstrip(b"\0")
        if not marked.endswith(_MARK):
            raise MalformedError("what is sealed does not end as it should")
        payload = marked.removesuffix(_MARK)
        cbor.decode(payload, limit_bytes=MAX_PAYLOAD_BYTES)
        return payload


def seal_payload(
    payload: bytes,
    place: Place,
    recipients: Sequence[HpkeKey],
    wrapper: Wrapper,
    entropy: Entropy,
) -> SealedPayload:
    """Seal *payload* for *recipients*, each once; whoever writes it should be one of them.

    Raises:
        MalformedError: there are none or over 64 recipients, one has no key, or it is too long.
    """
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise MalformedError(f"sealed for {len(recipients)}, 1 to {MAX_RECIPIENTS} are possible")
    content_key = entropy(_KEY_BYTES)
    info = place.info(_STANZA_LABEL)
    # A stanza begins with random bytes: in their order nobody sees whose comes first.
    stanzas = sorted(wrapper.wrap(content_key, key, info) for key in recipients)
    key = AESGCM(derive(content_key, place.info(_CIPHERTEXT_LABEL)))
    return SealedPayload(
        stanzas=tuple(stanzas),
        commitment=derive(content_key, place.info(_COMMITMENT_LABEL)),
        ciphertext=key.encrypt(_NONCE, _padded(payload), None),
    )


def _padded(payload: bytes) -> bytes:
    marked = payload + _MARK
    return marked.ljust(padme_bytes(max(len(marked), _LEAST_BYTES)), b"\0")
