"""Vectors of fragments and whole frames (docs/format.md section 7)."""

import hmac
from hashlib import sha256

import cbor2
from crc32c import crc32c

Case = dict[str, object]

SEALED = bytes(range(100))
BUNDLE_ID = sha256(SEALED).digest()[:8]
MAC_KEY = bytes(range(32))
HEAD = [1, BUNDLE_ID, 100, 16]


def _body(items: list[object]) -> bytes:
    return b"\x87" + b"".join(map(cbor2.dumps, items))


def _crc(body: bytes) -> bytes:
    return body + b"\x44" + crc32c(body).to_bytes(4, "big")


def _fragment(*items: object) -> bytes:
    return _crc(_body(list(items)))


def _flip(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


def _replace(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return the fragment *data* with other bytes and a check that fits them."""
    assert data.count(old) == 1
    return _crc(data[:-5].replace(old, new))


def cases() -> dict[str, Case]:
    first = _fragment(*HEAD, 0, SEALED[:32])
    mac_body = _body([*HEAD, 0, SEALED[:32]])
    mac = mac_body + b"\x48" + hmac.digest(MAC_KEY, mac_body, sha256)[:8]
    accepted: dict[str, tuple[str, bytes]] = {
        "source": ("two source symbols from the first on", first),
        "source_one": ("one source symbol in the middle", _fragment(*HEAD, 3, SEALED[48:64])),
        "source_last": (
            "the last source symbol, without padding",
            _fragment(*HEAD, 6, SEALED[96:]),
        ),
        "repair": (
            "the third repair symbol (its bytes mean nothing)",
            _fragment(*HEAD, 9, bytes(16)),
        ),
        "mac": ("a MAC instead of a CRC", mac),
    }
    body = first[:-5]
    malformed: dict[str, tuple[str, bytes]] = {
        "empty": ("no bytes", b""),
        "truncated": ("the last byte is missing", first[:-1]),
        "trailing": ("a byte after the end", first + b"\0"),
        "version_2": ("version 2", _fragment(2, *HEAD[1:], 0, SEALED[:32])),
        "six_items": ("an array of six", _crc(b"\x86" + body[1:])),
        "id_of_7": ("a bundle id of 7 bytes", _fragment(1, BUNDLE_ID[:7], 100, 16, 0, bytes(16))),
        "length_0": ("transfer length 0", _fragment(1, BUNDLE_ID, 0, 16, 0, bytes(16))),
        "length_2_40": ("transfer length 2^40", _fragment(1, BUNDLE_ID, 1 << 40, 16, 0, bytes(16))),
        "length_2_63": (
            "transfer length 2^63",
            _fragment(1, BUNDLE_ID, 1 << 63, 16, 0, bytes(16)),
        ),
        "symbol_0": ("symbol size 0", _fragment(1, BUNDLE_ID, 100, 0, 0, bytes(16))),
        "symbol_12": ("symbol size 12", _fragment(1, BUNDLE_ID, 100, 12, 0, bytes(12))),
        "symbol_65536": ("symbol size 65536", _fragment(1, BUNDLE_ID, 100, 65536, 0, bytes(100))),
        "no_symbols": ("no symbols", _fragment(*HEAD, 0, b"")),
        "payload_id_2_32": ("payload id 2^32", _fragment(*HEAD, 1 << 32, bytes(16))),
        "long_integer": ("16 in two bytes too many", _replace(first, b"\x10\x00", b"\x18\x10\x00")),
        "long_length": ("8 in two bytes", _replace(first, b"\x01\x48", b"\x01\x58\x08")),
        "indefinite": ("of indefinite length", _replace(first, b"\x58\x20", b"\x5f\x58\x20")),
        "text": ("symbols as text", _replace(first, b"\x58\x20", b"\x78\x20")),
        "symbols_2_63": ("symbols of 2^63 bytes", _crc(body[:17] + b"\x5b\x80" + bytes(7))),
        "check_of_5": ("a check of 5 bytes", body + b"\x45" + bytes(5)),
    }  # fmt: skip
    unverified: dict[str, tuple[str, bytes]] = {
        "flipped_bit": ("one bit of a symbol flipped", _flip(first, 100)),
        "flipped_check": ("one bit of the check flipped", _flip(first, 0)),
        "wrong_mac": ("one bit of the MAC flipped", _flip(mac, 0)),
        "crc_little_endian": ("the CRC in the wrong byte order", first[:-4] + first[:-5:-1]),
    }
    return {
        stem: {"comment": comment, "expect": expect, "mac_key": MAC_KEY.hex(), "data": data.hex()}
        for expect, group in (
            ("success", accepted),
            ("malformed", malformed),
            ("unverified", unverified),
        )
        for stem, (comment, data) in group.items()
    }
