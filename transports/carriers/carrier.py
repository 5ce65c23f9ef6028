"""What a link needs of a wire, and how wires fail (docs/transports.md)."""

from typing import Protocol

from transports.carriers.bell import Bell
from transports.errors import TransportError


class CarrierError(TransportError):
    """Root of what carriers raise."""


class CarrierGoneError(CarrierError):
    """The wire hung up, or cannot be had now; a later attempt may do better."""


class CarrierUnusableError(CarrierError):
    """What was asked for can never work; the message says what to change."""


class Carrier(Protocol):
    """An open wire, used by one thread. All calls but `agree` return at once."""

    @property
    def name(self) -> str:
        """What people call it: a path, or an address."""

    def agree(self, bell: Bell) -> bool:
        """Come to terms with the other end where the wire itself needs that, before all else.

        May take a while; returns False if *bell* stops it.

        Raises:
            CarrierGoneError: the other end is not who it should be, or hung up.
        """

    def fileno(self) -> int:
        """Return what to wait on for bytes to read, or for room to write."""

    def read(self) -> bytes:
        """Return what has arrived: some bytes of a pipe, or one datagram; b"" if nothing has.

        Must be called until it returns b"": what a layer below holds back shows on no wait.

        Raises:
            CarrierGoneError: the wire hung up.
        """

    def write(self, data: bytes) -> int:
        """Take bytes to send; return how many were taken. A datagram is taken whole.

        Raises:
            CarrierGoneError: the wire hung up.
        """

    def backlog_us(self) -> int:
        """Return how long what was taken needs to leave this computer, as far as can be told."""

    def believe(self) -> None:
        """Learn that what `read` returned last was just made by the peer: it is where that is."""

    def greet(self) -> None:
        """Learn that what `read` returned last was a hello of the peer that gets an answer.

        It may be a replay: the hello that answers it must go there too, and nothing else.
        """

    def close(self) -> None:
        """Let go of the wire. May be called twice."""


class Opener(Protocol):
    """What makes carriers, again and again.

    Attributes:
        name: What people call the place.
        longest_wait_seconds: How long to wait at most after it failed many times.
    """

    name: str
    longest_wait_seconds: float

    def open(self, bell: Bell) -> Carrier | None:
        """Open the wire; None if *bell* was rung first.

        Raises:
            CarrierGoneError: not now.
            CarrierUnusableError: never.
        """

    def close(self) -> None:
        """Let go of whatever stays open between two carriers. May be called twice."""
