"""One session, from its first frame to its last: frames in, frames out (docs/link.md section 5).

Knows nothing of framing, of limits or of how fast the line is; see `transports.link.machine`.
"""

from transports.link import encode, offers, read
from transports.link.acks import Received
from transports.link.books import Books
from transports.link.errors import LinkError, MalformedFrameError
from transports.link.events import WholeArrived
from transports.link.frame import (
    Ack,
    Bye,
    Control,
    Data,
    Frame,
    HelloPart,
    Kind,
    OneWay,
    Rest,
    Short,
    Whole,
)
from transports.link.loss import Load
from transports.link.outgoing import DataLoad, WholeLoad
from transports.link.path import Path
from transports.link.read import full_number
from transports.link.rest import Rest as Resting
from transports.link.sending import Sending
from transports.link.session import Session
from transports.link.turns import Turns

LEFT, VIOLATED = 0, 1
"""Reasons in a BYE frame: its sender stops, or it was told what cannot be."""
# Offers and answers are worth a frame longer than the errors of a line make data frames.
_CONTROL_BYTES = 160
# What an acknowledgement has around its ranges but the first, and one of these, at most.
_ACK_BYTES, _RANGE_BYTES = 12, 4
_UNTRUE = "the other side acknowledged what was never sent; nothing is said to it for a minute"
_OLD = "dropped bytes of something that is not offered"


class Conversation:
    """The frames of one session.

    Attributes:
        session: Keys, peer, and what it takes.
        sending: Own packets.
        turns: Who may send; None: both sides at any time.
        rest: Which sides have nothing left to do.
        over: Why it is over; None: it is not.
        is_left: Whether it is over because the other side said so.
        bye: Reason of the BYE frame to be sent; None: none is.
    """

    def __init__(
        self, session: Session, path: Path, books: Books, turns: Turns | None, now_us: int
    ) -> None:
        """Begin with nothing sent and nothing received."""
        self.session = session
        self.sending = Sending(path, now_us)
        self.turns = turns
        self.rest = Resting()
        self.over: str | None = None
        self.is_left = False
        self._path = path
        self._books = books
        self._received = Received(
            is_ordered=path.settings.is_ordered or path.takes_turns, is_prompt=path.is_line
        )
        self.bye: int | None = None
        self._reason = ""

    def take(self, now_us: int, body: bytes) -> bool:
        """Take any *body* of a frame; return whether it was a new one of this session."""
        try:
            frame = read.read(
                body,
                self.session.keys.receiving,
                self._received.following,
                self.sending.flight.largest_acked + 1,
            )
        except LinkError:
            return False
        if isinstance(frame, Ack):
            return self._take_ack(now_us, frame)
        if isinstance(frame, (HelloPart, OneWay)) or not self._received.is_new(frame.number):
            return False
        self._understood(now_us)
        self._received.take(now_us, frame.number, len(body), self._wait_us(frame))
        self._act(now_us, frame)
        return True

    def _take_ack(self, now_us: int, ack: Ack) -> bool:
        if ack.largest >= self.sending.number:
            self._books.notes.say(_UNTRUE)
            self.end(_UNTRUE, VIOLATED)
            return True
        # One that says nothing new may be a replay: no sign of life.
        is_new = self.sending.acked(now_us, ack)
        if is_new:
            self._understood(now_us)
        return is_new

    def _understood(self, now_us: int) -> None:
        self.sending.probing.heard(now_us)
        if self.turns is not None:
            self.turns.understood(now_us)

    def _wait_us(self, frame: Frame) -> int:
        if isinstance(frame, Bye) or (isinstance(frame, Short) and frame.kind is Kind.TURN):
            return -1
        return 0 if isinstance(frame, (Short, Rest)) else self._path.wait_us(self.sending.trip)

    def _act(self, now_us: int, frame: Frame) -> None:
        books = self._books
        if isinstance(frame, (Data, Control, Whole)):
            self.rest.heard(frame.number)
        if isinstance(frame, Data):
            self._path.counts.payload_in += books.incoming.take_data(now_us, frame)
            if not books.incoming.is_known(frame.handle):
                books.notes.say(_OLD)
        elif isinstance(frame, Control):
            try:
                self._act_on(frame)
            except MalformedFrameError:
                books.notes.say("the other side offers or asks for what cannot be; dropped")
        elif isinstance(frame, Whole):
            self._path.counts.payload_in += len(frame.sealed)
            books.events.append(WholeArrived(frame.number, frame.label, frame.sealed))
        elif isinstance(frame, Rest):
            following = self.sending.number
            heard = full_number(frame.heard_low, following)
            self.rest.take(frame.number, min(heard, following))
        elif isinstance(frame, Bye):
            self.over, self.is_left = "the other side ended it", True
        elif self.turns is not None and isinstance(frame, Short) and frame.kind is Kind.TURN:
            self.turns.given(now_us)

    def _act_on(self, frame: Control) -> None:
        books = self._books
        if frame.kind is Kind.OFFER:
            books.incoming.take_offers(frame.number, offers.read_offers(frame.body))
        elif frame.kind is Kind.WITHDRAW:
            books.incoming.withdraw(frame.number, offers.read_withdrawn(frame.body))
        else:
            for lack in offers.read_lacks(frame.body):
                if not books.outgoing.take_lack(frame.number, lack):
                    books.notes.say("the other side asks for what was never offered; dropped")

    def decline(self, number: int) -> None:
        """Say that the whole bundle in packet *number* is not wanted, and not that it came."""
        self._received.forget(number)
        self._books.incoming.decline(number)

    def end(self, reason: str, code: int) -> None:
        """Say with the next frame that it is over, and take no more."""
        self.bye = code
        self._reason = reason

    def farewell(self) -> bytes:
        """Return the BYE frame; with it, it is over."""
        self.over = self._reason
        number = self.sending.take_number()
        code = LEFT if self.bye is None else self.bye
        return encode.encode_bye(self.session.keys.sending, number, code)

    def send(self, now_us: int, room: int) -> bytes | None:
        """Return the frame to send now; None: none.

        Args:
            now_us: The time.
            room: How long a frame of data should be; 0: only what is short may go.
        """
        self._check(now_us)
        turns = self.turns
        if turns is None:
            return self._next(now_us, room)
        if not turns.may_talk(now_us):
            return None
        frame = None if turns.is_long else self._next(now_us, room)
        if frame is not None:
            turns.talked(len(frame))
        elif turns.is_talking:
            turns.passed(max(self._path.line.free_us, now_us))
            frame = self._short(Kind.TURN)
        return frame

    def _check(self, now_us: int) -> None:
        self.sending.check(now_us)
        self._books.incoming.check(now_us)
        turns = self.turns
        if turns is not None and self.sending.flight and not turns.is_talking:
            # Its turn came, by word or by silence, and something is not acknowledged.
            self.sending.probing.is_needed |= turns.may_talk(now_us)
        if now_us >= self.sending.probing.over_us:
            self.over = "the other side is silent"

    def _next(self, now_us: int, room: int) -> bytes | None:
        if self._has_to_ack(now_us, is_full=bool(room)):
            return self._ack(now_us)
        if room:
            frame = self._control(now_us, min(max(room, _CONTROL_BYTES), self._most))
            if frame is None:
                frame = self._payload(now_us, min(room, self._most))
            if frame is not None:
                self.rest.spoke(self.sending.number - 1)
                return frame
        if self.has_rest_to_say:
            return self._say_rest(now_us)
        is_needed = self.sending.probing.is_needed
        return self._sent(now_us, self._short(Kind.PING), None) if is_needed else None

    def _has_to_ack(self, now_us: int, *, is_full: bool) -> bool:
        """Return whether an acknowledgement goes next; *is_full*: a frame of any kind may."""
        incoming = self._books.incoming
        if is_full and incoming.has_declined:
            return False  # what is not acknowledged would go again before that is said
        # What came is acknowledged before more is asked for: what is under way counts as sent.
        is_before = is_full and incoming.has_answers and self._received.is_waiting
        return self._received.is_due(now_us) or is_before

    @property
    def is_through(self) -> bool:
        """Whether neither side has anything left to do."""
        return self.rest.is_other and self.rest.is_settled and self._books.is_at_rest

    @property
    def has_rest_to_say(self) -> bool:
        """Whether the other side is to be told that this one has nothing left to do."""
        rest = self.rest
        return rest.is_settled and not rest.is_said and self._books.is_at_rest

    def _say_rest(self, now_us: int) -> bytes:
        number = self.sending.take_number()
        key, following = self.session.keys.sending, self._received.following
        load = self.rest.say(number, following)
        return self._sent(now_us, encode.encode_rest(key, number, following), load)

    @property
    def _most(self) -> int:
        return self.session.frame_bytes

    def _ack(self, now_us: int) -> bytes:
        ranges = 1 + (max(self._path.room, _CONTROL_BYTES // 2) - _ACK_BYTES) // _RANGE_BYTES
        return encode.encode_ack(self.session.keys.sending, self._received.ack(now_us, ranges))

    def _short(self, kind: Kind) -> bytes:
        return encode.encode_short(self.session.keys.sending, kind, self.sending.take_number())

    def _sent(self, now_us: int, frame: bytes, load: Load | None) -> bytes:
        self.sending.sent(now_us, frame, load)
        return frame

    def _control(self, now_us: int, room: int) -> bytes | None:
        incoming, outgoing = self._books.incoming, self._books.outgoing
        room -= encode.CONTROL_OVERHEAD_BYTES
        load: Load
        kind = Kind.LACK
        if incoming.has_answers:
            body, load = incoming.answers(now_us, room)
        elif outgoing.has_withdrawals:
            kind, (body, load) = Kind.WITHDRAW, outgoing.withdrawals()
        elif outgoing.has_offers:
            kind, (body, load) = Kind.OFFER, outgoing.offers(self.sending.number, room)
        else:
            return None
        number = self.sending.take_number()
        frame = encode.encode_control(self.session.keys.sending, kind, number, body)
        return self._sent(now_us, frame, load)

    def _payload(self, now_us: int, room: int) -> bytes | None:
        offering = self._books.outgoing.supply.next()
        if offering is None:
            return None
        if not self.sending.has_window:
            self._path.rate.was_full()
            return None
        key, outgoing = self.session.keys.sending, self._books.outgoing
        number = self.sending.take_number()
        load: Load
        if offering.wire_handle is None:
            start, data = offering.take(offering.ware.size)
            outgoing.went_whole(number, offering)
            frame = encode.encode_whole(key, number, offering.ware.label, data)
            load = WholeLoad(outgoing, offering, start, start + len(data))
        else:
            start, data = offering.take(room - encode.DATA_OVERHEAD_BYTES)
            frame = encode.encode_data(key, number, offering.wire_handle, start, data)
            load = DataLoad(outgoing, offering, start, start + len(data))
        self._path.counts.payload_out += len(data)
        return self._sent(now_us, frame, load)

    @property
    def due_us(self) -> int:
        """When to call `send` again, if nothing happens before."""
        sending = self.sending
        times = [sending.probing.over_us, sending.probing.due_us(sending.timeout_us)]
        times += [
            time
            for time in (sending.flight.due_us, self._received.due_us, self._books.incoming.due_us)
            if time is not None
        ]
        if self.turns is None:
            return min(times)
        if sending.flight or self._books.has_something or self.has_rest_to_say:
            times.append(self.turns.quiet_us)
        return max(min(times), self.turns.quiet_us)
