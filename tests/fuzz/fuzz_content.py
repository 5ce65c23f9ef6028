"""What a peer or a member of a group has sealed: any content under a right key."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bundler.content import open_bundle
from bundler.errors import BundleError
from bundler.head import Stamp, group_head, pairwise_head
from bundler.keyring import GroupKey, Keyring, PeerKey
from bundler.seal import directed_key, group_sealing_key, seal_shared
from bundler.sealed import Header
from ledger.hpke import HpkeUnwrapper
from tests.fuzz import fuzz_section
from tests.fuzz.harness import Target

_ME, _PEER, _KEY, _GROUP_KEY = bytes(32), b"\1" * 32, b"\2" * 32, b"\3" * 32


def take(data: bytes) -> None:
    """The first byte says under which of the keys the rest is sealed."""
    is_group = data[:1] == b"\1"
    key = (
        group_sealing_key(_GROUP_KEY)
        if is_group
        else directed_key(_KEY, sender=_PEER, recipient=_ME)
    )
    sealed = seal_shared(Header(4, 2400), key, data[1:], bytes)
    opened = open_bundle(sealed, _RING)
    assert (opened.group is not None) is is_group
    assert opened.encoded_sections.nbytes < len(data)
    for _ in opened.sections():
        pass


def seeds() -> Iterator[bytes]:
    stamp = Stamp(incarnation=bytes(8), counter=41, time_us=-1)
    sections = list(fuzz_section.encoded_seeds())
    for head in (b"\0" + pairwise_head(stamp), b"\1" + group_head(stamp, bytes(8))):
        yield head
        yield from (head + section for section in sections)
        yield head + b"".join(sections)[: 1 << 15]


_RING = Keyring(
    author=_ME,
    unwrapper=HpkeUnwrapper(X25519PrivateKey.from_private_bytes(_KEY)),
    author_of=lambda _: None,
    peer_keys=[PeerKey(_PEER, _KEY)],
    group_keys=[GroupKey(bytes(8), _GROUP_KEY)],
)
TARGET = Target(take, (BundleError,), seeds, longest=512)
