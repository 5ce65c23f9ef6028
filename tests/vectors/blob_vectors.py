"""Vectors of blob sections (docs/format.md section 5.7): chunks as they stand in a content."""

from hashlib import sha256

from tests.vectors.files_vectors import BAD_BODIES, BODIES, raw_frame, uint

Case = dict[str, object]
MIB = 1 << 20
DIGEST = sha256(b"abc").digest()


def section(codec: int, body: bytes) -> bytes:
    return b"\x83\x07" + uint(codec) + uint(len(body), 2) + body


GOOD: dict[str, tuple[str, bytes, list[bytes]]] = {
    **{stem: (comment, section(codec, body), [content])
       for stem, (comment, codec, body, content) in BODIES.items()},
    "zeros": ("plain what a frame would make shorter", section(0, bytes(999)), [bytes(999)]),
    "two": ("two of one content", section(0, b"abc") + section(1, raw_frame(b"abc")), [b"abc"] * 2),
}  # fmt: skip

BAD: dict[str, tuple[str, bytes]] = {
    **{stem: (comment, section(codec, body))
       for stem, (comment, codec, body) in BAD_BODIES.items()},
    "codec_2_frame": ("the codec that only log sections have", section(2, raw_frame(b"abc"))),
    "two_items": ("no codec", b"\x82\x07\x43abc"),
    "four_items": ("the digest beside it", b"\x84\x07\x00\x43abc\x58\x20" + DIGEST),
    "text": ("a body that is text", b"\x83\x07\x00\x63abc"),
    "cbor": ("CBOR around the content", b"\x83\x07\x00\x81\x43abc"),
    "long_codec": ("a codec longer than it must be", b"\x83\x07\x18\x00\x43abc"),
    "long_length": ("a length longer than it must be", b"\x83\x07\x00\x58\x03abc"),
    "cut": ("a body that is cut off", section(0, b"abc")[:-1]),
    "plain_large": ("a byte more than a chunk", b"\x83\x07\x00" + uint(MIB + 1, 2)),
}  # fmt: skip


def cases() -> dict[str, Case]:
    good: dict[str, Case] = {
        stem: {
            "comment": comment,
            "expect": "success",
            "data": data.hex(),
            "sizes": [len(content) for content in contents],
            "digests": [sha256(content).hexdigest() for content in contents],
        }
        for stem, (comment, data, contents) in GOOD.items()
    }
    bad: dict[str, Case] = {
        f"malformed_{stem}": {"comment": comment, "expect": "malformed", "data": data.hex()}
        for stem, (comment, data) in BAD.items()
    }
    return good | bad
