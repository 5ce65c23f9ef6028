"""Vectors of files, chunks and packs, straight from docs/format.md sections 3.10 and 9.5."""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vectors.rest_vectors import LEDGER, REST_KEY, hkdf, ledger_key

Case = dict[str, object]
MIB = 1 << 20
LAST = 32_767 * MIB


def uint(value: int, major: int = 0) -> bytes:
    """Return the head of a CBOR item, as short as can be."""
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << 8 * width:
            return bytes([major << 5 | code]) + value.to_bytes(width, "big")
    raise ValueError(value)


def payload(size: int, flags: int, digests: bytes) -> bytes:
    return b"\xa1\x05\x83" + uint(size) + uint(flags) + uint(len(digests), 2) + digests


def digests_of(content: bytes) -> list[bytes]:
    return [sha256(content[at : at + MIB]).digest() for at in range(0, len(content), MIB)]


CONTENTS: dict[str, tuple[str, str, int, int]] = {
    "empty": ("nothing", "", 0, 0),
    "byte": ("one byte", "61", 1, 0),
    "executable": ("a script that may be run", b"#!/bin/sh\n".hex(), 1, 1),
    "chunk": ("one whole chunk", "00", MIB, 0),
    "chunk_and_byte": ("one byte more", "00", MIB + 1, 0),
    "three_chunks": ("two chunks of one content, and a part", "0001", MIB + 7, 1),
    "other_flags": ("flags that mean nothing yet", "61", 1, 2**32 - 2),
}

ONE = sha256(b"a").digest()
BAD: dict[str, tuple[str, bytes]] = {
    "no_chunk": ("a byte in no chunk", payload(1, 0, b"")),
    "chunk_of_nothing": ("a chunk of nothing", payload(0, 0, ONE)),
    "too_few": ("a chunk less than its size takes", payload(MIB + 1, 0, ONE)),
    "too_many": ("a chunk more", payload(MIB, 0, ONE + ONE)),
    "part_of_a_digest": ("a digest of 31 bytes", payload(1, 0, ONE[:31])),
    "digest_and_a_part": ("half a digest more", payload(1, 0, ONE + ONE[:16])),
    "large": ("more chunks than an entry has room for", payload(LAST + 1, 0, b"")),
    "huge": ("2^64 - 1 bytes", payload(2**64 - 1, 0, ONE)),
    "negative": ("a size below zero", b"\xa1\x05\x83\x20\x00\x40"),
    "flags_33_bits": ("flags of 33 bits", payload(0, 2**32, b"")),
    "flags_text": ("flags that are a text", b"\xa1\x05\x83\x00\x60\x40"),
    "digests_text": ("digests that are a text", b"\xa1\x05\x83\x00\x00\x60"),
    "digests_array": ("digests in an array", b"\xa1\x05\x83\x01\x00\x81\x58\x20" + ONE),
    "two_items": ("no digests", b"\xa1\x05\x82\x00\x00"),
    "four_items": ("an item more", b"\xa1\x05\x84\x00\x00\x40\x00"),
    "map": ("a map in place of the array", b"\xa1\x05\xa0"),
    "other_key": ("another key", b"\xa1\x06\x83\x00\x00\x40"),
    "two_keys": ("a key more", b"\xa2\x05\x83\x00\x00\x40\x06\x00"),
    "long_size": ("a size longer than it must be", b"\xa1\x05\x83\x18\x00\x00\x40"),
}


def raw_frame(content: bytes) -> bytes:
    """Return a zstd frame (RFC 8878) of one raw block, which no compressor changes."""
    block = len(content) << 3 | 1
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + block.to_bytes(3, "little") + content


def run_frame(size: int) -> bytes:
    """Return a frame of *size* zero bytes, in blocks that repeat one of at most 128 KiB."""
    counts = [min(size - at, 1 << 17) for at in range(0, size, 1 << 17)]
    blocks = [
        (count << 3 | 1 << 1 | (number == len(counts) - 1)).to_bytes(3, "little") + b"\0"
        for number, count in enumerate(counts)
    ]
    return b"\x28\xb5\x2f\xfd\xa0" + size.to_bytes(4, "little") + b"".join(blocks)


BODIES: dict[str, tuple[str, int, bytes, bytes]] = {
    "plain": ("plain", 0, b"a", b"a"),
    "raw_frame": ("a frame", 1, raw_frame(b"abc"), b"abc"),
    "run_frame": ("a whole chunk of zeros", 1, run_frame(MIB), bytes(MIB)),
}

BAD_BODIES: dict[str, tuple[str, int, bytes]] = {
    "codec_2": ("another codec", 2, b"a"),
    "plain_empty": ("nothing", 0, b""),
    "frame_empty": ("a frame of nothing", 1, raw_frame(b"")),
    "frame_large": ("a frame of one byte more than a chunk", 1, run_frame(MIB + 1)),
    "frame_bomb": ("a frame of 1 GiB", 1, run_frame(1 << 30)),
    "frame_cut": ("a frame that is cut off", 1, raw_frame(b"abc")[:-1]),
    "frame_longer": ("a byte behind the frame", 1, raw_frame(b"abc") + b"\0"),
    "frame_twice": ("two frames", 1, raw_frame(b"abc") * 2),
    "frame_skipped": ("a frame to be skipped", 1, bytes.fromhex("502a4d1801000000") + b"a"),
    "no_frame": ("no frame", 1, b"abc"),
    "frame_unsized": (
        "a frame that does not state its size", 1, bytes.fromhex("28b52ffd0058190000616263"),
    ),
}  # fmt: skip


def _record(comment: str, offset: int, codec: int, body: bytes, content: bytes) -> Case:
    key = ledger_key(REST_KEY, LEDGER)
    salt, digest = sha256(b"the salt of a pack").digest(), sha256(content).digest()
    name = hmac.digest(hkdf(key, b"pannier blob names 1\0"), digest, "sha256")[:16]
    head = b"".join(
        (
            (len(body) + 16).to_bytes(4, "little"),
            len(content).to_bytes(4, "little"),
            bytes([codec]),
            name,
        )
    )
    cipher = AESGCM(hkdf(key, b"pannier pack 1\0" + salt))
    sealed = cipher.encrypt(offset.to_bytes(12, "big"), body, head)
    return {
        "comment": comment,
        "expect": "success",
        "rest_key": REST_KEY.hex(),
        "ledger": LEDGER.hex(),
        "salt": salt.hex(),
        "start": (b"pannier pack 1\n" + salt).hex(),
        "offset": offset,
        "digest": digest.hex(),
        "size": len(content),
        "codec": codec,
        "body": body.hex(),
        "name": name.hex(),
        "record": (head + sealed).hex(),
    }


def _payload_cases() -> dict[str, Case]:
    good: dict[str, Case] = {}
    for stem, (comment, unit, repeat, flags) in CONTENTS.items():
        content = bytes.fromhex(unit) * repeat
        digests = digests_of(content)
        good[f"file_{stem}"] = {
            "comment": comment,
            "expect": "success",
            "content": unit,
            "repeat": repeat,
            "size": len(content),
            "flags": flags,
            "digests": [digest.hex() for digest in digests],
            "payload": payload(len(content), flags, b"".join(digests)).hex(),
        }
    bad: dict[str, Case] = {
        f"file_malformed_{stem}": {"comment": comment, "expect": "malformed", "payload": data.hex()}
        for stem, (comment, data) in BAD.items()
    }
    return good | bad


def cases() -> dict[str, Case]:
    chunks: dict[str, Case] = {
        f"chunk_{stem}": {
            "comment": comment,
            "expect": "success",
            "codec": codec,
            "body": body.hex(),
            "size": len(content),
            "digest": sha256(content).hexdigest(),
        }
        for stem, (comment, codec, body, content) in BODIES.items()
    }
    bad_chunks: dict[str, Case] = {
        f"chunk_malformed_{stem}": {
            "comment": comment,
            "expect": "malformed",
            "codec": codec,
            "body": body.hex(),
        }
        for stem, (comment, codec, body) in BAD_BODIES.items()
    }
    packs = {
        "pack_first": _record("the first record, plain", 47, 0, b"abc", b"abc"),
        "pack_later": _record("a later one, compressed", 2**33, 1, raw_frame(b"abc"), b"abc"),
    }
    return _payload_cases() | chunks | bad_chunks | packs
