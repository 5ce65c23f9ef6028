"""Deliveries: fragments of one bundle, from one source, in a file of their own.

Such a file lies in `in/<bundle id>/` and is named

    <priority, 1 digit><expiry, 4 hex>-<peer>-<source>-<SHA-256 of its bytes, 16 hex>
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from spool.name import FragmentName, check_peer, check_source

_NAME = re.compile(r"([0-7])([0-9a-f]{4})-([0-9a-f]{16}|unknown)-([0-9a-z]{1,32})-([0-9a-f]{16})")

DeliveryKey: TypeAlias = tuple[str, str, str]
"""(peer, bundle id, digest); see `StoredDelivery.key`."""


class Delivery(NamedTuple):
    """Fragments of one bundle as a carrier handed them over.

    Attributes:
        name: Of the file or offer; its payload id is not looked at.
        peer: Node id of the sender, or `spool.name.UNKNOWN_PEER`.
        source: The medium or link, 1..32 digits and small letters.
        data: A CBOR sequence of fragments.
    """

    name: FragmentName
    peer: str
    source: str
    data: bytes


class Arrival(NamedTuple):
    """What `Inbox.read` gives back of a `Delivery`."""

    peer: str
    source: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of some deliveries.

    Attributes:
        stored: Ids of the bundles whose deliveries are durable now, as often as there were some.
        refused: Ids of the bundles whose deliveries found no room in the quota of their peer.
        gave_way: Ids of less urgent bundles that were dropped for them.
    """

    stored: tuple[str, ...]
    refused: tuple[str, ...]
    gave_way: tuple[str, ...]


class StoredDelivery(NamedTuple):
    """Where a delivery lies; the most urgent sorts first."""

    priority: int
    expiry_days: int
    bundle_id: str
    peer: str
    source: str
    digest: str

    @property
    def key(self) -> DeliveryKey:
        """What makes two deliveries the same, by whatever way and under whatever priority."""
        return self.peer, self.bundle_id, self.digest

    @property
    def file_name(self) -> str:
        """The name of its file; `parse_stored` is the inverse."""
        return f"{self.priority}{self.expiry_days:04x}-{self.peer}-{self.source}-{self.digest}"

    @classmethod
    def of(cls, delivery: Delivery) -> "StoredDelivery":
        """Return where *delivery* belongs.

        Raises:
            MalformedNameError: its peer or source is none.
        """
        check_peer(delivery.peer)
        check_source(delivery.source)
        name = delivery.name
        digest = digest_of(delivery.data)
        return cls(
            name.priority, name.expiry_days, name.bundle_id, delivery.peer, delivery.source, digest
        )


def digest_of(data: bytes) -> str:
    """Return the digest in the name of the delivery *data*, 16 hex digits."""
    return sha256(data).hexdigest()[:16]


def parse_stored(bundle_id: str, file_name: str) -> StoredDelivery | None:
    """Return what *file_name* in the folder of a bundle stands for, None when it is no delivery."""
    found = _NAME.fullmatch(file_name)
    if found is None:
        return None
    return StoredDelivery(int(found[1]), int(found[2], 16), bundle_id, found[3], found[4], found[5])
