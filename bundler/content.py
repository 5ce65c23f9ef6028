"""Packing and opening whole bundles: head, sections, seal (docs/format.md sections 4 and 5).

Who may send what, which counter is new and what is merged is for the caller to say; from here
comes who sent it, and that it is whole, meant for this node and not altered.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundler import cose, items
from bundler.errors import (
    ForgedError,
    LimitError,
    MalformedError,
    UnknownSenderError,
    UnopenableError,
)
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.seal import (
    Entropy,
    Sealer,
    directed_key,
    open_full,
    open_pairwise,
    seal_full,
    seal_pairwise,
)
from bundler.sealed import Header, SealedFull, SealedPairwise, parse_sealed
from bundler.sections import Section, Skipped, decode_sections
from ledger.card import node_id
from ledger.hpke import Unwrapper

_VERSION = 1
_NODE_ID_BYTES = 8
_INCARNATION_BYTES = 8
_DIGEST_BYTES = 32
# Seven items, of which the recipients are the longest.
_MAX_PAYLOAD_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Which message of its sender a bundle is.

    Attributes:
        incarnation: Of the sending node, 8 bytes.
        counter: Grows by one with each bundle of that incarnation.
        time_us: The sender's clock, microseconds since 1970 UTC; may be wrong by years.
    """

    incarnation: bytes
    counter: int
    time_us: int

    def fields(self) -> bytes:
        """Return the items that a head has of it."""
        time = self.time_us
        return b"".join(
            (
                items.byte_string(self.incarnation),
                items.uint(self.counter),
                items.uint(time) if time >= 0 else items.uint(-1 - time, 1),
            )
        )

    @classmethod
    def take(cls, reader: items.Reader) -> "Stamp":
        """Take the items of a stamp.

        Raises:
            MalformedError: something else comes next.
        """
        return cls(
            incarnation=reader.bytes_of(_INCARNATION_BYTES),
            counter=reader.uint(),
            time_us=reader.int64(),
        )


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a full bundle is for.

    Attributes:
        author: 32 bytes.
        hpke: X25519 public key, 32 bytes.
    """

    author: bytes
    hpke: bytes


@dataclass(frozen=True, slots=True)
class PeerKey:
    """A key shared with one peer, as the receiver of what that peer sends.

    Attributes:
        sender: The peer's author, 32 bytes.
        key: The pairwise key, 32 bytes.
    """

    sender: bytes
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """All that a node needs to open what comes.

    Attributes:
        author: Its own, 32 bytes.
        unwrapper: With its HPKE key.
        author_of: From a node id (8 bytes) to the author of that node, None if it has no card.
        peer_keys: Tried one after another; a peer may have several.
    """

    author: bytes
    unwrapper: Unwrapper
    author_of: Callable[[bytes], bytes | None]
    peer_keys: Sequence[PeerKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle whose sender is proven; what it says is not.

    Attributes:
        header: Priority and expiry.
        sender: Author of the node that made it, 32 bytes.
        stamp: Which of its messages.
        is_pairwise: Whether it came under a shared key.
        encoded_sections: A view into the content.
    """

    header: Header
    sender: bytes
    stamp: Stamp
    is_pairwise: bool
    encoded_sections: memoryview

    def sections(self, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Section | Skipped]:
        """Yield the sections, each decoded when it is asked for.

        Raises:
            MalformedError: the next one does not follow the format.
            LimitError: it is too big, or there are too many.
        """
        return decode_sections(self.encoded_sections, limits=limits)


def pack_full(
    sections: Sequence[bytes],
    *,
    header: Header,
    stamp: Stamp,
    signing_key: Ed25519PrivateKey,
    recipients: Sequence[Recipient],
    sealer: Sealer,
) -> bytes:
    """Return a sealed bundle signed by this node, for any of *recipients*.

    Args:
        sections: Each as `encode_section` gave it.
        header: Priority and expiry.
        stamp: Not used before.
        signing_key: Of this node.
        recipients: 1..64.
        sealer: Randomness.

    Raises:
        MalformedError: a recipient's key is not one.
        LimitError: too many recipients or sections, or the bundle becomes too big.
    """
    _check_count(sections)
    joined = b"".join(sections)
    author = signing_key.public_key().public_bytes_raw()

    def content_for(outside: bytes) -> bytes:
        payload = _payload(outside, stamp, [_id(to.author) for to in recipients], joined)
        return cose.sign(signing_key, kid=_id(author), payload=payload).to_bytes() + joined

    return seal_full(header, [to.hpke for to in recipients], content_for, sealer)


def pack_pairwise(
    sections: Sequence[bytes], *, header: Header, stamp: Stamp, key: bytes, entropy: Entropy
) -> bytes:
    """Return a sealed bundle for the peer with whom a key is shared.

    Args:
        sections: Each as `encode_section` gave it.
        header: Priority and expiry.
        stamp: Not used before.
        key: From `bundler.seal.directed_key`.
        entropy: For the nonce.

    Raises:
        LimitError: too many sections, or the bundle becomes too big.
    """
    _check_count(sections)
    head = items.array_head(4) + items.uint(_VERSION) + stamp.fields()
    return seal_pairwise(header, key, head + b"".join(sections), entropy)


def open_bundle(data: bytes, keyring: Keyring, *, limits: Limits = DEFAULT_LIMITS) -> Opened:
    """Open the sealed bundle *data* and verify everything about it but its sections.

    Raises:
        MalformedError: it does not follow the format.
        LimitError: it is beyond a bound.
        UnopenableError: no key of *keyring* opens it.
        UnknownSenderError: it opens, but its sender's card is missing.
        ForgedError: it was altered, or made of a bundle for others.
    """
    sealed = parse_sealed(data, limits=limits)
    if isinstance(sealed, SealedFull):
        return _open_full(sealed, keyring)
    return _open_pairwise(sealed, keyring)


def _open_full(sealed: SealedFull, keyring: Keyring) -> Opened:
    content = memoryview(open_full(sealed, keyring.unwrapper))
    reader = items.Reader(content)
    signed = cose.Sign1.take(reader, limit_bytes=_MAX_PAYLOAD_BYTES)
    sender = keyring.author_of(signed.kid)
    if sender is None:
        raise UnknownSenderError(signed.kid)
    signed.verify(sender)
    encoded_sections = content[reader.at :]
    return Opened(
        header=sealed.header,
        sender=sender,
        stamp=_check_payload(signed.payload, sealed, keyring.author, encoded_sections),
        is_pairwise=False,
        encoded_sections=encoded_sections,
    )


def _open_pairwise(sealed: SealedPairwise, keyring: Keyring) -> Opened:
    for peer in keyring.peer_keys:
        key = directed_key(peer.key, sender=peer.sender, recipient=keyring.author)
        try:
            content = memoryview(open_pairwise(sealed, key))
        except UnopenableError:
            continue
        reader = items.Reader(content)
        reader.array_of(4)
        _take_version(reader)
        stamp = Stamp.take(reader)
        return Opened(
            header=sealed.header,
            sender=peer.sender,
            stamp=stamp,
            is_pairwise=True,
            encoded_sections=content[reader.at :],
        )
    raise UnopenableError("no key shared with a peer opens this bundle; it may be for others")


def _payload(outside: bytes, stamp: Stamp, recipients: Sequence[bytes], sections: bytes) -> bytes:
    """Return what the sender of a full bundle signs."""
    return b"".join(
        (
            items.array_head(7),
            items.uint(_VERSION),
            stamp.fields(),
            items.byte_string(sha256(outside).digest()),
            items.array_head(len(recipients)),
            *map(items.byte_string, recipients),
            items.byte_string(sha256(sections).digest()),
        )
    )


def _check_payload(
    payload: bytes, sealed: SealedFull, author: bytes, encoded_sections: memoryview
) -> Stamp:
    """Check that what was signed is this bundle, for this node; return its stamp."""
    reader = items.Reader(payload)
    reader.array_of(7)
    _take_version(reader)
    stamp = Stamp.take(reader)
    outside = reader.bytes_of(_DIGEST_BYTES)
    recipients = [reader.bytes_of(_NODE_ID_BYTES) for _ in range(reader.array(len(payload)))]
    sections = reader.bytes_of(_DIGEST_BYTES)
    reader.end()
    if outside != sha256(sealed.outside()).digest():
        raise ForgedError("a content that was signed for another bundle: somebody sealed it again")
    if _id(author) not in recipients:
        raise ForgedError("a bundle that opens here and was signed for others")
    if sections != sha256(encoded_sections).digest():
        raise ForgedError("the sections of a bundle are not those that were signed")
    return stamp


def _take_version(reader: items.Reader) -> None:
    if reader.uint() != _VERSION:
        raise MalformedError("not a content of version 1; a newer pannier may read it")


def _check_count(sections: Sequence[bytes]) -> None:
    most = DEFAULT_LIMITS.sections
    if len(sections) > most:
        raise LimitError(f"{len(sections)} sections in a bundle, at most {most} are allowed")


def _id(author: bytes) -> bytes:
    return bytes.fromhex(node_id(author))
