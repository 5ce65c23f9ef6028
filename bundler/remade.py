"""Bundles that are made more than once, each time with the same bytes (docs/format.md section 4).

Between the first time, when the id of a bundle is learnt, and the last, when it goes out, all that
must be kept of it is a `Frame` and a secret: what its sections carry lies elsewhere. They are full
bundles, or clear ones. The secret is the content key, so it may never see other sections: whoever
makes a bundle again compares its id before a byte of it goes anywhere.

Their sections are contents of files, which entries prove. So the signature of a full one need not
cover them: to do so took a look at all of them before the first byte is sealed.
"""

from collections.abc import Iterable
from hashlib import sha256
from itertools import chain

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundler import cose, items, stream
from bundler.errors import LimitError
from bundler.head import OPEN, Stamp, payload_over
from bundler.limits import DEFAULT_LIMITS
from bundler.padding import padding
from bundler.seal import around_full, full_bytes, stream_key
from bundler.sealed import Header, SealedClear, sealed_bytes
from ledger.algorithm import HpkeKey
from ledger.card import node_id
from ledger.hpke import Wrapper
from ledger.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """All of a bundle but what its sections say.

    Attributes:
        header: Priority and expiry.
        outside: The bytes before its ciphertext or content.
        head: What its content begins with, signed.
        is_clear: Whether anybody can read it.
        is_padded: Whether it gets one of few sizes; not if it is clear.
    """

    header: Header
    outside: bytes
    head: bytes
    is_clear: bool = False
    is_padded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Who signs a bundle, for whom.

    Attributes:
        key: Of this node.
        stamp: Not used before.
        recipient: Author of the node that it is for, 32 bytes.
    """

    key: Ed25519PrivateKey
    stamp: Stamp
    recipient: bytes


def outside_full(header: Header, hpke: HpkeKey, key: bytes, wrapper: Wrapper) -> bytes:
    """Return what stands before the ciphertext of a full bundle for one.

    Args:
        header: Priority and expiry.
        hpke: The strongest key of the recipient's card.
        key: The content key, 32 bytes: of one content, ever.
        wrapper: For the stanza.

    Raises:
        MalformedError: *hpke* is not a key.
    """
    return around_full(header, [hpke], key, wrapper).outside()


def outside_clear(header: Header) -> bytes:
    """Return what stands before the content of a clear bundle."""
    return SealedClear(header=header).outside()


def full_frame(
    outside: bytes, header: Header, signing: Signing, *, is_padded: bool = False
) -> Frame:
    """Return the frame of a full bundle, whatever contents of files it is to carry.

    Args:
        outside: As `outside_full` gave it.
        header: Priority and expiry, as in *outside*.
        signing: Who signs, for whom.
        is_padded: Whether the bundle gets one of few sizes.
    """
    head = _signed(outside, signing, OPEN)
    return Frame(header=header, outside=outside, head=head, is_padded=is_padded)


def clear_frame(
    outside: bytes, header: Header, signing: Signing, sections: Iterable[bytes | memoryview]
) -> Frame:
    """Return the frame of the clear bundle that carries *sections*.

    Args:
        outside: As `outside_clear` gave it.
        header: Priority and expiry, as in *outside*.
        signing: Who signs, for whom.
        sections: In parts, each of which is done with before the next one is asked for.
    """
    digest = sha256()
    for part in sections:
        digest.update(part)
    head = _signed(outside, signing, digest.digest())
    return Frame(header=header, outside=outside, head=head, is_clear=True)


def remake(
    frame: Frame,
    key: bytes,
    sections: Iterable[bytes | memoryview],
    sections_bytes: int,
    room: memoryview | None = None,
) -> memoryview:
    """Return the bundle of *frame*.

    Args:
        frame: From `full_frame` or `clear_frame`.
        key: The content key that its stanza holds; not looked at if it is clear.
        sections: In parts, each of which is done with before the next one is asked for.
        sections_bytes: Their length.
        room: Where it is put, if there is room for it.

    Raises:
        LimitError: it is too big for any reader.
    """
    size = len(frame.head) + sections_bytes
    around = _padding(frame, size)
    size += len(around)
    inner = size if frame.is_clear else stream.encrypted_bytes(size)
    total = sealed_bytes(frame.outside, inner)
    if total > DEFAULT_LIMITS.bundle_bytes:
        raise LimitError(f"a bundle of {total} bytes is too big: pack fewer sections")
    if room is None or len(room) < total:
        room = memoryview(bytearray(total))
    sealed, start = room[:total], frame.outside + items.bytes_head(inner)
    sealed[: len(start)] = start
    parts = chain((frame.head,), sections, (around,))
    if frame.is_clear:
        _copy_into(sealed[len(start) :], parts)
    else:
        stream.encrypt_into(stream_key(key, frame.header), parts, size, sealed[len(start) :])
    return sealed


def _copy_into(out: memoryview, parts: Iterable[bytes | memoryview]) -> None:
    at = 0
    for part in parts:
        out[at : at + len(part)] = part
        at += len(part)


def _padding(frame: Frame, content_bytes: int) -> bytes:
    if not frame.is_padded or frame.is_clear:
        return b""
    return padding(content_bytes, lambda size: full_bytes(frame.outside, size))


def _signed(outside: bytes, signing: Signing, sections_digest: bytes) -> bytes:
    recipients = [bytes.fromhex(node_id(signing.recipient))]
    payload = payload_over(outside, signing.stamp, recipients, sections_digest)
    author = signing.key.public_key().public_bytes_raw()
    return cose.sign(signing.key, kid=bytes.fromhex(node_id(author)), payload=payload).to_bytes()
