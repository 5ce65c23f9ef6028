"""Frames as values: what two sides say to each other (docs/link.md section 2).

A frame is what is between two delimiters, or in one datagram. `transports.link.encode` makes the
bytes, `transports.link.read` reads them, and `transports.link.check` says whether they came whole.
"""

from dataclasses import dataclass
from enum import IntEnum

from spool.name import LAST_PRIORITY

MIN_FRAME_BYTES, MAX_FRAME_BYTES = 32, 65_000
"""The longest frame of a link is of so many bytes: UDP carries no more than 65,507."""
HELLO_FRAME_BYTES = 222
"""The longest frame of a hello: what the other side takes is not known before it."""
HINT_BYTES = 4
MAX_HANDLE = 127
MAX_OFFSET = (1 << 24) - 1
MAX_HELLO_PARTS = 16
TAG_BYTES = 2
MAX_ACK_RANGES = 32
MAX_DELAY_UNITS = 255
DELAY_UNIT_US = 4_000
MAX_PRIORITY, MAX_EXPIRY_DAYS = LAST_PRIORITY, 0xFFFF


class Kind(IntEnum):
    """First byte of a frame; that of DATA has the handle in its lower 7 bits."""

    HELLO = 0x10
    ACK = 0x11
    OFFER = 0x12
    LACK = 0x13
    WITHDRAW = 0x14
    PING = 0x15
    TURN = 0x16
    BYE = 0x17
    WHOLE = 0x18
    ONE_WAY = 0x19
    REST = 0x1A
    DATA = 0x80


CONTROLS = (Kind.OFFER, Kind.LACK, Kind.WITHDRAW)
SHORTS = (Kind.PING, Kind.TURN)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """Keys of one session, 32 bytes each.

    Attributes:
        sending: For what this side sends.
        receiving: For what the other side sends.
    """

    sending: bytes
    receiving: bytes


@dataclass(frozen=True, slots=True)
class Data:
    """Some bytes of an object that was offered under *handle*; at least one."""

    number: int
    handle: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class HelloPart:
    """A part of a sealed hello.

    Attributes:
        index: From 0.
        last: Index of the last part, 0..15.
        tag: 2 bytes, the same for all parts of one sealed hello.
        data: At least one byte.
    """

    index: int
    last: int
    tag: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """Which packets came.

    Attributes:
        ranges: Of packet numbers, [start, end), the highest first, none adjacent to another; 1..32.
        delay_units: How long the highest has been here, in units of 4 ms, 0..255.
    """

    ranges: tuple[tuple[int, int], ...]
    delay_units: int

    @property
    def largest(self) -> int:
        """The highest number that came."""
        return self.ranges[0][1] - 1

    @property
    def delay_us(self) -> int:
        """How long the highest has been here."""
        return self.delay_units * DELAY_UNIT_US


@dataclass(frozen=True, slots=True)
class Control:
    """OFFER, LACK or WITHDRAW; *body* is CBOR that has not been looked at."""

    kind: Kind
    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Short:
    """PING or TURN: nothing but its kind."""

    kind: Kind
    number: int


@dataclass(frozen=True, slots=True)
class Rest:
    """The sender has nothing left to do, as of what came.

    Attributes:
        number: Of the packet.
        heard_low: Low 16 bits of one more than the highest number that came.
    """

    number: int
    heard_low: int


@dataclass(frozen=True, slots=True)
class Bye:
    """The sender ends the session, for *reason* (0..255)."""

    number: int
    reason: int


@dataclass(frozen=True, slots=True)
class Label:
    """What the name of a bundle's file would say beside its id.

    Attributes:
        priority: 0 (most urgent) to 7.
        expiry_days: Days since 2020-01-01 UTC, 16 bits.
        hint: 4 bytes.
    """

    priority: int
    expiry_days: int
    hint: bytes


@dataclass(frozen=True, slots=True)
class Whole:
    """A small sealed bundle for the peer, without an offer."""

    number: int
    label: Label
    sealed: bytes


@dataclass(frozen=True, slots=True)
class OneWay:
    """A fragment, or a whole bundle, for whoever listens; *body* has not been looked at."""

    label: Label
    body: bytes


Frame = Data | HelloPart | Ack | Control | Short | Rest | Bye | Whole | OneWay


def delay_units(delay_us: int) -> int:
    """Return *delay_us* as an acknowledgement says it: in units of 4 ms, at most 255."""
    return min(max(delay_us, 0) // DELAY_UNIT_US, MAX_DELAY_UNITS)
