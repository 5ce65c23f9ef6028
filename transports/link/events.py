"""What a link tells its caller. Pure.

Handles in events are never used twice by one `Link`, whatever they are on the wire: an answer that
comes late is an answer to nothing, not to something else.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from transports.link.frame import Label
from transports.link.wares import Ware


@dataclass(frozen=True, slots=True)
class Established:
    """A session with *peer* began.

    Attributes:
        peer: Its node id, 8 bytes.
        carries: It takes bundles for others.
        half_duplex: It takes turns.
        frame_bytes: The longest frame it takes.
    """

    peer: bytes
    carries: bool
    half_duplex: bool
    frame_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; handles mean nothing any more. Another one begins by itself.

    Attributes:
        reason: Why, for people.
        is_through: Neither side had anything left to do.
        is_known: And the other side knows that, or has left.
    """

    reason: str
    is_through: bool = False
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Offered:
    """The other side has *ware*: answer with `Link.ask`, now or later."""

    handle: int
    ware: Ware


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The other side does not offer this any more."""

    handle: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Bytes that were asked for. None of them is damaged; some may come a second time."""

    handle: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """The other side wants some of *ware*: give all its bytes with `Link.supply`, soon."""

    handle: int
    ware: Ware


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has the ware with this key, durably."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side does not want the ware with this key, as long as this session lasts."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class WholeArrived:
    """A whole small bundle.

    The other side counts it as delivered, unless `Link.decline` is called before the next
    `Link.send`.

    Attributes:
        number: By which it is declined.
        label: What the name of its file would say beside its id.
        sealed: The bundle.
    """

    number: int
    label: Label
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Noted:
    """Something for the log. Said once a session, however often it happens."""

    text: str


Event = (
    Established
    | Ended
    | Offered
    | Withdrawn
    | Arrived
    | Wanted
    | Delivered
    | Refused
    | WholeArrived
    | Noted
)
