"""A link: bytes in, events and bytes out, an explicit clock (docs/link.md). Pure.

One `Link` lasts as long as the link is configured; carriers and sessions come and go.
"""

from collections.abc import Sequence
from dataclasses import replace

from transports.link.airtime import NEVER_US, Limit
from transports.link.books import Books
from transports.link.conversation import LEFT, VIOLATED, Conversation
from transports.link.errors import LinkError
from transports.link.events import Ended, Established, Event
from transports.link.frame import HelloPart, Kind
from transports.link.handshake import FIRST_BACKOFF_US, Entropy, Greeting, Handshake
from transports.link.hello import CARRIES, HALF_DUPLEX, Identity
from transports.link.path import FRAMING_BYTES, Path
from transports.link.read import kind_of, read_open
from transports.link.session import Session
from transports.link.settings import SECOND_US, LinkSettings
from transports.link.stats import LinkStats
from transports.link.turns import Turns
from transports.link.wares import Ware
from transports.link.wire import Wire

_HELLOS, _HELLO_BYTES = 4, 280
# The longest frame that counts as short, which may go where a long one may not: the line is not
# kept from its acknowledgements.
_SHORT_BYTES = 96
# For so long nothing is heard of who said what cannot be.
_BARRED_US = 60 * SECOND_US
_REST_US = SECOND_US


class Link:
    """One side of a link. For one thread; every call is quick.

    After any call: `events`, then `send` until it returns None, then wait for bytes or for `due`.
    Times never go back. What `receive` tells has to be handled, durably where that matters, before
    the next `send`: that may acknowledge it.
    """

    def __init__(
        self,
        settings: LinkSettings,
        identity: Identity,
        entropy: Entropy,
        limits: Sequence[Limit] = (),
    ) -> None:
        """Wait for a carrier.

        Args:
            settings: What is known of the line.
            identity: Keys of this node, and who is expected.
            entropy: From a number of bytes to so many that nobody can foretell.
            limits: All of them have to allow what is sent.
        """
        first_us = _HELLOS * _HELLO_BYTES * SECOND_US // (settings.rate or SECOND_US)
        flags = CARRIES * settings.carries | HALF_DUPLEX * settings.half_duplex
        self._identity = identity
        self._handshake = Handshake(
            identity,
            entropy,
            Greeting(
                frame_bytes=settings.frame_bytes,
                flags=flags,
                first_backoff_us=max(first_us, FIRST_BACKOFF_US),
            ),
        )
        self._limits = tuple(limits)
        self._path = Path(settings)
        self._wire = Wire(settings)
        self._books = Books()
        self._conversation: Conversation | None = None
        self._blocked_us: int | None = None
        self._session_count = 0
        self._barred_us: int | None = None

    # The carrier

    def opened(self, now_us: int) -> None:
        """A carrier is there: greet the other side over it."""
        self._wire.open(now_us)
        self._path.line.cut(now_us)
        self._greet(now_us)

    def closed(self, now_us: int) -> None:
        """The carrier is gone, and with it all that was under way."""
        if self._conversation is not None:
            self._path.cut(now_us, self._conversation.sending.flight.size)
        self._wire.is_open = False
        self._end("the line was cut")

    def leave(self) -> None:
        """Say goodbye with the next `send`, and nothing more until `opened`."""
        if self._conversation is None:
            self._wire.is_open = False
        else:
            self._conversation.end("this side leaves", LEFT)

    def receive(self, now_us: int, data: bytes) -> list[Event]:
        """Take bytes of the pipe, or one datagram, and return what there is to tell.

        Args:
            now_us: When they came.
            data: Any bytes.
        """
        self._path.counts.bytes_in += len(data)
        if self._conversation is not None and self._conversation.turns is not None:
            self._conversation.turns.heard(now_us)
        if self._wire.is_open and not self._is_barred(now_us):
            for body in self._wire.feed(data):
                self._take(now_us, body)
        return self.events()

    def events(self) -> list[Event]:
        """Return what there is to tell, and forget it."""
        events = list(self._books.events)
        self._books.events.clear()
        return events

    def send(self, now_us: int) -> bytes | None:
        """Return what to write now; None: nothing, see `due`.

        Raises:
            FrameTooSmallError: a hello to this peer does not fit 16 frames of this link.
        """
        self._blocked_us = None
        if not self._wire.is_open or self._is_barred(now_us):
            return None
        self._blocked_us = self._ready_us(now_us, _SHORT_BYTES)
        if self._blocked_us > now_us:
            if self._books.outgoing.supply.next() is not None:
                self._path.rate.was_full()
            return None
        size = self._path.room + FRAMING_BYTES
        long_us = self._ready_us(now_us, size) if self._limits else now_us
        self._blocked_us = long_us if long_us > now_us else None
        body = self._handshake.send(now_us)
        if body is None:
            body = self._converse(now_us, self._path.room if long_us <= now_us else 0)
        return None if body is None else self._write(now_us, body)

    def due(self, now_us: int) -> int | None:
        """Return when to call `send` again at the latest; None: not before something happens."""
        if not self._wire.is_open:
            return None
        if self._barred_us is not None:
            return self._barred_us
        times = [] if self._blocked_us in {None, NEVER_US} else [self._blocked_us or 0]
        due_us = self._handshake.due_us()
        if due_us is not None:
            times.append(due_us)
        if self._conversation is not None:
            times.append(self._conversation.due_us)
        if not times:
            return None
        return max(min(times), self._ready_us(now_us, _SHORT_BYTES))

    # Wares

    def offer(self, wares: Sequence[Ware]) -> None:
        """Offer *wares*, at most one of each key, and nothing that was offered before besides.

        Those with the key of an earlier one, and otherwise equal to it, go on as they are.
        """
        self._books.outgoing.replace(wares)

    def ask(self, handle: int, ranges: Sequence[tuple[int, int]] | None) -> None:
        """Answer an `Offered`; as often as the answer changes.

        Args:
            handle: Of the event; nothing happens if it was withdrawn meanwhile.
            ranges: Of bytes [start, end), that are wanted: all of them, but for what is under way.
                Empty: all of it is here, durably. None: it is not wanted.

        Raises:
            ValueError: a range is empty or beyond the size.
        """
        self._books.incoming.ask(handle, ranges)

    def decline(self, number: int) -> None:
        """Answer a `WholeArrived` that is not taken, before the next `send`.

        The other side does not offer it any more in this session.
        """
        if self._conversation is not None:
            self._conversation.decline(number)

    def supply(self, handle: int, data: bytes) -> None:
        """Answer a `Wanted`; nothing happens if it is not wanted any more.

        Raises:
            ValueError: there are not as many bytes as were offered.
        """
        self._books.outgoing.supply.supply(handle, data)

    def settle(self, *, is_settled: bool) -> None:
        """Take note whether the caller has nothing to look up, as of all that was told by now.

        Once it has none, and nothing is to pass, the other side hears of it.
        """
        if self._conversation is not None:
            self._conversation.rest.is_settled = is_settled

    @property
    def waiting_bytes(self) -> int:
        """How many bytes that has which is offered, and not taken or refused in this session."""
        return self._books.outgoing.waiting_bytes

    @property
    def stats(self) -> LinkStats:
        """Totals, and how the line is now."""
        conversation = self._conversation
        return LinkStats(
            counts=replace(self._path.counts),
            is_established=conversation is not None,
            srtt_us=conversation.sending.trip.srtt_us if conversation else 0,
            rate=self._path.rate.bytes_per_second,
            frame_bytes=self._path.room,
            resent=self._books.outgoing.resent,
            waiting=self._books.outgoing.waiting,
            to_send=self._books.outgoing.supply.to_send,
            to_come=self._books.incoming.to_come,
            is_through=conversation is not None and conversation.is_through,
            rest_is_known=conversation is not None and conversation.rest.is_known,
        )

    @property
    def greeted_count(self) -> int:
        """How many hellos, new or replayed, an answer was made to: it goes where they came from."""
        return self._handshake.answered

    @property
    def vouched_count(self) -> int:
        """How many frames came that the peer has just made: it is where they came from."""
        return self._path.counts.frames_in + self._session_count

    # Inside

    def _take(self, now_us: int, body: bytes) -> None:
        counts = self._path.counts
        try:
            part = read_open(body) if kind_of(body) is Kind.HELLO else None
        except LinkError:
            counts.dropped += 1
            return
        conversation = self._conversation
        if isinstance(part, HelloPart):
            self._hear_hello(now_us, part)
        elif conversation and conversation.bye is None and conversation.take(now_us, body):
            counts.frames_in += 1
            self._handshake.confirm()
            self._see_whether_over(now_us)
        else:
            counts.dropped += 1

    def _hear_hello(self, now_us: int, part: HelloPart) -> None:
        refused = self._handshake.refused
        session = self._handshake.take(now_us, part)
        if self._handshake.refused > refused:
            self._books.notes.say("somebody who is not expected says hello, and gets no answer")
        if session is not None:
            if self._conversation is not None:
                self._path.broke(self._conversation.sending.flight.size)
            self._end("the other side began anew")
            self._begin(now_us, session)

    def _begin(self, now_us: int, session: Session) -> None:
        is_half_duplex = bool(session.flags & HALF_DUPLEX)
        settings = self._path.settings
        turns: Turns | None = None
        self._path.takes_turns = settings.half_duplex or is_half_duplex
        if self._path.takes_turns:
            is_first = self._identity.node_id < session.peer
            rate = self._path.rate.bytes_per_second
            turns = Turns(rate, settings.frame_bytes, is_first=is_first, now_us=now_us)
        self._session_count += 1
        self._conversation = Conversation(session, self._path, self._books, turns, now_us)
        self._books.events.append(
            Established(
                session.peer, bool(session.flags & CARRIES), is_half_duplex, session.frame_bytes
            )
        )
        self._books.begin(session.frame_bytes)

    def _end(self, reason: str) -> None:
        ended = self._conversation
        if ended is not None:
            is_through = ended.is_through
            is_known = is_through and (ended.is_left or ended.rest.is_known)
            self._conversation = None
            self._books.end()
            self._books.events.append(Ended(reason, is_through=is_through, is_known=is_known))

    def _greet(self, now_us: int) -> None:
        self._end("a new carrier came")
        self._handshake.start(now_us)

    def _is_barred(self, now_us: int) -> bool:
        if self._barred_us is not None and now_us >= self._barred_us:
            self._barred_us = None
            self._greet(now_us)
        return self._barred_us is not None

    def _see_whether_over(self, now_us: int) -> None:
        conversation = self._conversation
        if conversation is None or conversation.over is None:
            return
        self._end(conversation.over)
        # Who comes and goes for ever shall not keep this side busy with nothing else.
        self._handshake.start(now_us + _REST_US)

    def _converse(self, now_us: int, room: int) -> bytes | None:
        conversation = self._conversation
        if conversation is None:
            return None
        if conversation.bye is not None:
            return self._say_goodbye(now_us, conversation)
        body = conversation.send(now_us, room)
        self._see_whether_over(now_us)
        return body

    def _say_goodbye(self, now_us: int, conversation: Conversation) -> bytes:
        body = conversation.farewell()
        self._end(conversation.over or "")
        if conversation.bye == VIOLATED:
            self._barred_us = now_us + _BARRED_US
        else:
            self._wire.is_open = False
        return body

    def _ready_us(self, now_us: int, size: int) -> int:
        ready_us = max(self._path.line.ready_us(), now_us)
        for limit in self._limits:
            ready_us = max(ready_us, limit.ready_us(now_us, size))
        return ready_us

    def _write(self, now_us: int, body: bytes) -> bytes:
        framed = self._wire.frame(now_us, body)
        for limit in self._limits:
            limit.spend(now_us, len(framed))
        self._path.line.spend(now_us, len(framed))
        self._path.counts.bytes_out += len(framed)
        self._path.counts.frames_out += 1
        return framed
