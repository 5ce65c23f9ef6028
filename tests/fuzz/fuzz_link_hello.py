"""Hellos of a link in parts, up to the session that they ask for.

They open, and their signature is set right, as somebody with a card would do.
"""

from collections.abc import Iterator

import cbor2

from tests.fuzz.harness import Target
from tests.transports.link.doubles import entropy, identity
from transports.link import frame_cbor
from transports.link.errors import LinkError
from transports.link.handshake import Greeting, Handshake
from transports.link.hello import LABEL, NO_ECHO, open_sealed, split

PEER, OWN = bytes([1] * 8), bytes([2] * 8)


def take(data: bytes) -> None:
    own, peer = identity(OWN, PEER), identity(PEER, OWN)
    sealed = peer.seal(OWN, _mended(data))
    handshake = Handshake(own, entropy(0), Greeting(frame_bytes=222, flags=0))
    for part in split(sealed, 4096):
        assert handshake.take(0, part) is None
    assert handshake.session is None
    assert handshake.refused or handshake.heard
    assert handshake.heard or handshake.due_us() is None
    hello = open_sealed(sealed, own)
    assert hello.node_id == PEER
    assert (handshake.due_us() == 0) == (hello.echo == NO_ECHO)


def _mended(data: bytes) -> bytes:
    """Return *data*, with the right signature if it looks like a hello."""
    try:
        items = frame_cbor.as_array(frame_cbor.decode(data), 8)
        _, versions, nonce, echo, node_id, frame_bytes, flags, _ = items
        names = b"".join(frame_cbor.as_bytes(item, 16) for item in (nonce, echo))
        numbers = frame_cbor.as_uint(frame_bytes, 2**32 - 1).to_bytes(4, "big")
        numbers += bytes(frame_cbor.as_uint(item, 255) for item in (flags, versions))
        signed = LABEL + names + frame_cbor.as_bytes(node_id, 8) + OWN + numbers
    except LinkError:
        return data
    return frame_cbor.encode((*items[:7], identity(PEER, OWN).sign(signed)))


def seeds() -> Iterator[bytes]:
    for echo in (bytes(16), b"e" * 16):
        yield cbor2.dumps([1, 1, b"n" * 16, echo, PEER, 2048, 3, bytes(64)])


TARGET = Target(take, (LinkError,), seeds, longest=256)
