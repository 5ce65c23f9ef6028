"""What a peer has sealed in a compact bundle: any content under a right key."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bundler import items
from bundler.content import open_bundle
from bundler.errors import BundleError
from bundler.head import Stamp, compact_head
from bundler.keyring import Keyring, PeerKey
from bundler.plain_sections import encode_plain
from bundler.seal import compact_key, seal_compact
from bundler.sealed import Header
from bundler.tail_section import Context, TailSection
from ledger.hpke import HpkeUnwrapper
from tests.fuzz.harness import Target

_ME, _PEER, _KEY, _INCARNATION = bytes(32), b"\1" * 32, b"\2" * 32, bytes(8)


def take(data: bytes) -> None:
    key = compact_key(_KEY, sender=_PEER, recipient=_ME, incarnation=_INCARNATION)
    opened = open_bundle(seal_compact(Header(4, 2400), key, data), _RING)
    assert opened.is_compact
    for section in opened.sections():
        if isinstance(section, TailSection):
            begin, end = section.context.span(section.first)
            assert 0 <= begin <= end <= section.first


def seeds() -> Iterator[bytes]:
    head = compact_head(Stamp(incarnation=_INCARNATION, counter=41, time_us=2 * 10**15))
    yield head
    for back, step in ((0, 0), (0, 11), (300, 5)):
        tail = TailSection(
            reference=b"logs",
            signature=bytes(64),
            first=1_000,
            count=2,
            context=Context(back, step),
            data=b"entries",
        )
        yield head + encode_plain([tail])
    yield head + encode_plain([tail, tail]) + items.uint(99) + items.byte_string(b"unknown")


_RING = Keyring(
    author=_ME,
    unwrapper=HpkeUnwrapper(X25519PrivateKey.from_private_bytes(_KEY)),
    author_of=lambda _: None,
    peer_keys=[PeerKey(_PEER, _KEY, _INCARNATION)],
)
TARGET = Target(take, (BundleError,), seeds, longest=256)
