"""The handshake: from two hellos to a session (docs/link.md section 3.2).

A hello without an echo asks for an answer; one that echoes a fresh nonce of the other side makes a
session; every other one is old, whoever sends it, and changes nothing.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from transports.link.encode import encode_hello_part
from transports.link.errors import LinkError
from transports.link.frame import HelloPart
from transports.link.hello import (
    NO_ECHO,
    NONCE_BYTES,
    VERSION,
    Assembler,
    Hello,
    Identity,
    open_sealed,
    seal,
    split,
)
from transports.link.session import Session, derive_keys

Entropy = Callable[[int], bytes]
"""From a number of bytes to so many that nobody can foretell."""

FIRST_BACKOFF_US = 1_000_000
LONGEST_BACKOFF_US = 60_000_000
ANSWER_INTERVAL_US = 1_000_000
MOST_OPENED = 100
"""So many hellos are opened in a second."""
# Nonces of so many hellos are known again. Who has recorded more of them can keep others waiting.
_MOST_ANSWERED = 4096
# After so many echoes that nothing followed, the other side has another nonce, or none.
_MAX_ECHOES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a side says of itself in its hellos, and how soon it says it again.

    Attributes:
        frame_bytes: Longest frame that it takes and makes, without framing.
        flags: See `transports.link.hello`.
        first_backoff_us: Until the first repetition; it doubles up to a minute.
    """

    frame_bytes: int
    flags: int
    first_backoff_us: int = FIRST_BACKOFF_US


class Handshake:
    """One side of the handshake. For one thread.

    `start` comes first, and again when the line opens anew or is silent for good. Frames of hellos
    go to `take`, `send` gives those to be sent, and `confirm` is called whenever a frame with a
    right MAC comes: until the first of them the other side may not know of the session. For that,
    each side sends a packet that wants an acknowledgement as soon as it has a session.

    Attributes:
        session: The current one; None before the first.
        is_confirmed: Whether the other side is known to have it too.
        refused: Hellos so far that did not open, or were of nobody who is expected.
        heard: Those that did, and were.
        answered: Those of them that an answer was made to.
    """

    def __init__(self, identity: Identity, entropy: Entropy, greeting: Greeting) -> None:
        """Say nothing yet."""
        self.session: Session | None = None
        self.is_confirmed = False
        self.refused = 0
        self.heard = 0
        self.answered = 0
        self._identity = identity
        self._greeting = greeting
        self._nonces = _Nonces(entropy)
        self._assembler = Assembler()
        self._outbox = _Outbox(identity, greeting)
        self._backoff = _Backoff(entropy, greeting.first_backoff_us)
        self._answers = _Answers()
        self._openings = _Openings()

    def start(self, now_us: int) -> None:
        """Forget the session, and say hello at *now_us* if a peer is configured."""
        self.session = None
        self.is_confirmed = False
        self._nonces.forget()
        self._outbox.clear()
        self._backoff.restart(now_us)

    def confirm(self) -> None:
        """Take note that the other side has the session."""
        if not self.is_confirmed:
            self.is_confirmed = True
            self._outbox.clear()

    def due_us(self) -> int | None:
        """Return when to call `send`, now if that is past; None: not before something comes."""
        if self._outbox.frames:
            return 0
        return None if self.is_confirmed or self._peer() is None else self._backoff.due_us

    def send(self, now_us: int) -> bytes | None:
        """Return the HELLO frame to be sent now; None: none now.

        Raises:
            FrameTooSmallError: a hello to this peer does not fit 16 frames of this link.
        """
        if not self._outbox.frames:
            self._say_again(now_us)
        return self._outbox.pop()

    def take(self, now_us: int, part: HelloPart) -> Session | None:
        """Return the new session that *part* of a hello makes, or None."""
        sealed = self._assembler.add(part)
        if sealed is None or not self._openings.take(now_us):
            return None
        try:
            hello = open_sealed(sealed, self._identity)
        except LinkError:
            self.refused += 1
            return None
        if self.session and hello.node_id != self.session.peer:
            self.refused += 1
            return None
        self.heard += 1
        if hello.echo == NO_ECHO:
            self._answer(now_us, hello)
        elif hello.echo == self._nonces.fresh:
            return self._establish(now_us, hello)
        return None

    def _peer(self) -> bytes | None:
        return self.session.peer if self.session else self._identity.peer

    def _answer(self, now_us: int, hello: Hello) -> None:
        """Echo the nonce of *hello*, which may be a replay: not often, and nothing else follows."""
        is_of_session = hello.nonce == self._nonces.of_peer
        if self._outbox.has_answer or (is_of_session and self.is_confirmed):
            return
        if not self._answers.take(now_us, hello.nonce):
            return
        self.answered += 1
        own = self._nonces.of_session if is_of_session else self._nonces.draw()
        self._outbox.answer(hello.node_id, own, hello.nonce)

    def _establish(self, now_us: int, hello: Hello) -> Session:
        """Make the session with the sender of *hello*, who has just shown that it lives."""
        own = self._nonces.use(hello.nonce)
        self.session = Session(
            keys=derive_keys(self._identity.node_id, own, hello.node_id, hello.nonce),
            peer=hello.node_id,
            version=min(VERSION, hello.versions),
            frame_bytes=min(self._greeting.frame_bytes, hello.frame_bytes),
            flags=hello.flags,
        )
        self.is_confirmed = False
        self._backoff.restart(now_us)
        self._backoff.prolong(now_us)
        if not self._outbox.has_said(hello.node_id, own, hello.nonce):
            self._outbox.say(hello.node_id, own, hello.nonce)
        return self.session

    def _say_again(self, now_us: int) -> None:
        peer = self._peer()
        due_us = self._backoff.due_us
        if self.is_confirmed or peer is None or due_us is None or due_us > now_us:
            return
        self._backoff.prolong(now_us)
        if self.session and self._backoff.count <= _MAX_ECHOES + 1:
            self._outbox.say(peer, self._nonces.of_session, self._nonces.of_peer)
        else:
            self._outbox.say(peer, self._nonces.draw(), NO_ECHO)


class _Nonces:
    """Nonces of one side: the fresh one, which no session has used, and the two of the session."""

    def __init__(self, entropy: Entropy) -> None:
        self.fresh = b""
        self.of_session = b""
        self.of_peer = b""
        self._entropy = entropy

    def forget(self) -> None:
        self.fresh = self.of_session = self.of_peer = b""

    def draw(self) -> bytes:
        """Return the fresh nonce: it stays until a session uses it."""
        self.fresh = self.fresh or self._entropy(NONCE_BYTES)
        return self.fresh

    def use(self, of_peer: bytes) -> bytes:
        """Return the fresh nonce, which from now on is that of the session with *of_peer*."""
        self.of_session, self.of_peer, self.fresh = self.fresh, of_peer, b""
        return self.of_session


class _Answers:
    """How often hellos are answered: those that never were once a second, and all others as often.

    So whoever repeats one for ever keeps nobody else from an answer.
    """

    def __init__(self) -> None:
        self._nonces: OrderedDict[bytes, None] = OrderedDict()
        self._last_us: dict[bool, int] = {}

    def take(self, now_us: int, nonce: bytes) -> bool:
        """Return whether to answer the hello with *nonce* now, and take it that it is answered."""
        is_again = nonce in self._nonces
        last_us = self._last_us.get(is_again)
        if last_us is not None and now_us - last_us < ANSWER_INTERVAL_US:
            return False
        self._last_us[is_again] = now_us
        self._nonces[nonce] = None
        self._nonces.move_to_end(nonce)
        if len(self._nonces) > _MOST_ANSWERED:
            self._nonces.popitem(last=False)
        return True


class _Openings:
    """How many hellos are opened: each costs as much as thousands of bytes of anything else."""

    def __init__(self) -> None:
        self._since_us = 0
        self._count = 0

    def take(self, now_us: int) -> bool:
        """Return whether to open one more now, and take it that it is opened."""
        if now_us - self._since_us >= ANSWER_INTERVAL_US:
            self._since_us, self._count = now_us, 0
        self._count += 1
        return self._count <= MOST_OPENED


class _Outbox:
    """The frames of the last hello that are still to be sent.

    A hello that is said again has the same bytes, so that its parts add up at the other side.
    """

    def __init__(self, identity: Identity, greeting: Greeting) -> None:
        self.frames: deque[bytes] = deque()
        self.has_answer = False
        self._identity = identity
        self._greeting = greeting
        self._last: tuple[bytes, bytes, bytes] | None = None
        self._parts: list[HelloPart] = []

    def has_said(self, peer: bytes, nonce: bytes, echo: bytes) -> bool:
        return self._last == (peer, nonce, echo)

    def say(self, peer: bytes, nonce: bytes, echo: bytes) -> None:
        """Say a hello in place of what is still to be sent."""
        self.clear()
        if not self.has_said(peer, nonce, echo):
            self._parts = self._sealed_parts(peer, nonce, echo)
            self._last = (peer, nonce, echo)
        self.frames.extend(map(encode_hello_part, self._parts))

    def answer(self, peer: bytes, nonce: bytes, echo: bytes) -> None:
        """Say a hello after what is still to be sent: a replay must not keep that from its end."""
        waiting = tuple(self.frames)
        self.say(peer, nonce, echo)
        self.frames.extendleft(reversed(waiting))
        self.has_answer = True

    def pop(self) -> bytes | None:
        frame = self.frames.popleft() if self.frames else None
        self.has_answer = self.has_answer and bool(self.frames)
        return frame

    def clear(self) -> None:
        self.frames.clear()
        self.has_answer = False

    def _sealed_parts(self, peer: bytes, nonce: bytes, echo: bytes) -> list[HelloPart]:
        hello = Hello(
            versions=VERSION,
            nonce=nonce,
            echo=echo,
            node_id=self._identity.node_id,
            frame_bytes=self._greeting.frame_bytes,
            flags=self._greeting.flags,
        )
        return split(seal(hello, self._identity, peer), self._greeting.frame_bytes)


class _Backoff:
    """When something is said again: ever later, up to a minute, and never quite when foreseen."""

    def __init__(self, entropy: Entropy, first_us: int) -> None:
        self.due_us: int | None = None
        self.count = 0
        self._entropy = entropy
        self._first_us = first_us

    def restart(self, now_us: int) -> None:
        self.due_us, self.count = now_us, 0

    def prolong(self, now_us: int) -> None:
        delay_us = min(self._first_us << min(self.count, 16), LONGEST_BACKOFF_US)
        self.due_us = now_us + delay_us * (192 + self._entropy(1)[0] // 2) // 256
        self.count += 1
