"""Bytes of one carrier after another: framing, and what is due after silence. Pure."""

from transports.link.framing import Deframer, Framing, framing_named
from transports.link.settings import SECOND_US, LinkSettings

_SILENCE_US = SECOND_US


class Wire:
    """Frames to bytes and back; closed at first."""

    def __init__(self, settings: LinkSettings) -> None:
        """Use the framing of *settings*."""
        self._framing: Framing = framing_named(settings.framing, settings.frame_bytes)
        self._deframer: Deframer = self._framing.deframer()
        self._sent_us = -_SILENCE_US
        self.is_open = False

    def open(self, now_us: int) -> None:
        """A carrier came: what came before has nothing to do with what comes now."""
        self.is_open = True
        self._deframer = self._framing.deframer()
        self._sent_us = now_us - _SILENCE_US

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies of frames that end in *data*."""
        return self._deframer.feed(data)

    def frame(self, now_us: int, body: bytes) -> bytes:
        """Return *body* as bytes to write."""
        framed = self._framing.frame(body)
        if now_us - self._sent_us >= _SILENCE_US:
            framed = self._framing.opening + framed
        self._sent_us = now_us
        return framed
