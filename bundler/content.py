"""Packing and opening whole bundles: head, sections, seal (docs/format.md sections 4 and 5).

Who may send what, which counter is new and what is merged is for the caller to say; from here
comes who sent it, and that it is whole, meant for this node and not altered. Of a group bundle
nobody knows who sent it: it carries nothing for which that would matter.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundler import cose, items
from bundler.blob_section import BlobSection
from bundler.errors import (
    LimitError,
    MalformedError,
    UnencryptedError,
    UnknownSenderError,
    UnopenableError,
)
from bundler.head import (
    Stamp,
    check_payload,
    compact_head,
    group_head,
    pairwise_head,
    signed_payload,
    take_compact_head,
    take_group_head,
    take_pairwise_head,
)
from bundler.keyring import Keyring
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.log_section import LogSection
from bundler.notices import ForkSection, GenesisSection, KeySection
from bundler.padding import PAD, padding
from bundler.plain_sections import decode_plain, encode_plain
from bundler.seal import (
    Sealer,
    bounded,
    compact_bytes,
    compact_key,
    directed_key,
    full_bytes,
    group_sealing_key,
    open_compact,
    open_full,
    open_shared,
    seal_compact,
    seal_full,
    seal_shared,
    shared_bytes,
)
from bundler.sealed import (
    Header,
    SealedClear,
    SealedCompact,
    SealedFull,
    SealedShared,
    parse_sealed,
)
from bundler.sections import BodySection, Section, Skipped, decode_sections, section_type
from bundler.tail_section import TailSection
from ledger.algorithm import HpkeKey
from ledger.card import node_id
from ledger.lazy_dataclass import dataclass

# Seven items, of which the recipients are the longest.
_MAX_PAYLOAD_BYTES = 4096
# What needs no sender: everything in it is signed by whoever it is about.
_SELF_PROVING = (LogSection, GenesisSection, ForkSection, Skipped)
_NO_KEY = "no key shared with a peer or a group opens this bundle; it may be for others"
_SELF_PROVING_TYPES = {PAD, LogSection.TYPE, GenesisSection.TYPE, ForkSection.TYPE}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a full bundle is for.

    Attributes:
        author: 32 bytes.
        hpke: The strongest key of its card (`ledger.card.Card.hpke_key`).
    """

    author: bytes
    hpke: HpkeKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle that is whole and for this node; what it says is not proven.

    Attributes:
        header: Priority and expiry.
        sender: Author of the node that made it, 32 bytes, proven; None of a group bundle.
        stamp: Which of its messages; of a group bundle as unproven as its sender.
        is_pairwise: Whether it came under a key that only the sender and this node have.
        is_compact: Whether it is a compact one of these.
        is_clear: Whether anybody could read it.
        group: Under which group's key it came, 8 bytes; None of any other bundle.
        claimed_sender: The node id in a group bundle, 8 bytes: any member can write any.
        is_open: Whether its sections are not signed: they are contents of files.
        encoded_sections: A view into the content.
    """

    header: Header
    sender: bytes | None
    stamp: Stamp
    is_pairwise: bool = False
    is_compact: bool = False
    is_clear: bool = False
    group: bytes | None = None
    claimed_sender: bytes | None = None
    is_open: bool = False
    encoded_sections: memoryview

    def sections(self, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Section | Skipped]:
        """Yield the sections, each decoded when it is asked for.

        Raises:
            MalformedError: the next one does not follow the format, or has no place in a bundle of
                this kind: whoever relies on its sender must know that, and a secret must stay one.
            LimitError: it is too big, or there are too many.
        """
        decode = decode_plain if self.is_compact else decode_sections
        for section in decode(self.encoded_sections, limits=limits):
            _check_place(section, self)
            yield section


def _check_place(section: Section | Skipped, opened: Opened) -> None:
    if opened.group is not None and not isinstance(section, _SELF_PROVING):
        raise MalformedError("a group bundle in which its sender speaks of itself")
    if isinstance(section, TailSection) and not opened.is_compact:
        raise MalformedError("a tail in a bundle that is not compact")
    if opened.is_open and not isinstance(section, BlobSection | Skipped):
        raise MalformedError("a section that its sender did not sign")
    if opened.is_clear and isinstance(section, KeySection):
        raise MalformedError("a key in a bundle that anybody can read")


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
        sealer: Randomness, and whether to pad.

    Raises:
        MalformedError: a recipient's key is not one.
        LimitError: too many recipients or sections, or the bundle becomes too big.
    """
    joined = _joined(sections)
    authors = [to.author for to in recipients]

    def content_for(outside: bytes) -> bytes:
        body = joined
        if sealer.is_padded:
            head_bytes = len(_signed_head(outside, stamp, signing_key, authors, body))
            body += padding(head_bytes + len(body), lambda size: full_bytes(outside, size))
        return _signed_head(outside, stamp, signing_key, authors, body) + body

    return seal_full(header, [to.hpke for to in recipients], content_for, sealer)


def pack_clear(
    sections: Sequence[bytes],
    *,
    header: Header,
    stamp: Stamp,
    signing_key: Ed25519PrivateKey,
    recipients: Sequence[bytes],
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Return a bundle that anybody can read, signed by this node, for any of *recipients*.

    Args:
        sections: Each as `encode_section` gave it; none of them a key.
        header: Priority and expiry.
        stamp: Not used before.
        signing_key: Of this node.
        recipients: Their authors, 1..64.
        limits: Bounds on the result.

    Raises:
        MalformedError: a key is among *sections*.
        LimitError: too many recipients or sections, or the bundle becomes too big.
    """
    if any(section_type(one) == KeySection.TYPE for one in sections):
        raise MalformedError("a key has no place in a bundle that anybody can read")
    if not 1 <= len(recipients) <= limits.recipients:
        raise LimitError(f"a bundle for {len(recipients)}; 1 to {limits.recipients} may be")
    joined, clear = _joined(sections), SealedClear(header=header)
    head = _signed_head(clear.outside(), stamp, signing_key, recipients, joined)
    return bounded(replace(clear, content=head + joined).to_bytes(), limits)


def pack_pairwise(
    sections: Sequence[bytes], *, header: Header, stamp: Stamp, key: bytes, sealer: Sealer
) -> bytes:
    """Return a sealed bundle for the peer with whom a key is shared.

    Args:
        sections: Each as `encode_section` gave it.
        header: Priority and expiry.
        stamp: Not used before.
        key: From `bundler.seal.directed_key`.
        sealer: Randomness, and whether to pad.

    Raises:
        LimitError: too many sections, or the bundle becomes too big.
    """
    return _pack_shared(pairwise_head(stamp) + _joined(sections), header, key, sealer)


def pack_compact(
    sections: Sequence[BodySection], *, header: Header, stamp: Stamp, key: bytes, is_padded: bool
) -> bytes:
    """Return a small bundle for a peer that knows the key and under which incarnation we count.

    Args:
        sections: At most 4,095.
        header: Priority and expiry.
        stamp: Not used before.
        key: From `bundler.seal.compact_key`, for the incarnation in *stamp*.
        is_padded: Whether to pad.

    Raises:
        MalformedError: a section holds what no reader would take.
        LimitError: too many sections, or the bundle becomes too big.
    """
    _check_count(len(sections))
    content = compact_head(stamp) + encode_plain(sections)
    if is_padded:
        content += padding(len(content), lambda size: compact_bytes(header, size), is_plain=True)
    return seal_compact(header, key, content)


def pack_group(
    sections: Sequence[bytes],
    *,
    header: Header,
    stamp: Stamp,
    sender: bytes,
    key: bytes,
    sealer: Sealer,
) -> bytes:
    """Return a sealed bundle for all who have an epoch key.

    Args:
        sections: Each as `encode_section` gave it; only logs, geneses and forks.
        header: Priority and expiry.
        stamp: Not used before.
        sender: Author of this node, 32 bytes; nobody need believe it.
        key: The epoch key, 32 bytes.
        sealer: Randomness, and whether to pad.

    Raises:
        MalformedError: a section is among them for which its sender would have to be known.
        LimitError: too many sections, or the bundle becomes too big.
    """
    if not {section_type(one) for one in sections} <= _SELF_PROVING_TYPES:
        raise MalformedError("a group bundle carries only what proves itself")
    content = group_head(stamp, _id(sender)) + _joined(sections)
    return _pack_shared(content, header, group_sealing_key(key), sealer)


def open_bundle(
    data: bytes | memoryview,
    keyring: Keyring,
    *,
    limits: Limits = DEFAULT_LIMITS,
    room: memoryview | None = None,
) -> Opened:
    """Open the bundle *data* and verify everything about it but its sections.

    Args:
        data: A sealed bundle.
        keyring: What may open it.
        limits: Bounds on it.
        room: Where the content of a full bundle is put, if it has room for it.

    Raises:
        MalformedError: it does not follow the format.
        LimitError: it is beyond a bound.
        UnopenableError: no key of *keyring* opens it.
        UnknownSenderError: it opens, but its sender's card is missing.
        UnencryptedError: its sender is one with whom encryption is agreed.
        ForgedError: it was altered, or made of a bundle for others.
    """
    match parse_sealed(data, limits=limits):
        case SealedFull() as sealed:
            content = open_full(sealed, keyring.unwrapper, room)
            return _open_signed(sealed, content, keyring)
        case SealedClear() as sealed:
            opened = _open_signed(sealed, memoryview(sealed.content), keyring)
            if opened.is_open:
                raise MalformedError("a bundle that anybody can write to, and nobody has signed")
            if opened.sender not in keyring.clear_senders:
                raise UnencryptedError
            return replace(opened, is_clear=True)
        case SealedCompact() as sealed:
            return _open_compact(sealed, keyring)
        case sealed:
            return _open_pairwise(sealed, keyring) or _open_group(sealed, keyring)


def _open_signed(sealed: SealedFull | SealedClear, content: memoryview, keyring: Keyring) -> Opened:
    reader = items.Reader(content)
    signed = cose.Sign1.take(reader, limit_bytes=_MAX_PAYLOAD_BYTES)
    sender = keyring.author_of(signed.kid)
    if sender is None:
        raise UnknownSenderError(signed.kid)
    signed.verify(sender)
    encoded_sections = content[reader.at :]
    stamp, is_open = check_payload(
        signed.payload,
        outside=sealed.outside(),
        recipient=_id(keyring.author),
        sections=encoded_sections,
    )
    return Opened(
        header=sealed.header,
        sender=sender,
        stamp=stamp,
        is_open=is_open,
        encoded_sections=encoded_sections,
    )


def _open_pairwise(sealed: SealedShared, keyring: Keyring) -> Opened | None:
    """Return *sealed* opened under the key of a peer, None if it is under none of them."""
    for peer in keyring.peer_keys:
        key = directed_key(peer.key, sender=peer.sender, recipient=keyring.author)
        with suppress(UnopenableError):
            reader = items.Reader(content := memoryview(open_shared(sealed, key)))
            stamp = take_pairwise_head(reader)
            return Opened(
                header=sealed.header,
                sender=peer.sender,
                stamp=stamp,
                is_pairwise=True,
                encoded_sections=content[reader.at :],
            )
    return None


def _open_compact(sealed: SealedCompact, keyring: Keyring) -> Opened:
    for peer in keyring.peer_keys:
        if peer.incarnation is None:
            continue
        key = compact_key(
            peer.key,
            sender=peer.sender,
            recipient=keyring.author,
            incarnation=peer.incarnation,
        )
        with suppress(UnopenableError):
            reader = items.Reader(content := memoryview(open_compact(sealed, key)))
            stamp = take_compact_head(reader, peer.incarnation)
            return Opened(
                header=sealed.header,
                sender=peer.sender,
                stamp=stamp,
                is_pairwise=True,
                is_compact=True,
                encoded_sections=content[reader.at :],
            )
    raise UnopenableError(_NO_KEY)


def _open_group(sealed: SealedShared, keyring: Keyring) -> Opened:
    for group in keyring.group_keys:
        with suppress(UnopenableError):
            content = memoryview(open_shared(sealed, group_sealing_key(group.key)))
            reader = items.Reader(content)
            stamp, claimed = take_group_head(reader)
            return Opened(
                header=sealed.header,
                sender=None,
                stamp=stamp,
                group=group.group,
                claimed_sender=claimed,
                encoded_sections=content[reader.at :],
            )
    raise UnopenableError(_NO_KEY)


def _pack_shared(content: bytes, header: Header, key: bytes, sealer: Sealer) -> bytes:
    if sealer.is_padded:
        content += padding(len(content), lambda size: shared_bytes(header, size))
    return seal_shared(header, key, content, sealer.entropy)


def _signed_head(
    outside: bytes,
    stamp: Stamp,
    key: Ed25519PrivateKey,
    recipients: Iterable[bytes],
    sections: bytes,
) -> bytes:
    """Return the head of a full or clear bundle; its length does not depend on *sections*."""
    payload = signed_payload(outside, stamp, [_id(author) for author in recipients], sections)
    author = key.public_key().public_bytes_raw()
    return cose.sign(key, kid=_id(author), payload=payload).to_bytes()


def _joined(sections: Sequence[bytes]) -> bytes:
    _check_count(len(sections))
    return b"".join(sections)


def _check_count(count: int) -> None:
    # One less than a reader takes: padding may come to it.
    most = DEFAULT_LIMITS.sections - 1
    if count > most:
        raise LimitError(f"{count} sections in a bundle, at most {most} are allowed")


def _id(author: bytes) -> bytes:
    return bytes.fromhex(node_id(author))
