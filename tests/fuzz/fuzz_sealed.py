"""A sealed bundle from outside: its layout, and the way into it with all keys that there are."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bundler.content import open_bundle
from bundler.errors import BundleError
from bundler.keyring import GroupKey, Keyring, PeerKey
from bundler.sealed import parse_sealed
from ledger.hpke import HpkeUnwrapper
from tests.fuzz.harness import Target, vectors
from tests.vectors import load


def take(data: bytes) -> None:
    assert parse_sealed(data).to_bytes() == data
    for _ in open_bundle(data, _RING).sections():
        pass


def seeds() -> Iterator[bytes]:
    yield from vectors("seal", "data")
    yield from vectors("content", "data")


_CASE = load("content")["group"]
_SENDER = bytes.fromhex(_CASE["sender"])
_RING = Keyring(
    author=bytes.fromhex(_CASE["recipient"]),
    unwrapper=HpkeUnwrapper(
        X25519PrivateKey.from_private_bytes(bytes.fromhex(_CASE["hpke_private"]))
    ),
    author_of=lambda _: _SENDER,
    peer_keys=[PeerKey(_SENDER, bytes.fromhex(_CASE["pairwise_key"]))],
    group_keys=[GroupKey(bytes(8), bytes.fromhex(_CASE["epoch_key"]))],
    clear_senders=frozenset({_SENDER}),
)
TARGET = Target(take, (BundleError,), seeds, longest=1024)
