"""Vectors of what is sealed: head and sections (docs/format.md section 5)."""

import struct
from dataclasses import dataclass, field
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors import seal_vectors as seal

Case = dict[str, object]

SIGNING = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([10]) * 32)
INCARNATION = bytes(range(8))
COUNTER, TIME = 41, 1_700_000_000_000_000


def node_id(author: bytes) -> bytes:
    return sha256(b"pannier node 1\0" + author).digest()[:8]


def author_of(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def section(kind: int, body: object, *, codec: int = 0) -> bytes:
    data = cbor2.dumps(body)
    return cbor2.dumps([kind, codec, frame(data) if codec else data])


def frame(data: bytes, *, has_size: bool = True) -> bytes:
    """Return a zstd frame (RFC 8878 section 3.1.1) of one raw block."""
    head = struct.pack("<BI", 0xA0, len(data)) if has_size else b"\0\0"
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + head + block + data


LOG = [bytes(16), bytes(32), bytes(8)]
SENT = section(4, [bytes(8), bytes([1]) * 8])
PAD = cbor2.dumps([0, 0, bytes(9)])
SECTIONS = {
    "padded": SENT + PAD,
    "sent": SENT,
    "have": section(
        2, [[INCARNATION, 7], [bytes(8)], [[bytes(16), [[bytes(32), bytes(8), 12, bytes(16)]]]]]
    ),
    "have_nothing": section(2, [None, [], []]),
    "receipt": section(6, [[bytes(8), ""], [bytes([2]) * 8, "refused"]]),
    "genesis": section(9, [[1, "a ledger", [], 0, bytes(16), []]]),
    "key": section(10, [bytes(32)]),
    "fork": section(11, [*LOG, [3, [], [], [], [], [], []]]),
    "compressed": section(4, [bytes(8)] * 40, codec=1),
    "blob": cbor2.dumps([7, 0, b"a chunk"]),
    "unknown_type": section(99, ["anything"]),
}
BAD_SECTIONS = {
    "no_array": ("a section that is no array", b"\x00"),
    "codec_2": ("codec 2", cbor2.dumps([4, 2, b"\x80"])),
    "not_a_frame": ("a body that is no zstd frame", cbor2.dumps([4, 1, b"\x80"])),
    "no_size": (
        "a zstd frame without its content size",
        cbor2.dumps([4, 1, frame(b"\x80", has_size=False)]),
    ),
    "two_frames": ("two zstd frames", cbor2.dumps([4, 1, frame(b"\x80") * 2])),
    "bomb": (
        "a frame that says that it holds 2^40 bytes",
        cbor2.dumps([4, 1, b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + bytes(8)]),
    ),
    "key_of_31": ("a key of 31 bytes", section(10, [bytes(31)])),
    "long_reason": ("a reason of 256 bytes", section(6, [[bytes(8), "a" * 256]])),
    "reason_of_two_lines": ("a reason of two lines", section(6, [[bytes(8), "a\nb"]])),
    "deep": ("a body of 1,000 arrays", cbor2.dumps([4, 0, b"\x81" * 1000])),
    "not_shortest": ("a body that is not deterministic", cbor2.dumps([4, 0, b"\x98\x00"])),
    "log_without_entries": (
        "a log section that ends where it begins",
        section(1, [*LOG, 5, [], [5, bytes(32), bytes(64)], 1, [b""] * 17]),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Full:
    """A full or clear bundle; each field may be made wrong."""

    sections: bytes = SENT
    signed_sections: bytes | None = None
    signed_digest: bytes | None = None
    version: int = 1
    recipients: list[bytes] = field(default_factory=lambda: [node_id(seal.RECIPIENT)])
    signed_outside: bytes | None = None
    protected: bytes = b"\xa1\x01\x27"
    kid: bytes = node_id(author_of(SIGNING))
    key: Ed25519PrivateKey = SIGNING

    def to_bytes(self) -> bytes:
        outside = seal.outside(seal.HEADER, keys=[seal.OTHER, seal.HPKE])
        content = self.content(outside)
        return outside + cbor2.dumps(seal.stream(seal.HEADER, content))

    def to_clear(self) -> bytes:
        """Return the same as a clear bundle."""
        return seal.clear(self.content(b"\x84" + cbor2.dumps(seal.HEADER)[1:]))

    def content(self, outside: bytes) -> bytes:
        digest = sha256(self.signed_sections or self.sections).digest()
        payload = cbor2.dumps(
            [
                self.version,
                INCARNATION,
                COUNTER,
                TIME,
                sha256(self.signed_outside or outside).digest(),
                self.recipients,
                digest if self.signed_digest is None else self.signed_digest,
            ]
        )
        signed = cbor2.dumps(["Signature1", self.protected, b"", payload])
        sign1 = [self.protected, {4: self.kid}, payload, self.key.sign(signed)]
        return cbor2.dumps(cbor2.CBORTag(18, sign1)) + self.sections


def _pairwise(head: list[object], sections: bytes = SENT) -> bytes:
    return seal.pairwise(cbor2.dumps(head) + sections, sender=author_of(SIGNING))


def _group(head: list[object], sections: bytes) -> bytes:
    return seal.group(cbor2.dumps(head) + sections)


def _group_cases() -> dict[str, tuple[str, str, bytes]]:
    head = [1, INCARNATION, COUNTER, TIME, node_id(author_of(SIGNING))]
    names = ("have", "sent", "receipt", "key", "blob")
    return {
        "group": ("a group bundle", "success", _group(head, SECTIONS["genesis"])),
        "group_without_sender": (
            "a group bundle with the head of a pairwise one",
            "malformed",
            _group(head[:4], SECTIONS["genesis"]),
        ),
        "group_version_2": (
            "a group head of version 2",
            "malformed",
            _group([2, *head[1:]], SECTIONS["genesis"]),
        ),
        "group_padded": (
            "a group bundle with padding",
            "success",
            _group(head, SECTIONS["genesis"] + PAD),
        ),
        **{
            f"group_with_{name}": (
                f"a group bundle with the section {name}",
                "malformed",
                _group(head, SECTIONS[name]),
            )
            for name in names
        },
    }


def _open_cases() -> dict[str, tuple[str, str, bytes]]:
    blob = SECTIONS["blob"]
    two = [node_id(seal.RECIPIENT), bytes(8)]
    return {
        "open": (
            "contents of files that were not signed",
            "success",
            Full(sections=blob, signed_digest=b"").to_bytes(),
        ),
        "open_padded": (
            "the same with padding",
            "success",
            Full(sections=blob + PAD, signed_digest=b"").to_bytes(),
        ),
        "open_sent": (
            "a statement that was not signed",
            "malformed",
            Full(sections=blob + SENT, signed_digest=b"").to_bytes(),
        ),
        "open_for_two": (
            "contents that were not signed, for two",
            "unverified",
            Full(sections=blob, signed_digest=b"", recipients=two).to_bytes(),
        ),
        "open_half": (
            "half a digest of the sections",
            "unverified",
            Full(sections=blob, signed_digest=sha256(blob).digest()[:16]).to_bytes(),
        ),
        "open_clear": (
            "contents in a clear bundle that were not signed",
            "malformed",
            Full(sections=blob, signed_digest=b"").to_clear(),
        ),
    }


def _clear_cases() -> dict[str, tuple[str, str, bytes]]:
    return {
        "clear": ("a clear bundle", "success", Full().to_clear()),
        "clear_key": (
            "a key in a clear bundle",
            "malformed",
            Full(sections=SECTIONS["key"]).to_clear(),
        ),
        "clear_not_a_recipient": (
            "a clear bundle for others",
            "unverified",
            Full(recipients=[bytes(8)]).to_clear(),
        ),
        "clear_wrong_signature": (
            "a clear bundle signed by another",
            "unverified",
            Full(key=STRANGER).to_clear(),
        ),
        "clear_of_a_full_one": (
            "the content of a full bundle in a clear one",
            "unverified",
            seal.clear(Full().content(seal.outside(seal.HEADER, keys=[seal.HPKE]))),
        ),
        "clear_not_agreed": (
            "a clear bundle by a node with which that is not agreed",
            "refused",
            Full().to_clear(),
        ),
    }


def cases() -> dict[str, Case]:
    described: dict[str, tuple[str, str, bytes]] = {
        "full": ("a full bundle", "success", Full().to_bytes()),
        "full_without_sections": ("no sections", "success", Full(sections=b"").to_bytes()),
        "pairwise": ("a pairwise bundle", "success", _pairwise([1, INCARNATION, COUNTER, TIME])),
        "other_outside": (
            "sealed again for somebody else",
            "unverified",
            Full(signed_outside=b"another").to_bytes(),
        ),
        "not_a_recipient": (
            "opens, but was signed for others",
            "unverified",
            Full(recipients=[bytes(8)]).to_bytes(),
        ),
        "other_sections": (
            "sections that were not signed",
            "unverified",
            Full(signed_sections=b"others").to_bytes(),
        ),
        "wrong_signature": ("signed by another", "unverified", Full(key=STRANGER).to_bytes()),
        "stranger": (
            "signed by a node without a card here",
            "refused",
            Full(key=STRANGER, kid=node_id(author_of(STRANGER))).to_bytes(),
        ),
        "version_2": ("a signed payload of version 2", "malformed", Full(version=2).to_bytes()),
        "es256": (
            "another algorithm in the protected header",
            "malformed",
            Full(protected=b"\xa1\x01\x26").to_bytes(),
        ),
        "pairwise_version_2": (
            "a pairwise head of version 2",
            "malformed",
            _pairwise([2, INCARNATION, COUNTER, TIME]),
        ),
        "time_2_63": (
            "a time of 2^63",
            "malformed",
            _pairwise([1, INCARNATION, COUNTER, 1 << 63]),
        ),
    }
    described |= _group_cases() | _clear_cases() | _open_cases()
    described |= {
        f"section_{stem}": (f"the section {stem}", "success", Full(sections=data).to_bytes())
        for stem, data in SECTIONS.items()
    }
    described |= {
        f"section_{stem}": (comment, "malformed", Full(sections=data).to_bytes())
        for stem, (comment, data) in BAD_SECTIONS.items()
    }
    return {
        stem: {
            "comment": comment,
            "expect": expect,
            "hpke_private": seal.HPKE.private_bytes_raw().hex(),
            "pairwise_key": seal.PAIRWISE_KEY.hex(),
            "epoch_key": seal.EPOCH_KEY.hex(),
            "clear_agreed": stem != "clear_not_agreed",
            "sender": author_of(SIGNING).hex(),
            "recipient": seal.RECIPIENT.hex(),
            "counter": COUNTER,
            "data": data.hex(),
        }
        for stem, (comment, expect, data) in described.items()
    }
