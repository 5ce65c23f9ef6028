"""Vectors of compact bundles and tails (docs/format.md sections 4 and 5)."""

from dataclasses import dataclass, field
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from tests.vectors import seal_vectors as seal

Case = dict[str, object]

INCARNATION = bytes(range(8))
COUNTER, DAY = 41, 1_900
LEDGER, AUTHOR, LOG_INCARNATION = bytes([1]) * 16, bytes([2]) * 32, bytes([3]) * 8
SENT = cbor2.dumps([bytes(8)])


def reference(ledger: bytes = LEDGER) -> bytes:
    name = ledger + AUTHOR + LOG_INCARNATION
    return sha256(b"pannier log reference 1\0" + name).digest()[:4]


def tail(first: int = 1_000, count: int = 2, context: int = 11) -> bytes:
    numbers = b"".join(map(cbor2.dumps, (first, count, context)))
    return reference() + bytes(range(64)) + numbers + b"the entries"


def section(kind: int, body: bytes) -> bytes:
    return cbor2.dumps(kind) + cbor2.dumps(body)


@dataclass(frozen=True, kw_only=True)
class Compact:
    """A compact bundle; each field may be made wrong."""

    header: list[int] = field(default_factory=lambda: [2, *seal.HEADER[1:]])
    bound: list[int] | None = None
    sender: bytes = seal.SENDER
    recipient: bytes = seal.RECIPIENT
    incarnation: bytes = INCARNATION
    nonce: bytes = bytes(12)
    head: tuple[int, ...] = (COUNTER, DAY)
    sections: bytes = section(4, SENT)

    def to_bytes(self) -> bytes:
        info = self.sender + self.recipient + self.incarnation
        key = seal.hkdf(seal.PAIRWISE_KEY, b"pannier compact 1", info)
        content = b"".join(map(cbor2.dumps, self.head)) + self.sections
        bound = cbor2.dumps(self.bound or self.header)
        return cbor2.dumps([*self.header, AESGCMSIV(key).encrypt(self.nonce, content, bound)])


def _flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def cases() -> dict[str, Case]:
    two = section(4, SENT) + section(13, tail())
    described: dict[str, tuple[str, str, bytes]] = {
        "sent": ("one section", "success", Compact().to_bytes()),
        "tail": ("with a tail", "success", Compact(sections=two).to_bytes()),
        "empty": ("no section", "success", Compact(sections=b"").to_bytes()),
        "padded": ("padding", "success", Compact(sections=two + section(0, bytes(9))).to_bytes()),
        "unknown": ("a type to come", "success", Compact(sections=section(99, b"x")).to_bytes()),
        "blob": (
            "a chunk, which is passed over",
            "success",
            Compact(sections=section(7, b"x")).to_bytes(),
        ),
        "flipped": ("one bit of the tag flipped", "refused", _flip_last(Compact().to_bytes())),
        "sent_back": (
            "sent back to its sender",
            "refused",
            Compact(sender=seal.RECIPIENT, recipient=seal.SENDER).to_bytes(),
        ),
        "other_incarnation": (
            "under another incarnation of its sender",
            "refused",
            Compact(incarnation=bytes(8)).to_bytes(),
        ),
        "other_nonce": (
            "with a nonce that is not zero",
            "refused",
            Compact(nonce=bytes(11) + b"\1").to_bytes(),
        ),
        "other_priority": (
            "bound to another priority",
            "refused",
            Compact(bound=[2, 0, 2000]).to_bytes(),
        ),
        "version_1": (
            "bound to version 1",
            "refused",
            Compact(bound=seal.HEADER).to_bytes(),
        ),
        "version_3": ("version 3", "malformed", Compact(header=[3, 3, 2000]).to_bytes()),
        "day_65536": ("a day beyond all", "malformed", Compact(head=(1, 65_536)).to_bytes()),
        "no_day": ("no day", "malformed", Compact(head=(1,), sections=b"").to_bytes()),
        "long_section": (
            "a section of three items, as in a full bundle",
            "malformed",
            Compact(sections=cbor2.dumps([4, 0, SENT])).to_bytes(),
        ),
        "tail_of_none": (
            "a tail without entries",
            "malformed",
            Compact(sections=section(13, tail(count=0))).to_bytes(),
        ),
        "tail_of_257": (
            "a tail of 257 entries",
            "malformed",
            Compact(sections=section(13, tail(count=257))).to_bytes(),
        ),
        "tail_before_all": (
            "a tail that builds on entries before the first",
            "malformed",
            Compact(sections=section(13, tail(first=1, context=2 * 12))).to_bytes(),
        ),
        "tail_beyond_all": (
            "a tail that ends beyond 2^32",
            "malformed",
            Compact(sections=section(13, tail(first=2**32 - 1))).to_bytes(),
        ),
        "tail_cut": (
            "a tail that ends in its signature",
            "malformed",
            Compact(sections=section(13, tail()[:40])).to_bytes(),
        ),
    }
    return {
        stem: {
            "comment": comment,
            "expect": expect,
            "pairwise_key": seal.PAIRWISE_KEY.hex(),
            "sender": seal.SENDER.hex(),
            "recipient": seal.RECIPIENT.hex(),
            "incarnation": INCARNATION.hex(),
            "counter": COUNTER,
            "day": DAY,
            "log": [LEDGER.hex(), AUTHOR.hex(), LOG_INCARNATION.hex()],
            "reference": reference().hex(),
            "data": data.hex(),
        }
        for stem, (comment, expect, data) in described.items()
    }
