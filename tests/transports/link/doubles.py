"""Identities that draw nothing and encrypt nothing, for links in simulated time.

Whoever has not the secret of a node can neither sign for it nor open what is sealed to it.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256, sha512
from itertools import count

HPKE_BYTES = 48
HYBRID_BYTES = 1120 + 16


def secret_of(node_id: bytes) -> bytes:
    return sha256(b"secret of " + node_id).digest()


@dataclass(frozen=True)
class DoubleIdentity:
    """A node that knows its peers by their ids.

    Attributes:
        node_id: Its own.
        peer: The configured one; None for a listener.
        known: Who may open a session.
        secret: Its own; an impostor has another.
        seal_bytes: What sealing adds.
    """

    node_id: bytes
    peer: bytes | None
    known: frozenset[bytes]
    secret: bytes
    seal_bytes: int = HPKE_BYTES

    def is_expected(self, peer: bytes) -> bool:
        return peer == self.peer if self.peer else peer in self.known

    def seal(self, peer: bytes, hello: bytes) -> bytes:
        return _tag(secret_of(peer), hello, self.seal_bytes) + hello

    def open(self, sealed: bytes) -> bytes | None:
        tag, hello = sealed[: self.seal_bytes], sealed[self.seal_bytes :]
        return hello if tag == _tag(self.secret, hello, self.seal_bytes) else None

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.secret, message, sha512)

    def verify(self, peer: bytes, message: bytes, signature: bytes) -> bool:
        return hmac.digest(secret_of(peer), message, sha512) == signature


def _tag(secret: bytes, hello: bytes, size: int) -> bytes:
    tag = hmac.digest(secret, b"sealed" + hello, sha256)
    return (tag * (size // len(tag) + 1))[:size]


def identity(
    node_id: bytes, peer: bytes | None, *known: bytes, seal_bytes: int = HPKE_BYTES
) -> DoubleIdentity:
    return DoubleIdentity(node_id, peer, frozenset(known), secret_of(node_id), seal_bytes)


def entropy(seed: object) -> Callable[[int], bytes]:
    """Return bytes that follow from *seed*, others at each call."""
    calls = count()

    def draw(size: int) -> bytes:
        text = f"{seed} {next(calls)}".encode()
        return (sha512(text).digest() * (size // 64 + 1))[:size]

    return draw
