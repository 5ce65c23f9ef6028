"""What a link brings: bundles and files of fragments (docs/link.md section 4). Pure."""

from collections.abc import Hashable
from dataclasses import dataclass

from transports.link.frame import Label
from transports.link.offers import FragmentsOffer, Offer, SealedOffer

SEALED, FRAGMENTS = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ware:
    """Something that can be offered, as the caller knows it or as the other side offered it.

    Attributes:
        key: The caller's name for it; of what the other side offers, None.
        kind: `SEALED`, a sealed bundle for the peer, or `FRAGMENTS`, a file of whole fragments.
        priority: 0 (most urgent) to 7.
        expiry_days: Days since 2020-01-01 UTC, 16 bits.
        hint: 4 bytes.
        bundle_id: 8 bytes.
        size: Of its bytes, 1..2^24.
        symbol_bytes: Size of the symbols of a sealed bundle.
        payload_id: Of the first symbol in a file of fragments.
        digest: First 8 bytes of the SHA-256 of a file of fragments.
    """

    key: Hashable
    kind: int
    priority: int
    expiry_days: int
    hint: bytes
    bundle_id: bytes
    size: int
    symbol_bytes: int = 0
    payload_id: int = 0
    digest: bytes = b""

    @property
    def label(self) -> Label:
        """What the name of its file would say beside its id."""
        return Label(self.priority, self.expiry_days, self.hint)

    def offer(self, handle: int) -> Offer:
        """Return what offers it under *handle*, 0..127."""
        if self.kind == SEALED:
            return SealedOffer(handle, self.label, self.bundle_id, self.size, self.symbol_bytes)
        return FragmentsOffer(
            handle, self.label, self.bundle_id, self.size, self.payload_id, self.digest
        )


def offered(offer: Offer) -> Ware:
    """Return what the other side offers with *offer*."""
    is_sealed = isinstance(offer, SealedOffer)
    return Ware(
        key=None,
        kind=SEALED if is_sealed else FRAGMENTS,
        priority=offer.label.priority,
        expiry_days=offer.label.expiry_days,
        hint=offer.label.hint,
        bundle_id=offer.bundle_id,
        size=offer.size,
        symbol_bytes=offer.symbol_bytes if isinstance(offer, SealedOffer) else 0,
        payload_id=offer.payload_id if isinstance(offer, FragmentsOffer) else 0,
        digest=offer.digest if isinstance(offer, FragmentsOffer) else b"",
    )
