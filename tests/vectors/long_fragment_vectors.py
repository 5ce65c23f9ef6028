"""Vectors of the MAC of long fragments (docs/format.md section 7).

GMAC is written out: it is the GHASH of what it covers, under a key of its own.

Source: NIST SP 800-38D sections 6.3 to 6.5, with a nonce of 96 bits.
"""

import hmac
from collections.abc import Callable
from functools import reduce
from hashlib import sha256, shake_128
from operator import getitem, xor
from typing import NamedTuple

import cbor2
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

Case = dict[str, object]

MAC_KEY = bytes(range(32))
SEED = b"a long fragment"
LONG_BYTES = 131_072
HEAD = [1, bytes(range(8)), 1 << 20, 1360, 770]
# x^128 = x^7 + x^2 + x + 1, the bits of a block being coefficients from x^0 on.
POLYNOMIAL = 0xE1 << 120


def _gmac(key: bytes, covered: bytes) -> bytes:
    encrypt = Cipher(AES(key), ECB()).encryptor().update  # noqa: S305 -- a block at a time
    multiply = _multiplier(int.from_bytes(encrypt(bytes(16)), "big"))
    state = 0
    for at in range(0, len(covered), 16):
        block = covered[at : at + 16].ljust(16, b"\0")
        state = multiply(state ^ int.from_bytes(block, "big"))
    state = multiply(state ^ 8 * len(covered) << 64)
    mask = encrypt(bytes(12) + b"\0\0\0\1")
    return (state ^ int.from_bytes(mask, "big")).to_bytes(16, "big")


def _multiplier(factor: int) -> Callable[[int], int]:
    """Return what multiplies a block by *factor*, by a table for each byte of the block."""
    product, of_bit = factor, [0] * 128
    for bit in range(127, -1, -1):
        of_bit[bit] = product
        product = product >> 1 ^ (POLYNOMIAL if product & 1 else 0)
    tables = [[_sum(of_bit[at : at + 8], byte) for byte in range(256)] for at in range(0, 128, 8)]

    def multiply(block: int) -> int:
        return reduce(xor, map(getitem, tables, block.to_bytes(16, "little")))

    return multiply


def _sum(of_bit: list[int], byte: int) -> int:
    return reduce(xor, (one for bit, one in enumerate(of_bit) if byte >> bit & 1), 0)


class Body(NamedTuple):
    """What stands before the check."""

    before: bytes
    symbols: bytes

    @classmethod
    def of(cls, length: int) -> "Body":
        before = b"\x87" + b"".join(map(cbor2.dumps, HEAD)) + b"\x5a"
        symbols_bytes = length - len(before) - 4
        return cls(before + symbols_bytes.to_bytes(4, "big"), shake_128(SEED).digest(symbols_bytes))

    def gmac(self) -> bytes:
        data = b"".join(self)
        once = hmac.digest(MAC_KEY, b"pannier fragment gmac 1\0" + data[:64], sha256)
        return _gmac(once, data[64:])

    def short_mac(self) -> bytes:
        return hmac.digest(MAC_KEY, b"".join(self), sha256)[:8]


def cases() -> dict[str, Case]:
    short, long, longer = map(Body.of, (LONG_BYTES - 1, LONG_BYTES, LONG_BYTES + 1000))
    mac = long.gmac()
    flipped = bytes([mac[0] ^ 1]) + mac[1:]
    return {
        "hmac": _case("the longest with an HMAC", "success", short, short.short_mac()),
        "gmac": _case("the shortest with a GMAC", "success", long, mac),
        "gmac_odd": _case("its last block is short", "success", longer, longer.gmac()),
        "flipped_gmac": _case("one bit of the GMAC flipped", "unverified", long, flipped),
        "cut_gmac": _case("a GMAC of 8 bytes", "malformed", long, mac[:8]),
        "long_hmac": _case("an HMAC where a GMAC is due", "malformed", long, long.short_mac()),
        "short_gmac": _case("a GMAC where an HMAC is due", "malformed", short, short.gmac()),
    }


def _case(comment: str, expect: str, body: Body, check: bytes) -> Case:
    data = b"".join((*body, bytes([0x40 + len(check)]), check))
    return {
        "comment": comment,
        "expect": expect,
        "mac_key": MAC_KEY.hex(),
        "before": body.before.hex(),
        "seed": SEED.hex(),
        "symbols_bytes": len(body.symbols),
        "check": check.hex(),
        "digest": sha256(data).hexdigest(),
    }
