"""What can go over a link, and how its bytes are made: bundles, and files of whole fragments.

A bundle for the peer itself goes as it is sealed. What the peer is to carry, or was carried here,
goes as files like those on a stick, short enough that each is soon safe at the other end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from bundler.fragment import Fragment, is_plausible, mac_check
from bundler.geometry import OVERHEAD_BYTES
from bundler.sequence import parse_sequence
from bundler.split import Cut, split
from bundler.whole import START as WHOLE_START
from bundler.whole import Whole, frame_bytes
from pannier.node import Node
from pannier.queued import Sealed, sealed_bundle
from spool.carry import Carry
from spool.name import BundleName, FragmentName
from spool.partial import MAX_OBJECT_BYTES
from transports.link.wares import FRAGMENTS, SEALED, Ware

FILE_BYTES = 64 << 10
"""About what a file of fragments has that is made for a link."""

_AROUND_SYMBOL_BYTES = 64
_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Own:
    """A bundle of ours for the peer.

    Attributes:
        queue: Where it waits: a node id, or the epoch id of a group.
        name: Of the bundle.
    """

    queue: str
    name: BundleName

    def ware(self, size: int) -> Ware:
        """Return it as a link offers it; *size* is its length."""
        return Ware(
            key=self,
            kind=SEALED,
            priority=self.name.priority,
            expiry_days=self.name.expiry_days,
            hint=bytes.fromhex(self.name.hint),
            bundle_id=bytes.fromhex(self.name.bundle_id),
            size=size,
            symbol_bytes=self.name.symbol_bytes,
        )


@dataclass(frozen=True, slots=True)
class OwnFile:
    """Some of a bundle of ours for somebody else.

    Attributes:
        queue: As of `Own`.
        name: Of the bundle.
        payload_id: Of the first symbol in the file.
    """

    queue: str
    name: BundleName
    payload_id: int


@dataclass(frozen=True, slots=True)
class CarriedFile:
    """All or some of a file that is carried.

    Attributes:
        name: Of what is carried.
        payload_id: Of the first symbol of this part of it.
    """

    name: FragmentName
    payload_id: int


Key = Own | OwnFile | CarriedFile
"""What a link knows a ware by."""


class File(NamedTuple):
    """A file of whole fragments, or a whole small bundle."""

    payload_id: int
    data: bytes

    @property
    def digest(self) -> bytes:
        """By which both ends know that it came whole, 8 bytes."""
        return digest_of(self.data)


def digest_of(data: bytes) -> bytes:
    """Return the digest in the offer of a file of fragments, 8 bytes."""
    return sha256(data).digest()[:_DIGEST_BYTES]


def file_ware(key: OwnFile | CarriedFile, file: File) -> Ware:
    """Return a file of fragments as a link offers it."""
    name = key.name
    return Ware(
        key=key,
        kind=FRAGMENTS,
        priority=name.priority,
        expiry_days=name.expiry_days,
        hint=bytes.fromhex(name.hint),
        bundle_id=bytes.fromhex(name.bundle_id),
        size=len(file.data),
        payload_id=file.payload_id,
        digest=file.digest,
    )


def own_files(node: Node, queue: str, name: BundleName) -> list[File]:
    """Return a queued bundle as files for somebody to carry.

    Raises:
        SpoolError: it is not queued any more, or not as it was sealed.
        LedgerError: the ledger that its contents are in cannot be read.
        PannierError: *queue* is no peer, and no group that this node is in.
    """
    sealed = sealed_bundle(node, queue, name)
    if frame_bytes(len(sealed)) <= OVERHEAD_BYTES + name.symbol_bytes:
        return [File(0, Whole(hint=bytes.fromhex(name.hint), sealed=bytes(sealed)).to_bytes())]
    return list(_cut(sealed, name, node.shared.fragment_key_to(queue)))


def _cut(sealed: Sealed, name: BundleName, key: bytes) -> Iterator[File]:
    cut = Cut(
        mtu_bytes=max(FILE_BYTES, name.symbol_bytes + _AROUND_SYMBOL_BYTES),
        symbol_bytes=name.symbol_bytes,
        check=mac_check(key),
    )
    for data in split(sealed, cut):
        yield File(Fragment.from_bytes(data, lambda *_: True).payload_id, data)


def carried_files(node: Node, carry: Carry) -> list[File]:
    """Return a carried file in parts that a link takes: nearly always it is one.

    Raises:
        SpoolError: it is not carried any more.
    """
    data = node.spool.carried.read(carry.name)
    if len(data) <= MAX_OBJECT_BYTES or data.startswith(WHOLE_START):
        return [File(carry.name.payload_id, data)][: len(data) <= MAX_OBJECT_BYTES]
    return list(_parted(data))


def _parted(data: bytes) -> Iterator[File]:
    """Yield the fragments in *data*, as many together as a link takes."""
    first, parts, size = 0, list[bytes](), 0
    for part in parse_sequence(data, is_plausible):
        if not isinstance(part, Fragment):
            continue
        encoded = part.to_bytes()
        if parts and size + len(encoded) > MAX_OBJECT_BYTES:
            yield File(first, b"".join(parts))
            parts, size = [], 0
        first = first if parts else part.payload_id
        parts.append(encoded)
        size += len(encoded)
    if parts:
        yield File(first, b"".join(parts))
