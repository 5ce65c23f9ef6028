"""Sealing a content and opening it again (docs/format.md section 4).

Full bundles, and those under a key that two nodes or a group share; what a content is,
`bundler.content` knows.

The signature inside a full bundle covers what stands outside, so that is made first and the
content after it: `seal_full` gets a function from the one to the other. There is no way to use a
content key twice.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from bundler import stream
from bundler.errors import ForgedError, LimitError, UnopenableError, ledger_errors_converted
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.sealed import (
    COMMITMENT_BYTES,
    NONCE_BYTES,
    Header,
    SealedCompact,
    SealedFull,
    SealedShared,
    sealed_bytes,
)
from ledger.algorithm import HpkeKey
from ledger.hpke import STANZA_BYTES, Unwrapper, Wrapper
from ledger.kdf import KEY_BYTES, derive
from ledger.lazy_dataclass import dataclass

_NO_NONCE = bytes(NONCE_BYTES)
Entropy = Callable[[int], bytes]
"""Returns that many unpredictable bytes."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """How bundles are sealed: where all randomness comes from, and whether sizes may tell.

    Attributes:
        entropy: For content keys and nonces.
        wrapper: For stanzas.
        is_padded: Whether bundles get one of few sizes (`bundler.padding`).
    """

    entropy: Entropy
    wrapper: Wrapper
    is_padded: bool = False


def seal_full(
    header: Header,
    recipients: Sequence[HpkeKey],
    content_for: Callable[[bytes], bytes],
    sealer: Sealer,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Seal a content for *recipients* under a fresh key.

    Args:
        header: Priority and expiry.
        recipients: Their HPKE public keys, 1..64; of each the strongest.
        content_for: Gives the content, once, for the bytes that stand outside of it.
        sealer: Randomness.
        limits: Bounds on the result.

    Raises:
        MalformedError: one of *recipients* is not a key.
        LimitError: there are none or too many, or the bundle becomes too big.
    """
    if not 1 <= len(recipients) <= limits.recipients:
        raise LimitError(f"a bundle for {len(recipients)}; 1 to {limits.recipients} may be")
    key = sealer.entropy(KEY_BYTES)
    sealed = around_full(header, recipients, key, sealer.wrapper)
    content = content_for(sealed.outside())
    ciphertext = stream.encrypt(stream_key(key, header), content)
    return bounded(replace(sealed, ciphertext=ciphertext).to_bytes(), limits)


def around_full(
    header: Header, recipients: Sequence[HpkeKey], key: bytes, wrapper: Wrapper
) -> SealedFull:
    """Return a full bundle without its ciphertext.

    Args:
        header: Priority and expiry.
        recipients: Their HPKE public keys; of each the strongest.
        key: The content key, 32 bytes: of one content, ever.
        wrapper: For stanzas.

    Raises:
        MalformedError: one of *recipients* is not a key.
    """
    return SealedFull(
        header=header,
        stanzas=_wrapped(wrapper, key, recipients, _stanza_info(header)),
        commitment=_commitment(key, header),
    )


def open_full(
    sealed: SealedFull, unwrapper: Unwrapper, room: memoryview | None = None
) -> memoryview:
    """Return the content of *sealed*.

    Args:
        sealed: A full bundle.
        unwrapper: Of this node.
        room: Where the content is put, if it has room for it.

    Raises:
        UnopenableError: it is not for the node of *unwrapper*.
        MalformedError: its ciphertext is of no content.
        ForgedError: its sender shows others something else, or the ciphertext was altered.
    """
    info = _stanza_info(sealed.header)
    if not any(len(stanza) == STANZA_BYTES[unwrapper.algorithm] for stanza in sealed.stanzas):
        raise UnopenableError(
            f"a bundle with nothing under {unwrapper.algorithm.label}, which our card asks for: "
            "it is for somebody else, or sealed for us in a weaker way"
        )
    for stanza in sealed.stanzas:
        key = unwrapper.unwrap(stanza, info)
        if key is not None:
            break
    else:
        raise UnopenableError("none of our keys opens this bundle; it is for somebody else")
    if not hmac.compare_digest(_commitment(key, sealed.header), sealed.commitment):
        raise ForgedError("the key in a bundle is not the one that the bundle commits to")
    return stream.decrypt(stream_key(key, sealed.header), sealed.ciphertext, room)


def directed_key(pairwise_key: bytes, *, sender: bytes, recipient: bytes) -> bytes:
    """Return the key of bundles from *sender* to *recipient* (authors), 32 bytes.

    One for each direction: a bundle cannot be sent back to the one who made it.
    """
    return derive(pairwise_key, b"pannier pairwise 1\0" + sender + recipient)


def compact_key(
    pairwise_key: bytes, *, sender: bytes, recipient: bytes, incarnation: bytes
) -> bytes:
    """Return the key of compact bundles from *sender* to *recipient* (authors), 32 bytes.

    Args:
        pairwise_key: 32 bytes.
        sender: 32 bytes.
        recipient: 32 bytes.
        incarnation: Of the sending node, 8 bytes: its counters begin anew with each.
    """
    info = b"pannier compact 1\0" + sender + recipient + incarnation
    return derive(pairwise_key, info)


def group_sealing_key(epoch_key: bytes) -> bytes:
    """Return the key of bundles to all who hold *epoch_key*, 32 bytes.

    One for both directions: a member can pass for any other in a group bundle.
    """
    return derive(epoch_key, b"pannier group 1\0")


def seal_shared(
    header: Header,
    key: bytes,
    content: bytes,
    entropy: Entropy,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Seal *content* under a `directed_key` or a `group_sealing_key`.

    A nonce that comes twice, as from a restored backup, shows that two contents are the same and
    nothing else: AES-GCM-SIV is made for that.

    Raises:
        LimitError: the bundle becomes too big.
    """
    nonce = entropy(NONCE_BYTES)
    ciphertext = AESGCMSIV(key).encrypt(nonce, content, header.to_bytes())
    sealed = SealedShared(header=header, nonce=nonce, ciphertext=ciphertext)
    return bounded(sealed.to_bytes(), limits)


def open_shared(sealed: SealedShared, key: bytes) -> bytes:
    """Return the content of *sealed*; that it opens proves that its sender has *key*.

    Raises:
        UnopenableError: it is not under *key*, or was altered: nobody can tell which.
    """
    try:
        return AESGCMSIV(key).decrypt(sealed.nonce, sealed.ciphertext, sealed.header.to_bytes())
    except (InvalidTag, ValueError) as error:
        raise UnopenableError("no key shared with a peer or group opens this bundle") from error


def seal_compact(
    header: Header, key: bytes, content: bytes, *, limits: Limits = DEFAULT_LIMITS
) -> bytes:
    """Seal *content*, which begins with the sender's counter, under a `compact_key`.

    The nonce is always the same: no content comes twice, and should a restored backup make one
    again, AES-GCM-SIV shows that the two are the same, or else nothing.

    Raises:
        LimitError: the bundle becomes too big.
    """
    sealed = SealedCompact(header=header)
    ciphertext = AESGCMSIV(key).encrypt(_NO_NONCE, content, sealed.bound())
    return bounded(replace(sealed, ciphertext=ciphertext).to_bytes(), limits)


def open_compact(sealed: SealedCompact, key: bytes) -> bytes:
    """Return the content of *sealed*; that it opens proves that its sender has *key*.

    Raises:
        UnopenableError: it is not under *key*, or was altered: nobody can tell which.
    """
    try:
        return AESGCMSIV(key).decrypt(_NO_NONCE, sealed.ciphertext, sealed.bound())
    except (InvalidTag, ValueError) as error:
        raise UnopenableError("no key shared with a peer opens this compact bundle") from error


def compact_bytes(header: Header, content_bytes: int) -> int:
    """Return the length of a compact bundle around a content of that length."""
    return sealed_bytes(SealedCompact(header=header).outside(), content_bytes + stream.TAG_BYTES)


def full_bytes(outside: bytes, content_bytes: int) -> int:
    """Return the length of the full bundle with *outside* around a content of that length."""
    return sealed_bytes(outside, stream.encrypted_bytes(content_bytes))


def shared_bytes(header: Header, content_bytes: int) -> int:
    """Return the length of a bundle under a shared key around a content of that length."""
    outside = SealedShared(header=header, nonce=bytes(NONCE_BYTES)).outside()
    return sealed_bytes(outside, content_bytes + stream.TAG_BYTES)


def bounded(sealed: bytes, limits: Limits) -> bytes:
    """Return *sealed*, which a reader must take.

    Raises:
        LimitError: it is too big.
    """
    if len(sealed) > limits.bundle_bytes:
        raise LimitError(
            f"a bundle of {len(sealed)} bytes, at most {limits.bundle_bytes} are allowed: "
            "pack fewer sections"
        )
    return sealed


def _wrapped(
    wrapper: Wrapper, key: bytes, recipients: Sequence[HpkeKey], info: bytes
) -> tuple[bytes, ...]:
    with ledger_errors_converted():
        return tuple(wrapper.wrap(key, public, info) for public in recipients)


def _stanza_info(header: Header) -> bytes:
    return b"pannier bundle 1\0" + header.to_bytes()


def stream_key(content_key: bytes, header: Header) -> bytes:
    """Return the key of the STREAM (`bundler.stream`) of a full bundle, 32 bytes."""
    return derive(content_key, b"pannier stream 1\0" + header.to_bytes())


def _commitment(content_key: bytes, header: Header) -> bytes:
    info = b"pannier commitment 1\0" + header.to_bytes()
    return derive(content_key, info)[:COMMITMENT_BYTES]
