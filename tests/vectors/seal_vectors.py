"""Vectors of sealed bundles (docs/format.md section 4), put together from the primitives."""

from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.bundler.doubles import hpke_seal

Case = dict[str, object]

HPKE = X25519PrivateKey.from_private_bytes(bytes([7]) * 32)
OTHER = X25519PrivateKey.from_private_bytes(bytes([8]) * 32)
CONTENT_KEY = bytes(range(32))
PAIRWISE_KEY = bytes(range(100, 132))
EPOCH_KEY = bytes(range(200, 232))
SENDER, RECIPIENT = bytes([5]) * 32, bytes([6]) * 32
CONTENT = b"what is sealed"
HEADER = [1, 3, 2000]


def hkdf(secret: bytes, label: bytes, rest: bytes) -> bytes:
    info = label + b"\0" + rest
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def outside(
    header: list[int],
    *,
    keys: list[X25519PrivateKey],
    stanza_header: list[int] | None = None,
    commitment: bytes | None = None,
) -> bytes:
    """Return a full bundle before its ciphertext."""
    info = b"pannier bundle 1\0" + cbor2.dumps(stanza_header or header)
    stanzas = [
        hpke_seal(CONTENT_KEY, key.public_key().public_bytes_raw(), info, ephemeral=bytes([n]) * 32)
        for n, key in enumerate(keys, start=40)
    ]
    derived = hkdf(CONTENT_KEY, b"pannier commitment 1", cbor2.dumps(header))[:16]
    items = [*header, stanzas, derived if commitment is None else commitment]
    return b"\x86" + b"".join(map(cbor2.dumps, items))


def stream(header: list[int], content: bytes, *, last: bytes = b"\1") -> bytes:
    cipher = AESGCM(hkdf(CONTENT_KEY, b"pannier stream 1", cbor2.dumps(header)))
    chunks = [content[at : at + 65536] for at in range(0, len(content), 65536)] or [b""]
    return b"".join(
        cipher.encrypt(
            n.to_bytes(11, "big") + (last if n == len(chunks) - 1 else b"\0"), chunk, None
        )
        for n, chunk in enumerate(chunks)
    )


def full(content: bytes = CONTENT, header: list[int] | None = None) -> bytes:
    header = header or HEADER
    return outside(header, keys=[OTHER, HPKE]) + cbor2.dumps(stream(header, content))


def pairwise(
    content: bytes = CONTENT, *, sender: bytes = SENDER, recipient: bytes = RECIPIENT
) -> bytes:
    key = hkdf(PAIRWISE_KEY, b"pannier pairwise 1", sender + recipient)
    nonce = bytes(range(12))
    sealed = AESGCMSIV(key).encrypt(nonce, content, cbor2.dumps(HEADER))
    return cbor2.dumps([*HEADER, nonce, sealed])


def group(content: bytes = CONTENT) -> bytes:
    key = hkdf(EPOCH_KEY, b"pannier group 1", b"")
    nonce = bytes(range(12))
    sealed = AESGCMSIV(key).encrypt(nonce, content, cbor2.dumps(HEADER))
    return cbor2.dumps([*HEADER, nonce, sealed])


def clear(content: bytes = CONTENT) -> bytes:
    return cbor2.dumps([*HEADER, content])


def _flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def cases() -> dict[str, Case]:
    start = outside(HEADER, keys=[OTHER, HPKE])
    sealed = start + cbor2.dumps(stream(HEADER, CONTENT))
    two_chunks = bytes(65536) + b"more"
    described: dict[str, tuple[str, str, bytes, bytes]] = {
        "full": ("for two, opened by the second", "success", sealed, CONTENT),
        "empty": ("an empty content: one empty chunk", "success", full(b""), b""),
        "two_chunks": ("a content of two chunks", "success", full(two_chunks), two_chunks),
        "pairwise": ("under a key of two", "success", pairwise(), CONTENT),
        "group": ("under a key of a group", "success", group(), CONTENT),
        "clear": ("readable by anybody", "success", clear(), CONTENT),
        "no_bytes": ("no bytes", "malformed", b"", b""),
        "truncated": ("the last byte is missing", "malformed", sealed[:-1], b""),
        "trailing": ("a byte after the end", "malformed", sealed + b"\0", b""),
        "version_2": ("version 2", "malformed", full(header=[2, 3, 2000]), b""),
        "priority_8": ("priority 8", "malformed", full(header=[1, 8, 2000]), b""),
        "expiry_65536": ("expiry 65536", "malformed", full(header=[1, 3, 65536]), b""),
        "no_stanza": (
            "for nobody",
            "malformed",
            outside(HEADER, keys=[]) + b"\x50" + bytes(16),
            b"",
        ),
        "stanzas_65": (
            "for 65",
            "malformed",
            b"\x86\x01\x03\x19\x07\xd0\x98\x41"
            + b"\x40" * 65
            + b"\x50"
            + bytes(16)
            + b"\x50"
            + bytes(16),
            b"",
        ),
        "ciphertext_2_63": (
            "a ciphertext of 2^63 bytes",
            "malformed",
            start + b"\x5b\x80" + bytes(7),
            b"",
        ),
        "no_chunk": ("a ciphertext without a chunk", "malformed", start + b"\x40", b""),
        "short_chunk": (
            "a chunk shorter than its tag",
            "malformed",
            start + b"\x4f" + bytes(15),
            b"",
        ),
        "wrong_commitment": (
            "a key that the bundle does not commit to",
            "unverified",
            outside(HEADER, keys=[HPKE], commitment=bytes(16))
            + cbor2.dumps(stream(HEADER, CONTENT)),
            b"",
        ),
        "flipped_tag": ("one bit of the tag flipped", "unverified", _flip_last(sealed), b""),
        "no_last_flag": (
            "a last chunk that does not say so",
            "unverified",
            start + cbor2.dumps(stream(HEADER, CONTENT, last=b"\0")),
            b"",
        ),
        "for_others": (
            "for somebody else",
            "refused",
            outside(HEADER, keys=[OTHER]) + cbor2.dumps(stream(HEADER, CONTENT)),
            b"",
        ),
        "other_priority": (
            "stanzas that were wrapped for another priority",
            "refused",
            outside(HEADER, keys=[HPKE], stanza_header=[1, 0, 2000])
            + cbor2.dumps(stream(HEADER, CONTENT)),
            b"",
        ),
        "pairwise_flipped": ("one bit of the tag flipped", "refused", _flip_last(pairwise()), b""),
        "group_flipped": ("one bit of the tag flipped", "refused", _flip_last(group()), b""),
        "group_under_a_pairwise_key": (
            "under the key of two where that of a group belongs",
            "refused",
            pairwise(),
            b"",
        ),
        "clear_trailing": ("a byte after the content", "malformed", clear() + b"\0", b""),
        "clear_text": (
            "the content as text",
            "malformed",
            cbor2.dumps([*HEADER, "text"]),
            b"",
        ),
        "pairwise_sent_back": (
            "sent back to its sender",
            "refused",
            pairwise(sender=RECIPIENT, recipient=SENDER),
            b"",
        ),
    }
    return {
        stem: {
            "comment": comment,
            "expect": expect,
            "hpke_private": HPKE.private_bytes_raw().hex(),
            "pairwise_key": PAIRWISE_KEY.hex(),
            "epoch_key": EPOCH_KEY.hex() if stem.startswith("group") else "",
            "sender": SENDER.hex(),
            "recipient": RECIPIENT.hex(),
            "content_sha256": sha256(content).hexdigest(),
            "data": data.hex(),
        }
        for stem, (comment, expect, data, content) in described.items()
    }
