"""Whether both sides have nothing left to do for each other (docs/link.md section 5.7). Pure.

A side is at rest when all that it offers was taken, all that it asked for came, and its caller has
nothing to look up. Only a packet of the other side, or news from elsewhere, can end that. So it
says up to which packet it has heard the other side: who sent nothing since, and is at rest as
well, knows that it is over.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Rest:
    """What one session knows of it.

    Attributes:
        is_settled: Whether the caller has nothing to look up, as of all that came.
        is_said: Whether that was said, and nothing passed since.
        is_known: Whether the other side has heard it.
    """

    is_settled: bool = False
    is_said: bool = False
    is_known: bool = False
    _said: int = -1
    _said_heard: int = 0
    _spoke: int = -1
    _heard: int = -1
    _other_said: int = -1
    _other_heard: int = -1

    @property
    def is_other(self) -> bool:
        """Whether the other side is at rest, and has nothing on its way to end that."""
        return self._other_said > self._heard and self._other_heard > self._spoke

    def spoke(self, number: int) -> None:
        """Own packet *number* gives the other side something to do."""
        self._spoke = number
        self.is_said = self.is_known = False

    def heard(self, number: int) -> None:
        """Packet *number* of the other side came; the caller has to look at it."""
        self._heard = max(self._heard, number)
        self.is_settled = self.is_said = self.is_known = False

    def say(self, number: int, heard: int) -> "RestLoad":
        """Say with packet *number* that this side is at rest, as of all packets before *heard*."""
        self._said, self._said_heard, self.is_said = number, heard, True
        return RestLoad(self, number)

    def take(self, number: int, heard: int) -> None:
        """The other side says, with packet *number*, that it is at rest.

        Args:
            number: Of its packet.
            heard: One more than the highest packet that it got before.
        """
        if number > self._other_said:
            self._other_said, self._other_heard = number, heard
        if number > self._said_heard:
            # Others were sent since, and may be lost for good: it has to hear that they are over.
            self.is_said = self.is_known = False

    def came(self, number: int) -> None:
        """What was said with packet *number* was heard."""
        self.is_known |= self.is_said and number == self._said

    def went(self, number: int) -> None:
        """What was said with packet *number* got lost."""
        self.is_said &= number != self._said


@dataclass(slots=True)
class RestLoad:
    """The `Load` of a REST frame."""

    rest: Rest
    number: int

    def acked(self) -> None:
        """See `Load.acked`."""
        self.rest.came(self.number)

    def lost(self) -> None:
        """See `Load.lost`."""
        self.rest.went(self.number)
