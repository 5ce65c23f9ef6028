"""What is offered and asked for on both sides, which outlasts sessions. Pure."""

from collections import deque

from transports.link.events import Event
from transports.link.incoming import Incoming
from transports.link.notes import Notes
from transports.link.outgoing import Outgoing


class Books:
    """The wares of both sides, and the events that they make."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events: deque[Event] = deque()
        self.outgoing = Outgoing(self.events)
        self.incoming = Incoming(self.events)
        self.notes = Notes(self.events)

    @property
    def has_something(self) -> bool:
        """Whether there is anything to say or to send."""
        outgoing = self.outgoing
        return (
            self.incoming.has_answers
            or outgoing.has_offers
            or outgoing.has_withdrawals
            or outgoing.supply.next() is not None
        )

    @property
    def is_at_rest(self) -> bool:
        """Whether all that is offered was taken, and all that was asked for came."""
        has_some = self.has_something or self.outgoing.waiting or self.incoming.to_come
        return not has_some

    def begin(self, frame_bytes: int) -> None:
        """A session began, with frames of at most *frame_bytes*."""
        self.notes.begin()
        self.outgoing.begin(frame_bytes)

    def end(self) -> None:
        """The session is over."""
        self.outgoing.end()
        self.incoming.end()
