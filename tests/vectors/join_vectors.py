"""Vectors of whole bundles from fragments: the erasure code (docs/format.md section 7)."""

from hashlib import sha256

import cbor2
import raptorq
from crc32c import crc32c

Case = dict[str, object]

SEALED = bytes(range(100))
SYMBOL_BYTES = 16
SOURCE = 7


def _fragment(payload_id: int, symbols: bytes) -> bytes:
    items = [1, sha256(SEALED).digest()[:8], len(SEALED), SYMBOL_BYTES, payload_id, symbols]
    body = b"\x87" + b"".join(map(cbor2.dumps, items))
    return body + b"\x44" + crc32c(body).to_bytes(4, "big")


def _symbols() -> list[bytes]:
    padded = SEALED.ljust(SOURCE * SYMBOL_BYTES, b"\0")
    packets = raptorq.Encoder.with_defaults(padded, SYMBOL_BYTES).get_encoded_packets(12)
    return [packet[4:] for packet in packets]


def cases() -> dict[str, Case]:
    symbols = _symbols()
    source = [_fragment(n, SEALED[n * 16 : n * 16 + 16]) for n in range(SOURCE)]
    repair = [_fragment(n, symbols[n]) for n in range(SOURCE, len(symbols))]
    forged = _fragment(0, b"forged symbol 00")
    described: dict[str, tuple[str, str, list[bytes]]] = {
        "source": ("all source symbols, one a fragment", "success", source),
        "reversed": ("the same in reverse order", "success", source[::-1]),
        "runs": (
            "two fragments that overlap",
            "success",
            [_fragment(0, SEALED[:80]), _fragment(3, SEALED[48:])],
        ),
        "repair": ("two lost, four repair symbols", "success", source[2:] + repair[:4]),
        "only_repair": ("nothing but repair symbols", "success", repair),
        "repair_run": (
            "all repair symbols in one fragment",
            "success",
            [_fragment(SOURCE, b"".join(symbols[SOURCE:]))],
        ),
        "forged": ("a forged symbol", "unverified", [forged, *source[1:]]),
        "source_and_repair": (
            "source and repair symbols in one fragment",
            "malformed",
            [_fragment(6, symbols[6] + symbols[7])],
        ),
        "padded": ("the last source symbol with padding", "malformed", [_fragment(6, symbols[6])]),
        "part": ("part of a symbol", "malformed", [_fragment(0, SEALED[:24])]),
        "block_1": ("a block that is not there", "malformed", [_fragment(1 << 24, bytes(16))]),
        "block_255": ("source block 255", "malformed", [_fragment(255 << 24, bytes(16))]),
    }
    return {
        stem: {
            "comment": comment,
            "expect": expect,
            "fragments": [fragment.hex() for fragment in fragments],
            "sealed": SEALED.hex(),
        }
        for stem, (comment, expect, fragments) in described.items()
    }
