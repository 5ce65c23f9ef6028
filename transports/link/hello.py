"""Hellos: what two sides say, sealed to each other, before there is a session (docs/link.md 3.1).

Says how a hello is made, opened and cut into parts; when one is sent is for
`transports.link.handshake`.
"""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from transports.link import frame_cbor
from transports.link.encode import HELLO_OVERHEAD_BYTES
from transports.link.errors import ForgedFrameError, FrameTooSmallError
from transports.link.frame import (
    HELLO_FRAME_BYTES,
    MAX_FRAME_BYTES,
    MAX_HELLO_PARTS,
    MIN_FRAME_BYTES,
    TAG_BYTES,
    HelloPart,
)

LABEL: Final = b"pannier link hello 1\0"
"""What a hello is sealed with (the info of HPKE), and what its signature begins with."""
VERSION: Final = 1
CARRIES, HALF_DUPLEX = 1, 2
"""Flags: the sender takes bundles for others; it cannot hear while it sends."""
NONCE_BYTES, NODE_ID_BYTES, SIGNATURE_BYTES = 16, 8, 64
NO_ECHO: Final = bytes(NONCE_BYTES)
_FORMAT = 1
_KEPT_HELLOS = 4


class Identity(Protocol):
    """The keys of one node, as a link uses them. For one thread."""

    @property
    def node_id(self) -> bytes:
        """The node's own id, 8 bytes."""
        ...

    @property
    def peer(self) -> bytes | None:
        """Node id of the configured peer; None: a listener, that learns it from the first hello."""
        ...

    def is_expected(self, peer: bytes) -> bool:
        """Return whether the node with the id *peer* may open a session."""
        ...

    def seal(self, peer: bytes, hello: bytes) -> bytes:
        """Return *hello* sealed to *peer*, who is expected, by HPKE with the info `LABEL`."""
        ...

    def open(self, sealed: bytes) -> bytes | None:
        """Return what *sealed*, any bytes, holds; None if it is not sealed to this node."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the node's Ed25519 signature, 64 bytes, over *message*."""
        ...

    def verify(self, peer: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether *signature* is that of *peer*, who is expected, over *message*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What one side says of itself.

    Attributes:
        versions: Highest version of the protocol that it speaks, from 1.
        nonce: 16 bytes that it drew for this session.
        echo: Nonce of the other side, or `NO_ECHO`.
        node_id: Its own.
        frame_bytes: Longest frame that it takes, without framing.
        flags: `CARRIES`, `HALF_DUPLEX`; others are of newer versions, and mean nothing.
    """

    versions: int
    nonce: bytes
    echo: bytes
    node_id: bytes
    frame_bytes: int
    flags: int


def seal(hello: Hello, identity: Identity, peer: bytes) -> bytes:
    """Return *hello* signed, and sealed to *peer*."""
    signature = identity.sign(_signed(hello, peer))
    return identity.seal(peer, frame_cbor.encode((_FORMAT, *_fields(hello), signature)))


def open_sealed(sealed: bytes, identity: Identity) -> Hello:
    """Return the hello in *sealed*: it is to this node, and from a node that is expected.

    Args:
        sealed: Any bytes.
        identity: Of this node.

    Raises:
        MalformedFrameError: what was sealed is no hello.
        ForgedFrameError: it does not open, is of nobody who is expected, or has a false signature.
    """
    opened = identity.open(sealed)
    if opened is None:
        raise ForgedFrameError("a hello that does not open: damaged, or not for this node")
    items = frame_cbor.as_array(frame_cbor.decode(opened), 8)
    frame_cbor.as_uint(items[0], _FORMAT, minimum=_FORMAT)
    hello = Hello(
        versions=frame_cbor.as_uint(items[1], 255, minimum=1),
        nonce=frame_cbor.as_bytes(items[2], NONCE_BYTES),
        echo=frame_cbor.as_bytes(items[3], NONCE_BYTES),
        node_id=frame_cbor.as_bytes(items[4], NODE_ID_BYTES),
        frame_bytes=frame_cbor.as_uint(items[5], MAX_FRAME_BYTES, minimum=MIN_FRAME_BYTES),
        flags=frame_cbor.as_uint(items[6], 255),
    )
    signature = frame_cbor.as_bytes(items[7], SIGNATURE_BYTES)
    if hello.node_id == identity.node_id or not identity.is_expected(hello.node_id):
        raise ForgedFrameError(f"a hello of {hello.node_id.hex()}, who is not expected here")
    if not identity.verify(hello.node_id, _signed(hello, identity.node_id), signature):
        raise ForgedFrameError(f"a hello with a false signature of {hello.node_id.hex()}")
    return hello


def _fields(hello: Hello) -> tuple[object, ...]:
    names = (hello.versions, hello.nonce, hello.echo, hello.node_id)
    return (*names, hello.frame_bytes, hello.flags)


def _signed(hello: Hello, peer: bytes) -> bytes:
    return b"".join(
        (
            LABEL,
            hello.nonce,
            hello.echo,
            hello.node_id,
            peer,
            hello.frame_bytes.to_bytes(4, "big"),
            bytes((hello.flags, hello.versions)),
        )
    )


def split(sealed: bytes, frame_bytes: int) -> list[HelloPart]:
    """Return *sealed* in as few parts as fit frames of *frame_bytes*, or of `HELLO_FRAME_BYTES`.

    Raises:
        FrameTooSmallError: 16 parts are not enough.
    """
    room = min(frame_bytes, HELLO_FRAME_BYTES) - HELLO_OVERHEAD_BYTES
    last = -(-len(sealed) // room) - 1
    if last >= MAX_HELLO_PARTS:
        needed = -(-len(sealed) // MAX_HELLO_PARTS) + HELLO_OVERHEAD_BYTES
        raise FrameTooSmallError(f"the keys of this peer need frames of {needed} bytes or more")
    return [
        HelloPart(index, last, _tag(sealed), sealed[index * room : (index + 1) * room])
        for index in range(last + 1)
    ]


def _tag(sealed: bytes) -> bytes:
    return sha256(sealed).digest()[:TAG_BYTES]


class Assembler:
    """Puts the parts of hellos together, however they come; keeps those of the last few hellos."""

    def __init__(self) -> None:
        """Begin without parts."""
        self._begun: OrderedDict[tuple[bytes, int], dict[int, bytes]] = OrderedDict()

    def add(self, part: HelloPart) -> bytes | None:
        """Return the sealed hello that *part* makes whole, or None."""
        if len(part.data) > HELLO_FRAME_BYTES:
            return None
        key = (part.tag, part.last)
        parts = self._begun.setdefault(key, {})
        self._begun.move_to_end(key)
        parts[part.index] = part.data
        if len(self._begun) > _KEPT_HELLOS:
            self._begun.popitem(last=False)
        if len(parts) <= part.last:
            return None
        del self._begun[key]
        sealed = b"".join(parts[index] for index in range(part.last + 1))
        return sealed if _tag(sealed) == part.tag else None
