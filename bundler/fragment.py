"""One fragment as bytes: what a link or a medium carries (docs/format.md section 7).

Knows layout and check, not what the symbols mean: that a run of symbols fits its bundle is for
`bundler.geometry` to say. Nothing here copies symbols: those of a stick are a megabyte each.

Source: CRC-32C, RFC 9260 appendix A; truncated HMAC, RFC 2104 section 5; GMAC, NIST SP 800-38D.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol, Self

from bundler import items
from bundler.errors import ForgedError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from ledger.lazy_dataclass import dataclass

CRC_BYTES = 4
MAC_BYTES = 8
LONG_MAC_BYTES = 16
LONG_BODY_BYTES = 128 << 10
"""From here on the MAC is a GMAC: an HMAC takes twenty times as long, and as long as all else."""

BUNDLE_ID_BYTES = 8
MAX_SYMBOL_BYTES = 65_528
SYMBOL_STEP_BYTES = 8
# An array of seven that begins with version 1 and a byte string of eight bytes.
START = b"\x87\x01\x48"
_MAX_PAYLOAD_ID = 2**32 - 1
_LONG_LABEL = b"pannier fragment gmac 1\0"
# All that stands before the symbols is in the first bytes: no two fragments have the same.
_LONG_START_BYTES = 64
_NONCE = bytes(12)


class Check(Protocol):
    """From the bytes of a fragment before its check to the check: a CRC or a MAC."""

    def __call__(self, *parts: bytes | memoryview) -> bytes:
        """Return the check of *parts*, joined; those but the last have less than 64 bytes."""
        ...


Verify = Callable[[memoryview, bytes], bool]
"""(bytes of a fragment before its check, its check) -> whether they fit."""


def crc_check(*parts: bytes | memoryview) -> bytes:
    """Return the CRC-32C of *parts*, 4 bytes: proves the absence of damage, not of malice."""
    from crc32c import crc32c  # noqa: PLC0415 -- media and most links do without it

    value = 0
    for part in parts:
        value = crc32c(part, value)
    return value.to_bytes(CRC_BYTES, "big")


def mac_check(key: bytes) -> Check:
    """Return the check of fragments between two peers who share *key*; 8 bytes, or 16 if long."""

    def check(*parts: bytes | memoryview) -> bytes:
        if sum(map(len, parts)) >= LONG_BODY_BYTES:
            return _gmac(key, b"".join(parts[:-1]), memoryview(parts[-1]))
        if len(parts) == 1:
            return hmac.digest(key, parts[0], sha256)[:MAC_BYTES]
        mac = hmac.new(key, digestmod=sha256)
        for part in parts:
            mac.update(part)
        return mac.digest()[:MAC_BYTES]

    return check


def _gmac(key: bytes, before: bytes, rest: memoryview) -> bytes:
    """Return the MAC of *before* and *rest* under a key that nothing else is under."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 -- as above

    at = _LONG_START_BYTES - len(before)
    once = hmac.digest(key, b"".join((_LONG_LABEL, before, rest[:at])), sha256)
    return AESGCM(once).encrypt(_NONCE, b"", rest[at:])


def fits(*checks: Check) -> Verify:
    """Return what accepts a fragment if any of *checks* gives the check that it carries."""

    def verify(body: memoryview, check: bytes) -> bool:
        return any(hmac.compare_digest(make(body), check) for make in checks)

    return verify


HAS_CRC: Verify = fits(crc_check)


def is_plausible(body: memoryview, check: bytes) -> bool:
    """Accept a MAC, whose key a carrier has not, and a CRC if it fits."""
    return len(check) != CRC_BYTES or HAS_CRC(body, check)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """Some symbols of one bundle.

    Attributes:
        bundle_id: First 8 bytes of the SHA-256 of the sealed bundle.
        transfer_bytes: Length of the sealed bundle.
        symbol_bytes: Size of a symbol, a multiple of 8 in 8..65,528.
        payload_id: Source block << 24 | number of the first symbol in it.
        symbols: One or more whole symbols; the last of the bundle is without its padding.
        check: 4 bytes CRC-32C, or MAC: 8 bytes, of a long fragment 16.
    """

    bundle_id: bytes
    transfer_bytes: int
    symbol_bytes: int
    payload_id: int
    symbols: bytes | memoryview
    check: bytes

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        head = fragment_head(self.bundle_id, self.transfer_bytes, self.symbol_bytes)
        return fragment_body(head, self.payload_id, self.symbols) + items.byte_string(self.check)

    @classmethod
    def from_bytes(
        cls,
        data: bytes | memoryview,
        verify: Verify = HAS_CRC,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Self:
        """Read one fragment that is all of *data*; its symbols are a view into that.

        Raises:
            MalformedError: *data* is not one fragment.
            LimitError: the bundle would be too big.
            ForgedError: *verify* does not accept the check.
        """
        fragment, end = cls.take(memoryview(data), 0, verify, limits)
        if end != len(data):
            raise MalformedError(f"{len(data) - end} bytes after the end of the fragment")
        return fragment

    @classmethod
    def take(cls, data: memoryview, at: int, verify: Verify, limits: Limits) -> tuple[Self, int]:
        """Read the fragment that begins at *at*, and return where it ends.

        Raises:
            MalformedError: there is none.
            LimitError: the bundle would be too big.
            ForgedError: *verify* does not accept the check.
        """
        reader = items.Reader(data, at)
        reader.expect(START, "a fragment of version 1; update pannier to read it")
        bundle_id = reader.raw(BUNDLE_ID_BYTES)
        transfer_bytes = reader.uint(limits.bundle_bytes)
        symbol_bytes = reader.uint(MAX_SYMBOL_BYTES)
        payload_id = reader.uint(_MAX_PAYLOAD_ID)
        symbols = reader.view(len(data))
        end_of_body = reader.at
        check = bytes(reader.view(LONG_MAC_BYTES))
        if not transfer_bytes or not symbols or not is_symbol_size(symbol_bytes):
            raise MalformedError(f"a fragment of {transfer_bytes} bytes in {symbol_bytes} a symbol")
        is_long = end_of_body - at >= LONG_BODY_BYTES
        if len(check) not in (CRC_BYTES, LONG_MAC_BYTES if is_long else MAC_BYTES):
            raise MalformedError(f"a check of {len(check)} bytes")
        if not verify(data[at:end_of_body], check):
            raise ForgedError("the check of a fragment does not fit: it was damaged or forged")
        fragment = cls(
            bundle_id=bundle_id,
            transfer_bytes=transfer_bytes,
            symbol_bytes=symbol_bytes,
            payload_id=payload_id,
            symbols=symbols,
            check=check,
        )
        return fragment, reader.at


def is_symbol_size(size: int) -> bool:
    """Return whether symbols can have *size* bytes."""
    return 0 < size <= MAX_SYMBOL_BYTES and size % SYMBOL_STEP_BYTES == 0


def fragment_head(bundle_id: bytes, transfer_bytes: int, symbol_bytes: int) -> bytes:
    """Return the bytes that all fragments of one bundle begin with."""
    return b"".join((START, bundle_id, items.uint(transfer_bytes), items.uint(symbol_bytes)))


def fragment_body(head: bytes, payload_id: int, symbols: bytes | memoryview) -> bytes:
    """Return a fragment without its check, which is made of just these bytes."""
    return b"".join((fragment_start(head, payload_id, len(symbols)), symbols))


def fragment_start(head: bytes, payload_id: int, symbols_bytes: int) -> bytes:
    """Return what stands before the symbols of a fragment."""
    return b"".join((head, items.uint(payload_id), items.bytes_head(symbols_bytes)))
